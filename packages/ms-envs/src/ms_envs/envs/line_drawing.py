"""Pictures drawn with lines, for machines without OpenGL."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import Body
from ms_envs.envs.camera import Camera, Ghost, activation_colors, ghost_coordinates, update_kinematics

_Color = tuple[int, int, int]
_SKY, _FLOOR, _GRID = (238, 242, 248), (222, 224, 229), (196, 199, 206)
_BONE, _BONE_SURFACE = (148, 138, 118), (176, 167, 148)
_GHOST, _GHOST_SURFACE = (150, 172, 190), (176, 196, 212)
_SURFACE_POINTS = 5000
"""Dots that suggest the surfaces of all bones."""
_OVERSAMPLING = 2
_NEAR = 0.1
"""Points closer to the camera than this are not drawn, m."""
_FLOOR_REACH = 6
"""Tiles of the floor that are drawn in each direction."""


class LineDrawing:
    """Draws a body as a stick figure with its muscle paths coloured by activation and the reference in grey.

    Args:
        body: The body.
        width: Pixels.
        height: Pixels.
        ghost: Where the reference is shown.
        camera: Point of view.

    Raises:
        RuntimeError: If Pillow is not installed.
    """

    def __init__(self, body: Body, *, width: int, height: int, ghost: Ghost | None, camera: Camera) -> None:
        try:
            from PIL import Image, ImageDraw
        except ImportError as error:
            raise RuntimeError("pictures need Pillow; install it with `pip install 'ms-envs[render]'`") from error
        self._image, self._draw = Image, ImageDraw
        self._body, self._ghost, self._camera = body, ghost, camera
        self._size = (width * _OVERSAMPLING, height * _OVERSAMPLING)
        self._focal = self._size[1] / 2 / np.tan(np.radians(body.model.vis.global_.fovy) / 2)
        self._data, self._ghost_data = mujoco.MjData(body.model), mujoco.MjData(body.model)
        self._bones, self._surface = _bones(body.model), _surface(body.model)

    def draw(
        self,
        qpos: NDArray[np.float64],
        activation: NDArray[np.float64],
        reference_qpos: NDArray[np.float64] | None = None,
    ) -> NDArray[np.uint8]:
        """Picture of one instant.

        Args:
            qpos: Generalised positions, (nq,).
            activation: 0 to 1, (M,).
            reference_qpos: Generalised positions of the reference, (nq,).

        Returns:
            Pixels, (H, W, 3).
        """
        update_kinematics(self._body.model, self._data, qpos)
        self._camera.follow(self._body, self._data)
        image = self._image.new("RGB", self._size, _SKY)
        pen = self._draw.Draw(image)
        self._draw_floor(pen)
        shown = ghost_coordinates(reference_qpos, self._ghost, self._camera)
        if shown is not None:
            update_kinematics(self._body.model, self._ghost_data, shown)
            self._draw_bones(pen, self._ghost_data, _GHOST, _GHOST_SURFACE)
        self._draw_bones(pen, self._data, _BONE, _BONE_SURFACE)
        self._draw_muscles(pen, activation)
        return np.asarray(image.reduce(_OVERSAMPLING))

    def close(self) -> None:
        """Nothing to free."""

    def _draw_floor(self, pen: Any) -> None:
        horizon = self._size[1] / 2 + self._focal * np.tan(np.radians(self._camera.elevation))
        pen.rectangle((0, horizon, *self._size), fill=_FLOOR)
        middle = np.round(self._camera.target[:2])
        reach = np.arange(-_FLOOR_REACH, _FLOOR_REACH + 1)
        # Short pieces, so that those behind the camera can be left out.
        steps = np.linspace(-_FLOOR_REACH, _FLOOR_REACH, 8 * _FLOOR_REACH + 1)
        fixed, along = np.meshgrid(reach, steps, indexing="ij")
        for x, y in ((fixed, along), (along, fixed)):
            points = np.stack([x + middle[0], y + middle[1], np.zeros_like(x)], axis=-1)
            starts, ends = points[:, :-1].reshape(-1, 3), points[:, 1:].reshape(-1, 3)
            self._lines(pen, starts, ends, [_GRID] * len(starts), [2] * len(starts))

    def _draw_bones(self, pen: Any, data: mujoco.MjData, color: _Color, surface_color: _Color) -> None:
        bodies, points = self._surface
        world = data.xpos[bodies] + np.einsum("nij,nj->ni", data.xmat.reshape(-1, 3, 3)[bodies], points)
        projected = self._project(world)
        for column, row in projected[projected[:, 2] > _NEAR, :2].tolist():
            pen.rectangle((column, row, column + 2, row + 2), fill=surface_color)
        children, parents, widths = self._bones
        self._lines(pen, data.xpos[parents], data.xpos[children], [color] * len(children), widths)

    def _draw_muscles(self, pen: Any, activation: NDArray[np.float64]) -> None:
        model, data = self._body.model, self._data
        path, colors = data.wrap_xpos.reshape(-1, 3), (activation_colors(activation)[:, :3] * 255).astype(int)
        tendons = model.actuator_trnid[:, 0]
        # The most active muscles are drawn last, over the others.
        for muscle in np.argsort(activation):
            start, count = data.ten_wrapadr[tendons[muscle]], data.ten_wrapnum[tendons[muscle]]
            points = path[start : start + count]
            width = 2 + round(2 * float(activation[muscle]))
            shades = [tuple(colors[muscle].tolist())] * (count - 1)
            self._lines(pen, points[:-1], points[1:], shades, [width] * (count - 1))

    def _lines(
        self, pen: Any, starts: NDArray[np.float64], ends: NDArray[np.float64], colors: list[Any], widths: list[int]
    ) -> None:
        first, last = self._project(starts), self._project(ends)
        for a, b, color, width in zip(first.tolist(), last.tolist(), colors, widths, strict=True):
            if min(a[2], b[2]) > _NEAR:
                pen.line((a[0], a[1], b[0], b[1]), fill=color, width=width)

    def _project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixel column, pixel row and depth in m of points in the world, (N, 3)."""
        axes = self._camera.axes()
        local = (points - self._camera.target) @ axes.T
        depth = local[:, 2] + self._camera.distance
        scale = self._focal / np.maximum(depth, _NEAR)
        column, row = self._size[0] / 2 + local[:, 0] * scale, self._size[1] / 2 - local[:, 1] * scale
        return np.stack([column, row, depth], axis=1)


def _bones(model: mujoco.MjModel) -> tuple[NDArray[np.intp], NDArray[np.intp], list[int]]:
    """Child body, parent body and line width of every bone, thicker for the long ones."""
    children = np.array([b for b in range(1, model.nbody) if model.body_parentid[b] > 0], dtype=np.intp)
    lengths = np.linalg.norm(model.body_pos[children], axis=1)
    return children, model.body_parentid[children].astype(np.intp), [8 if length > 0.2 else 4 for length in lengths]


def _surface(model: mujoco.MjModel) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Evenly chosen vertices of all bones: body of each, and place in its frame, (P, 3)."""
    bodies, points = [], []
    step = max(1, model.nmeshvert // _SURFACE_POINTS)
    rotation = np.empty(9)
    for geom in np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_MESH):
        mesh = model.geom_dataid[geom]
        start = model.mesh_vertadr[mesh]
        vertices = model.mesh_vert[start : start + model.mesh_vertnum[mesh] : step].astype(np.float64)
        mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
        points.append(vertices @ rotation.reshape(3, 3).T + model.geom_pos[geom])
        bodies.append(np.full(len(vertices), model.geom_bodyid[geom], dtype=np.intp))
    return np.concatenate(bodies), np.concatenate(points)
