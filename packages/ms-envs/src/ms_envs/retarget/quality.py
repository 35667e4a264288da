"""How good a clip is: its kinematics, and whether muscles and floor could produce it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from rich.console import Console

from ms_envs import report_table
from ms_envs.bodies.body import Body
from ms_envs.inverse import InverseSolution, static_optimization
from ms_envs.motions.clip import MotionClip
from ms_envs.retarget.kinematics_report import kinematics_report
from ms_envs.retarget.targets import KeyPointTargets

GRAVITY = 9.81


@dataclass(frozen=True)
class QualityReport:
    """Quality of one clip.

    Attributes:
        motion: Name of the motion.
        body: Name of the body.
        seconds: Duration, s.
        root_force: Mean force that would have to act on the root from nowhere, N.
        root_force_share: The same as a share of body weight.
        root_moment: Mean moment that would have to act on the root from nowhere, N·m.
        unreachable_torque: Share of the joint torque that is out of the muscles' reach, 0 to 1.
        saturation: Mean share of saturated muscles, 0 to 1.
        peak_ground_reaction: Greatest vertical force of the floor, body weights.
        kinematics: Numbers of :func:`ms_envs.retarget.kinematics_report.kinematics_report`; empty for a clip whose
            targets are unknown.
    """

    motion: str
    body: str
    seconds: float
    root_force: float
    root_force_share: float
    root_moment: float
    unreachable_torque: float
    saturation: float
    peak_ground_reaction: float
    kinematics: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON and for a clip's provenance."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> QualityReport:
        """Report from what :meth:`to_dict` gave.

        Raises:
            ValueError: If a field is missing or unknown.
        """
        expected = {f.name for f in fields(cls)}
        if set(values) != expected:
            raise ValueError(f"not a quality report: expected the fields {sorted(expected)}, got {sorted(values)}")
        return cls(**values)


def quality_report(
    body: Body,
    clip: MotionClip,
    targets: KeyPointTargets | None = None,
    *,
    solution: InverseSolution | None = None,
) -> QualityReport:
    """Judge a clip.

    Args:
        body: The body.
        clip: A motion made for it.
        targets: Where its key points should be; without them nothing is said about kinematics.
        solution: Static optimisation of the clip, where it is known already.

    Returns:
        The report.

    Raises:
        ValueError: If the clip does not fit the body, or the targets not the clip.
    """
    clip.check_fits(body)
    solution = solution or static_optimization(body, clip)
    weight = GRAVITY * body.mass
    force = float(solution.root_residual_force.mean())
    return QualityReport(
        motion=clip.motion,
        body=body.name,
        seconds=clip.duration,
        root_force=force,
        root_force_share=force / weight,
        root_moment=float(solution.root_residual_moment.mean()),
        unreachable_torque=solution.unreachable,
        saturation=float(solution.saturation.mean()),
        peak_ground_reaction=float(solution.ground_reaction[:, 2].max()) / weight,
        kinematics={} if targets is None else kinematics_report(body, clip, targets),
    )


def judged(
    body: Body, clip: MotionClip, solution: InverseSolution, targets: KeyPointTargets | None = None
) -> tuple[MotionClip, QualityReport]:
    """A clip with the activations of its static optimisation, and its quality in its provenance.

    Args:
        body: The body.
        clip: A motion made for it.
        solution: Its static optimisation.
        targets: As for :func:`quality_report`.

    Returns:
        The clip and its report.
    """
    report = quality_report(body, clip, targets, solution=solution)
    provenance = {**clip.provenance, "quality": _rounded(report.to_dict())}
    return replace(clip, activation=solution.activation, provenance=provenance), report


def _rounded(values: object) -> object:
    """The same values with floats of four significant digits."""
    if isinstance(values, dict):
        return {key: _rounded(value) for key, value in values.items()}
    return float(f"{values:.4g}") if isinstance(values, float) else values


def _kinematic(name: str, digits: int) -> Callable[[QualityReport], str]:
    return lambda report: f"{report.kinematics[name]:.{digits}f}" if name in report.kinematics else "–"


_COLUMNS: dict[str, Callable[[QualityReport], str]] = {
    "body": lambda report: report.body,
    "motion": lambda report: report.motion,
    "s": lambda report: f"{report.seconds:.2f}",
    "key point mm": _kinematic("key_point_error_mm", 1),
    "max mm": _kinematic("key_point_error_max_mm", 0),
    "at limit": _kinematic("joints_at_limit", 2),
    "sunk mm": _kinematic("penetration_mm", 1),
    "float mm": _kinematic("float_mm", 1),
    "skate mm": _kinematic("foot_skate_mm", 1),
    "coupling": lambda r: f"{r.kinematics['coupling_violation']:.0e}" if "coupling_violation" in r.kinematics else "–",
    "rad/s": _kinematic("joint_speed", 0),
    "rad/s²": _kinematic("joint_acceleration", 0),
    "root N": lambda report: f"{report.root_force:.0f}",
    "N·m": lambda report: f"{report.root_moment:.0f}",
    "out of reach": lambda report: f"{report.unreachable_torque:.3f}",
    "saturated": lambda report: f"{report.saturation:.3f}",
}


_TEXT = ("body", "motion")
"""Columns that hold no numbers."""

CAPTION = (
    "key point: mean and greatest distance from the targets; at limit: share of joints; skate: drift of a loaded foot "
    "per stance; rad/s, rad/s²: peaks of the joints; root: mean force and moment from nowhere; out of reach: share of "
    "joint torque; saturated: share of muscles"
)
"""What the columns mean."""


def print_table(reports: Iterable[QualityReport], console: Console | None = None) -> None:
    """Print one row per clip.

    Args:
        reports: Reports in the order of the rows.
        console: Where to print; standard output by default.
    """
    table = report_table.terminal_table(_COLUMNS, reports, title="Quality of the clips", text=_TEXT, caption=CAPTION)
    (console or Console()).print(table)


def markdown_table(reports: Iterable[QualityReport]) -> str:
    """The same table in Markdown."""
    return report_table.markdown_table(_COLUMNS, reports, text=_TEXT)
