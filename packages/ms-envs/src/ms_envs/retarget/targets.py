"""Where points and segments of a body should be, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import Body


@dataclass(frozen=True, eq=False)
class KeyPointTargets:
    """Wanted world positions of P points fixed to segments over T frames.

    Attributes:
        names: Names of the points (``"knee_r"``, ``"heel_l"``, …), P of them.
        body_ids: MuJoCo body of each point, (P,).
        offset: Place of each point in the frame of its body, m, (P, 3).
        position: m, (T, P, 3).
        weight: Factor on each residual; 0 where nothing is asked, (T, P).
    """

    names: tuple[str, ...]
    body_ids: NDArray[np.intp]
    offset: NDArray[np.float64]
    position: NDArray[np.float64]
    weight: NDArray[np.float64]

    def index(self, name: str) -> int:
        """Position of a point among the names."""
        return self.names.index(name)

    def moved(self, position: NDArray[np.float64]) -> KeyPointTargets:
        """The same points with other places, (T, P, 3)."""
        return replace(self, position=position)

    def error(self, body: Body, qpos: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance of the points from where they should be, m, (T, P); NaN where nothing is asked."""
        distance = np.linalg.norm(point_positions(body, qpos, self) - self.position, axis=2)
        return np.where(self.weight > 0, distance, np.nan)


@dataclass(frozen=True, eq=False)
class SegmentTargets:
    """Wanted orientations of S segments over T frames.

    Attributes:
        names: Names of the segments, S of them.
        body_ids: MuJoCo body of each segment, (S,).
        orientation: Rotation matrices of the bodies in the world, (T, S, 3, 3).
        weight: Factor on each residual in rad, that is metres of key-point error per rad, (S,).
    """

    names: tuple[str, ...]
    body_ids: NDArray[np.intp]
    orientation: NDArray[np.float64]
    weight: NDArray[np.float64]


def point_positions(body: Body, qpos: NDArray[np.float64], points: KeyPointTargets) -> NDArray[np.float64]:
    """World positions of the key points in every frame.

    Args:
        body: The body.
        qpos: Generalised positions, (T, nq).
        points: The points; their targets are not read.

    Returns:
        Positions in m, (T, P, 3).
    """
    data = mujoco.MjData(body.model)
    result = np.empty((len(qpos), len(points.names), 3))
    for frame, coordinates in enumerate(qpos):
        data.qpos[:] = coordinates
        mujoco.mj_kinematics(body.model, data)
        rotation = data.xmat[points.body_ids].reshape(-1, 3, 3)
        result[frame] = data.xpos[points.body_ids] + np.einsum("pij,pj->pi", rotation, points.offset)
    return result
