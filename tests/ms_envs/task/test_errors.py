from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ms_envs.task import rotations
from ms_envs.task.errors import (
    METRIC_UNITS,
    largest_deviation,
    tracking_error,
    tracking_error_slices,
    tracking_metrics,
)
from ms_envs.task.state import Pose

seeds = st.integers(0, 2**32 - 1)
yaws = st.floats(-np.pi, np.pi)
shifts = st.tuples(*[st.floats(-10, 10)] * 3).map(np.array)


@given(seeds)
def test_zero_error_on_reference(random_state, seed: int) -> None:
    pose = random_state(seed).pose
    assert not tracking_error(np, pose, pose).any()
    assert not tracking_error(np, pose._replace(root_orientation=-pose.root_orientation), pose).any()


@given(seeds, st.sampled_from(Pose._fields), st.floats(1e-6, 1.0))
def test_nonzero_error_off_reference(random_state, seed: int, field: str, size: float) -> None:
    pose = random_state(seed, 1).pose
    rng = np.random.default_rng(seed)
    value = getattr(pose, field)
    if field == "root_orientation":
        axis = rng.normal(size=3)
        axis *= np.sin(size / 2) / np.linalg.norm(axis)
        changed = rotations.multiply(np, value, np.concatenate([[np.cos(size / 2)], axis]))
    else:
        changed = value.copy()
        changed.flat[rng.integers(value.size)] += size
    error = tracking_error(np, pose, pose._replace(**{field: changed}))
    assert np.abs(error).max() > 0.1 * size


@given(seeds, yaws, shifts)
def test_error_does_not_change_when_body_and_reference_turn_together(random_state, moved, seed, yaw, shift) -> None:
    pose, reference = random_state(seed).pose, random_state(seed + 1).pose
    before = tracking_error(np, pose, reference)
    after = tracking_error(np, moved(pose, yaw, shift), moved(reference, yaw, shift))
    np.testing.assert_allclose(after, before, atol=1e-10)


def test_error_is_reference_minus_state(random_state) -> None:
    pose = random_state(0, 1).pose
    ahead = pose._replace(joint_position=pose.joint_position + 0.3)
    joints = tracking_error_slices(5, 4)["joint_position"]
    np.testing.assert_allclose(tracking_error(np, pose, ahead)[:, joints], 0.3)


def test_root_error_is_in_the_heading_frame_of_the_reference(random_state) -> None:
    yaw = np.pi / 2  # the reference faces world y, so a reference ahead in y is ahead in x of its own frame
    pose = random_state(0, 1).pose._replace(root_orientation=np.array([[np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]]))
    ahead = pose._replace(root_position=pose.root_position + [0, 1, 0])
    np.testing.assert_allclose(tracking_error(np, pose, ahead)[0, :3], [1, 0, 0], atol=1e-12)


@given(st.integers(0, 80), st.integers(0, 20))
def test_error_slices_tile_the_vector(joints: int, key_bodies: int) -> None:
    stop = 0
    for block in tracking_error_slices(joints, key_bodies).values():
        assert block.start == stop
        stop = block.stop
    assert stop == 15 + 2 * joints + 3 * key_bodies


@given(seeds)
def test_errors_of_one_body_do_not_depend_on_the_others(random_state, seed: int) -> None:
    pose, reference = random_state(seed).pose, random_state(seed + 1).pose
    together = tracking_error(np, pose, reference)
    alone = tracking_error(np, Pose(*(v[1:2] for v in pose)), Pose(*(v[1:2] for v in reference)))
    np.testing.assert_allclose(together[1:2], alone, atol=1e-14)


def test_metrics_are_in_the_units_they_declare(random_state) -> None:
    state = random_state(0, 1)
    pose = state.pose
    reference = pose._replace(
        root_position=pose.root_position + [0.03, 0.04, 0.0],
        key_position=pose.key_position + [0.03, 0.04, 0.0],
        joint_position=pose.joint_position - np.deg2rad(2),
        joint_velocity=pose.joint_velocity + np.deg2rad(7),
    )
    metrics = tracking_metrics(np, pose, state.muscles, reference)
    assert set(metrics) == set(METRIC_UNITS)
    expected = {
        "joint_angle_error": 2.0,
        "body_position_error": 0.0,
        "global_body_position_error": 50.0,
        "root_position_error": 50.0,
        "root_orientation_error": 0.0,
        "joint_velocity_error": 7.0,
        "effort": (state.muscles.activation**2).mean(),
    }
    for name, value in expected.items():
        assert metrics[name][0] == pytest.approx(value, abs=1e-9), name


def test_deviation_is_that_of_the_worst_body(random_state) -> None:
    pose = random_state(0, 2).pose
    key_position = pose.key_position.copy()
    key_position[0, 1] += [0.0, 0.0, 0.4]
    key_position[0, 2] += [0.0, 0.0, 0.7]
    reference = pose._replace(key_position=key_position)
    root, body = largest_deviation(np, pose, reference)
    np.testing.assert_allclose(root, 0.0)
    np.testing.assert_allclose(body, [0.7, 0.0])
