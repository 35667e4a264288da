"""A window that shows the body live."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import Body
from ms_envs.envs.camera import Camera, Ghost, ghost_coordinates, update_kinematics
from ms_envs.envs.opengl import has_screen
from ms_envs.envs.painting import add_ghost, paint_muscles, painted_model


class Window:
    """MuJoCo's interactive viewer on a body that is simulated elsewhere.

    Args:
        body: The body.
        ghost: Where the reference is shown.
        camera: Point of view at the beginning; the user can turn it, the window goes on following the body.

    Raises:
        RuntimeError: If there is no screen.
    """

    def __init__(self, body: Body, *, ghost: Ghost | None, camera: Camera) -> None:
        if not has_screen():
            raise RuntimeError('there is no screen for render_mode "human"; use "rgb_array", which needs none')
        import mujoco.viewer

        self._body, self._ghost, self._camera = body, ghost, camera
        self._model = painted_model(body)
        self._data, self._ghost_data = mujoco.MjData(self._model), mujoco.MjData(self._model)
        self._viewer = mujoco.viewer.launch_passive(self._model, self._data, show_left_ui=False, show_right_ui=False)
        self._placed = False

    def draw(
        self,
        qpos: NDArray[np.float64],
        activation: NDArray[np.float64],
        reference_qpos: NDArray[np.float64] | None = None,
    ) -> None:
        """Show one instant; does nothing after the user closed the window.

        Args:
            qpos: Generalised positions, (nq,).
            activation: 0 to 1, (M,).
            reference_qpos: Generalised positions of the reference, (nq,).
        """
        if not self._viewer.is_running():
            return
        with self._viewer.lock():
            update_kinematics(self._model, self._data, qpos)
            self._camera.follow(self._body, self._data)
            paint_muscles(self._model, activation)
            view = self._viewer.cam
            if not self._placed:
                view.azimuth, view.elevation = self._camera.azimuth, self._camera.elevation
                view.distance, self._placed = self._camera.distance, True
            view.lookat[:] = self._camera.target
            self._viewer.user_scn.ngeom = 0
            shown = ghost_coordinates(reference_qpos, self._ghost, self._camera)
            if shown is not None:
                update_kinematics(self._model, self._ghost_data, shown)
                add_ghost(self._model, self._ghost_data, self._viewer.user_scn)
        self._viewer.sync()

    def close(self) -> None:
        """Close the window."""
        self._viewer.close()
