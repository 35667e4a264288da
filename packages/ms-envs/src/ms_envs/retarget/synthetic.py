"""Two motions that need no recording: standing still and squatting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ms_envs.retarget.source import SourceMotion

FRAME_RATE = 50.0
THIGH = SHANK = 0.41
ANKLE_HEIGHT = 0.07
HIP_SIDE = 0.08
HEEL_BACK, BALL_FRONT = 0.05, 0.13
HIP_HEIGHT = THIGH + SHANK + ANKLE_HEIGHT
"""Proportions of the figure that is retargeted, m; those of the body replace them."""


@dataclass(frozen=True)
class Posture:
    """A symmetric posture on flat feet.

    Attributes:
        leg: Distance from ankle to hip as a share of the straight leg.
        pelvis: Forward pitch of the pelvis, rad.
        torso: Forward pitch of the torso, rad.
        arm: Forward elevation of the upper arm, rad.
        elbow: Bend of the elbow, rad.
    """

    leg: float
    pelvis: float
    torso: float
    arm: float
    elbow: float


UPRIGHT = Posture(leg=0.993, pelvis=0.0, torso=0.0, arm=0.05, elbow=0.2)
CROUCHED = Posture(leg=0.78, pelvis=0.45, torso=0.6, arm=1.1, elbow=0.3)


def stand(hip_offset: NDArray[np.float64] | None = None) -> SourceMotion:
    """Quiet standing for 2 s.

    Args:
        hip_offset: How far the hips are before the ankles, m, (101,).
    """
    return _figure("stand", np.zeros(101), hip_offset)


def squat(hip_offset: NDArray[np.float64] | None = None) -> SourceMotion:
    """One squat and back up in 3 s, heels on the ground.

    Args:
        hip_offset: How far the hips are before the ankles, m, (151,).
    """
    phase = np.linspace(0, 2 * np.pi, 151)
    return _figure("squat", 0.5 * (1 - np.cos(phase)), hip_offset)


SYNTHETIC: dict[str, Callable[[NDArray[np.float64] | None], SourceMotion]] = {"stand": stand, "squat": squat}
"""Name of the motion to the function that makes it."""


def _figure(name: str, depth: NDArray[np.float64], hip_offset: NDArray[np.float64] | None) -> SourceMotion:
    """Motion between upright (depth 0) and crouched (depth 1) whose feet stay flat and still."""
    frames = len(depth)
    offset = np.zeros(frames) if hip_offset is None else hip_offset
    posture = {
        quantity: (1 - depth) * getattr(UPRIGHT, quantity) + depth * getattr(CROUCHED, quantity)
        for quantity in ("leg", "pelvis", "torso", "arm", "elbow")
    }
    leg = posture["leg"] * (THIGH + SHANK)
    lean = np.arcsin(offset / leg)
    half_bend = np.arccos(posture["leg"])  # equal bones: hip, knee and ankle make an isosceles triangle
    hips = np.stack([offset, np.zeros(frames), ANKLE_HEIGHT + leg * np.cos(lean)], axis=1)
    turn = {
        "pelvis": _pitch(posture["pelvis"]),
        "torso": _pitch(posture["torso"]),
        "head": _pitch(0.5 * posture["torso"]),
    }
    landmarks = {}
    for side, left in (("r", -1), ("l", 1)):
        turn[f"thigh_{side}"] = _pitch(lean - half_bend)
        turn[f"shank_{side}"] = _pitch(lean + half_bend)
        turn[f"foot_{side}"] = _pitch(np.zeros(frames))
        turn[f"upper_arm_{side}"] = _pitch(-posture["arm"])
        turn[f"forearm_{side}"] = _pitch(-posture["arm"] - posture["elbow"])
        for point, ahead in (("heel", -HEEL_BACK), ("ball", BALL_FRONT)):
            landmarks[f"{point}_{side}"] = np.tile([ahead, left * HIP_SIDE, 0.0], (frames, 1))
        landmarks[f"hand_{side}"] = hips + [0.0, left * HIP_SIDE, 0.0]
    return SourceMotion(
        name=name,
        fps=FRAME_RATE,
        loop=True,
        root_position=hips,
        orientation=turn,
        landmarks=landmarks,
        hip_height=HIP_HEIGHT,
        licence="Apache-2.0",
        source="made by ms_envs.retarget.synthetic",
    )


def _pitch(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotations that tip a segment forward, (T, 3, 3)."""
    matrices: NDArray[np.float64] = Rotation.from_rotvec(angle[:, None] * [0.0, 1.0, 0.0]).as_matrix()
    return matrices
