from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np
import pytest
from ms_envs.bodies import BODIES, Body, load_body
from ms_envs.paths.samples import uniform_poses
from ms_envs.physics.muscle_kernel import advance_activations, muscle_forces, muscle_table


@pytest.mark.parametrize("name", BODIES)
def test_forces_and_activations_are_those_of_mujoco(body_named: Callable[[str], Body], name: str) -> None:
    body = body_named(name)
    model, generator = body.model, np.random.default_rng(0)
    table, data, force = muscle_table(model), mujoco.MjData(model), np.zeros(model.nu)
    for qpos in uniform_poses(body, 3, 1):
        data.qpos[:], data.qvel[:] = qpos, generator.normal(0, 3, model.nv)
        data.act[:], data.ctrl[:] = generator.random(model.nu), generator.uniform(-0.2, 1.2, model.nu)
        mujoco.mj_forward(model, data)
        muscle_forces(table, data.actuator_length, data.actuator_velocity, data.act, force)
        np.testing.assert_allclose(force, data.actuator_force, rtol=1e-6, atol=1e-6)
        expected = data.act + model.opt.timestep * data.act_dot
        activation = data.act.copy()
        advance_activations(table, model.opt.timestep, data.ctrl, activation)
        np.testing.assert_allclose(activation, expected, atol=1e-12)


def test_every_branch_of_the_curves_is_mujocos(legs: Body) -> None:
    model, muscle = legs.model, 3
    table, force = muscle_table(model), np.zeros(model.nu)
    limits, strength = model.actuator_lengthrange[muscle], model.actuator_acc0[muscle]
    for normal in np.linspace(0.2, 2.2, 41):
        for speed in (-1.5, -0.5, 0.0, 0.2, 2.0):
            length = (normal - table.offset[muscle]) / table.scale[muscle]
            velocity = speed / table.velocity_scale[muscle]
            muscle_forces(table, np.full(80, length), np.full(80, velocity), np.full(80, 0.7), force)
            gain = mujoco.mju_muscleGain(length, velocity, limits, strength, model.actuator_gainprm[muscle, :9])
            bias = mujoco.mju_muscleBias(length, limits, strength, model.actuator_biasprm[muscle, :9])
            assert force[muscle] == pytest.approx(0.7 * gain + bias, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_activation_rises_and_falls_as_in_mujoco(legs: Body, smoothing: float) -> None:
    table = muscle_table(legs.model)._replace(smoothing=np.full(80, smoothing))
    parameters = np.array([0.01, 0.04, smoothing])
    for start in (0.0, 0.2, 0.5, 0.9, 1.1):
        for excitation in (-0.5, 0.0, 0.3, 0.6, 1.5):
            activation = np.full(80, start)
            advance_activations(table, 0.001, np.full(80, excitation), activation)
            rate = mujoco.mju_muscleDynamics(excitation, start, parameters)
            assert activation[0] == pytest.approx(start + 0.001 * rate, abs=1e-12)


def test_other_actuators_are_refused() -> None:
    body = load_body("myo-legs")
    body.model.actuator_actearly[5] = 1
    with pytest.raises(ValueError, match=body.muscle_names[5]):
        muscle_table(body.model)
