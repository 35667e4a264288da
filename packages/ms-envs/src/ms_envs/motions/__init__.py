"""The motions that can be imitated, and where their clips are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ms_envs.bodies.body import Body
    from ms_envs.motions.clip import MotionClip


@dataclass(frozen=True)
class Motion:
    """One motion of the suite.

    Attributes:
        name: Name of its clips, ``"dance_b"`` for example.
        env_name: Its name in Gymnasium ids, ``"Dance"`` for example.
        needs_arms: Whether arms or trunk bear load, so that a body of legs cannot do it.
        recorded: Whether it was captured, not computed.
    """

    name: str
    env_name: str
    needs_arms: bool = False
    recorded: bool = True

    @property
    def env_id(self) -> str:
        """Its Gymnasium id."""
        return f"MSEmu/{self.env_name}-v0"


MOTIONS: dict[str, Motion] = {
    motion.name: motion
    for motion in (
        Motion("walk", "Walk"),
        Motion("run", "Run"),
        Motion("dance_a", "DanceA"),
        Motion("dance_b", "Dance"),
        Motion("cartwheel", "Cartwheel", needs_arms=True),
        Motion("backflip", "Backflip"),
        Motion("spinkick", "SpinKick"),
        Motion("spin", "Spin"),
        Motion("jump", "Jump"),
        Motion("kick", "Kick"),
        Motion("punch", "Punch", needs_arms=True),
        Motion("roll", "Roll", needs_arms=True),
        Motion("crawl", "Crawl", needs_arms=True),
        Motion("getup_facedown", "GetUpFaceDown", needs_arms=True),
        Motion("getup_faceup", "GetUpFaceUp", needs_arms=True),
        Motion("stand", "Stand", recorded=False),
        Motion("squat", "Squat", recorded=False),
    )
}
"""Every motion by name."""

LEG_BODIES = ("myo-legs",)
"""Bodies without arms."""


def motions_of(body_name: str) -> list[str]:
    """Names of the motions that a body can do."""
    return [name for name, motion in MOTIONS.items() if not (motion.needs_arms and body_name in LEG_BODIES)]


REPAIRED = "repaired"
"""What a recorded motion is called that was changed until gravity and floor nearly explain it."""


def clip_path(motion: str, body_name: str, *, repaired: bool = False) -> Path:
    """Where the clip of a motion and body, or its repaired variant, stands in the package."""
    folder = Path(str(resources.files("ms_envs.motions"))) / "clips" / body_name
    return (folder / REPAIRED if repaired else folder) / f"{motion}.npz"


def load_clip(motion: str | os.PathLike[str], body: Body, *, repaired: bool = False) -> MotionClip:
    """Load a motion for a body.

    Args:
        motion: Name of a motion of the suite, or the path of an ``.npz`` clip of your own.
        body: The body that will imitate it.
        repaired: Whether to load the variant of a recorded motion that gravity and floor explain better.

    Returns:
        The clip.

    Raises:
        ValueError: If the motion is unknown or not one for this body, nobody recorded what should be repaired, or the
            file is damaged or made for another body.
        FileNotFoundError: If the path does not exist.
    """
    from ms_envs.motions.clip import MotionClip  # needs the physics engine, which the list of motions does not

    if isinstance(motion, str) and not motion.endswith(".npz"):
        available = motions_of(body.name)
        if motion not in available:
            raise ValueError(f"body {body.name!r} has no motion {motion!r}; choose one of {', '.join(available)}")
        if repaired and not MOTIONS[motion].recorded:
            raise ValueError(f"{motion} is no recording and needs no repair; leave out clip={REPAIRED!r}")
        motion = clip_path(motion, body.name, repaired=repaired)
    clip = MotionClip.load(motion)
    clip.check_fits(body)
    return clip


__all__ = ["MOTIONS", "REPAIRED", "Motion", "clip_path", "load_clip", "motions_of"]
