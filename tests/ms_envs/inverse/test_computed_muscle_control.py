from __future__ import annotations

import dataclasses

import mujoco
import numpy as np
import pytest
from ms_envs.inverse import ComputedMuscleControl
from ms_envs.inverse.computed_muscle_control import _point_jacobian
from ms_envs.inverse.dynamics import Dynamics

STEP = 0.02


@pytest.fixture
def control(legs, squat):
    return ComputedMuscleControl(legs, squat, STEP)


def state_on(clip, time):
    qpos, qvel = clip.coordinates(np.array([time]))
    return qpos[0], qvel[0]


def test_excitations_are_between_none_and_full(legs, squat, control):
    qpos, qvel = state_on(squat, 0.5)
    qvel[10] += 30.0
    excitation = control.excitation(qpos, qvel, np.full(80, 0.1), 0.5)
    assert excitation.shape == (80,) and excitation.min() >= 0 and excitation.max() <= 1
    assert excitation.max() > 0.9


def test_activations_follow_excitations_as_in_the_engine(legs, control):
    data = mujoco.MjData(legs.model)
    start, excitation = np.linspace(0.02, 0.9, 80), np.random.default_rng(0).uniform(0, 1, 80)
    data.act[:], data.ctrl[:] = start, excitation
    for _ in range(10):
        mujoco.mj_step(legs.model, data)
    np.testing.assert_allclose(control._activation_after(start, excitation), data.act, atol=1e-9)


def test_a_limb_beside_its_reference_is_pulled_back(legs, squat):
    control = ComputedMuscleControl(legs, squat, STEP, supported=True)
    qpos, qvel = state_on(squat, 0.5)
    qpos[2] += 0.2  # off the floor
    knee = legs.joint_roles["knee_r"][0]
    data, acceleration = mujoco.MjData(legs.model), []
    for offset in (-0.2, 0.2):
        mujoco.mj_resetData(legs.model, data)
        data.qpos[:], data.qvel[:], data.act[:] = qpos, qvel, 0.1
        data.qpos[legs.qpos_index[knee]] += offset
        legs.complete(data.qpos)
        data.ctrl[:] = control.excitation(data.qpos, data.qvel, data.act, 0.5)
        for _ in range(10):
            mujoco.mj_step(legs.model, data)
        acceleration.append((data.qvel - qvel)[legs.dof_index[knee]] / STEP)
    wanted = 2 * 0.2 * control.gains.stiffness
    assert 0.5 * wanted < acceleration[0] - acceleration[1] < 1.5 * wanted


def test_velocities_of_points_come_back_from_those_along_the_edges(legs, squat):
    qpos, qvel = state_on(squat, 0.5)
    equations = Dynamics(legs).at(qpos, qvel)
    jacobian = _point_jacobian(equations.contact_map)
    points = equations.contact
    assert len(points.body) > 0
    data = mujoco.MjData(legs.model)
    data.qpos[:] = qpos
    mujoco.mj_fwdPosition(legs.model, data)
    full = np.zeros((3, legs.model.nv))
    mujoco.mj_jac(legs.model, data, full, None, points.position[0], int(points.body[0]))
    np.testing.assert_allclose(jacobian[:3], full @ legs.coordinate_map(qpos), atol=1e-6)


def test_clip_of_another_body_is_refused(legs, squat):
    with pytest.raises(ValueError, match="was made for"):
        ComputedMuscleControl(legs, dataclasses.replace(squat, body_hash="0" * 16), STEP)
