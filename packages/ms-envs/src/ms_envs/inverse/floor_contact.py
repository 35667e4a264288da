"""Where a body touches the floor, and which forces the floor can answer with."""

from __future__ import annotations

import copy
from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import Body

REACH = 0.02
"""Points this far above the floor may still bear load, m: captured motion is no more exact than that."""

FRICTION = 0.8
"""Coefficient of friction of the floor."""

PYRAMID = np.array([[FRICTION, 0, 1], [-FRICTION, 0, 1], [0, FRICTION, 1], [0, -FRICTION, 1]], dtype=np.float64)
"""Edges of the friction pyramid: contact forces are their combinations with weights of at least zero."""

FORCE_WEIGHT = 1e-6
"""Cost of a squared contact force, 1/N², of a point on the floor."""


class FloorContact(NamedTuple):
    """The P points of a posture close to the floor.

    Attributes:
        position: World frame, m, (P, 3).
        distance: Height over the floor, negative below it, m, (P,).
        body: Body the point belongs to, (P,).
    """

    position: NDArray[np.float64]
    distance: NDArray[np.float64]
    body: NDArray[np.intp]


def contact_model(body: Body) -> mujoco.MjModel:
    """Copy of the body's model that reports floor contacts from :data:`REACH` above the floor on."""
    model = copy.copy(body.model)
    floor = floor_geoms(model)
    limbs = np.setdiff1d(np.arange(model.ngeom), floor)
    touching = ((model.geom_contype[limbs] & model.geom_conaffinity[floor[0]]) != 0) | (
        (model.geom_conaffinity[limbs] & model.geom_contype[floor[0]]) != 0
    )
    model.geom_contype[:], model.geom_conaffinity[:] = 0, 0
    model.geom_conaffinity[floor] = 1
    model.geom_contype[limbs[touching]] = 1
    model.geom_margin[:] = 0.0
    model.geom_margin[floor] = REACH
    model.body_margin[0] = REACH
    return model


def floor_geoms(model: mujoco.MjModel) -> NDArray[np.intp]:
    """Planes fixed to the world."""
    plane = (model.geom_bodyid == 0) & (model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE)
    return np.flatnonzero(plane)


def floor_contacts(model: mujoco.MjModel, data: mujoco.MjData) -> FloorContact:
    """Contacts found by ``mj_collision`` on a model of :func:`contact_model`."""
    geom = data.contact.geom.reshape(-1, 2)
    on_floor = (model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_PLANE).any(axis=1)
    bodies = model.geom_bodyid[geom[on_floor]].max(axis=1)
    position = data.contact.pos.reshape(-1, 3)[on_floor]
    return FloorContact(position, data.contact.dist[on_floor], bodies.astype(np.intp))


def segment_membership(body: Body) -> NDArray[np.float64]:
    """One where a body of the model moves with a segment, the nearest one above it, and zero elsewhere, (S, nbody).

    The S segments are in the order of ``body.segments``; what is above all of them counts with the pelvis.
    """
    owner = {body_id: segment for segment, body_id in enumerate(body.segments.values())}
    membership = np.zeros((len(body.segments), body.model.nbody))
    nearest = [list(body.segments).index("pelvis")]
    for body_id in range(1, body.model.nbody):
        nearest.append(owner.get(body_id, nearest[body.model.body_parentid[body_id]]))
        membership[nearest[body_id], body_id] = 1.0
    return membership


def force_weight(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cost of a squared contact force, rising without bound towards :data:`REACH` so that forces fade in and out.

    Args:
        distance: Height over the floor, m, (P,).

    Returns:
        Cost in 1/N², (P,).
    """
    nearness = np.clip(1.0 - distance / REACH, 1e-5, 1.0)
    return FORCE_WEIGHT / nearness**2
