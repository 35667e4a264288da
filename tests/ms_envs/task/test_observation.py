from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ms_envs.task.observation import MUSCLE_SIGNALS, MuscleScale, observation_slices, observe

JOINTS, KEY_BODIES, MUSCLES = 5, 4, 6
SCALE = MuscleScale(np.full(MUSCLES, 0.1), np.full(MUSCLES, 500.0))
seeds = st.integers(0, 2**32 - 1)


def futures(random_state, seed: int, count: int):
    return [random_state(seed + 1 + i).pose for i in range(count)]


@given(seeds, st.integers(1, 3), st.sets(st.sampled_from(MUSCLE_SIGNALS)))
def test_slices_tile_the_observation(random_state, seed: int, lookahead: int, signals: set[str]) -> None:
    signals = sorted(signals)
    observation = observe(np, random_state(seed), futures(random_state, seed, lookahead), SCALE, signals)
    stop = 0
    for block in observation_slices(JOINTS, KEY_BODIES, MUSCLES, lookahead, signals).values():
        assert block.start == stop
        stop = block.stop
    assert observation.shape == (3, stop)
    assert observation.dtype == np.float32


@given(seeds, st.floats(-np.pi, np.pi), st.tuples(st.floats(-10, 10), st.floats(-10, 10)))
def test_place_and_direction_do_not_matter(random_state, moved, seed: int, yaw: float, shift) -> None:
    shift = np.array([*shift, 0.0])
    state, future = random_state(seed), futures(random_state, seed, 2)
    elsewhere = state._replace(pose=moved(state.pose, yaw, shift))
    before = observe(np, state, future, SCALE, MUSCLE_SIGNALS)
    after = observe(np, elsewhere, [moved(f, yaw, shift) for f in future], SCALE, MUSCLE_SIGNALS)
    np.testing.assert_allclose(after, before, atol=1e-4)


def test_blocks_hold_what_they_are_named_after(random_state) -> None:
    state, (future,) = random_state(3), futures(random_state, 3, 1)
    blocks = observation_slices(JOINTS, KEY_BODIES, MUSCLES, 1, MUSCLE_SIGNALS)
    observation = observe(np, state, [future], SCALE, MUSCLE_SIGNALS)
    expected = {
        "root_height": state.pose.root_position[:, 2:],
        "joint_position": state.pose.joint_position,
        "joint_velocity": state.pose.joint_velocity / 10,
        "muscle_activation": state.muscles.activation,
        "muscle_length": state.muscles.length / 0.1,
        "muscle_velocity": state.muscles.velocity / 0.1 / 10,
        "muscle_force": -state.muscles.force / 500,
        "reference_0_joint_position": future.joint_position - state.pose.joint_position,
    }
    for name, values in expected.items():
        np.testing.assert_allclose(observation[:, blocks[name]], values, rtol=1e-5, err_msg=name)


def test_gravity_is_up_when_the_body_stands(random_state) -> None:
    state = random_state(0)
    upright = np.tile([np.cos(0.4), 0.0, 0.0, np.sin(0.4)], (3, 1))
    state = state._replace(pose=state.pose._replace(root_orientation=upright))
    observation = observe(np, state, [state.pose], SCALE, ())
    np.testing.assert_allclose(observation[:, 1:4], np.tile([0, 0, 1], (3, 1)), atol=1e-6)


def test_reference_blocks_vanish_on_the_reference(random_state) -> None:
    state = random_state(1)
    blocks = observation_slices(JOINTS, KEY_BODIES, MUSCLES, 1, ())
    observation = observe(np, state, [state.pose], SCALE, ())
    for name in ("root_position", "joint_position", "key_position"):
        assert not observation[:, blocks[f"reference_0_{name}"]].any()


def test_unknown_muscle_signal_is_refused(random_state) -> None:
    state = random_state(1)
    with pytest.raises(ValueError, match="tension.*activation.*length.*velocity.*force"):
        observe(np, state, [state.pose], SCALE, ("tension",))
