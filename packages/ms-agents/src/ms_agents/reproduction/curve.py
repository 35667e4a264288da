"""What the policies of a reproduction can do, against what they cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ms_envs.report_table import markdown_table

from ms_agents.curve import STEP, read_curve
from ms_agents.reproduction.ledger import FINE_TUNING, WARM_UP, Ledger

ERRORS = ("joint_angle_error", "body_position_error")
"""Errors that are shown."""


@dataclass(frozen=True)
class Score:
    """What a policy can do under the protocol.

    Attributes:
        after: Stage, or environment steps of fine-tuning.
        core_seconds: Processor time up to there.
        completion: %.
        survival: s.
        joint_angle_error: Of tracked frames, deg.
        body_position_error: Of tracked frames, mm.
    """

    after: str
    core_seconds: float
    completion: float
    survival: float
    joint_angle_error: float
    body_position_error: float


def scores(run: Path) -> list[Score]:
    """Scores after the stages of a run, and those of fine-tuning on the way, which have fewer episodes."""
    ledger, spent = Ledger(run), 0.0
    found: list[Score] = []
    for name, stage in ledger.stages.items():
        if name == FINE_TUNING:
            found += _on_the_way(run, ledger, spent)
        spent += stage.core_seconds
        if stage.report is not None:
            numbers, errors = stage.report, stage.report["errors"]
            whole = (numbers[metric] for metric in ("completion", "survival"))
            found.append(Score(name, spent, *whole, *(errors[metric] for metric in ERRORS)))
    return found


def table(run: Path) -> str:
    """The scores of a run as a Markdown table."""
    columns: dict[str, Callable[[Score], str]] = {
        "after": lambda score: score.after,
        "core-minutes": lambda score: f"{score.core_seconds / 60:.1f}",
        "completion (%)": lambda score: f"{score.completion:.0f}",
        "survival (s)": lambda score: f"{score.survival:.2f}",
        "joint angle error (deg)": lambda score: f"{score.joint_angle_error:.2f}",
        "body position error (mm)": lambda score: f"{score.body_position_error:.1f}",
    }
    return markdown_table(columns, scores(run), text=["after"])


def _on_the_way(run: Path, ledger: Ledger, before: float) -> list[Score]:
    """The evaluations during fine-tuning; steps are taken to cost the same."""
    first, stage = ledger[WARM_UP].notes["steps"], ledger[FINE_TUNING]
    found = []
    for row in read_curve(run):
        if row.get("eval/survival"):
            steps = float(row[STEP])
            share = (steps - first) / max(stage.notes["steps"] - first, 1)
            numbers = (float(row[f"eval/{metric}"]) for metric in ("completion", "survival", *ERRORS))
            found.append(Score(f"{steps:,.0f} steps", before + stage.core_seconds * share, *numbers))
    return found
