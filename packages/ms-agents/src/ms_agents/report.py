"""What an evaluation found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ms_envs.task.errors import METRIC_UNITS
from rich.table import Table

UNITS = {"coverage": "%", "completion": "%", "survival": "s"} | METRIC_UNITS
"""Units of what a report holds."""


@dataclass(frozen=True)
class TrackingReport:
    """Accuracy of one policy under the tracking protocol.

    Errors are means over frames, then over episodes. Those of the tracked frames say nothing without the coverage
    beside them; the penalised ones count every frame lost to termination as the frame at which the episode ended.

    Attributes:
        environment: Its id.
        policy: Name of the policy.
        episodes: Number of episodes.
        seed: Of the environment.
        horizon: Longest episode, s.
        coverage: Frames tracked before termination, of those in the clip, %.
        completion: Episodes that reached the end, %.
        survival: Mean time until termination or the end, s.
        reward: Mean hand-tuned reward per tracked frame.
        errors: Metric to its mean over tracked frames.
        penalised: Error to its mean with lost frames charged.
        failures: Cause to share of episodes it ended, %: ``root`` strayed from its place (whatever the body did),
            ``key_body`` left its place relative to the root, ``diverged`` physics.
        per_episode: The same numbers episode by episode, and where each started.
    """

    environment: str
    policy: str
    episodes: int
    seed: int
    horizon: float | None
    coverage: float
    completion: float
    survival: float
    reward: float
    errors: Mapping[str, float]
    penalised: Mapping[str, float]
    failures: Mapping[str, float]
    per_episode: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps(self.to_dict(), indent=1)

    @classmethod
    def from_json(cls, text: str) -> TrackingReport:
        """Inverse of :meth:`to_json`."""
        return cls(**json.loads(text))

    def rows(self) -> dict[str, float]:
        """What a table shows: label with unit to value."""
        rows = {f"{name} ({UNITS[name]})": getattr(self, name) for name in ("coverage", "completion", "survival")}
        rows |= {f"{_spaced(name)}, penalised ({_unit(name)})": value for name, value in self.penalised.items()}
        rows |= {f"{_spaced(name)}, tracked frames ({_unit(name)})": value for name, value in self.errors.items()}
        rows |= {f"ended by {_spaced(name)} (%)": value for name, value in self.failures.items()}
        return rows | {"hand-tuned reward, tracked frames (-)": self.reward}


def comparison_table(reports: Sequence[TrackingReport]) -> Table:
    """Reports side by side, for the terminal."""
    first = reports[0]
    horizon = "whole clip" if first.horizon is None else f"{first.horizon:g} s"
    table = Table(title=f"{first.environment}: {first.episodes} episodes, {horizon}")
    table.add_column("")
    for report in reports:
        table.add_column(report.policy, justify="right")
    for label, values in _aligned(reports):
        table.add_row(label, *values)
    return table


def comparison_markdown(reports: Sequence[TrackingReport]) -> str:
    """Reports side by side, as a Markdown table."""
    lines = ["| | " + " | ".join(report.policy for report in reports) + " |"]
    lines.append("|---|" + "---:|" * len(reports))
    lines += [f"| {label} | " + " | ".join(values) + " |" for label, values in _aligned(reports)]
    return "\n".join(lines) + "\n"


def _aligned(reports: Sequence[TrackingReport]) -> list[tuple[str, list[str]]]:
    columns = [report.rows() for report in reports]
    return [(label, [f"{column[label]:.3g}" if label in column else "–" for column in columns]) for label in columns[0]]


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _unit(name: str) -> str:
    return UNITS.get(name, "-")
