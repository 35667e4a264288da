"""What each stage of a reproduction cost, and what its policy can do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import process_time
from typing import Any

from ms_agents.report import TrackingReport
from ms_agents.runs import write_text

FILE = "stages.json"
"""Where a run directory keeps its ledger."""
UNTRAINED, PLAN, FEEDBACK, WARM_UP, FINE_TUNING = "untrained", "plan", "feedback", "warm-up", "fine-tuning"
"""Names of stages that are not numbered."""


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

    def at_least(self, core_seconds: float) -> None:
        """Count what files say was spent on it, which a killed process could not enter."""
        self.core_seconds = max(self.core_seconds, core_seconds)


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
