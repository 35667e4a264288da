"""The exact state of one environment in all of several."""

from __future__ import annotations

import numpy as np
import pytest
from ms_envs.envs import TrackingVectorEnv

POSTURE = {"body": "myo-legs", "control": "posture", "threads": 1}


@pytest.fixture(scope="module")
def single():
    env = TrackingVectorEnv("walk", 1, **POSTURE)
    yield env
    env.close()


@pytest.fixture(scope="module")
def several():
    env = TrackingVectorEnv("walk", 3, **POSTURE)
    yield env
    env.close()


def test_copies_go_where_the_original_goes_to_the_last_bit(single, several):
    single.reset(seed=3)
    several.reset(seed=8)
    rng = np.random.default_rng(0)
    for _ in range(5):
        single.step(rng.uniform(-1, 1, (1, 14)).astype(np.float32))
    several.set_state(single.get_state())
    for _ in range(5):
        action = rng.uniform(-1, 1, (1, 14)).astype(np.float32)
        single.step(action)
        several.step(np.repeat(action, 3, axis=0))
    for one, all_ in zip(single.coordinates(), several.coordinates(), strict=True):
        np.testing.assert_array_equal(all_, np.repeat(one, 3, axis=0))
    np.testing.assert_array_equal(several.excitation(), np.repeat(single.excitation(), 3, axis=0))


def test_states_of_another_number_of_environments_are_refused(single, several):
    several.reset(seed=0)
    with pytest.raises(ValueError, match="the state is of 3 environments, this one has 1"):
        single.set_state(several.get_state())


def test_bodies_are_placed_where_they_are_told_with_other_muscle_paths(single):
    single.reset(seed=3, options={"phase": 0.4})
    single.step(np.ones((1, 14), dtype=np.float32))
    fitted = TrackingVectorEnv("walk", 2, muscle_paths="fitted", **POSTURE)
    fitted.reset(seed=0, options={"phase": 0.0})
    fitted.place(*single.coordinates(), single.time)
    np.testing.assert_allclose(fitted.time, np.repeat(single.time, 2))
    action = np.zeros((1, 14), dtype=np.float32)
    for _ in range(3):
        single.step(action)
        fitted.step(np.repeat(action, 2, axis=0))
    for one, both, tolerance in zip(single.coordinates(), fitted.coordinates(), (0.01, 1.0, 0.1), strict=True):
        np.testing.assert_array_equal(both[0], both[1])
        np.testing.assert_allclose(both[:1], one, atol=tolerance)
    np.testing.assert_allclose(fitted.excitation()[:1], single.excitation(), atol=0.15)
    fitted.close()
