"""From a recorded motion to a clip of a body."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np
from ms_envs.bodies.body import Body
from ms_envs.motions import motions_of
from ms_envs.motions.clip import MotionClip, velocities
from ms_envs.retarget import contacts, deepmimic, ground, skeleton, synthetic
from ms_envs.retarget.solver import Problem, solve
from ms_envs.retarget.source import SourceMotion
from ms_envs.retarget.targets import KeyPointTargets, point_positions
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

CUTOFF = {"walk": 7.0, "run": 16.0, "backflip": 13.0, "spinkick": 12.0, "roll": 12.0, "jump": 10.0, "kick": 10.0}
"""Smoothing frequency of motions in Hz; the others have :data:`DEFAULT_CUTOFF`."""
DEFAULT_CUTOFF = 9.0
PENETRATION = 0.004
"""Depth to which a body may sink into the floor before it is raised, m."""
LOADED_HEIGHT = 0.01
"""A foot bears load when it touches in the recording and its lowest point is below this, m."""
ROUNDS = 4
"""Solutions, each raising what the last one left in the floor."""
BALANCE_ROUNDS = 5
"""Corrections of the centre of mass of standing and squatting."""


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
    touching = contacts.detect(motion)
    motion = skeleton.with_human_ankles(bones, motion)
    cutoff = CUTOFF.get(motion.name, DEFAULT_CUTOFF)
    rest = np.clip(0.0, *body.joint_range.T)
    geoms = ground.colliding_geoms(body)
    limbs = np.array(ground.limb_of(body, geoms))
    lift = {limb: np.zeros(len(motion)) for limb in ("trunk", "foot_r", "foot_l", "hand_r", "hand_l")}
    orientations = skeleton.segment_orientations(bones, motion)
    shoulders = None if guess is None else skeleton.shoulder_offsets(bones, guess)
    qpos = guess
    for attempt in range(ROUNDS):
        points, segments = contacts.on_ground(
            bones, motion, touching, skeleton.key_points(bones, motion, shoulders), orientations, lift
        )
        period = (points.position[-1, 0] - points.position[0, 0]) * [1, 1, 0] if motion.loop else None
        start = _first_guess(bones, motion, points) if qpos is None else qpos
        qpos = solve(Problem(body, points, segments, motion.fps, cutoff, period, rest), start)
        shoulders = skeleton.shoulder_offsets(bones, qpos)
        depth = np.maximum(-ground.lowest_heights(body, qpos, geoms) - PENETRATION, 0)
        if attempt > 0 and depth.max() < PENETRATION / 4:
            break
        for limb in lift:
            if (limbs == limb).any():
                lift[limb] += contacts.spread(motion, depth[:, limbs == limb].max(axis=1))
    data = mujoco.MjData(body.model)
    key_position = np.empty((len(qpos), len(body.key_bodies), 3))
    for frame, coordinates in enumerate(qpos):
        data.qpos[:] = coordinates
        mujoco.mj_kinematics(body.model, data)
        key_position[frame] = data.xpos[body.key_body_ids]
    clip = MotionClip(
        motion=motion.name,
        body_name=body.name,
        body_hash=body.hash,
        fps=motion.fps,
        loop=motion.loop,
        qpos=qpos,
        qvel=velocities(qpos, motion.fps, body, loop=motion.loop),
        key_position=key_position,
        activation=None,
        contact=touching.feet() & (_foot_heights(body, qpos) < LOADED_HEIGHT),
        provenance={"source": motion.source, "licence": motion.licence},
    )
    return Retargeted(clip, points)


def make(name: str, body: Body) -> Retargeted:
    """Fit a motion of the suite to a body.

    Args:
        name: Name of the motion.
        body: The body.

    Returns:
        The clip and its targets.

    Raises:
        ValueError: If the body has no such motion; the message lists those it has.
        ModuleNotFoundError: If the recording is not installed; the message says how to get it.
    """
    if name not in motions_of(body.name):
        raise ValueError(f"body {body.name!r} has no motion {name!r}; choose one of {', '.join(motions_of(body.name))}")
    if name in synthetic.SYNTHETIC:
        return _balanced(synthetic.SYNTHETIC[name], body)
    return retarget(deepmimic.read_clip(name), body)


def _balanced(build: Callable[[NDArray[np.float64] | None], SourceMotion], body: Body) -> Retargeted:
    """Fit a motion on still feet, its hips placed so that the centre of mass stays over the middle of the feet."""
    offset, guess = None, None
    for _ in range(BALANCE_ROUNDS):
        result = retarget(build(offset), body, guess=guess)
        guess = result.clip.qpos
        feet = [result.targets.index(f"{point}_{side}") for point in ("heel", "ball") for side in skeleton.SIDES]
        middle = result.targets.position[:, feet].mean(axis=1)
        ahead = (centre_of_mass(body, result.clip.qpos) - middle)[:, 0]
        offset = (np.zeros(len(ahead)) if offset is None else offset) - ahead
    return result


def centre_of_mass(body: Body, qpos: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre of mass of the body in every frame, m, (T, 3)."""
    data = mujoco.MjData(body.model)
    places = np.empty((len(qpos), 3))
    for frame, coordinates in enumerate(qpos):
        data.qpos[:] = coordinates
        mujoco.mj_kinematics(body.model, data)
        mujoco.mj_comPos(body.model, data)
        places[frame] = data.subtree_com[0]
    return places


def _foot_heights(body: Body, qpos: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height of the lowest point of the right and the left foot, m, (T, 2)."""
    heights = [
        ground.lowest_heights(body, qpos, ground.geoms_of(body, f"foot_{side}", f"toes_{side}")).min(axis=1)
        for side in skeleton.SIDES
    ]
    return np.stack(heights, axis=1)


def _first_guess(bones: skeleton.Skeleton, motion: SourceMotion, points: KeyPointTargets) -> NDArray[np.float64]:
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
    qpos[:, :3] += points.position[:, 0] - point_positions(body, qpos, points)[:, 0]
    return qpos
