"""The spring that may hold the roots of bodies on the reference, on JAX arrays."""

from __future__ import annotations

from typing import NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np

from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.physics.cpu import RADIUS_OF_GYRATION, RootSupport
from ms_envs.task.rotations import conjugate, multiply


class Spring(NamedTuple):
    """A critically damped spring on the six coordinates of the root.

    Attributes:
        stiffness: N/m and N·m/rad, (6,).
        damping: N·s/m and N·m·s/rad, (6,).
    """

    stiffness: jax.Array
    damping: jax.Array

    @classmethod
    def of(cls, body: Body, frequency: float) -> Self:
        """The spring with a natural frequency in rad/s."""
        inertia = np.repeat([body.mass, body.mass * RADIUS_OF_GYRATION**2], 3)
        return cls(jnp.asarray(inertia * frequency**2), jnp.asarray(2 * inertia * frequency))

    def force(self, qpos: jax.Array, support: RootSupport, substep: jax.Array) -> jax.Array:
        """Force on the roots, but for the damping of their own velocity, which the model has.

        Args:
            qpos: Generalised positions, (N, nq).
            support: The reference over a control step.
            substep: Physics step within it.

        Returns:
            N and N·m, (N, 6).
        """
        wanted, current = support.qpos[:, substep], qpos[:, : ROOT_DOF + 1]
        turn = multiply(jnp, conjugate(jnp, current[:, 3:]), wanted[:, 3:])
        turn = jnp.where(turn[:, :1] < 0, -turn, turn)
        sine = jnp.linalg.norm(turn[:, 1:], axis=1, keepdims=True)
        scale = jnp.where(sine > 1e-6, 2 * jnp.arctan2(sine, turn[:, :1]) / jnp.maximum(sine, 1e-6), 2.0)
        offset = jnp.concatenate([wanted[:, :3] - current[:, :3], scale * turn[:, 1:]], axis=1)
        return self.stiffness * offset + self.damping * support.qvel[:, substep]
