"""How a body is painted in MuJoCo scenes, offscreen and in a window."""

from __future__ import annotations

import copy

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import Body
from ms_envs.envs.camera import GHOST_COLOR, activation_colors

BONE_COLOR = (0.93, 0.90, 0.82, 1.0)
GHOST_OPACITY = 0.3

_MESH_CELL = 0.004
"""Bone surfaces are drawn with this resolution, m; it removes four of five triangles."""
_SHADOW_HEIGHT = 1.6
"""Height above the floor at which a body casts no shadow any more, m."""


def painted_model(body: Body) -> mujoco.MjModel:
    """Copy of the model for pictures: ivory bones, coarser surfaces, tendons without a muscle invisible."""
    model = copy.copy(body.model)
    bones = model.geom_type == mujoco.mjtGeom.mjGEOM_MESH
    model.geom_rgba[bones], model.geom_matid[bones] = BONE_COLOR, -1
    model.tendon_rgba[:], model.tendon_matid[:] = 0.0, -1
    quality = model.vis.quality
    quality.numslices, quality.numstacks, quality.numquads = 10, 4, 1
    _coarsen_meshes(model)
    return model


def paint_muscles(model: mujoco.MjModel, activation: NDArray[np.float64]) -> None:
    """Colour the muscles of a painted model by activation, (M,)."""
    model.tendon_rgba[model.actuator_trnid[:, 0]] = activation_colors(activation)


def scene_options() -> mujoco.MjvOption:
    """Show bones and muscles, hide contact and wrapping shapes."""
    options = mujoco.MjvOption()
    options.geomgroup[:] = (1, 0, 1, 0, 0, 0)
    options.sitegroup[:] = 0
    return options


def add_ghost(model: mujoco.MjModel, data: mujoco.MjData, scene: mujoco.MjvScene) -> None:
    """Add the translucent bones of a second pose to a scene."""
    options = scene_options()
    options.tendongroup[:] = 0
    first = scene.ngeom
    mujoco.mjv_addGeoms(model, data, options, mujoco.MjvPerturb(), mujoco.mjtCatBit.mjCAT_DYNAMIC, scene)
    for geom in scene.geoms[first : scene.ngeom]:
        geom.rgba[:] = (*GHOST_COLOR, GHOST_OPACITY)


def add_shadow(body: Body, data: mujoco.MjData, scene: mujoco.MjvScene) -> None:
    """Add soft discs on the floor under the key bodies, so that flight and contact can be told apart.

    Shadows cast by a lamp would draw everything twice.
    """
    for layer, (x, y, height) in enumerate(data.xpos[body.key_body_ids]):
        share = 1.0 - min(max(height, 0.0) / _SHADOW_HEIGHT, 1.0)
        if share == 0.0 or scene.ngeom == scene.maxgeom:
            continue
        radius = 0.08 + 0.08 * (1.0 - share)
        mujoco.mjv_initGeom(
            scene.geoms[scene.ngeom],
            type=mujoco.mjtGeom.mjGEOM_CYLINDER,
            size=np.array([radius, radius, 1e-4]),
            pos=np.array([x, y, 1e-3 + 2e-4 * layer]),
            mat=np.eye(3).ravel(),
            rgba=np.array([0.05, 0.06, 0.10, 0.08 * share], dtype=np.float32),
        )
        scene.ngeom += 1


def _coarsen_meshes(model: mujoco.MjModel) -> None:
    """Merge mesh vertices that share a cell of a grid and drop the triangles that vanish."""
    for mesh in range(model.nmesh):
        vertices = slice(model.mesh_vertadr[mesh], model.mesh_vertadr[mesh] + model.mesh_vertnum[mesh])
        start = model.mesh_faceadr[mesh]
        faces = slice(start, start + model.mesh_facenum[mesh])
        cell = np.floor(model.mesh_vert[vertices] / _MESH_CELL).astype(np.int64) @ (1, 1 << 20, 1 << 40)
        _, first, group = np.unique(cell, return_index=True, return_inverse=True)
        merged = first[group][model.mesh_face[faces]]
        kept = np.flatnonzero((merged != np.roll(merged, 1, axis=1)).all(axis=1))
        model.mesh_face[start : start + len(kept)] = merged[kept]
        model.mesh_facenormal[start : start + len(kept)] = model.mesh_facenormal[start + kept]
        model.mesh_facenum[mesh] = len(kept)
