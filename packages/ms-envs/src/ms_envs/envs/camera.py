"""Where pictures are taken from, and what the parts of a picture have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import Body

Ghost = Literal["over", "beside"]
GHOSTS: tuple[Ghost | None, ...] = ("over", "beside", None)
"""Where the reference is shown: over the body, beside it, or nowhere."""

GHOST_COLOR = (0.25, 0.55, 0.75)
REST_COLOR = (0.18, 0.32, 0.78)
ACTIVE_COLOR = (0.92, 0.10, 0.08)

BESIDE = 1.0
"""Distance of a reference that is shown beside the body, m."""


@dataclass
class Camera:
    """Follows a body from its front right side.

    The direction is fixed when the body is first seen, so that turning and falling can be told from the picture.

    Attributes:
        bearing: Place of the camera to the right of where the body faces at first, degrees.
        elevation: Angle of the view above the horizontal, degrees; negative looks down.
        distance: m.
        shift: How far to the right of the body the middle of the picture lies, m.
        azimuth: Direction of the view in the world, degrees; ``None`` until the body is seen.
        target: Point in the middle of the picture, m, (3,).
    """

    bearing: float = 50.0
    elevation: float = -10.0
    distance: float = 2.9
    shift: float = 0.0
    azimuth: float | None = None
    target: tuple[float, float, float] = (0.0, 0.0, 0.9)

    def follow(self, body: Body, data: mujoco.MjData) -> None:
        """Point the camera at a body whose kinematics are up to date."""
        if self.azimuth is None:
            right = data.xmat[body.segments["pelvis"]].reshape(3, 3)[:, 2]
            self.azimuth = float(np.degrees(np.arctan2(right[0], -right[1]))) + 180.0 - self.bearing
        x, y, z = data.qpos[:3] + self.shift * self.axes()[0]
        # Half of the height is followed, so that the ground stays in view in a jump.
        self.target = (float(x), float(y), float(0.42 + 0.5 * z))

    def axes(self) -> NDArray[np.float64]:
        """Right, up and viewing direction of the camera in the world, rows of (3, 3)."""
        azimuth, elevation = np.radians(self.azimuth or 0.0), np.radians(self.elevation)
        forward = np.array(
            [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
        )
        right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
        return np.stack([right, np.cross(right, forward), forward])


def ghost_coordinates(
    reference_qpos: NDArray[np.float64] | None, ghost: Ghost | None, camera: Camera
) -> NDArray[np.float64] | None:
    """Coordinates at which the reference is drawn, ``None`` where it is not, (nq,)."""
    if reference_qpos is None or ghost is None:
        return None
    shown = reference_qpos.copy()
    if ghost == "beside":
        shown[:3] -= BESIDE * camera.axes()[0]
    return shown


def activation_colors(activation: NDArray[np.float64]) -> NDArray[np.float32]:
    """Opaque colours from blue (relaxed) to red (fully active), (M, 4)."""
    share = np.clip(activation, 0.0, 1.0)[:, None]
    colors = (1 - share) * np.array(REST_COLOR) + share * np.array(ACTIVE_COLOR)
    return np.concatenate([colors, np.ones_like(share)], axis=1).astype(np.float32)


def update_kinematics(model: mujoco.MjModel, data: mujoco.MjData, qpos: NDArray[np.float64]) -> None:
    """Place bodies, lights and tendon paths, and nothing that costs more."""
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    mujoco.mj_camlight(model, data)
    mujoco.mj_tendon(model, data)
