"""Momentum and floor contact of a whole motion, with their derivatives by the independent coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.inverse.box_least_squares import box_least_squares
from ms_envs.inverse.dynamics import independent_velocity
from ms_envs.inverse.floor_contact import PYRAMID, contact_model, floor_contacts, force_weight

Array = NDArray[np.float64]

FORCE_UNIT = 100.0
"""Contact forces are solved for in this unit, N, to make the problem well scaled."""


@dataclass(frozen=True, eq=False)
class ContactPoints:
    """Points of the body's surface close to the floor in each of N frames, filled up to P with points far from it.

    Attributes:
        body: Body that carries the point, (N, P).
        local: Place in that body's frame, m, (N, P, 3).
        distance: Height over the floor where the points were found, m, (N, P).
    """

    body: NDArray[np.intp]
    local: Array
    distance: Array


@dataclass(frozen=True, eq=False)
class Postures:
    """N frames of a motion. Derivatives are by the n = 6 + J independent coordinates.

    Attributes:
        center: Centre of mass, m, (N, 3).
        center_jacobian: (N, 3, n).
        momentum_map: Angular momentum about the centre of mass per independent velocity, (N, 3, n).
        tracked: Positions of the root and the key bodies, m, (N, 1 + K, 3).
        tracked_jacobian: (N, 1 + K, 3, n).
        contact: Contact points of the frame, m, (N, P, 3).
        contact_jacobian: (N, P, 3, n).
        carried: Contact points of the frame before, moved along with the body, m, (N, P, 3).
        carried_jacobian: (N, P, 3, n).
    """

    center: Array
    center_jacobian: Array
    momentum_map: Array
    tracked: Array
    tracked_jacobian: Array
    contact: Array
    contact_jacobian: Array
    carried: Array
    carried_jacobian: Array


class Kinematics:
    """Moves a body and measures it.

    Args:
        body: The body.
    """

    def __init__(self, body: Body) -> None:
        self.body = body
        self._model = contact_model(body)
        self._data = mujoco.MjData(self._model)
        self._root = int(self._model.jnt_bodyid[0])
        self._tracked = np.concatenate([[self._root], body.key_body_ids])

    def contact_points(self, qpos: Array) -> ContactPoints:
        """Points close to the floor in each frame, (N, nq)."""
        found = []
        for coordinates in qpos:
            self._place(coordinates)
            mujoco.mj_collision(self._model, self._data)
            contact = floor_contacts(self._model, self._data)
            surface = np.concatenate([contact.position[:, :2], contact.distance[:, None]], axis=1)
            rotation = self._data.xmat[contact.body].reshape(-1, 3, 3)
            local = np.einsum("pij,pi->pj", rotation, surface - self._data.xpos[contact.body])
            found.append((contact.body, local, contact.distance))
        size = (len(qpos), max(1, *(len(distance) for *_, distance in found)))
        points = ContactPoints(np.full(size, self._root), np.zeros((*size, 3)), np.full(size, np.inf))
        for frame, (body, local, distance) in enumerate(found):
            used = slice(len(distance))
            points.body[frame, used], points.local[frame, used], points.distance[frame, used] = body, local, distance
        return points

    def measure(self, qpos: Array, points: ContactPoints) -> Postures:
        """Momentum, tracked bodies and given contact points of a motion, (N, nq)."""
        rows = []
        for frame, coordinates in enumerate(qpos):
            self._place(coordinates)
            model, data = self._model, self._data
            center, momentum = np.zeros((2, 3, model.nv))
            mujoco.mj_jacSubtreeCom(model, data, center, self._root)
            mujoco.mj_angmomMat(model, data, momentum, self._root)
            tracked = data.xpos[self._tracked].copy()
            contact = self._world(points.body[frame], points.local[frame])
            carried = self._world(points.body[frame - 1], points.local[frame - 1])
            independent = self.body.coordinate_map(coordinates)
            rows.append(
                (
                    data.subtree_com[self._root].copy(),
                    center @ independent,
                    momentum @ independent,
                    tracked,
                    self._jacobians(tracked, self._tracked) @ independent,
                    contact,
                    self._jacobians(contact, points.body[frame]) @ independent,
                    carried,
                    self._jacobians(carried, points.body[frame - 1]) @ independent,
                )
            )
        return Postures(*(np.array(column) for column in zip(*rows, strict=True)))

    def difference(self, qpos: Array, other: Array) -> Array:
        """Independent coordinates from postures (N, nq) to other ones, (N, n)."""
        change = np.zeros((len(qpos), self._model.nv))
        for row, before, after in zip(change, qpos, other, strict=True):
            mujoco.mj_differentiatePos(self._model, row, 1.0, before, after)
        return independent_velocity(self.body, change)

    def displace(self, qpos: Array, step: Array) -> Array:
        """Postures (N, nq) after steps (N, n) of the independent coordinates, within joint limits."""
        body, model = self.body, self._model
        change = np.zeros((len(qpos), model.nv))
        change[:, :ROOT_DOF], change[:, body.dof_index] = step[:, :ROOT_DOF], step[:, ROOT_DOF:]
        moved = qpos.copy()
        for coordinates, row in zip(moved, change, strict=True):
            mujoco.mj_integratePos(model, coordinates, row, 1.0)
        before, (low, high) = qpos[:, body.qpos_index], body.joint_range.T
        # A joint that is already beyond its limit may stay there, but goes no further.
        allowed = np.clip(moved[:, body.qpos_index], np.minimum(low, before), np.maximum(high, before))
        moved[:, body.qpos_index] = allowed
        return body.complete(moved)

    def _place(self, qpos: Array) -> None:
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)

    def _world(self, body: NDArray[np.intp], local: Array) -> Array:
        """World places of points fixed to bodies, (P, 3)."""
        rotation = self._data.xmat[body].reshape(-1, 3, 3)
        world: Array = self._data.xpos[body] + np.einsum("pij,pj->pi", rotation, local)
        return world

    def _jacobians(self, points: Array, bodies: NDArray[np.intp]) -> Array:
        """Translational Jacobians of points that move with bodies, (P, 3, nv)."""
        result = np.zeros((len(points), 3, self._model.nv))
        for jacobian, point, body in zip(result, points, bodies, strict=True):
            mujoco.mj_jac(self._model, self._data, jacobian, None, point, body)
        return result


@dataclass(frozen=True, eq=False)
class FloorResponse:
    """The floor's best answer to the wrench that each of N frames demands about the centre of mass.

    Attributes:
        residual: Demanded force and moment that the floor does not give, in units of their tolerance, (N, 6).
        stiffness: Square root of the second derivative of the cost by the demand in those units, (N, 6, 6).
        cost: Half the squared residual plus the cost of the contact forces, (N,).
        force: Force at each contact point in the world frame, N, (N, P, 3).
    """

    residual: Array
    stiffness: Array
    cost: Array
    force: Array


def floor_response(postures: Postures, points: ContactPoints, demand: Array, tolerance: Array) -> FloorResponse:
    """Contact forces in the friction pyramids that meet demanded wrenches best.

    Args:
        postures: The motion.
        points: Its contact points.
        demand: Force in N and moment about the centre of mass in N·m, (N, 6).
        tolerance: Residual that costs one half, N and N·m, (6,).
    """
    arm = postures.contact - postures.center[:, None]
    edges = np.broadcast_to(PYRAMID, (*arm.shape[:2], *PYRAMID.shape))
    wrench = np.concatenate([edges, np.cross(arm[:, :, None], edges)], axis=3) / tolerance
    rows = []
    for columns, distance, target in zip(wrench, points.distance, demand / tolerance, strict=True):
        scaled = columns.reshape(-1, 6).T
        weight = np.repeat(force_weight(distance), len(PYRAMID))
        bounds = np.zeros(len(weight)), np.full(len(weight), np.inf)
        force, residual = box_least_squares(FORCE_UNIT * scaled, target, FORCE_UNIT**2 * weight, *bounds)
        pushing = force > 0
        compliance = np.eye(6) + (scaled[:, pushing] / weight[pushing]) @ scaled[:, pushing].T
        values, vectors = np.linalg.eigh(compliance)
        cost = 0.5 * residual @ residual + 0.5 * (FORCE_UNIT * force) ** 2 @ weight
        edge_force = (FORCE_UNIT * force).reshape(-1, len(PYRAMID))
        rows.append((residual, (vectors / np.sqrt(values)) @ vectors.T, cost, edge_force @ PYRAMID))
    return FloorResponse(*(np.array(column) for column in zip(*rows, strict=True)))
