"""The proportions of a body, and what they make of a motion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

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
    "palm": 0.0,
}
"""Weight of each key point; a palm counts only while it is on the ground."""

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
    carried: dict[str, tuple[str, NDArray[np.float64]]] = {"hips": ("pelvis", hips)}
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
            wrist, hand = data.xpos[segments[f"wrist_{side}"]], data.xpos[segments[f"hand_{side}"]]
            shapes = ground.geoms_of(body, f"hand_{side}")
            centre = np.mean(data.geom_xpos[shapes], axis=0) if len(shapes) else hand
            carried |= {
                f"shoulder_{side}": (f"upper_arm_{side}", data.xpos[segments[f"upper_arm_{side}"]]),
                f"elbow_{side}": (f"forearm_{side}", data.xpos[segments[f"forearm_{side}"]]),
                f"wrist_{side}": (f"wrist_{side}", wrist),
                f"palm_{side}": (f"hand_{side}", centre),
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


def key_points(skeleton: Skeleton, motion: SourceMotion) -> KeyPointTargets:
    """Key points of a motion rebuilt with the bone lengths of a body; the ground is not yet looked at.

    Args:
        skeleton: The body's proportions.
        motion: The motion.

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
            attach(f"shoulder_{side}", "hips", "torso")
            attach(f"elbow_{side}", f"shoulder_{side}", f"upper_arm_{side}")
            attach(f"wrist_{side}", f"elbow_{side}", f"forearm_{side}")
            attach(f"palm_{side}", f"wrist_{side}", f"forearm_{side}")
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
