"""MS-Human-700: 700 muscles of the whole body (LNS Group, Tsinghua University; Apache-2.0)."""

from __future__ import annotations

import mujoco

from ms_envs.bodies import myo
from ms_envs.bodies.body import Body, describe

OPTIONS: tuple[str, ...] = ()

FLOOR_ONLY = 2
"""Collision bit of the added shapes, which meet the floor and nothing else."""
STANDING_HEIGHT = 0.941
"""Root height, m, at which the soles of ``qpos0`` touch the floor."""

_MUSCLES_BY_PREFIX: dict[str, tuple[str, ...]] = {
    "leg": ("Ps_",),
    "trunk": (
        *("rect_abd", "IL_", "LTpT", "LTpL", "QL_", "MF_", "multifidus"),
        *("EO_", "IO", "TR1", "TR2", "TR3", "TR4", "TR5", "ExtIC", "IntIC"),
    ),
    "neck": (
        *("stern_mast", "cleid_", "scalenus", "long_col", "splen_", "semi_c"),
        *("longissi_cerv", "iliocost_cerv", "supmult", "deepmult"),
    ),
    "arm": ("trap_", "levator_scap"),
}
"""Regions that the letter case of a name does not tell."""


def load(*, strength: float) -> Body:
    """Build MS-Human-700.

    What differs from the original:

    - The root is a free joint instead of three slides and three Euler hinges, which are singular in a cartwheel. The
      key frame, made for the old coordinates, is gone. The frame of the pelvis has y up and x forward; ``qpos0``
      stands upright.
    - Thorax, upper arms, forearms and hands, which passed through the floor, have shapes that meet it (and nothing
      else), sized from the bones. The floor has no edge.
    - The toes resist bending, as the plantar fascia does.

    Its phantom bodies are light (1e-7 kg·m²) and their joints have armature; they need no correction.

    Args:
        strength: Factor on peak isometric muscle force.

    Returns:
        The body, with 37 independent joints.

    Raises:
        FileNotFoundError: If the model is neither on this machine nor can be downloaded.
    """
    spec = _load_spec()
    _free_root(spec)
    myo.flatten_floor(spec)
    myo.stiffen_toes(spec)
    _add_contact_shapes(spec)
    return describe(
        spec,
        name="ms-human-700",
        segments={"pelvis": "pelvis", "torso": "thoracic1", "head": "head_neck"} | myo.LEG_SEGMENTS | _ARM_SEGMENTS,
        joint_roles=myo.LEG_ROLES | myo.ARM_ROLES | _TRUNK_ROLES,
        key_bodies=("torso", "head", *myo.LEG_KEY_BODIES, *myo.ARM_KEY_BODIES),
        muscle_groups=myo.muscle_groups(spec, _region),
        licence="Apache-2.0",
        source="mujoco-menagerie (PyPI), ms_human_700",
        strength=strength,
    )


_ARM_SEGMENTS = myo.arm_segments(wrist="proximal_row", hand="hand")
_TRUNK_ROLES = {
    "lumbar": tuple(f"{level}_{axis}" for level in ("L5_S1", "T12_L1") for axis in ("FE", "LB", "AR")),
    "neck": tuple(f"T1_head_neck_{axis}" for axis in ("FE", "LB", "AR")),
}


def _load_spec() -> mujoco.MjSpec:
    import mujoco_menagerie

    try:
        return mujoco_menagerie.get("ms_human_700").spec("scene")
    except (mujoco_menagerie.MenagerieError, OSError) as error:
        raise FileNotFoundError(
            f"the model of 'ms-human-700' is not on this machine: {error}. With network access it is downloaded once "
            "(6 MB) by `python -m mujoco_menagerie prefetch ms_human_700`; without it, set MENAGERIE_ROOT to a "
            "checkout of https://github.com/google-deepmind/mujoco_menagerie"
        ) from error


def _free_root(spec: mujoco.MjSpec) -> None:
    for key in list(spec.keys):
        spec.delete(key)
    spec.nkey = 0
    pelvis = spec.body("pelvis")
    for joint in list(pelvis.joints):
        spec.delete(joint)
    pelvis.add_freejoint(name="root")
    pelvis.pos = [0, 0, STANDING_HEIGHT]


def _add_contact_shapes(spec: mujoco.MjSpec) -> None:
    spec.geom("floor").conaffinity |= FLOOR_ONLY
    looks = {"contype": FLOOR_ONLY, "conaffinity": 0, "group": 1, "rgba": [0.8, 0.7, 0.5, 0.2]}
    capsule, box, ellipsoid = mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_ELLIPSOID
    # The ribs reach from 0.30 m below to 0.04 m above the top of the breastbone, 0.16 m to each side.
    spec.body("sternum").add_geom(
        name="thorax_skin", type=ellipsoid, pos=[-0.05, -0.13, 0], size=[0.125, 0.18, 0.16], **looks
    )
    for side, outwards in (("r", 1), ("l", -1)):
        for name, body, end, radius in (
            ("upper_arm", "humerus", "ulna", 0.04),
            ("forearm", "radius", "proximal_row", 0.03),
        ):
            tip = spec.body(f"{end}_{side}").pos
            spec.body(f"{body}_{side}").add_geom(
                name=f"{name}_skin_{side}", type=capsule, fromto=[0, 0, 0, *tip], size=[radius, 0, 0], **looks
            )
        # Bounds of the hand's bones, fingers half closed.
        spec.body(f"hand_{side}").add_geom(
            name=f"hand_skin_{side}",
            type=box,
            pos=[0.008, -0.043, -0.022 * outwards],
            size=[0.038, 0.054, 0.04],
            **looks,
        )


def _region(muscle: str) -> str:
    """Region of a muscle: names of leg muscles are in lower case, those of arm muscles in capitals, but for some."""
    for region, prefixes in _MUSCLES_BY_PREFIX.items():
        if muscle.startswith(prefixes):
            return region
    return "arm" if muscle[0].isupper() else "leg"
