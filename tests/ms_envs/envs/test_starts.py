from __future__ import annotations

import numpy as np
import pytest
from ms_envs.bodies import Body
from ms_envs.envs.options import TrackingOptions
from ms_envs.envs.starts import Starts
from ms_envs.motions.clip import MotionClip

ADAPTIVE = {"reset_distribution": "adaptive", "autoreset_mode": "SameStep", "horizon": 0.2}


@pytest.fixture
def starts(legs: Body, squat_clip: MotionClip) -> Starts:
    """Starts on a squat of two seconds."""
    return Starts(legs, squat_clip, TrackingOptions(body="myo-legs", reset_distribution="adaptive"))


def phases(starts: Starts) -> np.ndarray:
    return starts.times([np.random.default_rng(seed) for seed in range(500)]) / 2.0


def test_starts_gather_before_the_instant_at_which_episodes_fail(starts: Starts) -> None:
    assert np.histogram(phases(starts), 4, (0, 1))[0].min() > 90
    everyone = np.ones(100, dtype=np.bool_)
    for step in range(1, 801):
        times = np.full(100, 0.02 * step)
        failed = everyone & (step % 100 == 60)  # 1.2 s into every squat
        starts.learn(times, everyone, failed, failed)
    gathered = phases(starts)
    assert ((gathered > 0.35) & (gathered < 0.61)).mean() > 0.85
    assert gathered.max() > 0.9


def test_passes_of_environments_that_rest_do_not_count(starts: Starts) -> None:
    nobody, everyone = np.zeros(4, dtype=np.bool_), np.ones(4, dtype=np.bool_)
    starts.learn(np.full(4, 0.5), nobody, nobody, everyone)
    assert (starts.failure_rate == 1).all()


def test_environments_learn_where_they_fail_and_an_exact_restart_remembers(make_vector_env) -> None:
    env, other = make_vector_env(4, **ADAPTIVE), make_vector_env(4, **ADAPTIVE)
    env.reset(seed=3)
    actions = np.random.default_rng(0).uniform(size=(40, 4, 80)).astype(np.float32)
    for action in actions[:25]:
        env.step(action)
    saved = env.get_state()
    assert 0 < saved["failure_rate"].min() < 1
    other.set_state(saved)
    for action in actions[25:]:
        np.testing.assert_array_equal(env.step(action)[0], other.step(action)[0])


def test_a_seed_starts_adaptive_resets_anew(make_vector_env) -> None:
    env, fresh = make_vector_env(4, **ADAPTIVE), make_vector_env(4, **ADAPTIVE)
    env.reset(seed=3)
    for _ in range(15):
        env.step(env.action_space.low)
    np.testing.assert_array_equal(env.reset(seed=8)[0], fresh.reset(seed=8)[0])
    np.testing.assert_array_equal(env.get_state()["failure_rate"], fresh.get_state()["failure_rate"])
