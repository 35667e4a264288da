"""The proportions of a body, and what they make of a motion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import mujoco
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ms_envs.bodies.body import Body
from ms_envs.retarget import ground
from ms_envs.retarget.source import SourceMotion
from ms_envs.retarget.targets import KeyPointTargets, SegmentTargets

SIDES = ("r", "l")

POINT_WEIGHT = {
    "hips": 3.0,
    "knee": 1.5,
    "ankle": 2.5,
    "heel": 2.0,
    "ball": 2.0,
    "toe_tip": 1.0,
    "shoulder": 0.7,
    "elbow": 1.5,
    "wrist": 2.0,
}
"""Weight of each key point."""

SEGMENT_WEIGHT = {
    "pelvis": 0.6,
    "torso": 0.6,
    "head": 0.1,
    "thigh": 0.05,
    "foot": 0.1,
    "toes": 0.05,
    "upper_arm": 0.03,
    "forearm": 0.03,
    "hand": 0.02,
}
"""Weight of each segment's orientation, m/rad."""

ANKLE_TURN = 0.2
"""Greatest turn of a foot about its shank, rad."""


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A body standing upright at the origin with its joints at zero, facing x.

    Attributes:
        body: The body.
        qpos: Its coordinates, (nq,).
        joint: Name of a joint centre or surface point to its place, m, (3,).
        local: The same points in the frame of the MuJoCo body that carries them: body id and offset.
        rotation: Segment to the orientation of its MuJoCo body, (3, 3).
        hip_height: Height of the hip joints above the soles, m.
        sole_to_toes: Height of the toe joints above the soles, m.
    """

    body: Body
    qpos: NDArray[np.float64]
    joint: Mapping[str, NDArray[np.float64]]
    local: Mapping[str, tuple[int, NDArray[np.float64]]]
    rotation: Mapping[str, NDArray[np.float64]]
    hip_height: float
    sole_to_toes: float


def measure(body: Body) -> Skeleton:
    """Measure the joint centres and contact points of a body.

    Args:
        body: The body; needs the segments pelvis, thigh, shank, ankle, foot and toes of both sides.

    Returns:
        Its skeleton.
    """
    model, segments = body.model, body.segments
    data = mujoco.MjData(model)
    qpos = model.qpos0.copy()
    qpos[body.qpos_index] = np.clip(0.0, *body.joint_range.T)
    data.qpos[:] = body.complete(qpos)
    mujoco.mj_kinematics(model, data)
    right = data.xpos[segments["thigh_r"]] - data.xpos[segments["thigh_l"]]
    turn = np.zeros(4)
    mujoco.mju_axisAngle2Quat(turn, np.array([0.0, 0.0, 1.0]), -np.pi / 2 - np.arctan2(right[1], right[0]))
    mujoco.mju_mulQuat(qpos[3:7], turn, qpos[3:7].copy())
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)

    feet = ground.geoms_of(body, *(f"{part}_{side}" for part in ("foot", "toes") for side in SIDES))
    sole = min(ground.support_point(model, data, int(g), (0, 0, -1))[2] for g in feet)
    hips = 0.5 * (data.xpos[segments["thigh_r"]] + data.xpos[segments["thigh_l"]])
    carried: dict[str, tuple[str, NDArray[np.float64]]] = {
        "hips": ("pelvis", hips),
        "torso": ("torso", data.xpos[segments["torso"]]),
    }
    if "lumbar" in body.joint_roles:
        waist = data.xanchor[body.joint_ids[body.joint_roles["lumbar"]]].mean(axis=0)
        carried["waist"] = ("pelvis", waist)
    for side in SIDES:
        ankle, ball = data.xpos[segments[f"ankle_{side}"]], data.xpos[segments[f"toes_{side}"]]
        foot = ground.geoms_of(body, f"foot_{side}")
        toes = ground.geoms_of(body, f"toes_{side}")
        back = min(ground.support_point(model, data, int(g), (-1, 0, 0))[0] for g in foot)
        front = max(ground.support_point(model, data, int(g), (1, 0, 0))[0] for g in (*toes, *foot))
        # The rounded ends of the shapes touch the ground a little inside of their outline.
        carried |= {
            f"hip_{side}": ("pelvis", data.xpos[segments[f"thigh_{side}"]]),
            f"knee_{side}": (f"shank_{side}", data.xpos[segments[f"shank_{side}"]]),
            f"ankle_{side}": (f"ankle_{side}", ankle),
            f"heel_{side}": (f"foot_{side}", np.array([back + 0.015, ankle[1], sole])),
            f"ball_{side}": (f"foot_{side}", np.array([ball[0], ball[1], sole])),
            f"toe_tip_{side}": (f"toes_{side}", np.array([front - 0.015, ball[1], sole])),
        }
        if f"hand_{side}" in segments:
            carried |= {
                f"shoulder_{side}": (f"upper_arm_{side}", data.xpos[segments[f"upper_arm_{side}"]]),
                f"elbow_{side}": (f"forearm_{side}", data.xpos[segments[f"forearm_{side}"]]),
                f"wrist_{side}": (f"wrist_{side}", data.xpos[segments[f"wrist_{side}"]]),
            }
    local = {}
    for name, (segment, place) in carried.items():
        bone = segments[segment]
        local[name] = (bone, data.xmat[bone].reshape(3, 3).T @ (place - data.xpos[bone]))
    return Skeleton(
        body=body,
        qpos=qpos,
        joint={name: place - hips for name, (_, place) in carried.items()},
        local=local,
        rotation={segment: data.xmat[bone].reshape(3, 3).copy() for segment, bone in segments.items()},
        hip_height=float(hips[2] - sole),
        sole_to_toes=float(data.xpos[segments["toes_r"]][2] - sole),
    )


def with_human_ankles(skeleton: Skeleton, motion: SourceMotion) -> SourceMotion:
    """Turn the feet of a motion back to where ankles can turn them.

    The ankle of the recorded skeleton is a ball joint that took up what its hinged knee could not: in places it turns
    50 degrees about the shank. Pitch and roll are kept within the body's ankle and subtalar joint, and the turn about
    the shank within :data:`ANKLE_TURN`.

    Args:
        skeleton: The body's proportions.
        motion: The motion.

    Returns:
        The motion with other foot orientations.
    """
    body, turn = skeleton.body, dict(motion.orientation)
    for side in SIDES:
        ankle, subtalar = (body.joint_range[body.joint_roles[f"{role}_{side}"][0]] for role in ("ankle", "subtalar"))
        shank = turn[f"shank_{side}"]
        angles = Rotation.from_matrix(shank.transpose(0, 2, 1) @ turn[f"foot_{side}"]).as_euler("YXZ")
        roll = np.abs(subtalar).max()
        angles = np.clip(angles, [-ankle[1], -roll, -ANKLE_TURN], [-ankle[0], roll, ANKLE_TURN])
        turn[f"foot_{side}"] = shank @ Rotation.from_euler("YXZ", angles).as_matrix()
    return replace(motion, orientation=turn)


def shoulder_offsets(skeleton: Skeleton, qpos: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Shoulder joints relative to the torso, where raising the arms has carried them, m, each (T, 3)."""
    body = skeleton.body
    data = mujoco.MjData(body.model)
    sides = [side for side in SIDES if f"upper_arm_{side}" in body.segments]
    offsets = {side: np.empty((len(qpos), 3)) for side in sides}
    torso = body.segments["torso"]
    for frame, coordinates in enumerate(qpos):
        data.qpos[:] = coordinates
        mujoco.mj_kinematics(body.model, data)
        turn = data.xmat[torso].reshape(3, 3) @ skeleton.rotation["torso"].T
        for side in sides:
            offsets[side][frame] = turn.T @ (data.xpos[body.segments[f"upper_arm_{side}"]] - data.xpos[torso])
    return offsets


