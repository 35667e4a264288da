"""Knees and elbows between the places where hips, feet, shoulders and hands have to be."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ms_envs.retarget.skeleton import SIDES, Skeleton
from ms_envs.retarget.source import SourceMotion
from ms_envs.retarget.targets import KeyPointTargets
from ms_envs.retarget.timeline import spread

LONGEST_LEG = 0.993
"""Greatest distance from hip to ankle as a share of the straight leg: a straight knee cannot be steered."""


def bend_knees(
    skeleton: Skeleton,
    motion: SourceMotion,
    loaded: NDArray[np.bool_],
    points: KeyPointTargets,
    position: NDArray[np.float64],
) -> None:
    """Put the hips where the legs can be, then the knees between hips and ankles, in place.

    A body too high for its legs to reach the feet is lowered; one that crouches deeper on its feet than the knees can
    bend is raised.
    """
    joint = skeleton.joint
    bones = {
        side: (
            float(np.linalg.norm(joint[f"knee_{side}"] - joint[f"hip_{side}"])),
            float(np.linalg.norm(joint[f"ankle_{side}"] - joint[f"knee_{side}"])),
        )
        for side in SIDES
    }
    hips = {
        side: position[:, points.index("hips")] + motion.orientation["pelvis"] @ joint[f"hip_{side}"] for side in SIDES
    }
    drop, rise = np.zeros((2, len(position)))
    for side in SIDES:
        leg = hips[side] - position[:, points.index(f"ankle_{side}")]
        room = (LONGEST_LEG * sum(bones[side])) ** 2 - (leg[:, :2] ** 2).sum(axis=1)
        excess = leg[:, 2] - np.sqrt(np.maximum(room, 0))
        drop = np.maximum(drop, np.where(leg[:, 2] > 0.5 * sum(bones[side]), excess, 0))
        standing = loaded[:, SIDES.index(side)] & (leg[:, 2] > 0)
        need = _shortest_leg(skeleton, side, bones[side]) ** 2 - (leg[:, :2] ** 2).sum(axis=1)
        rise = np.maximum(rise, np.where(standing, np.sqrt(np.maximum(need, 0)) - leg[:, 2], 0))
    drop = spread(motion, drop) - spread(motion, rise)
    feet = [name.startswith(("ankle", "heel", "ball", "toe_tip")) for name in points.names]
    position[:, ~np.array(feet), 2] -= drop[:, None]
    for side in SIDES:
        knee = points.index(f"knee_{side}")
        position[:, knee] = _bent(
            hips[side] - drop[:, None] * [0, 0, 1],
            (motion.orientation[f"thigh_{side}"] + motion.orientation[f"shank_{side}"])[:, :, 0],
            position[:, points.index(f"ankle_{side}")],
            *bones[side],
        )


def _shortest_leg(skeleton: Skeleton, side: str, bones: tuple[float, float]) -> float:
    """Distance from hip to ankle with the knee fully bent, m."""
    body = skeleton.body
    bend = np.abs(body.joint_range[body.joint_roles[f"knee_{side}"][0]]).max()
    thigh, shank = bones
    return float(np.sqrt(thigh**2 + shank**2 + 2 * thigh * shank * np.cos(bend)))


def bend_elbows(
    skeleton: Skeleton,
    motion: SourceMotion,
    points: KeyPointTargets,
    position: NDArray[np.float64],
    lift: Mapping[str, NDArray[np.float64]],
) -> None:
    """Raise the wrists and move the elbows with them, shoulders in place."""
    joint = skeleton.joint
    for side in SIDES:
        shoulder, elbow, wrist = (points.index(f"{name}_{side}") for name in ("shoulder", "elbow", "wrist"))
        bones = (
            float(np.linalg.norm(joint[f"elbow_{side}"] - joint[f"shoulder_{side}"])),
            float(np.linalg.norm(joint[f"wrist_{side}"] - joint[f"elbow_{side}"])),
        )
        back = -(motion.orientation[f"upper_arm_{side}"] + motion.orientation[f"forearm_{side}"])[:, :, 0]
        before = _bent(position[:, shoulder], back, position[:, wrist], *bones)
        position[:, wrist, 2] += lift[f"hand_{side}"]
        position[:, elbow] += _bent(position[:, shoulder], back, position[:, wrist], *bones) - before


def _bent(
    near: NDArray[np.float64], pole: NDArray[np.float64], far: NDArray[np.float64], upper: float, lower: float
) -> NDArray[np.float64]:
    """Knees or elbows between two joints at given places, bent towards the pole, m, (T, 3)."""
    limb = far - near
    length = np.linalg.norm(limb, axis=1, keepdims=True)
    along = limb / length
    reach = np.clip(length, abs(upper - lower) + 1e-3, upper + lower)
    forward = (upper**2 - lower**2 + reach**2) / (2 * reach)
    aside = pole - (pole * along).sum(axis=1, keepdims=True) * along
    aside /= np.maximum(np.linalg.norm(aside, axis=1, keepdims=True), 1e-9)
    bent: NDArray[np.float64] = near + forward * along + np.sqrt(np.maximum(upper**2 - forward**2, 0)) * aside
    return bent
