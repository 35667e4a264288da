"""What each stage of a reproduction cost, and what its policy can do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import process_time
from typing import Any

from ms_envs.report_table import markdown_table

from ms_agents.report import TrackingReport
from ms_agents.runs import write_text

FILE = "stages.json"
"""Where a run directory keeps its ledger."""


@dataclass
class Stage:
    """A stage of a reproduction.

    Attributes:
        core_seconds: Processor time it took, scoring left out.
        done: Whether it is complete.
        notes: What else is worth knowing of it: name to number.
        report: What its policy can do; ``None`` where there is none.
    """

    core_seconds: float = 0.0
    done: bool = False
    notes: dict[str, float] = field(default_factory=dict)
    report: dict[str, Any] | None = None


class Ledger:
    """The stages of a reproduction so far, kept in its run directory.

    Args:
        run: The run directory.

    Attributes:
        stages: By name, in order.

    Raises:
        ValueError: If the ledger found there is damaged.
    """

    def __init__(self, run: Path) -> None:
        self._path = run / FILE
        self.stages: dict[str, Stage] = {}
        if self._path.is_file():
            try:
                content = json.loads(self._path.read_text())
                self.stages = {name: Stage(**values) for name, values in content.items()}
            except (TypeError, ValueError, AttributeError) as error:
                raise ValueError(f"{self._path} is damaged: {error}") from error

    def __getitem__(self, name: str) -> Stage:
        return self.stages.setdefault(name, Stage())

    @property
    def core_seconds(self) -> float:
        """Processor time of all stages."""
        return sum(stage.core_seconds for stage in self.stages.values())

    @contextmanager
    def clocked(self, name: str) -> Iterator[Stage]:
        """A stage whose processor time is counted, also where it is interrupted; it is done if the block succeeds."""
        stage, begun = self[name], process_time()
        try:
            yield stage
            stage.done = True
        finally:
            stage.core_seconds += process_time() - begun
            self.save()

    def scored(self, name: str, report: TrackingReport) -> None:
        """Enter what the policy of a stage can do."""
        self[name].report = report.to_dict()
        self.save()

    def save(self) -> None:
        """Write the ledger."""
        content = {name: asdict(stage) for name, stage in self.stages.items()}
        write_text(self._path, json.dumps(content, indent=1) + "\n")

    def table(self) -> str:
        """The ledger as a Markdown table, processor time summed up."""
        spent, rows = 0.0, []
        for name, stage in self.stages.items():
            spent += stage.core_seconds
            rows.append((name, spent, stage))
        columns: dict[str, Callable[[tuple[str, float, Stage]], str]] = {
            "after": lambda row: row[0],
            "core-minutes": lambda row: f"{row[1] / 60:.1f}",
            "completion (%)": lambda row: _value(row[2], "completion", "{:.0f}"),
            "survival (s)": lambda row: _value(row[2], "survival", "{:.2f}"),
            "joint angle error (deg)": lambda row: _value(row[2], "joint_angle_error", "{:.2f}"),
            "body position error (mm)": lambda row: _value(row[2], "body_position_error", "{:.1f}"),
        }
        return markdown_table(columns, rows, text=["after"])


def _value(stage: Stage, name: str, form: str) -> str:
    """A number of a stage's report, errors over tracked frames; a dash where there is none."""
    if stage.report is None:
        return "–"
    return form.format(stage.report["errors"].get(name, stage.report.get(name)))
