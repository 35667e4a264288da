"""Motions on knees and arms, turned until what bears the weight in the recording is on the floor.

A recorded forearm that bears weight stands still, but the skeleton fitted to the recording has it up to 0.2 m above the
floor, and a body of other proportions higher still.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing
from scipy.spatial.transform import Rotation

from ms_envs.retarget.skeleton import SIDES, Skeleton, key_points
from ms_envs.retarget.source import SourceMotion
from ms_envs.retarget.timeline import around, middle, runs, smooth

REST_HEIGHT = {"knee": 0.06, "elbow": 0.015, "wrist": 0.05}
"""Height of a joint over the floor that its limb rests on, a forearm with the thumb up, m."""
PROP_HEIGHT = {"knee": 0.13, "elbow": 0.28, "wrist": 0.28}
"""A limb bears weight while its joint is lower than this, m,"""
PROP_SPEED = 0.4
"""... slower than this, m/s,"""
SHORTEST_PROP = 5
"""... and for at least as many frames;"""
FOREARM_RISE = 0.05
"""... an elbow only on a level forearm: higher than its wrist by no more than this, m."""
PROP_GAP = 13
"""Gaps of fewer frames are overlooked in one limb, and"""
KNEELING_GAP = 25
"""... in the body's being on knees and arms."""
LIFT_TOLERANCE = 0.1
"""Lift of the body, m, that costs as much as :data:`PROP_TOLERANCE`,"""
TILT_TOLERANCE = {"trunk": 0.15, "leg_r": 0.1, "leg_l": 0.1}
"""... and turn of the trunk with head and arms about the hips, or of a leg about its hip, rad."""
PROP_TOLERANCE = 0.02
"""Distance of a joint from its height of rest, m."""
SMOOTHING = 4.0
"""Standard deviation, in frames, of the time over which these are weighed."""


@dataclass(frozen=True, eq=False)
class Props:
    """What bears the weight of a body on knees and arms.

    Attributes:
        bearing: ``knee_r``, ``elbow_l``, ``wrist_l``, … to whether the limb bears weight, bool, (T,); empty for a body
            without arms.
        kneeling: Whether the body is on a knee and an arm, bool, (T,).
    """

    bearing: Mapping[str, NDArray[np.bool_]]
    kneeling: NDArray[np.bool_]

    def resting(self) -> dict[str, NDArray[np.bool_]]:
        """The limbs ``trunk`` (by a knee), ``hand_r`` and ``hand_l`` to whether they should be on the floor, (T,)."""
        if not self.bearing:
            return {}
        joints = {"trunk": ("knee_r", "knee_l")} | {f"hand_{s}": (f"elbow_{s}", f"wrist_{s}") for s in SIDES}
        return {limb: self.bearing[one] | self.bearing[other] for limb, (one, other) in joints.items()}


def find_props(skeleton: Skeleton, motion: SourceMotion) -> Props:
    """Find the knees, elbows and wrists that bear weight, by height and speed.

    Args:
        skeleton: The body's proportions.
        motion: The motion.

    Returns:
        What bears weight; nothing does unless a knee and an arm do at the same time.
    """
    points = key_points(skeleton, motion)
    if "elbow_r" not in points.names:
        return Props({}, np.zeros(len(motion), dtype=bool))
    travel = points.position[-1, 0] - points.position[0, 0]
    names = [f"{joint}_{side}" for joint in PROP_HEIGHT for side in SIDES]
    place = {name: points.position[:, points.index(name)] for name in names}
    bearing = {}
    for name, path in place.items():
        joint, _, side = name.partition("_")
        speed = np.linalg.norm(np.gradient(smooth(motion, path, 1.0, travel), axis=0), axis=1) * motion.fps
        low = (path[:, 2] < PROP_HEIGHT[joint]) & (speed < PROP_SPEED)
        if joint == "elbow":
            low &= path[:, 2] < place[f"wrist_{side}"][:, 2] + FOREARM_RISE
        for start, stop in runs(low):
            low[start:stop] = stop - start >= SHORTEST_PROP
        bearing[name] = _without_gaps(motion, low, PROP_GAP)
    knee = bearing["knee_r"] | bearing["knee_l"]
    arm = np.any([flags for name, flags in bearing.items() if not name.startswith("knee")], axis=0)
    kneeling = _without_gaps(motion, knee & arm, KNEELING_GAP)
    return Props({name: flags & kneeling for name, flags in bearing.items()}, kneeling)


def levelled(skeleton: Skeleton, motion: SourceMotion, props: Props) -> SourceMotion:
    """Lift the body, and turn trunk and legs about the hips, so that what bears weight is at its height of rest.

    Linear least squares in every frame, neighbours included, with lift and turns penalised so that they fade out
    where the body leaves its knees and arms.

    Args:
        skeleton: The body's proportions.
        motion: The motion.
        props: What bears weight.

    Returns:
        The changed motion, or the given one if the body is never on knees and arms.
    """
    if not props.kneeling.any():
        return motion
    points = key_points(skeleton, motion)
    hips = points.position[:, points.index("hips")]
    groups = tuple(TILT_TOLERANCE)
    size = 1 + 2 * len(groups)
    stiffness, demand = np.zeros((len(motion), size, size)), np.zeros((len(motion), size))
    for name, bears in props.bearing.items():
        joint, _, side = name.partition("_")
        group, pivot = "trunk", hips
        if joint == "knee":
            group, pivot = f"leg_{side}", hips + motion.orientation["pelvis"] @ skeleton.joint[f"hip_{side}"]
        place = points.position[:, points.index(name)]
        rise = np.zeros((len(motion), size))
        about_x = 1 + 2 * groups.index(group)
        rise[:, 0], rise[:, about_x], rise[:, about_x + 1] = 1.0, (place - pivot)[:, 1], -(place - pivot)[:, 0]
        rise *= bears[:, None]
        stiffness += rise[:, :, None] * rise[:, None, :]
        demand += rise * (REST_HEIGHT[joint] - place[:, 2])[:, None]
    tolerance = np.r_[LIFT_TOLERANCE, np.repeat(list(TILT_TOLERANCE.values()), 2)]
    stiffness = smooth(motion, stiffness, SMOOTHING) + np.diag((PROP_TOLERANCE / tolerance) ** 2)
    change = np.linalg.solve(stiffness, smooth(motion, demand, SMOOTHING)[:, :, None])[:, :, 0]
    tilt = {
        group: Rotation.from_rotvec(np.pad(change[:, 1 + 2 * i : 3 + 2 * i], ((0, 0), (0, 1)))).as_matrix()
        for i, group in enumerate(groups)
    }
    lift = change[:, :1] * [0, 0, 1] * (motion.hip_height / skeleton.hip_height)
    return replace(
        motion,
        root_position=motion.root_position + lift,
        orientation={
            segment: tilt[f"leg_{segment[-1]}" if segment.startswith(("thigh", "shank", "foot")) else "trunk"] @ turn
            for segment, turn in motion.orientation.items()
        },
        landmarks={name: place + lift for name, place in motion.landmarks.items()},
    )


def _without_gaps(motion: SourceMotion, flags: NDArray[np.bool_], gap: int) -> NDArray[np.bool_]:
    """Flags with gaps shorter than ``gap`` frames filled, across the seam of a loop too."""
    return middle(motion, binary_closing(around(motion, flags), np.ones(gap)))
