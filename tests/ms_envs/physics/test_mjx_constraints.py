"""Constraint forces of MJX in JAX against MuJoCo C."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np
import pytest

pytest.importorskip("mujoco.mjx")

import jax
import jax.numpy as jnp
from ms_envs.bodies import BODIES, Body
from ms_envs.physics.mjx_constraints import solve
from ms_envs.physics.mjx_model import simplified_for_jax
from ms_envs.physics.mjx_step import refuse_unsupported
from mujoco import mjx

STATES = 8


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "myo-legs" else pytest.mark.slow) for name in BODIES]
)
def test_accelerations_in_contact_are_those_of_mujoco(body_named: Callable[[str], Body], name: str) -> None:
    model = simplified_for_jax(body_named(name).model)
    model.opt.jacobian = mujoco.mjtJacobian.mjJAC_DENSE  # which MJX can take over
    generator = np.random.default_rng(0)
    problems, expected = [], []
    for _ in range(STATES):
        data = mujoco.MjData(model)
        data.qpos[2] += lowered_onto_the_floor(model, 0.002)
        data.qvel[:] = generator.normal(0, 0.5, model.nv)
        mujoco.mj_forward(model, data)
        assert data.ncon >= 2
        expected.append(data.qacc.copy())
        data.qacc_warmstart[:] = generator.normal(0, 30, model.nv)  # elsewhere
        problems.append(mjx.put_data(model, data, impl="jax"))
    batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), *problems)
    found = jax.jit(jax.vmap(solve, in_axes=(None, 0)))(mjx.put_model(model, impl="jax"), batch)
    np.testing.assert_allclose(found.qacc * model.opt.timestep, np.stack(expected) * model.opt.timestep, atol=2e-4)


def lowered_onto_the_floor(model: mujoco.MjModel, depth: float) -> float:
    """How far to move the resting body up until its lowest contact is so deep in the floor."""
    data = mujoco.MjData(model)
    low, high = -2.0, 2.0
    for _ in range(40):
        data.qpos[:] = model.qpos0
        data.qpos[2] += (middle := 0.5 * (low + high))
        mujoco.mj_forward(model, data)
        deepest = min((contact.dist for contact in data.contact), default=1.0)
        low, high = (middle, high) if deepest < -depth else (low, middle)
    return high


def test_what_the_solver_does_not_know_is_refused() -> None:
    body = '<body><geom size="1"/><joint frictionloss="1"/></body>'
    model = mujoco.MjModel.from_xml_string(f'<mujoco><option cone="elliptic"/><worldbody>{body}</worldbody></mujoco>')
    with pytest.raises(ValueError, match="elliptic friction cones, dry friction in joints or tendons.*impl='warp'"):
        refuse_unsupported(model)
