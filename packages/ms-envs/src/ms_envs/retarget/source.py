"""A motion as segment orientations, free of any body's proportions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class SourceMotion:
    """What is imitated, before it is fitted to a body.

    World axes: x forward at the start, y left, z up. Orientations are relative to upright standing with hanging arms
    and palms towards the body, facing x.

    Attributes:
        name: Name of the motion.
        fps: Frames per second.
        loop: Whether the last frame is the first one of the next round but for its horizontal place.
        root_position: Midpoint of the hip joints, m, (T, 3).
        orientation: Segment (``"pelvis"``, ``"thigh_r"``, …) to rotation matrices, (T, 3, 3).
        landmarks: ``heel``, ``ball`` and ``hand`` of each side, m, (T, 3); they tell what touches the ground.
        hip_height: Height of the hip joints of the recorded skeleton when it stands, m.
        licence: Licence of the recording.
        source: Where it comes from.
    """

    name: str
    fps: float
    loop: bool
    root_position: NDArray[np.float64]
    orientation: Mapping[str, NDArray[np.float64]]
    landmarks: Mapping[str, NDArray[np.float64]]
    hip_height: float
    licence: str
    source: str

    def __len__(self) -> int:
        return len(self.root_position)
