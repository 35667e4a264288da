"""How far the collision shapes of a body are above the ground."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ms_envs.bodies.body import Body


def colliding_geoms(body: Body) -> NDArray[np.intp]:
    """Geoms that can touch the floor."""
    model = body.model
    colliding = (model.geom_contype != 0) | (model.geom_conaffinity != 0)
    return np.flatnonzero(colliding & (model.geom_bodyid != 0)).astype(np.intp)


def geoms_of(body: Body, *segments: str) -> NDArray[np.intp]:
    """Colliding geoms of the named segments; those the body lacks are left out."""
    ids = [body.segments[segment] for segment in segments if segment in body.segments]
    geoms = colliding_geoms(body)
    return geoms[np.isin(body.model.geom_bodyid[geoms], ids)]


def limb_of(body: Body, geoms: NDArray[np.intp]) -> list[str]:
    """The limb each geom belongs to: ``foot_r``, ``foot_l``, ``hand_r``, ``hand_l`` or ``trunk``."""
    model = body.model
    limb = {
        bone: f"{'foot' if part in ('ankle', 'foot', 'toes') else 'hand'}_{side}"
        for segment, bone in body.segments.items()
        for part, _, side in [segment.rpartition("_")]
        if part in ("ankle", "foot", "toes", "forearm", "wrist", "hand")
    }
    result = []
    for bone in model.geom_bodyid[geoms]:
        while bone and bone not in limb and bone not in body.segments.values():
            bone = model.body_parentid[bone]
        result.append(limb.get(int(bone), "trunk"))
    return result


def lowest_heights(body: Body, qpos: NDArray[np.float64], geoms: NDArray[np.intp]) -> NDArray[np.float64]:
    """Height of the lowest point of each geom above z = 0, negative below it, m, (T, G)."""
    data = mujoco.MjData(body.model)
    result = np.empty((len(qpos), len(geoms)))
    for frame, coordinates in enumerate(qpos):
        data.qpos[:] = coordinates
        mujoco.mj_kinematics(body.model, data)
        result[frame] = [support_point(body.model, data, int(geom), (0, 0, -1))[2] for geom in geoms]
    return result


def support_point(model: mujoco.MjModel, data: mujoco.MjData, geom: int, direction: ArrayLike) -> NDArray[np.float64]:
    """Point of a geom's surface that lies furthest in a world direction.

    Args:
        model: Model.
        data: Data whose kinematics are up to date.
        geom: Index of the geom.
        direction: Unit vector, (3,).

    Returns:
        World position in m, (3,).

    Raises:
        ValueError: If the geom has a shape without a finite surface, such as a plane.
    """
    rotation = data.geom_xmat[geom].reshape(3, 3)
    axis = rotation.T @ np.asarray(direction, dtype=np.float64)
    size = model.geom_size[geom]
    kind = mujoco.mjtGeom(model.geom_type[geom])
    if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
        local = size[0] * axis
    elif kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
        local = size[0] * axis + [0, 0, np.sign(axis[2]) * size[1]]
    elif kind == mujoco.mjtGeom.mjGEOM_ELLIPSOID:
        local = size**2 * axis / np.linalg.norm(size * axis)
    elif kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
        radial = np.hypot(axis[0], axis[1])
        local = np.append(size[0] * axis[:2] / max(radial, 1e-12), np.sign(axis[2]) * size[1])
    elif kind == mujoco.mjtGeom.mjGEOM_BOX:
        local = np.sign(axis) * size
    elif kind == mujoco.mjtGeom.mjGEOM_MESH:
        mesh = model.geom_dataid[geom]
        start = model.mesh_vertadr[mesh]
        vertices = model.mesh_vert[start : start + model.mesh_vertnum[mesh]]
        local = vertices[np.argmax(vertices @ axis)]
    else:
        raise ValueError(f"geom {geom} is a {kind.name}, which has no lowest point")
    point: NDArray[np.float64] = data.geom_xpos[geom] + rotation @ local
    return point
