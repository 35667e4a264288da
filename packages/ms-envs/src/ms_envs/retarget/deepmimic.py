"""Reader of DeepMimic's motion-capture clips (Peng et al. 2018), as the ``pybullet`` wheel ships them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from ms_envs.retarget.source import SourceMotion

FRAME_RATE = 50.0
"""Frames per second of the motions that are read."""

CLIPS = (
    "walk",
    "run",
    "dance_a",
    "dance_b",
    "cartwheel",
    "backflip",
    "spinkick",
    "spin",
    "jump",
    "kick",
    "punch",
    "roll",
    "crawl",
    "getup_facedown",
    "getup_faceup",
)
"""Names of the clips."""

LOOPING = ("walk", "run", "dance_a", "dance_b", "crawl")
"""Clips of which one round can follow another: rhythmic, and their ends are less than 30 degrees apart."""

LICENCE = "zlib (pybullet), motion from DeepMimic (MIT), recorded by SFU and CMU"

COLUMNS = 44
UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""From DeepMimic's axes (x forward, y up, z right) to ours (x forward, y left, z up)."""

# Column of each joint; four columns hold a quaternion (w, x, y, z), one the angle of a hinge about the z axis.
_JOINTS: dict[str, tuple[str | None, int, int]] = {
    "pelvis": (None, 4, 4),
    "torso": ("pelvis", 8, 4),
    "head": ("torso", 12, 4),
    "thigh_r": ("pelvis", 16, 4),
    "shank_r": ("thigh_r", 20, 1),
    "foot_r": ("shank_r", 21, 4),
    "upper_arm_r": ("torso", 25, 4),
    "forearm_r": ("upper_arm_r", 29, 1),
    "thigh_l": ("pelvis", 30, 4),
    "shank_l": ("thigh_l", 34, 1),
    "foot_l": ("shank_l", 35, 4),
    "upper_arm_l": ("torso", 39, 4),
    "forearm_l": ("upper_arm_l", 43, 1),
}


@dataclass(frozen=True)
class _Skeleton:
    """Bone lengths in m, of ``pybullet_data/humanoid/humanoid.urdf`` divided by its scale of 4."""

    hip_side: float = 0.084887
    thigh: float = 0.421546
    shank: float = 0.409870
    heel_back: float = 0.0435
    ball_front: float = 0.1335
    sole_down: float = 0.05
    chest_up: float = 0.236151
    shoulder: tuple[float, float, float] = (-0.024050, 0.183110, 0.243500)
    upper_arm: float = 0.274788
    forearm: float = 0.258947

    @property
    def hip_height(self) -> float:
        return self.thigh + self.shank + self.sole_down


SKELETON = _Skeleton()


def read_clip(name: str) -> SourceMotion:
    """Read a clip from the installed ``pybullet`` wheel.

    Args:
        name: One of :data:`CLIPS`.

    Returns:
        The motion.

    Raises:
        ValueError: If there is no such clip.
        ModuleNotFoundError: If ``pybullet`` is not installed; the message says how to get it.
    """
    if name not in CLIPS:
        raise ValueError(f"DeepMimic has no clip {name!r}; choose one of {', '.join(CLIPS)}")
    package = util.find_spec("pybullet_data")
    if package is None or package.origin is None:
        raise ModuleNotFoundError('the DeepMimic clips come with pybullet: pip install "ms-envs[retarget]"')
    path = Path(package.origin).parent / "data" / "motions" / f"humanoid3d_{name}.txt"
    return read_file(path, name, loop=name in LOOPING)


def read_file(path: Path, name: str, *, loop: bool) -> SourceMotion:
    """Read a file of DeepMimic's format.

    Args:
        path: A JSON object with ``Loop`` and ``Frames``; a frame has 44 columns: duration in s, root position (3),
            then joint rotations (quaternions and hinge angles) in y-up axes.
        name: Name of the motion.
        loop: Whether to close the motion, so that its last frame is the first of the next round.

    Returns:
        The motion, resampled.

    Raises:
        ValueError: If the file is damaged or is no such motion.
    """
    frames = _parse(path)
    if not loop and json.loads(path.read_text())["Loop"] == "wrap":
        frames = frames[:-1]  # the last frame only repeats the first pose
    durations = frames[:-1, 0]
    knots = np.concatenate([[0.0], np.cumsum(durations)])
    steps = round(knots[-1] * FRAME_RATE) if loop else int(knots[-1] * FRAME_RATE + 1e-6)
    # A round must be a whole number of frames: a looping motion is played up to 1 % faster or slower.
    times = np.linspace(0, knots[-1], steps + 1) if loop else np.minimum(np.arange(steps + 1) / FRAME_RATE, knots[-1])

    world: dict[str, Rotation] = {}
    for segment, (parent, column, width) in _JOINTS.items():
        local = _resample(knots, frames[:, column : column + width], times)
        world[segment] = local if parent is None else world[parent] * local
    orientation = {segment: UP @ rotation.as_matrix() @ UP.T for segment, rotation in world.items()}
    root = np.stack([np.interp(times, knots, frames[:, c]) for c in (1, 2, 3)], axis=1) @ UP.T
    if loop:
        orientation = {segment: _close_rotation(matrices) for segment, matrices in orientation.items()}
        root[:, 2] -= np.linspace(-0.5, 0.5, len(root)) * (root[-1, 2] - root[0, 2])
    root[:, :2] -= root[0, :2]
    return SourceMotion(
        name=name,
        fps=FRAME_RATE,
        loop=loop,
        root_position=root,
        orientation=orientation,
        landmarks=_landmarks(root, orientation),
        hip_height=SKELETON.hip_height,
        licence=LICENCE,
        source=f"DeepMimic {path.name}",
    )


