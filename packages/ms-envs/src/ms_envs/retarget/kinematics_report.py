"""How well a clip moves: distance from its targets, limits, floor, speed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ms_envs.bodies.body import Body
from ms_envs.motions.clip import MotionClip
from ms_envs.retarget import ground
from ms_envs.retarget.targets import KeyPointTargets, point_positions
from ms_envs.retarget.timeline import runs

LIMIT_MARGIN = 0.01
"""A joint this close to a limit is at it, rad."""

TOUCH_MARGIN = 0.005
"""Heel and ball both touch if their heights differ by less, m."""


def kinematics_report(body: Body, clip: MotionClip, targets: KeyPointTargets) -> dict[str, Any]:
    """Numbers that tell how good a clip is, physics apart.

    Args:
        body: The body.
        clip: The clip.
        targets: Where its key points should be, for the same frames.

    Returns:
        ``key_point_error_mm`` mean over points and frames, ``key_point_error_max_mm`` and the ``worst_point`` where
        it occurs; ``joints_at_limit`` mean share of the independent joints that are within 0.01 rad of a limit;
        ``limit_violation_rad``; ``penetration_mm`` greatest depth of any shape in the floor; ``float_mm`` mean
        height of the lowest point of a foot while it bears load; ``foot_skate_mm`` mean over stances of how far a
        loaded foot drifts horizontally, see :func:`foot_skate`; ``coupling_violation`` greatest deviation from a
        coupling, m or rad; ``joint_speed`` and ``joint_acceleration``, greatest of the independent joints, rad/s and
        rad/s², with the ``fastest_joint``.

    Raises:
        ValueError: If clip and targets have different numbers of frames.
    """
    qpos = clip.qpos
    if len(targets.position) != len(qpos):
        raise ValueError(f"the targets have {len(targets.position)} frames, the clip has {len(qpos)}")
    error = targets.error(body, qpos) * 1e3
    _, worst = np.unravel_index(np.nanargmax(error), error.shape)
    angle, (low, high) = qpos[:, body.qpos_index], body.joint_range.T
    at_limit = (angle < low + LIMIT_MARGIN) | (angle > high - LIMIT_MARGIN)
    geoms = ground.colliding_geoms(body)
    height = ground.lowest_heights(body, qpos, geoms) * 1e3
    limb = np.array(ground.limb_of(body, geoms))
    feet = np.stack([height[:, limb == f"foot_{side}"].min(axis=1) for side in ("r", "l")], axis=1)
    velocity = clip.qvel[:, body.dof_index]
    acceleration = np.diff(velocity, axis=0) * clip.fps
    return {
        "key_point_error_mm": float(np.nanmean(error)),
        "key_point_error_max_mm": float(np.nanmax(error)),
        "worst_point": targets.names[int(worst)],
        "joints_at_limit": float(at_limit.mean()),
        "limit_violation_rad": float(max((low - angle).max(), (angle - high).max(), 0.0)),
        "penetration_mm": float(max(-height.min(), 0.0)),
        "float_mm": float(np.maximum(feet, 0)[clip.contact].mean()) if clip.contact.any() else 0.0,
        "foot_skate_mm": foot_skate(body, clip, targets) * 1e3,
        "coupling_violation": float(np.abs(body.complete(qpos.copy()) - qpos).max()),
        "joint_speed": float(np.abs(velocity).max()),
        "fastest_joint": body.joint_names[int(np.abs(velocity).max(axis=0).argmax())],
        "joint_acceleration": float(np.abs(acceleration).max()),
    }


def foot_skate(body: Body, clip: MotionClip, targets: KeyPointTargets) -> float:
    """Mean horizontal drift of the loaded feet over a stance, m.

    The drift of a stance is the path of the heel or the ball of the foot, whichever is lower; of two that touch, the
    one that moves less. A foot that rolls or pivots therefore does not skate.

    Args:
        body: The body.
        clip: The clip.
        targets: Key points with ``heel`` and ``ball`` of both sides.

    Returns:
        Drift in m, 0 if no foot ever bears load.
    """
    place = point_positions(body, clip.qpos, targets)
    drifts: list[float] = []
    for foot, side in enumerate(("r", "l")):
        ends = place[:, [targets.index(f"heel_{side}"), targets.index(f"ball_{side}")]]
        step = np.linalg.norm(np.diff(ends[:, :, :2], axis=0), axis=2)
        height = np.maximum(ends[:-1, :, 2], ends[1:, :, 2])
        touching = height <= height.min(axis=1, keepdims=True) + TOUCH_MARGIN
        moved = np.where(touching, step, np.inf).min(axis=1)
        loaded = clip.contact[:-1, foot] & clip.contact[1:, foot]
        drifts += [float(moved[start:stop].sum()) for start, stop in runs(loaded)]
    return float(np.mean(drifts)) if drifts else 0.0
