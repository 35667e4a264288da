from __future__ import annotations

import mujoco
import numpy as np
import pytest
from ms_envs.inverse import Dynamics, accelerations
from ms_envs.task.rotations import conjugate, rotate


def moving_state(body, rng):
    low, high = body.joint_range.T
    qpos = body.model.qpos0.copy()
    qpos[2] = 3.0
    qpos[body.qpos_index] = rng.uniform(0.7 * low + 0.3 * high, 0.3 * low + 0.7 * high)
    body.complete(qpos)
    velocity = rng.normal(size=6 + len(body.joint_ids))
    return qpos, velocity


def test_inverse_dynamics_of_a_simulated_motion_recovers_the_applied_forces(legs, make_clip):
    rng = np.random.default_rng(1)
    qpos, velocity = moving_state(legs, rng)
    dynamics, step, substeps = Dynamics(legs), 1e-3, 5
    size = len(velocity)
    amplitude = np.where(np.arange(size) < 3, 50.0, 5.0) * rng.normal(size=size)
    force, postures = [], []
    for count in range(40 * substeps):
        applied = amplitude * np.sin(20 * count * step + np.arange(size))
        qvel = legs.coordinate_map(qpos) @ velocity
        equations = dynamics.at(qpos, qvel)
        if count % substeps == 0:
            postures.append(qpos.copy())
            force.append(applied)
        acceleration = np.linalg.solve(equations.mass, applied - equations.bias)
        middle = legs.coordinate_map(qpos) @ (velocity + 0.5 * step * acceleration)
        velocity = velocity + step * acceleration
        mujoco.mj_integratePos(legs.model, qpos, middle, step)
        legs.complete(qpos)
    clip = make_clip(legs, np.array(postures), 1 / (step * substeps), loop=False)
    found = np.array(
        [
            dynamics.at(q, v).joint_moment(a)
            for q, v, a in zip(clip.qpos, clip.qvel, accelerations(legs, clip), strict=True)
        ]
    )
    inner = slice(3, -3)
    error = np.abs(found[inner] - np.array(force)[inner]).max(axis=0)
    assert (error < 0.05 * np.abs(force).max(axis=0) + 0.5).all()


def test_free_fall_needs_no_root_force(legs):
    rng = np.random.default_rng(2)
    qpos, velocity = moving_state(legs, rng)
    velocity[6:] = 0
    equations = Dynamics(legs).at(qpos, legs.coordinate_map(qpos) @ velocity)
    assert not len(equations.contact.distance)
    acceleration = np.linalg.solve(equations.mass, -equations.bias)
    np.testing.assert_allclose(equations.joint_moment(acceleration), 0, atol=1e-8)
    still = Dynamics(legs).at(qpos, np.zeros(legs.model.nv))
    np.testing.assert_allclose(still.bias[:3], [0, 0, 9.81 * legs.mass], rtol=1e-3, atol=1e-9)


def test_muscle_force_is_what_the_engine_computes(legs):
    rng = np.random.default_rng(3)
    qpos, velocity = moving_state(legs, rng)
    qvel = legs.coordinate_map(qpos) @ velocity
    equations = Dynamics(legs).at(qpos, qvel)
    data = mujoco.MjData(legs.model)
    data.qpos[:], data.qvel[:], data.act[:] = qpos, qvel, rng.random(legs.model.na)
    mujoco.mj_forward(legs.model, data)
    force = equations.gain * data.act + equations.passive
    np.testing.assert_allclose(force, data.actuator_force, atol=1e-6)
    expected = legs.coordinate_map(qpos).T @ data.qfrc_actuator
    np.testing.assert_allclose(equations.moment_arm @ force, expected, atol=1e-6)


def test_floor_answers_with_the_forces_of_its_pyramids(legs, squat):
    equations = Dynamics(legs).at(squat.qpos[0], np.zeros(legs.model.nv))
    assert set(equations.contact.body) <= {legs.segments[f"{part}_{s}"] for part in ("foot", "toes") for s in "rl"}
    force = np.random.default_rng(4).random(equations.contact_map.shape[1])
    wrench = equations.floor_wrench(force)
    feet = [list(legs.segments).index(f"{part}_{side}") for part in ("foot", "toes") for side in "rl"]
    np.testing.assert_allclose(wrench.sum(axis=0), wrench[feet].sum(axis=0), atol=1e-12)
    push, moment = np.split(wrench.sum(axis=0), 2)
    about_root = rotate(np, conjugate(np, squat.qpos[0, 3:7]), moment - np.cross(squat.qpos[0, :3], push))
    np.testing.assert_allclose((equations.contact_map @ force)[:6], np.concatenate([push, about_root]), atol=1e-12)


def test_accelerations_of_a_loop_run_across_its_seam(legs, squat):
    found = accelerations(legs, squat)
    np.testing.assert_allclose(found[0], found[-1], atol=1e-9)


@pytest.mark.parametrize("height", [0.0, 0.05])
def test_points_out_of_reach_of_the_floor_do_not_count(legs, squat, height):
    qpos = squat.qpos[0].copy()
    qpos[2] += height
    count = len(Dynamics(legs).at(qpos, np.zeros(legs.model.nv)).contact.distance)
    assert (count > 0) == (height == 0)


def test_accelerations_of_a_constant_one_are_exact_to_the_ends(legs, make_clip):
    time = np.arange(8) / 50.0
    qpos = np.repeat(legs.model.qpos0[None], len(time), axis=0)
    qpos[:, 2] += 0.5 * 3.0 * time**2
    found = accelerations(legs, make_clip(legs, qpos, 50.0, loop=False))
    np.testing.assert_allclose(found[:, 2], 3.0, atol=1e-9)
    assert accelerations(legs, make_clip(legs, qpos[:2], 50.0, loop=False)).shape == (2, 6 + len(legs.joint_ids))
