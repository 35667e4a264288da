"""Pictures of a body in motion, offscreen or in a window."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import Body
from ms_envs.envs.camera import BESIDE, GHOSTS, Camera, Ghost

BACKENDS = ("auto", "opengl", "lines")


class Renderer:
    """Shows a body with its muscles coloured by activation, blue to red, and the reference as a ghost.

    Nothing is opened before the first picture.

    Args:
        body: The body.
        width: Pixels.
        height: Pixels.
        ghost: Shows the reference ``"over"`` the body, ``"beside"`` it, or, with ``None``, not at all.
        window: Shows a window on the screen instead of returning pixels.
        backend: ``"opengl"``, ``"lines"`` (a sketch that needs no OpenGL), or ``"auto"``: OpenGL where it works.
        bearing: Place of the camera to the right of where the body faces at first, degrees.
        distance: Distance of the camera, m; chosen for the body by default.

    Raises:
        ValueError: If an argument is not valid.
    """

    def __init__(
        self,
        body: Body,
        *,
        width: int = 640,
        height: int = 640,
        ghost: Ghost | None = "over",
        window: bool = False,
        backend: Literal["auto", "opengl", "lines"] = "auto",
        bearing: float = 50.0,
        distance: float | None = None,
    ) -> None:
        if ghost not in GHOSTS:
            raise ValueError(f"unknown ghost {ghost!r}; choose from {list(GHOSTS)}")
        if backend not in BACKENDS:
            raise ValueError(f"unknown backend {backend!r}; choose from {list(BACKENDS)}")
        if min(width, height) < 16:
            raise ValueError(f"a picture has at least 16 × 16 pixels, got {width} × {height}")
        self.body = body
        self._options: dict[str, Any] = {"width": width, "height": height, "ghost": ghost}
        self._window, self._backend = window, backend
        beside = ghost == "beside"
        self._camera = Camera(bearing, distance=distance or (3.2 if beside else 2.9), shift=-BESIDE / 2 * beside)
        self._drawing: Any = None

    def render(
        self,
        qpos: NDArray[np.float64],
        activation: NDArray[np.float64],
        reference_qpos: NDArray[np.float64] | None = None,
    ) -> NDArray[np.uint8] | None:
        """Show one instant.

        Args:
            qpos: Generalised positions, (nq,).
            activation: Muscle activations, 0 to 1, (M,).
            reference_qpos: Generalised positions of the reference, (nq,).

        Returns:
            Pixels, (H, W, 3), or ``None`` if they went to a window.

        Raises:
            RuntimeError: If there is no screen for a window, or no OpenGL and ``backend`` asks for it.
        """
        if self._drawing is None:
            self._drawing = self._open()
        picture: NDArray[np.uint8] | None = self._drawing.draw(qpos, activation, reference_qpos)
        return picture

    def close(self) -> None:
        """Close the window and free the graphics memory; the next picture opens them anew."""
        if self._drawing is not None:
            self._drawing.close()
            self._drawing = None

    def _open(self) -> Any:
        if self._window:
            from ms_envs.envs.window import Window

            return Window(self.body, ghost=self._options["ghost"], camera=self._camera)
        if self._backend != "lines":
            from ms_envs.envs.opengl import OpenGLDrawing

            try:
                return OpenGLDrawing(self.body, camera=self._camera, **self._options)
            except RuntimeError as error:
                if self._backend == "opengl":
                    raise
                warnings.warn(f"{error}. Until then pictures are drawn with lines.", stacklevel=3)
        from ms_envs.envs.line_drawing import LineDrawing

        return LineDrawing(self.body, camera=self._camera, **self._options)
