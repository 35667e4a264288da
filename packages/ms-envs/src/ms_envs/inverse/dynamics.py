"""Equations of motion of a body in independent coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.inverse.floor_contact import (
    PYRAMID,
    FloorContact,
    contact_model,
    floor_contacts,
    force_weight,
    segment_membership,
)
from ms_envs.motions.clip import MotionClip

Array = NDArray[np.float64]

COORDINATE_STEP = 1e-5
"""Time over which the rate of the coordinate map is taken by differences, s."""


@dataclass(frozen=True, eq=False)
class EquationsOfMotion:
    """One posture and velocity: ``mass @ acceleration + bias = moment_arm @ force + contact_map @ pyramid_force``.

    The 6 + J rows are the root (world translation in N, body-fixed rotation in N·m) and the independent joints (N·m).
    A muscle with activation a pulls with ``force = gain * a + passive``, negative when pulling.

    Attributes:
        mass: kg, kg·m or kg·m², (6 + J, 6 + J).
        bias: Coriolis, centrifugal, gravitational and passive joint forces, (6 + J,).
        moment_arm: Generalised force of one newton in each muscle, m, (6 + J, M).
        gain: Muscle force per activation, N, (M,).
        passive: Muscle force without activation, N, (M,).
        contact: Points near the floor.
        contact_map: Generalised force of one newton along each edge of each point's friction pyramid, (6 + J, 4 P).
        contact_weight: Cost of a squared force along each edge, 1/N², (4 P,).
        contact_segment: One where a point belongs to a segment, zero elsewhere, (S, P).
    """

    mass: Array
    bias: Array
    moment_arm: Array
    gain: Array
    passive: Array
    contact: FloorContact
    contact_map: Array
    contact_weight: Array
    contact_segment: Array

    def joint_moment(self, acceleration: Array) -> Array:
        """Generalised force an acceleration asks for, muscles and floor together, (6 + J,)."""
        moment: Array = self.mass @ acceleration + self.bias
        return moment

    def floor_wrench(self, pyramid_force: Array) -> Array:
        """Force and moment about the world's origin that the floor exerts on each segment, N and N·m, (S, 6)."""
        force = pyramid_force.reshape(-1, len(PYRAMID)) @ PYRAMID
        wrench: Array = self.contact_segment @ np.hstack([force, np.cross(self.contact.position, force)])
        return wrench


class Dynamics:
    """Evaluates the equations of motion of a body.

    Args:
        body: The body.
    """

    def __init__(self, body: Body) -> None:
        self.body = body
        self._model = contact_model(body)
        self._data = mujoco.MjData(self._model)
        self._segment_membership = segment_membership(body)

    def at(self, qpos: Array, qvel: Array, muscle_qvel: Array | None = None) -> EquationsOfMotion:
        """Equations of motion in one state.

        Args:
            qpos: Generalised positions, (nq,).
            qvel: Generalised velocities, (nv,).
            muscle_qvel: Velocities at which the muscles' force is taken instead, (nv,).
        """
        model, data = self._model, self._data
        data.qpos[:], data.qvel[:] = qpos, qvel
        mujoco.mj_fwdPosition(model, data)
        mujoco.mj_fwdVelocity(model, data)
        coordinates = self.body.coordinate_map(qpos)
        mass_map = self._mass_times(coordinates)
        bias = data.qfrc_bias - data.qfrc_passive + self._mass_times(self._coordinate_acceleration(qvel)[:, None])[:, 0]
        if muscle_qvel is not None:
            data.qvel[:] = muscle_qvel
            mujoco.mj_fwdVelocity(model, data)
        gain, passive = self._muscle_force()
        contact = floor_contacts(model, data)
        return EquationsOfMotion(
            mass=coordinates.T @ mass_map,
            bias=coordinates.T @ bias,
            moment_arm=coordinates.T @ self._muscle_moment().T,
            gain=gain,
            passive=passive,
            contact=contact,
            contact_map=coordinates.T @ self._contact_jacobian(contact).reshape(-1, model.nv).T,
            contact_weight=np.repeat(force_weight(contact.distance), len(PYRAMID)),
            contact_segment=self._segment_membership[:, contact.body],
        )

    def _mass_times(self, columns: Array) -> Array:
        """Inertia matrix times columns, (nv, k)."""
        product = np.empty(columns.shape[::-1])
        for vector, result in zip(np.ascontiguousarray(columns.T), product, strict=True):
            mujoco.mj_mulM(self._model, self._data, result, vector)
        return product.T

    def _coordinate_acceleration(self, qvel: Array) -> Array:
        """Acceleration of ``qvel`` that is due to the coupled coordinates' curvature, (nv,)."""
        independent = independent_velocity(self.body, qvel)
        moved = self._data.qpos.copy()
        mujoco.mj_integratePos(self._model, moved, qvel, COORDINATE_STEP)
        change = self.body.coordinate_map(moved) - self.body.coordinate_map(self._data.qpos)
        return change @ independent / COORDINATE_STEP

    def _muscle_force(self) -> tuple[Array, Array]:
        """Force per activation and force without activation; muscle force is affine in activation, N, (M,) each."""
        model, data = self._model, self._data
        forces = []
        for activation in (0.0, 1.0):
            data.act[:] = activation
            mujoco.mj_fwdActuation(model, data)
            forces.append(data.actuator_force.copy())
        return forces[1] - forces[0], forces[0]

    def _muscle_moment(self) -> Array:
        """Moment arms in all velocity coordinates, m, (M, nv)."""
        data = self._data
        moment = np.zeros((self._model.nu, self._model.nv))
        mujoco.mju_sparse2dense(
            moment, data.actuator_moment, data.moment_rownnz, data.moment_rowadr, data.moment_colind
        )
        return moment

    def _contact_jacobian(self, contact: FloorContact) -> Array:
        """Velocity of each point along each edge of its friction pyramid, (P, 4, nv)."""
        result = np.zeros((len(contact.body), len(PYRAMID), self._model.nv))
        jacobian = np.zeros((3, self._model.nv))
        for rows, position, body in zip(result, contact.position, contact.body, strict=True):
            mujoco.mj_jac(self._model, self._data, jacobian, None, position, body)
            rows[:] = PYRAMID @ jacobian
        return result


def independent_velocity(body: Body, qvel: Array) -> Array:
    """Root and independent joint velocities, or accelerations, out of all, (..., 6 + J)."""
    return np.concatenate([qvel[..., :ROOT_DOF], qvel[..., body.dof_index]], axis=-1)


def accelerations(body: Body, clip: MotionClip) -> Array:
    """Accelerations of the independent coordinates by central differences of the clip's velocities, (T, 6 + J).

    They run across the seam of a looping clip. The first and last two frames of others, whose velocities are one-sided,
    take the accelerations of their neighbours.
    """
    velocity = independent_velocity(body, clip.qvel)
    if clip.loop:
        velocity = np.concatenate([velocity[-2:-1], velocity, velocity[1:2]])
        return (velocity[2:] - velocity[:-2]) * (clip.fps / 2)
    change = np.gradient(velocity, 1 / clip.fps, axis=0)
    margin = min(2, (len(change) - 1) // 2)
    return np.pad(change[margin : len(change) - margin], ((margin, margin), (0, 0)), mode="edge")
