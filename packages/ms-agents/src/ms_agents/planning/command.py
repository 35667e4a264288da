"""A search that can be watched, interrupted and continued."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from ms_agents.planning.plan import Plan, PlanRequest
from ms_agents.planning.planner import Planner
from ms_agents.planning.reference import ReferenceLimits, reference_quality


def search(
    request: PlanRequest,
    path: Path,
    *,
    core_minutes: float | None = None,
    threads: int | None = None,
    limits: ReferenceLimits | None = None,
) -> Plan:
    """Search for a plan, or continue the one at ``path``.

    Args:
        request: What to plan.
        path: Where the plan is kept; written after every segment.
        core_minutes: Budget of processor time over all calls; ``None`` for none.
        threads: Threads that step physics; by default one per core.
        limits: What is too much of a clip to be planned.

    Returns:
        The plan so far.

    Raises:
        ValueError: If an argument is not valid, the clip is beyond the limits, or the plan at ``path`` is that of
            another request.
    """
    planner = Planner(request, threads)
    columns = (TextColumn("{task.completed:.2f} of {task.total:.2f} s"), BarColumn(), TextColumn("{task.description}"))
    console = Console(stderr=True)
    try:
        quality = reference_quality(planner.env.body, planner.env.clip)
        quality.check(limits or ReferenceLimits())
        if quality.doubtful:
            hint = "" if "repaired" in planner.env.clip.provenance else ' clip="repaired" needs less.'
            console.print(f"Doubtful: {quality}.{hint}")
        if path.is_file():
            planner.resume(Plan.load(path))
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("", total=planner.plan().duration)

            def report(plan: Plan, terms: dict[str, float]) -> None:
                progress.update(task, completed=plan.rows["time"][-1], description=_line(plan, terms))
                if not progress.console.is_terminal:
                    progress.console.print(f"{plan.rows['time'][-1]:.2f} s, {_line(plan, terms)}")

            return planner.run(path, core_minutes, report)
    finally:
        planner.close()


def _line(plan: Plan, terms: dict[str, float]) -> str:
    """Where the plan stands, and what costs most there."""
    rows, again, worst = plan.rows, plan.search.actions, max(terms, key=lambda name: terms[name])
    if again is None:
        place = (
            f"joints {rows['metric_joint_angle_error'][-1]:.1f}°, root {rows['metric_root_position_error'][-1]:.0f} mm"
        )
    else:
        place = f"again at {rows['time'][0] * len(again):.2f} s, attempt {plan.search.retreat.attempts}"
    return f"{place}, {plan.core_seconds / 60:.1f} core-min, worst {worst.replace('_', ' ')} {terms[worst]:.1f}"
