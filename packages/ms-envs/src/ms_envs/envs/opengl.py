"""Pictures through OpenGL, with or without a screen."""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import Body
from ms_envs.envs.camera import Camera, Ghost, ghost_coordinates, update_kinematics
from ms_envs.envs.painting import add_ghost, add_shadow, paint_muscles, painted_model, scene_options

INSTALL_HINT = (
    "on Debian or Ubuntu, `apt-get install libegl1 libgl1-mesa-dri` (or libosmesa6) is enough, no screen is needed"
)


class OpenGLDrawing:
    """Draws a body offscreen: bones, muscles coloured by activation, the reference as a translucent ghost.

    Args:
        body: The body.
        width: Pixels.
        height: Pixels.
        ghost: Where the reference is shown.
        camera: Point of view.

    Raises:
        RuntimeError: If OpenGL does not work on this machine; the message says what to install.
    """

    def __init__(self, body: Body, *, width: int, height: int, ghost: Ghost | None, camera: Camera) -> None:
        self._body, self._ghost, self._camera = body, ghost, camera
        self._model = painted_model(body)
        self._model.vis.global_.offwidth, self._model.vis.global_.offheight = width, height
        self._data, self._ghost_data = mujoco.MjData(self._model), mujoco.MjData(self._model)
        self._scene = mujoco.MjvScene(self._model, maxgeom=20_000)
        self._view = mujoco.MjvCamera()
        self._options = scene_options()
        self._viewport = mujoco.MjrRect(0, 0, width, height)
        platform = os.environ.get("MUJOCO_GL", "").lower() or _available_platform()
        try:
            self._context = _context_class(platform)(width, height)
            self._context.make_current()
            self._renderer = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100)
        except Exception as error:  # Every platform has exceptions of its own.
            raise RuntimeError(f"OpenGL does not work here ({platform}: {error}); {INSTALL_HINT}") from error
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._renderer)
        # The platform shuts down at exit as well, and must not do so first.
        atexit.register(self.close)

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
        self._context.make_current()
        update_kinematics(self._model, self._data, qpos)
        self._camera.follow(self._body, self._data)
        paint_muscles(self._model, activation)
        self._view.lookat[:] = self._camera.target
        self._view.azimuth, self._view.elevation = self._camera.azimuth, self._camera.elevation
        self._view.distance = self._camera.distance
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(
            self._model, self._data, self._options, mujoco.MjvPerturb(), self._view, everything, self._scene
        )
        add_shadow(self._body, self._data, self._scene)
        shown = ghost_coordinates(reference_qpos, self._ghost, self._camera)
        if shown is not None:
            update_kinematics(self._model, self._ghost_data, shown)
            add_ghost(self._model, self._ghost_data, self._scene)
        pixels = np.empty((self._viewport.height, self._viewport.width, 3), dtype=np.uint8)
        mujoco.mjr_render(self._viewport, self._scene, self._renderer)
        mujoco.mjr_readPixels(pixels, None, self._viewport, self._renderer)
        return np.flipud(pixels)

    def close(self) -> None:
        """Free the graphics memory; the drawing cannot be used afterwards."""
        atexit.unregister(self.close)
        if self._context is not None:
            self._context.make_current()
            self._renderer.free()
            self._context.free()
            self._context = None


def has_screen() -> bool:
    """Whether windows can be opened, as far as the environment tells."""
    linux = sys.platform.startswith("linux")
    return not linux or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _context_class(platform: str) -> Any:
    if platform == "egl":
        from mujoco.egl import GLContext
    elif platform == "osmesa":
        from mujoco.osmesa import GLContext
    elif has_screen():
        from mujoco.gl_context import GLContext
    else:  # MuJoCo would end the process on a second try.
        raise OSError("no screen, and neither EGL nor OSMesa")
    return GLContext


def _available_platform() -> str:
    """A platform of this machine that needs no screen, if there is one."""
    for platform, library in (("egl", "libEGL.so.1"), ("osmesa", "libOSMesa.so.8")):
        try:
            ctypes.CDLL(library)
        except OSError:
            continue
        return platform
    return "window"
