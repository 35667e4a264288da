"""A clip and what must be known of its body, as JAX arrays."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ms_envs.bodies.body import Body
from ms_envs.envs.reflex_law import ReflexTables
from ms_envs.envs.starts import LAST_START, RESTING_ACTIVATION
from ms_envs.motions.clip import MotionClip, ReferenceTable
from ms_envs.motions.lookup import Timeline, coordinates_at, interpolate
from ms_envs.task.rotations import Array

BLOCK = 256
"""Frames are padded to a multiple of this, so that clips of about the same length share their compiled code."""


class Motion(NamedTuple):
    """Where the body should be.

    Attributes:
        timeline: When the frames are.
        rows: The reference pose at every frame, (T, 16 + 2 J + 3 K).
        qpos: Generalised positions, (T, nq).
        qvel: Generalised velocities, (T, nv).
        activation: Muscle activations that balance the motion, (T, M).
        latest: Latest start of an episode, s.
    """

    timeline: Timeline
    rows: jax.Array
    qpos: jax.Array
    qvel: jax.Array
    activation: jax.Array
    latest: Array

    @classmethod
    def of(cls, clip: MotionClip, body: Body) -> Motion:
        """The motion of a clip.

        Raises:
            ValueError: If the clip does not fit the body.
        """
        rest = np.full((len(clip.qpos), body.model.nu), RESTING_ACTIVATION)
        activation = rest if clip.activation is None else np.clip(clip.activation / body.strength, 0.0, 1.0)
        return cls(
            timeline=Timeline(*(jnp.asarray(value, dtype=jnp.float32) for value in clip.timeline)),
            rows=padded(ReferenceTable(clip, body).rows),
            qpos=padded(clip.qpos),
            qvel=padded(clip.qvel),
            activation=padded(activation),
            latest=jnp.float32(clip.duration if clip.loop else max(clip.duration - LAST_START, 0.0)),
        )

    def coordinates(self, time: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """``qpos`` (N, nq), ``qvel`` (N, nv) and activations (N, M) at times in s, (N,)."""
        (activation,) = interpolate(jnp, self.timeline, time, self.activation)
        return *coordinates_at(jnp, self.timeline, self.qpos, self.qvel, time), activation


class Joints(NamedTuple):
    """Where the joints of a body are and how the coupled ones follow; see :class:`ms_envs.bodies.Body`.

    Attributes:
        qpos_index: Of the independent joints, (J,).
        dof_index: Of the independent joints, (J,).
        limits: Lower and upper, rad, (2, J).
        rest: ``qpos0``, (nq,).
        coupled: Of the coupled joints in ``qpos``, (C,).
        driver: Of the joints that drive them in ``qpos``, (C,).
        polynomial: Coefficients, constant term first, of those that are driven at all, (C, 5).
    """

    qpos_index: jax.Array
    dof_index: jax.Array
    limits: jax.Array
    rest: jax.Array
    coupled: jax.Array
    driver: jax.Array
    polynomial: jax.Array

    @classmethod
    def of(cls, body: Body) -> Joints:
        """The joints of a body."""
        constant = body.coupling_polynomial * [1.0, 0.0, 0.0, 0.0, 0.0]
        driven = body.coupling_parent >= 0
        return cls(
            jnp.asarray(body.qpos_index),
            jnp.asarray(body.dof_index),
            jnp.asarray(body.joint_range.T, dtype=jnp.float32),
            jnp.asarray(body.model.qpos0, dtype=jnp.float32),
            jnp.asarray(body.model.jnt_qposadr[body.coupled_joint_ids]),
            jnp.asarray(body.qpos_index[body.coupling_parent]),
            jnp.asarray(np.where(driven[:, None], body.coupling_polynomial, constant), dtype=jnp.float32),
        )

    def perturbed(
        self, qpos: jax.Array, qvel: jax.Array, draws: jax.Array, noise: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Coordinates (N, nq) and (N, nv) with standard normal draws (N, 2, J) times a noise in rad on the joints."""
        lower, upper = self.limits
        moved = jnp.clip(qpos[:, self.qpos_index] + noise * draws[:, 0], lower, upper)
        shaken = self._completed(qpos.at[:, self.qpos_index].set(moved))
        return jnp.where(noise > 0, shaken, qpos), qvel.at[:, self.dof_index].add(10.0 * noise * draws[:, 1])

    def _completed(self, qpos: jax.Array) -> jax.Array:
        """Set the coupled coordinates from the independent ones."""
        offset = qpos[:, self.driver] - self.rest[self.driver]
        return qpos.at[:, self.coupled].set(self.rest[self.coupled] + jnp.polyval(self.polynomial[:, ::-1].T, offset))


def padded(frames: np.ndarray) -> jax.Array:
    """Frames (T, ...) with the last one repeated up to a multiple of :data:`BLOCK`."""
    missing = -len(frames) % BLOCK if len(frames) else 0
    repeated = np.pad(frames, [(0, missing)] + [(0, 0)] * (frames.ndim - 1), mode="edge" if missing else "constant")
    return jnp.asarray(repeated, dtype=jnp.float32)


def padded_tables(tables: ReflexTables) -> ReflexTables:
    """Tables of the stretch reflex, padded as the motion is."""
    arrays = ReflexTables(*(jnp.asarray(values, dtype=jnp.float32) for values in tables))
    return arrays._replace(
        **{name: padded(getattr(tables, name)) for name in ("length", "velocity", "activation", "moment_arm")}
    )
