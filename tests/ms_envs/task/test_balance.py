from __future__ import annotations

import mujoco
import numpy as np
import pytest
from ms_envs.envs import TrackingVectorEnv
from ms_envs.motions import load_clip
from ms_envs.motions.balance_table import FEET, BalanceTable
from ms_envs.task.balance import Balance, capture_point


@pytest.fixture(scope="module")
def table(legs):
    return BalanceTable(load_clip("walk", legs), legs)


def test_a_body_at_rest_is_captured_under_its_center_of_mass_and_a_moving_one_ahead():
    center = np.array([[1.0, 2.0, 0.981], [1.0, 2.0, 0.981]])
    velocity = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 5.0]])
    point = capture_point(np, Balance(center, velocity, velocity, np.zeros((2, 4)), velocity))
    np.testing.assert_allclose(point, [[1.0, 2.0], [1.0 + np.sqrt(0.1), 2.0]])


def test_a_body_on_the_reference_has_its_balance(legs, table):
    env = TrackingVectorEnv("walk", 2, body="myo-legs", threads=1)
    env.reset(seed=0, options={"phase": np.array([0.0, 20 / 63])})
    for actual, reference in zip(env.balance(), table.at(env.time), strict=True):
        np.testing.assert_allclose(actual, reference, atol=1e-5)
    env.close()


def test_the_center_of_mass_moves_with_its_velocity_over_the_seam_of_a_loop(table, legs):
    times = np.linspace(0.2, 3.0, 1401)
    balance = table.at(times)
    slope = np.gradient(balance.center_of_mass, times, axis=0)
    assert np.abs(slope - balance.center_of_mass_velocity).max() < 0.15
    np.testing.assert_allclose(np.linalg.norm(balance.torso_orientation, axis=1), 1.0)


def test_feet_move_with_the_joints_as_their_jacobian_says(legs, table):
    clip, data, frame, step = load_clip("walk", legs), mujoco.MjData(legs.model), 10, 1e-6
    places = []
    for sign in (-1, 1):
        data.qpos[:] = clip.qpos[frame]
        data.qpos[legs.qpos_index[legs.joint_roles["knee_r"]]] += sign * step
        legs.complete(data.qpos)
        mujoco.mj_kinematics(legs.model, data)
        places.append([data.xpos[legs.segments[foot]].copy() for foot in FEET])
    moved = (np.array(places[1]) - places[0]) / (2 * step)
    np.testing.assert_allclose(table.foot_jacobian[frame, :, :, legs.joint_roles["knee_r"][0]], moved, atol=1e-4)
