"""What the bodies share, all built on MyoSuite's legs and arms: names, floor, toes."""

from __future__ import annotations

from collections.abc import Callable

import mujoco

from ms_envs.bodies.body import prefix_warning_silenced
from ms_envs.bodies.scenery import dress

SIDES = {"r": "right", "l": "left"}

TRUNK_SEGMENTS = {"pelvis": "pelvis", "torso": "torso", "head": "head"}
LEG_SEGMENTS = {
    f"{segment}_{side}": f"{body}_{side}"
    for side in SIDES
    for segment, body in {
        "thigh": "femur",
        "shank": "tibia",
        "ankle": "talus",
        "foot": "calcn",
        "toes": "toes",
    }.items()
}
LEG_ROLES = {
    f"{role}_{side}": tuple(f"{joint}_{side}" for joint in joints)
    for side in SIDES
    for role, joints in {
        "hip": ("hip_flexion", "hip_adduction", "hip_rotation"),
        "knee": ("knee_angle",),
        "ankle": ("ankle_angle",),
        "subtalar": ("subtalar_angle",),
        "toes": ("mtp_angle",),
    }.items()
}
ARM_ROLES = {
    f"{role}_{side}": tuple(f"{joint}_{side}" for joint in joints)
    for side in SIDES
    for role, joints in {
        "shoulder": ("elv_angle", "shoulder_elv", "shoulder_rot"),
        "elbow": ("elbow_flexion",),
        "forearm": ("pro_sup",),
        "wrist": ("deviation", "flexion"),
    }.items()
}
LEG_KEY_BODIES = tuple(f"{segment}_{side}" for side in SIDES for segment in ("thigh", "shank", "foot", "toes"))
ARM_KEY_BODIES = tuple(f"{segment}_{side}" for side in SIDES for segment in ("upper_arm", "forearm", "hand"))

TOE_STIFFNESS = 25.0
"""Passive stiffness of the metatarsophalangeal joints, N·m/rad, for the plantar fascia that the model leaves out."""
TOE_DAMPING = 1.0
"""N·m·s/rad."""
STANDING_HEIGHT = 0.947
"""Root height, m, at which the soles of ``qpos0`` touch the floor; the original floats 5 cm above it."""


def arm_segments(*, wrist: str, hand: str) -> dict[str, str]:
    """Segments of both arms, given the bodies that stand for wrist and hand, which differ between the models."""
    bodies = {"upper_arm": "humerus", "forearm": "ulna", "wrist": wrist, "hand": hand}
    return {f"{segment}_{side}": f"{body}_{side}" for side in SIDES for segment, body in bodies.items()}


def load_spec(model: str) -> mujoco.MjSpec:
    """Specification of a MyoSuite model, by its ``myo_sim`` name, standing at the origin."""
    import myo_sim

    with prefix_warning_silenced():
        spec: mujoco.MjSpec = myo_sim.load_spec(model)
    spec.body("Full Body").pos = [0, 0, STANDING_HEIGHT]
    return spec


def flatten_floor(spec: mujoco.MjSpec) -> None:
    """Make the plane at z = 0 the only floor."""
    for geom in list(spec.worldbody.geoms):
        if geom.type == mujoco.mjtGeom.mjGEOM_PLANE:
            geom.name, geom.pos, geom.size = "floor", [0, 0, 0], [0, 0, 0.1]
        else:
            spec.delete(geom)
    dress(spec)


def stiffen_toes(spec: mujoco.MjSpec) -> None:
    """Give the toe joints the passive stiffness and damping of a foot."""
    for side in SIDES:
        joint = spec.joint(f"mtp_angle_{side}")
        joint.stiffness, joint.damping = [TOE_STIFFNESS, 0, 0], [TOE_DAMPING, 0, 0]


def muscle_groups(spec: mujoco.MjSpec, region: Callable[[str], str] = lambda _: "leg") -> dict[str, list[int]]:
    """Muscle indices by region and side; a name without a side is one of the right.

    Args:
        spec: The body.
        region: Region of a muscle, by its name.

    Returns:
        ``"leg_right"`` and the like to indices.
    """
    groups: dict[str, list[int]] = {}
    for index, actuator in enumerate(spec.actuators):
        side = SIDES["l" if actuator.name.endswith(("_l", "_L")) else "r"]
        groups.setdefault(f"{region(actuator.name)}_{side}", []).append(index)
    return groups