def key_points(
    skeleton: Skeleton, motion: SourceMotion, shoulders: Mapping[str, NDArray[np.float64]] | None = None
) -> KeyPointTargets:
    """Key points of a motion rebuilt with the bone lengths of a body; the ground is not yet looked at.

    Args:
        skeleton: The body's proportions.
        motion: The motion.
        shoulders: Shoulder joints relative to the torso as :func:`shoulder_offsets` gives them: clavicle and scapula
            follow the arm, so that the place of the shoulder is known only with a solution. By default the arms hang.

    Returns:
        Targets over the frames of the motion.
    """
    turn, joint = motion.orientation, skeleton.joint
    hips = motion.root_position * (skeleton.hip_height / motion.hip_height)
    place = {"hips": hips}

    def attach(name: str, parent: str, segment: str) -> None:
        place[name] = place[parent] + turn[segment] @ (joint[name] - joint[parent])

    for side in SIDES:
        attach(f"hip_{side}", "hips", "pelvis")
        attach(f"knee_{side}", f"hip_{side}", f"thigh_{side}")
        attach(f"ankle_{side}", f"knee_{side}", f"shank_{side}")
        for point in ("heel", "ball", "toe_tip"):
            attach(f"{point}_{side}", f"ankle_{side}", f"foot_{side}")
        if f"shoulder_{side}" in joint:
            attach("waist", "hips", "pelvis")
            attach("torso", "waist", "torso")
            attach(f"shoulder_{side}", "torso", "torso")
            if shoulders is not None:
                place[f"shoulder_{side}"] = place["torso"] + np.einsum("tij,tj->ti", turn["torso"], shoulders[side])
            attach(f"elbow_{side}", f"shoulder_{side}", f"upper_arm_{side}")
            attach(f"wrist_{side}", f"elbow_{side}", f"forearm_{side}")
    names = tuple(name for name in place if name.removesuffix("_r").removesuffix("_l") in POINT_WEIGHT)
    weight = np.array([POINT_WEIGHT[name.removesuffix("_r").removesuffix("_l")] for name in names])
    return KeyPointTargets(
        names=names,
        body_ids=np.array([skeleton.local[name][0] for name in names], dtype=np.intp),
        offset=np.array([skeleton.local[name][1] for name in names]),
        position=np.stack([place[name] for name in names], axis=1),
        weight=np.tile(weight, (len(motion), 1)),
    )


def segment_orientations(skeleton: Skeleton, motion: SourceMotion) -> SegmentTargets:
    """Orientations of the segments that can move against the pelvis, and of the pelvis."""
    body = skeleton.body
    rigid_group = body.model.body_weldid
    turn = dict(motion.orientation)
    for side in SIDES:
        turn[f"toes_{side}"] = turn[f"foot_{side}"]
        turn[f"hand_{side}"] = turn[f"forearm_{side}"]
    chosen = [
        segment
        for segment in body.segments
        if segment == "pelvis"
        or (
            segment.removesuffix("_r").removesuffix("_l") in SEGMENT_WEIGHT
            and rigid_group[body.segments[segment]] != rigid_group[body.segments["pelvis"]]
        )
    ]
    return SegmentTargets(
        names=tuple(chosen),
        body_ids=np.array([body.segments[segment] for segment in chosen], dtype=np.intp),
        orientation=np.stack([turn[segment] @ skeleton.rotation[segment] for segment in chosen], axis=1),
        weight=np.array([SEGMENT_WEIGHT[s.removesuffix("_r").removesuffix("_l")] for s in chosen]),
    )