def _parse(path: Path) -> NDArray[np.float64]:
    """Frames of a file, (T, 44), after checking them."""
    try:
        document = json.loads(path.read_text())
        frames = np.array(document["Frames"], dtype=np.float64)
        wrap = document["Loop"]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a DeepMimic motion: {error!r}") from error
    if wrap not in ("wrap", "none"):
        raise ValueError(f"{path}: Loop must be 'wrap' or 'none', got {wrap!r}")
    if frames.ndim != 2 or frames.shape[1] != COLUMNS or len(frames) < 3:
        raise ValueError(f"{path}: expected at least 3 frames of {COLUMNS} numbers, got an array {frames.shape}")
    if not np.isfinite(frames).all():
        raise ValueError(f"{path}: frame {int(np.argmin(np.isfinite(frames).all(axis=1)))} is not all finite numbers")
    durations = frames[:-1, 0]
    if not ((durations >= 1 / 240) & (durations <= 0.1)).all():
        raise ValueError(f"{path}: frames last {durations.min()} to {durations.max()} s; expected 1/240 to 0.1 s")
    for segment, (_, column, width) in _JOINTS.items():
        norm = np.linalg.norm(frames[:, column : column + 4], axis=1)
        # Between key frames drawn by hand the shipped quaternions shrink to 0.58.
        if width == 4 and ((norm < 0.5) | (norm > 1.5)).any():
            raise ValueError(f"{path}: the rotation of {segment} is not a unit quaternion in some frames")
    return frames


def _resample(knots: NDArray[np.float64], values: NDArray[np.float64], times: NDArray[np.float64]) -> Rotation:
    """Rotations at ``times`` from quaternions (T, 4) or hinge angles (T, 1) at ``knots``."""
    if values.shape[1] == 4:
        return Slerp(knots, Rotation.from_quat(values[:, [1, 2, 3, 0]]))(times)
    angle = np.interp(times, knots, values[:, 0])
    return Rotation.from_rotvec(angle[:, None] * [0.0, 0.0, 1.0])


def _close_rotation(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spread the rotation that is missing between the last and the first frame evenly over the motion."""
    rotation = Rotation.from_matrix(matrices)
    gap = (rotation[0] * rotation[-1].inv()).as_rotvec()
    share = np.linspace(-0.5, 0.5, len(matrices))
    closed: NDArray[np.float64] = (Rotation.from_rotvec(share[:, None] * gap) * rotation).as_matrix()
    return closed


def _landmarks(
    root: NDArray[np.float64], orientation: dict[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """Heels, balls of the feet and wrists of the source skeleton, m, each (T, 3)."""
    bones = SKELETON
    points: dict[str, NDArray[np.float64]] = {}
    chest = root + orientation["pelvis"] @ [0, 0, bones.chest_up]
    for side, left in (("r", -1), ("l", 1)):
        hip = root + orientation["pelvis"] @ [0, left * bones.hip_side, 0]
        knee = hip + orientation[f"thigh_{side}"] @ [0, 0, -bones.thigh]
        ankle = knee + orientation[f"shank_{side}"] @ [0, 0, -bones.shank]
        points[f"heel_{side}"] = ankle + orientation[f"foot_{side}"] @ [-bones.heel_back, 0, -bones.sole_down]
        points[f"ball_{side}"] = ankle + orientation[f"foot_{side}"] @ [bones.ball_front, 0, -bones.sole_down]
        shoulder = chest + orientation["torso"] @ (np.array(bones.shoulder) * [1, left, 1])
        elbow = shoulder + orientation[f"upper_arm_{side}"] @ [0, 0, -bones.upper_arm]
        points[f"hand_{side}"] = elbow + orientation[f"forearm_{side}"] @ [0, 0, -bones.forearm]
    return points
