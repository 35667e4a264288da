"""Fitting a motion to a body: targets, ground, inverse kinematics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ms_envs.bodies.body import Body
from ms_envs.motions.clip import MotionClip
from ms_envs.retarget import contacts, ground, level, skeleton, timeline
from ms_envs.retarget.solver import Problem, solve
from ms_envs.retarget.source import SourceMotion
from ms_envs.retarget.targets import KeyPointTargets, point_positions

CUTOFF = {"walk": 7.0, "run": 16.0, "backflip": 13.0, "spinkick": 12.0, "roll": 12.0, "jump": 10.0, "kick": 10.0}
"""Smoothing frequency of motions in Hz; the others have :data:`DEFAULT_CUTOFF`."""
DEFAULT_CUTOFF = 9.0
PENETRATION = 0.004
"""Depth to which a body may sink into the floor before it is raised, m."""
LOADED_HEIGHT = 0.01
"""A foot bears load when it touches in the recording and its lowest point is below this, m."""
SETTLING = 2.0
"""Standard deviation, in frames, of the time over which a limb that should rest on the floor is lowered to it."""
ROUNDS = 4
"""Solutions, each raising what the last one left in the floor, and lowering what should rest on it."""


@dataclass(frozen=True, eq=False)
class Retargeted:
    """A clip and what it was made to follow.

    Attributes:
        clip: The motion of the body.
        targets: Where its key points should be.
    """

    clip: MotionClip
    targets: KeyPointTargets


def retarget(motion: SourceMotion, body: Body, *, guess: NDArray[np.float64] | None = None) -> Retargeted:
    """Fit a motion to a body.

    Args:
        motion: The motion.
        body: The body.
        guess: Coordinates to start from, (T, nq), where a similar motion has been solved before.

    Returns:
        The clip, without activations, and the key-point targets after all that the ground asked of them.
    """
    bones = skeleton.measure(body)
    props = level.find_props(bones, motion)
    motion = level.levelled(bones, motion, props)
    touching = contacts.detect(motion, props.kneeling)
    motion = skeleton.with_human_ankles(bones, motion)
    cutoff = CUTOFF.get(motion.name, DEFAULT_CUTOFF)
    rest = np.clip(0.0, *body.joint_range.T)
    geoms = ground.colliding_geoms(body)
    limbs = np.array(ground.limb_of(body, geoms))
    lift = {limb: np.zeros(len(motion)) for limb in ("trunk", "foot_r", "foot_l", "hand_r", "hand_l")}
    orientations = skeleton.segment_orientations(bones, motion)
    qpos = _first_guess(bones, motion) if guess is None else guess
    for attempt in range(ROUNDS):
        shoulders = skeleton.shoulder_offsets(bones, qpos)
        points, segments = contacts.on_ground(
            bones, motion, touching, skeleton.key_points(bones, motion, shoulders), orientations, lift
        )
        period = (points.position[-1, 0] - points.position[0, 0]) * [1, 1, 0] if motion.loop else None
        qpos = solve(Problem(body, points, segments, motion.fps, cutoff, period, rest), qpos)
        height = ground.lowest_heights(body, qpos, geoms)
        depth = np.maximum(-height - PENETRATION, 0)
        gaps = {
            limb: np.maximum(height[:, limbs == limb].min(axis=1), 0) * rests for limb, rests in props.resting().items()
        }
        if attempt > 0 and max(depth.max(), *(gap.max() for gap in gaps.values()), 0.0) < PENETRATION / 4:
            break
        for limb in lift:
            if (limbs == limb).any():
                lift[limb] += timeline.spread(motion, depth[:, limbs == limb].max(axis=1))
        for limb, gap in gaps.items():
            lift[limb] -= timeline.smooth(motion, gap, SETTLING)
    clip = MotionClip.through(
        motion.name,
        body,
        qpos,
        motion.fps,
        loop=motion.loop,
        contact=touching.feet() & (_foot_heights(body, qpos) < LOADED_HEIGHT),
        provenance={"source": motion.source, "licence": motion.licence},
    )
    return Retargeted(clip, points)


def _foot_heights(body: Body, qpos: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height of the lowest point of the right and the left foot, m, (T, 2)."""
    heights = [
        ground.lowest_heights(body, qpos, ground.geoms_of(body, f"foot_{side}", f"toes_{side}")).min(axis=1)
        for side in skeleton.SIDES
    ]
    return np.stack(heights, axis=1)


def _first_guess(bones: skeleton.Skeleton, motion: SourceMotion) -> NDArray[np.float64]:
    """Upright body carried along with the root of the motion, knees and elbows bent as they should be."""
    body = bones.body
    qpos = np.tile(bones.qpos, (len(motion), 1))
    upright = Rotation.from_quat(bones.qpos[[4, 5, 6, 3]])
    qpos[:, 3:7] = (Rotation.from_matrix(motion.orientation["pelvis"]) * upright).as_quat()[:, [3, 0, 1, 2]]
    for side in skeleton.SIDES:
        for role, above, below in (("knee", "thigh", "shank"), ("elbow", "upper_arm", "forearm")):
            if f"{role}_{side}" not in body.joint_roles:
                continue
            joint = body.joint_roles[f"{role}_{side}"][0]
            bend = Rotation.from_matrix(
                motion.orientation[f"{above}_{side}"].transpose(0, 2, 1) @ motion.orientation[f"{below}_{side}"]
            ).magnitude()
            qpos[:, body.qpos_index[joint]] = np.clip(bend, *body.joint_range[joint])
    body.complete(qpos)
    points = skeleton.key_points(bones, motion)
    qpos[:, :3] += points.position[:, 0] - point_positions(body, qpos, points)[:, 0]
    return qpos
