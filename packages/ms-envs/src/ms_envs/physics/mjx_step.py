"""One physics step of MJX in JAX, made of MJX's own stages so that XLA compiles it for whole bodies."""

from __future__ import annotations

from typing import Any

import jax
from mujoco import mjx

from ms_envs.physics.mjx_kinematics import kinematics

STAGES = (
    kinematics,
    mjx.com_pos,
    mjx.tendon,
    mjx.crb,
    mjx.tendon_armature,
    mjx.factor_m,
    mjx.collision,
    mjx.make_constraint,
    mjx.transmission,
    mjx.fwd_velocity,
    mjx.fwd_actuation,
    mjx.fwd_acceleration,
    mjx.solve,
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
