"""One physics step of MJX in JAX, made of MJX's own stages so that XLA compiles it for whole bodies."""

from __future__ import annotations

from typing import Any

import jax
import mujoco
from mujoco import mjx

from ms_envs.physics import mjx_constraints
from ms_envs.physics.mjx_kinematics import kinematics


def refuse_unsupported(model: mujoco.MjModel) -> None:
    """Raise ``ValueError`` if the physics here lacks what a model needs."""
    missing = {
        "elliptic friction cones": model.opt.cone != mujoco.mjtCone.mjCONE_PYRAMIDAL,
        "dry friction in joints or tendons": model.dof_frictionloss.any() or model.tendon_frictionloss.any(),
        "inertia of tendons": model.tendon_armature.any(),
        "an integrator other than Euler's": model.opt.integrator != mujoco.mjtIntegrator.mjINT_EULER,
    }
    if lacking := [name for name, needed in missing.items() if needed]:
        raise ValueError(f"impl='jax' does not know {', '.join(lacking)}, which this body has; choose impl='warp'")


def velocities(model: Any, data: Any) -> Any:
    """What ``mjx.fwd_velocity`` does, of tendons without inertia."""
    moving = {
        "_impl.actuator_velocity": data._impl.actuator_moment @ data.qvel,
        "_impl.ten_velocity": data._impl.ten_J @ data.qvel,
    }
    return mjx.rne(model, mjx.passive(model, mjx.com_vel(model, data.tree_replace(moving))))


STAGES = (
    kinematics,
    mjx.com_pos,
    mjx.tendon,
    mjx.crb,
    mjx.factor_m,
    mjx.collision,
    mjx.make_constraint,
    mjx.transmission,
    velocities,
    mjx.fwd_actuation,
    mjx.fwd_acceleration,
    mjx_constraints.solve,
)
"""The stages of ``mjx.forward``, less sensors, cameras and lights."""


def forward(model: Any, data: Any) -> Any:
    """What ``mjx.forward`` does, of one body in JAX.

    Barriers between the stages keep XLA from computing the results of one anew wherever another needs them.

    Args:
        model: ``mjx.Model``.
        data: ``mjx.Data``.
    """
    for stage in STAGES:
        data = jax.lax.optimization_barrier(stage(model, data))
    return data


def step(model: Any, data: Any) -> Any:
    """What ``mjx.step`` does with Euler's integrator, of one body in JAX.

    Args:
        model: ``mjx.Model``.
        data: ``mjx.Data``.
    """
    return mjx.euler(model, forward(model, data))
