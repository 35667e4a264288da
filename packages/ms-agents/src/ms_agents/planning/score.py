"""How good a plan is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from ms_agents.evaluation import evaluate
from ms_agents.planning.plan import Plan
from ms_agents.planning.replay import PlanPolicy
from ms_agents.planning.stage import stage_arguments
from ms_agents.report import TrackingReport

STRICT_ROOT = 0.3
"""Distance of the root from the reference within which a plan tracks strictly, m."""
STRICT_BODY = 0.5
"""The same for every key body, in the world, m."""
SATURATED = 0.95
"""Excitation from which a muscle counts as saturated."""


@dataclass(frozen=True)
class PlanScore:
    """Accuracy, effort and price of a plan; means are over control steps.

    Attributes:
        duration: What was to be planned, s.
        reached: What was planned before the body fell or the budget was spent, s.
        strict: Time up to which root and key bodies stayed within :data:`STRICT_ROOT` and :data:`STRICT_BODY`, s.
        completed: Whether that is the whole motion.
        joint_angle_error: Mean absolute error, deg.
        body_position_error: Of key bodies relative to the root, mm.
        root_frame_body_error: Of all bodies, in the frame of the root, mm.
        root_position_error: mm.
        final_root_position_error: At the end, mm.
        excitation: Mean over muscles.
        saturated: Share of muscles saturated.
        core_minutes: Processor time of the search, min.
    """

    duration: float
    reached: float
    strict: float
    completed: bool
    joint_angle_error: float
    body_position_error: float
    root_frame_body_error: float
    root_position_error: float
    final_root_position_error: float
    excitation: float
    saturated: float
    core_minutes: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def score(plan: Plan, rows: Mapping[str, NDArray[Any]] | None = None) -> PlanScore:
    """Score a plan.

    Args:
        plan: The plan, with at least one segment.
        rows: Its trajectory simulated anew, by :func:`ms_agents.planning.replay`; by default the one it holds.
    """
    rows = plan.rows if rows is None else rows
    root, body = rows["metric_root_position_error"], rows["metric_largest_body_error"]
    within = (root <= 1e3 * STRICT_ROOT) & (body <= 1e3 * STRICT_BODY) & (rows["metric_diverged"] == 0)
    kept = len(within) if within.all() else int(np.argmin(within))
    return PlanScore(
        duration=plan.duration,
        reached=float(rows["time"][-1]),
        strict=float(rows["time"][kept - 1]) if kept else 0.0,
        completed=plan.status == "complete" and bool(within.all()),
        joint_angle_error=float(rows["metric_joint_angle_error"].mean()),
        body_position_error=float(rows["metric_body_position_error"].mean()),
        root_frame_body_error=float(rows["metric_root_frame_body_error"].mean()),
        root_position_error=float(root.mean()),
        final_root_position_error=float(root[-1]),
        excitation=float(rows["excitation"].mean()),
        saturated=float((rows["excitation"] > SATURATED).mean()),
        core_minutes=plan.core_seconds / 60,
    )


def evaluate_plan(plan: Plan) -> TrackingReport:
    """Score a plan under the tracking protocol, in one episode from the beginning of the motion.

    Args:
        plan: The plan.

    Returns:
        The report of a policy called ``"plan"``.
    """
    arguments = stage_arguments(plan.request)
    del arguments["horizon"]
    return evaluate(PlanPolicy(plan), plan.request.id, horizon=plan.duration, phases=[0.0], name="plan", **arguments)


def score_table(result: PlanScore) -> Table:
    """A score for the terminal."""
    table = Table(show_header=False)
    for label, text in (
        ("strict until (s)", f"{result.strict:.2f} of {result.duration:.2f}"),
        ("planned (s)", f"{result.reached:.2f}"),
        ("completed", "yes" if result.completed else "no"),
        ("joint angle error (deg)", f"{result.joint_angle_error:.2f}"),
        ("key bodies, root-relative (mm)", f"{result.body_position_error:.1f}"),
        ("all bodies, in the frame of the root (mm)", f"{result.root_frame_body_error:.1f}"),
        (
            "root position error, mean / end (mm)",
            f"{result.root_position_error:.0f} / {result.final_root_position_error:.0f}",
        ),
        ("mean excitation", f"{result.excitation:.3f}"),
        ("saturated muscles (%)", f"{100 * result.saturated:.1f}"),
        ("core-minutes", f"{result.core_minutes:.1f}"),
    ):
        table.add_row(label, text)
    return table
