"""What is our own in a physics step of MJX, against MuJoCo C and the kernels of the CPU engine."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np
import pytest

pytest.importorskip("mujoco.mjx")

import jax
import jax.numpy as jnp
from ms_envs.bodies import BODIES, Body
from ms_envs.paths import load_paths
from ms_envs.paths.samples import uniform_poses
from ms_envs.physics.mjx_kinematics import kinematics
from ms_envs.physics.mjx_model import simplified_for_jax, with_few_muscles
from ms_envs.physics.mjx_paths import JointPaths
from ms_envs.physics.path_kernel import add_path_torques, path_lengths, path_table, path_work
from mujoco import mjx

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("name", BODIES)]


def test_bones_joints_and_shapes_are_where_mujoco_has_them(body_named: Callable[[str], Body], name: str) -> None:
    body = body_named(name)
    model = simplified_for_jax(with_few_muscles(body, load_paths(body).exact))
    (qpos,) = uniform_poses(body, 1, 0)
    qpos[:7] = [1.0, 2.0, 0.5, 0.5, -0.5, 0.1, 0.7]
    expected = mujoco.MjData(model)
    expected.qpos[:] = qpos
    mujoco.mj_kinematics(model, expected)
    on_device = mjx.put_model(model, impl="jax")
    given = mjx.make_data(model, impl="jax").replace(qpos=jnp.asarray(qpos, dtype=jnp.float32))
    found = jax.jit(kinematics)(on_device, given)
    for field in ("xpos", "xmat", "xanchor", "xipos", "ximat", "geom_xpos", "geom_xmat", "site_xpos", "site_xmat"):
        theirs = getattr(expected, field)
        np.testing.assert_allclose(getattr(found, field).reshape(theirs.shape), theirs, atol=3e-6)
    hinges = model.jnt_type == mujoco.mjtJoint.mjJNT_HINGE
    np.testing.assert_allclose(found.xaxis[hinges], expected.xaxis[hinges], atol=3e-6)


def test_lengths_velocities_and_torques_are_those_of_the_kernel(body_named: Callable[[str], Body], name: str) -> None:
    body = body_named(name)
    paths, generator = load_paths(body), np.random.default_rng(0)
    poses = uniform_poses(body, 3, 0)
    poses += generator.normal(0, 0.01, poses.shape)  # couplings give way
    speeds = generator.normal(0, 3, (3, body.model.nv))
    forces = -generator.uniform(0, 1000, (3, body.model.nu))
    forces[:, paths.exact] = 0.0

    @jax.jit
    def ours(path: JointPaths, qpos: jax.Array, qvel: jax.Array, force: jax.Array) -> tuple[jax.Array, ...]:
        return *path.measured(qpos, qvel), path.torque(qpos, force)

    length, velocity, torque = ours(JointPaths.of(paths, body), *map(jnp.float32, (poses, speeds, forces)))
    table = path_table(paths, body)
    work = path_work(table)
    for i in range(3):
        expected = np.zeros(body.model.nu), np.zeros(body.model.nu), np.zeros(body.model.nv)
        path_lengths(table, work, poses[i], speeds[i], *expected[:2])
        add_path_torques(table, work, forces[i], expected[2])
        np.testing.assert_allclose(np.delete(length[i], paths.exact), np.delete(expected[0], paths.exact), atol=3e-6)
        np.testing.assert_allclose(np.delete(velocity[i], paths.exact), np.delete(expected[1], paths.exact), atol=3e-5)
        np.testing.assert_allclose(torque[i], expected[2], atol=1e-5 * np.abs(expected[2]).max())
