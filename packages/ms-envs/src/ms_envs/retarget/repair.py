"""A motion that gravity and floor explain better, at the price of following the recording less closely."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ms_envs.bodies import load_body
from ms_envs.bodies.body import Body
from ms_envs.inverse import inverse_solution, static_optimization
from ms_envs.inverse.command import motion_name
from ms_envs.motions import load_clip
from ms_envs.motions.clip import MotionClip
from ms_envs.report_table import markdown_table, table_console
from ms_envs.retarget.consistency import Tolerances, make_consistent
from ms_envs.retarget.quality import QualityReport, judged, print_table, quality_report

TOLERANCE = 0.03
"""Distance of root and key bodies from the given motion that costs as much as 2 % of body weight from nowhere, m."""
JOINT = 0.3
"""Tolerance of joint angles and root orientation, rad: where bodies are is kept rather than how they are bent."""
ROUNDS, ITERATIONS = 4, 15
"""Of :func:`make_consistent`; more than for the other clips of the package, since more is changed."""


def repair(body: Body, clip: MotionClip, tolerance: float = TOLERANCE) -> tuple[MotionClip, QualityReport]:
    """Change a motion until floor and gravity alone nearly give its momentum (:func:`make_consistent`).

    Args:
        body: The body.
        clip: A motion made for it.
        tolerance: Distance of root and key bodies from the given motion that costs as much as 2 % of body weight from
            nowhere, m.

    Returns:
        The changed clip, whose provenance says how far its key bodies were moved, and its report, which knows no
        key-point targets.

    Raises:
        ValueError: If the clip does not fit the body, or the tolerance is not positive.
    """
    if not 0 < tolerance < np.inf:
        raise ValueError(f"the tolerance must be a positive length in m, got {tolerance!r}")
    changed = make_consistent(
        body, clip, tolerances=Tolerances(position=tolerance, joint=JOINT), rounds=ROUNDS, iterations=ITERATIONS
    )
    distance = 1e3 * np.linalg.norm(changed.key_position - clip.key_position, axis=-1)
    repaired = {
        "tolerance_m": tolerance,
        "moved_mean_mm": round(float(distance.mean()), 1),
        "moved_greatest_mm": round(float(distance.max()), 1),
    }
    changed = replace(changed, provenance={**clip.provenance, "repaired": repaired})
    return judged(body, changed, static_optimization(body, changed))


def repair_command(motion: str, output: Path, body_name: str, tolerance: float = TOLERANCE) -> None:
    """Repair a motion, write it as a clip, and print its quality before and after.

    Args:
        motion: Id or name of a motion, or path of an ``.npz`` clip.
        output: The clip to write.
        body_name: Name of the body.
        tolerance: As for :func:`repair`.

    Raises:
        ValueError: If motion, body, tolerance or the name of the file are not valid.
        FileNotFoundError: If a clip or body is not there.
    """
    if output.suffix != ".npz":
        raise ValueError(f"a clip is an .npz file, {output} is not called so")
    console, body = table_console(), load_body(body_name)
    clip = load_clip(motion_name(motion), body)
    with console.status(f"repairing {clip.motion} on {body_name}"):
        changed, report = repair(body, clip, tolerance)
        before = quality_report(body, clip, solution=inverse_solution(body, clip))
    changed.save(output)
    print_table([before, replace(report, motion=f"{clip.motion}, repaired")], console)
    moved = changed.provenance["repaired"]
    console.print(
        f"{output}: key bodies moved by {moved['moved_mean_mm']:.0f} mm on average, at most "
        f"{moved['moved_greatest_mm']:.0f} mm",
        highlight=False,
    )


@dataclass(frozen=True)
class Change:
    """What the repair of a motion of the package changed.

    Attributes:
        before: Quality of the recorded motion.
        after: Quality of the repaired one.
        moved: Mean and greatest distance between their key bodies, mm.
    """

    before: QualityReport
    after: QualityReport
    moved: tuple[float, float]

    @classmethod
    def of(cls, body: Body, motion: str) -> Change:
        """The change of a motion of a body, from the provenance of its clips."""
        clips = (load_clip(motion, body), load_clip(motion, body, repaired=True))
        before, after = (QualityReport.from_dict(clip.provenance["quality"]) for clip in clips)
        repaired = clips[1].provenance["repaired"]
        return cls(before, after, (repaired["moved_mean_mm"], repaired["moved_greatest_mm"]))


_COLUMNS: dict[str, Callable[[Change], str]] = {
    "motion": lambda change: change.before.motion,
    "moved mm": lambda change: f"{change.moved[0]:.0f}",
    "max mm": lambda change: f"{change.moved[1]:.0f}",
    "root force %": lambda change: _from_to(change, "root_force_share", 100),
    "root N·m": lambda change: _from_to(change, "root_moment", 1),
    "out of reach %": lambda change: _from_to(change, "unreachable_torque", 100),
    "saturated %": lambda change: _from_to(change, "saturation", 100),
}


def changes_table(changes: Iterable[Change]) -> str:
    """What repairs changed, as a table in Markdown."""
    return markdown_table(_COLUMNS, changes, text=("motion",))


def _from_to(change: Change, name: str, factor: float) -> str:
    return f"{factor * getattr(change.before, name):.0f} → {factor * getattr(change.after, name):.0f}"
