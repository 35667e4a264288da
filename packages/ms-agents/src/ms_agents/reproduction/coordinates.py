"""States of a body as deviations from others."""

from __future__ import annotations

import numpy as np
from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.envs import TrackingVectorEnv
from ms_envs.task import rotations
from numpy.typing import NDArray

from ms_agents.reproduction.config import Perturbation

Array = NDArray[np.float64]


class Coordinates:
    """Deviations in the minimal coordinates of a body: root and independent joints, positions before velocities.

    Rotations count by twice the sine of half their angle, along their axis in the world.

    Args:
        body: The body.

    Attributes:
        size: Number of coordinates of a state, D = 2 (6 + J).
    """

    def __init__(self, body: Body) -> None:
        self._body, self._half = body, ROOT_DOF + len(body.joint_ids)
        self.size = 2 * self._half

    def between(self, qpos: Array, qvel: Array, nominal_qpos: Array, nominal_qvel: Array) -> Array:
        """Deviations of states, (N, nq) and (N, nv), from others, as many, (N, D)."""
        joints, dofs = self._body.qpos_index, self._body.dof_index
        turn = rotations.multiply(np, qpos[:, 3:7], rotations.conjugate(np, nominal_qpos[:, 3:7]))
        velocity = qvel - nominal_qvel
        return np.concatenate(
            [
                qpos[:, :3] - nominal_qpos[:, :3],
                2.0 * np.where(turn[:, :1] < 0, -1.0, 1.0) * turn[:, 1:],
                qpos[:, joints] - nominal_qpos[:, joints],
                velocity[:, :ROOT_DOF],
                velocity[:, dofs],
            ],
            axis=1,
        )

    def displaced(self, qpos: Array, qvel: Array, deviation: Array) -> tuple[Array, Array]:
        """States that deviate by (N, D) from given ones; coupled joints follow. Inverse of :meth:`between`."""
        body, position, velocity = self._body, deviation[:, : self._half], deviation[:, self._half :]
        qpos, axis = qpos.copy(), position[:, 3:6] / 2
        tilt = np.column_stack([np.sqrt(np.maximum(1.0 - (axis**2).sum(axis=1), 0.0)), axis])
        qpos[:, :3] += position[:, :3]
        qpos[:, 3:7] = rotations.multiply(np, tilt / np.linalg.norm(tilt, axis=1, keepdims=True), qpos[:, 3:7])
        qpos[:, body.qpos_index] += position[:, ROOT_DOF:]
        body.complete(qpos)
        change = np.einsum("nij,nj->ni", body.coordinate_map(qpos), velocity)
        return qpos, qvel + change

    def scale(self, perturbation: Perturbation) -> Array:
        """Standard deviation of every coordinate, (D,)."""
        p, joints = perturbation, self._half - ROOT_DOF
        root = [p.root_displacement, p.root_displacement, p.root_height] + [p.root_rotation] * 3
        moving = [p.root_velocity] * 3 + [p.root_angular_velocity] * 3
        return np.concatenate([root, joints * [p.joint_angle], moving, joints * [10.0 * p.joint_angle]])


def place_near(
    env: TrackingVectorEnv,
    coordinates: Coordinates,
    scale: Array,
    start: tuple[Array, Array, Array],
    time: Array,
    bodies: NDArray[np.bool_],
    generator: np.random.Generator,
) -> None:
    """Put some bodies near given states; the others stay where they are.

    Args:
        env: The environments.
        coordinates: Of the body.
        scale: Standard deviation of every coordinate, (D,).
        start: Positions, velocities and activations, (N, nq), (N, nv) and (N, M).
        time: Where in the motion these states are, s, (N,).
        bodies: Which are put there, (N,).
        generator: Source of the deviations.
    """
    qpos, qvel, activation = start
    deviation = scale * generator.standard_normal((env.num_envs, coordinates.size))
    moved = (*coordinates.displaced(qpos, qvel, deviation), activation)
    pairs = zip(moved, env.coordinates(), strict=True)
    qpos, qvel, activation = (np.where(bodies[:, None], new, now) for new, now in pairs)
    env.place(qpos, qvel, activation, np.where(bodies, time, env.time))
