"""From a recorded motion to a clip of a body."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.spatial.transform import Rotation

from ms_envs.bodies.body import Body
from ms_envs.motions import motions_of
from ms_envs.motions.clip import MotionClip, velocities
from ms_envs.retarget import contacts, deepmimic, ground, skeleton, synthetic
from ms_envs.retarget.solver import Problem, solve
from ms_envs.retarget.source import SourceMotion
from ms_envs.retarget.targets import KeyPointTargets, point_positions

CUTOFF = {"walk": 7.0, "run": 9.0, "backflip": 9.0, "spinkick": 9.0, "cartwheel": 8.0, "jump": 8.0, "roll": 8.0}
"""Smoothing frequency of motions in Hz; the others have :data:`DEFAULT_CUTOFF`."""
DEFAULT_CUTOFF = 6.0
PENETRATION = 0.004
"""Depth to which a body may sink into the floor before it is raised, m."""
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


def retarget(motion: SourceMotion, body: Body) -> Retargeted:
    """Fit a motion to a body.

    Args:
        motion: The motion.
        body: The body.

    Returns:
        The clip, without activations, and the key-point targets after all that the ground asked of them.
    """
    bones = skeleton.measure(body)
    touching = contacts.detect(motion)
    points, segments = contacts.on_ground(
        bones, motion, touching, skeleton.key_points(bones, motion), skeleton.segment_orientations(bones, motion)
    )
    rest = np.clip(0.0, *body.joint_range.T)
    qpos = _first_guess(bones, motion, points)
    cutoff = CUTOFF.get(motion.name, DEFAULT_CUTOFF)
    feet = ground.geoms_of(body, *(f"{part}_{side}" for part in ("foot", "toes") for side in skeleton.SIDES))
    others = np.setdiff1d(ground.colliding_geoms(body), feet)
    for _ in range(3):
        period = (points.position[-1, 0] - points.position[0, 0]) * [1, 1, 0] if motion.loop else None
        qpos = solve(Problem(body, points, segments, motion.fps, cutoff, period, rest), qpos)
        sunk = np.maximum(-ground.lowest_heights(body, qpos, others).min(axis=1) - PENETRATION, 0)
        if sunk.max() < 0.002:
            break
        lift = gaussian_filter1d(maximum_filter1d(sunk, 7), 2.0, mode="nearest")
        points = points.moved(points.position + lift[:, None, None] * [0, 0, 1])
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
        contact=touching.feet(),
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
    offset = None
    for _ in range(BALANCE_ROUNDS):
        motion = build(offset)
        result = retarget(motion, body)
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
