from __future__ import annotations

import mujoco
import numpy as np
import pytest
from ms_envs.bodies import Body
from ms_envs.motions.clip import MotionClip
from ms_envs.motions.muscle_table import MuscleTable


@pytest.fixture(scope="module")
def table(legs: Body, squat_clip: MotionClip) -> MuscleTable:
    return MuscleTable(squat_clip, legs, moment_arms=True)


def test_lengths_are_those_of_the_posture(legs: Body, squat_clip: MotionClip, table: MuscleTable) -> None:
    data = mujoco.MjData(legs.model)
    data.qpos[:] = squat_clip.qpos[30]
    mujoco.mj_forward(legs.model, data)
    np.testing.assert_allclose(table.at(np.array([30 / squat_clip.fps]))[0][0], data.actuator_length, atol=1e-9)


def test_velocities_are_the_slope_of_the_lengths(squat_clip: MotionClip, table: MuscleTable) -> None:
    slope = np.gradient(table.length, 1 / squat_clip.fps, axis=0)[2:-2]
    difference = np.abs(table.velocity[2:-2] - slope)
    assert np.median(difference) < 1e-3  # wrapping points make a few muscles jump
    assert np.corrcoef(table.velocity[2:-2].ravel(), slope.ravel())[0, 1] > 0.99


def test_moment_arms_are_length_changes_per_angle(legs: Body, squat_clip: MotionClip, table: MuscleTable) -> None:
    frame, step = 30, 1e-5
    data, knee = mujoco.MjData(legs.model), legs.joint_roles["knee_r"][0]
    lengths = []
    for sign in (1, -1):
        qpos = squat_clip.qpos[frame].copy()
        qpos[legs.qpos_index[knee]] += sign * step
        data.qpos[:] = legs.complete(qpos)
        mujoco.mj_forward(legs.model, data)
        lengths.append(data.actuator_length.copy())
    numeric = (lengths[0] - lengths[1]) / (2 * step)
    moment_arm = table.moment_arm[frame, :, knee]
    np.testing.assert_allclose(moment_arm, numeric, atol=2e-4)
    assert np.abs(moment_arm).max() > 0.02


def test_moment_arms_are_left_out_unless_asked_for(legs: Body, squat_clip: MotionClip) -> None:
    assert MuscleTable(squat_clip, legs, moment_arms=False).moment_arm.size == 0
