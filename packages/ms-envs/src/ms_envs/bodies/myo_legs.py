"""MyoLegs: 80 leg muscles, trunk and head rigid with the pelvis (MyoSuite, Apache-2.0)."""

from __future__ import annotations

from ms_envs.bodies import myo
from ms_envs.bodies.body import Body, describe

OPTIONS: tuple[str, ...] = ()


def load(*, strength: float) -> Body:
    """Build MyoLegs on a flat floor.

    The original floor is a disc of 1.05 m radius lying above a plane, which a walk leaves within seconds.

    Args:
        strength: Factor on peak isometric muscle force.

    Returns:
        The body, with 14 independent joints.
    """
    spec = myo.load_spec("myolegs")
    myo.flatten_floor(spec)
    myo.stiffen_toes(spec)
    return describe(
        spec,
        name="myo-legs",
        segments=myo.TRUNK_SEGMENTS | myo.LEG_SEGMENTS,
        joint_roles=myo.LEG_ROLES,
        key_bodies=("torso", "head", *myo.LEG_KEY_BODIES),
        muscle_groups=myo.muscle_groups(spec),
        licence="Apache-2.0",
        source="myo-sim (PyPI), model myolegs",
        strength=strength,
    )
