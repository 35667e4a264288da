"""MyoFullBody: 416 muscles of legs, trunk and both arms (MyoSuite, Apache-2.0 with a note on the arm)."""

from __future__ import annotations

import mujoco

from ms_envs.bodies import myo
from ms_envs.bodies.body import Body, describe

OPTIONS: tuple[str, ...] = ("free_fingers",)

PHANTOM_INERTIA = 1e-3
"""kg·m²; the original has 1 for bodies of one gram."""
GIRDLE_ARMATURE = 0.005
"""kg·m²; keeps the light chain from breastbone to upper arm stable at 2 ms."""

_TRUNK_MUSCLES = ("Ps_", "rect_abd", "IL_", "LTpT", "LTpL", "QL_", "MF_", "EO", "IO")


def load(*, strength: float, free_fingers: bool = False) -> Body:
    """Build MyoFullBody.

    What differs from the original:

    - The eight phantom bodies between breastbone and upper arm weigh a gram but had an inertia of 1 kg·m² each, which
      made the trunk sixteen times harder to turn (11 instead of 0.7 kg·m² about its axis). They get
      :data:`PHANTOM_INERTIA`, and the joints of the shoulder girdle get :data:`GIRDLE_ARMATURE`, without which the
      simulation is unstable at 2 ms.
    - The soles touch the floor in ``qpos0``, at the origin.
    - The fingers are rigid unless ``free_fingers`` is set: they are more than half of the independent joints and no
      motion moves them. Their muscles stay and act on wrist and forearm.
    - The toes resist bending, as the plantar fascia does.
    - Velocity and touch sensors, which nothing reads, are gone.

    Args:
        strength: Factor on peak isometric muscle force.
        free_fingers: Whether the 40 finger joints can move.

    Returns:
        The body, with 31 independent joints, 71 with free fingers.
    """
    spec = myo.load_spec("myofullbody")
    myo.flatten_floor(spec)
    myo.stiffen_toes(spec)
    _lighten_shoulder_girdle(spec)
    if not free_fingers:
        _lock_fingers(spec)
    for sensor in list(spec.sensors):
        spec.delete(sensor)
    return describe(
        spec,
        name="myo-fullbody",
        segments=myo.TRUNK_SEGMENTS | myo.LEG_SEGMENTS | _ARM_SEGMENTS,
        joint_roles=myo.LEG_ROLES | myo.ARM_ROLES | {"lumbar": ("flex_extension", "lat_bending", "axial_rotation")},
        key_bodies=("torso", "head", *myo.LEG_KEY_BODIES, *myo.ARM_KEY_BODIES),
        muscle_groups=myo.muscle_groups(spec, _region),
        licence="Apache-2.0; arm non-commercial upstream",
        source="myo-sim (PyPI), myofullbody",
        strength=strength,
    )


_ARM_SEGMENTS = myo.arm_segments(wrist="lunate", hand="thirdmc")


def _lighten_shoulder_girdle(spec: mujoco.MjSpec) -> None:
    for side in myo.SIDES:
        for name in ("clavicle", "clavphant", "scapula", "scapphant", "humphant", "humphant1"):
            body = spec.body(f"{name}_{side}")
            if "phant" in name:
                body.inertia = [PHANTOM_INERTIA] * 3
            for joint in body.joints:
                joint.armature = GIRDLE_ARMATURE


def _lock_fingers(spec: mujoco.MjSpec) -> None:
    for side in myo.SIDES:
        for joint in list(spec.body(f"capitate_{side}").find_all("joint")):
            spec.delete(joint)


def _region(muscle: str) -> str:
    """Region of a muscle: names of leg muscles are in lower case, those of arm muscles in capitals."""
    if muscle.startswith(_TRUNK_MUSCLES):
        return "trunk"
    return "arm" if muscle[0].isupper() else "leg"
