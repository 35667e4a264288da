"""The complete runs of a sweep, the settings in which they differ, and what is compared of them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from ms_agents.curve import STEP, read_curve
from ms_agents.report import TrackingReport
from ms_agents.runs import TrainingConfig
from ms_agents.settings import constants, settings
from ms_agents.sweep import REPORT, is_complete
from numpy.typing import NDArray

UNTRAINED = "report-untrained.json"
BASELINES = {"algorithm": "ppo", "aggregator": "hand-tuned", "explorer": "gaussian"}
"""What the other values of a setting are compared with; of any other setting it is the value of the first run."""
SLACK = 1.05
"""Largest ratio of the steps of two runs that count as equally long: iterations differ in length."""


@dataclass(frozen=True)
class CompleteRun:
    """A run with its final report.

    Attributes:
        path: Its directory.
        config: What was trained.
        trained: Score of its best policy.
        untrained: Score of the resting action.
        curve: Rows of ``progress.csv``.
    """

    path: Path
    config: TrainingConfig
    trained: TrackingReport
    untrained: TrackingReport
    curve: Sequence[dict[str, str]]

    @classmethod
    def read(cls, path: Path) -> CompleteRun:
        """Read a run directory."""
        trained, untrained = (TrackingReport.from_json((path / name).read_text()) for name in (REPORT, UNTRAINED))
        return cls(path, TrainingConfig.load(path), trained, untrained, read_curve(path))

    @property
    def steps(self) -> int:
        """Environment steps made."""
        return int(float(self.curve[-1][STEP]))

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the packages it was started with."""
        return dict(json.loads((self.path / "config.json").read_text())["versions"])

    def points(self, column: str, steps: int) -> NDArray[np.float64]:
        """Environment step and value wherever the column was logged, up to a number of steps, (2, P)."""
        points = [(float(row[STEP]), float(row[column])) for row in self.curve if row.get(column)]
        return np.array([point for point in points if point[0] <= steps]).reshape(-1, 2).T


@dataclass(frozen=True)
class Quantity:
    """A number of a run.

    Attributes:
        name: What the tables call it.
        unit: Its unit.
        kind: A ``score`` of the protocol, a number of ``training``, or the ``cost`` of it.
        sign: 1 if more is better, −1 if less is.
        value: The run and the number of environment steps that all runs have made, to the number.
    """

    name: str
    unit: str
    kind: Literal["score", "training", "cost"]
    sign: int
    value: Callable[[CompleteRun, int], float]

    @property
    def label(self) -> str:
        """Name with unit."""
        return f"{self.name} ({self.unit})"


QUANTITIES = (
    Quantity("survival", "s", "score", 1, lambda run, steps: run.trained.survival),
    Quantity("completion", "%", "score", 1, lambda run, steps: run.trained.completion),
    Quantity("penalised joint angle error", "deg", "score", -1, lambda run, _: _penalised(run, "joint_angle_error")),
    Quantity("penalised body position error", "mm", "score", -1, lambda run, _: _penalised(run, "body_position_error")),
    Quantity(
        "training episode", "steps", "training", 1, lambda run, steps: _last(run, "rollout/ep_len_mean", steps)[1]
    ),
    Quantity("wall time", "min/100k steps", "cost", -1, lambda run, steps: _wall_minutes(run, steps)),
    Quantity("learner time", "s/100k steps", "cost", -1, lambda run, steps: _learner_seconds(run, steps)),
)
"""What runs are compared by."""


def read_runs(folder: Path) -> tuple[list[CompleteRun], list[str]]:
    """Complete runs of a sweep, and the names of the others.

    Raises:
        ValueError: If there is no complete run, or they are not of the same length.
    """
    paths = sorted(path.parent for path in folder.glob("*/config.json"))
    complete = [path for path in paths if is_complete(path, TrainingConfig.load(path).steps)]
    if not complete:
        raise ValueError(f"{folder} holds no complete run; make some with ms-agents sweep")
    runs = [CompleteRun.read(path) for path in complete]
    shortest, longest = min(runs, key=lambda run: run.steps), max(runs, key=lambda run: run.steps)
    if longest.steps > SLACK * shortest.steps:
        raise ValueError(
            f"{longest.path.name} has {longest.steps:,} steps and {shortest.path.name} {shortest.steps:,}; "
            "compare runs of equal length"
        )
    return runs, [path.name for path in paths if path not in complete]


def varying(runs: Sequence[CompleteRun]) -> list[str]:
    """Names of the settings, but for the seed, in which runs differ.

    Constants of the learner count only where runs of the same algorithm have them and differ.
    """
    learner = {name for run in runs for name in constants(run.config)}
    each = [settings(run.config) for run in runs]
    pairs = list(itertools.combinations(each, 2))
    alike = [(a, b) for a, b in pairs if a["algorithm"] == b["algorithm"]]
    names = dict.fromkeys(name for one in each for name in one if name != "seed")

    def differ(name: str) -> bool:
        if name in learner:
            return any(a[name] != b[name] for a, b in alike if name in a and name in b)
        return any(a.get(name) != b.get(name) for a, b in pairs)

    return [name for name in names if differ(name)]


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed only.

    Attributes:
        values: Varying setting to its value.
        runs: The runs.
    """

    values: dict[str, Any]
    runs: list[CompleteRun]

    @property
    def label(self) -> str:
        """Values of the settings."""
        return described(self.values) or "all runs"

    def scores(self, quantity: Quantity, steps: int) -> NDArray[np.float64]:
        """One number per run, (N,)."""
        return np.array([quantity.value(run, steps) for run in self.runs])


def group(runs: Sequence[CompleteRun]) -> list[Group]:
    """Runs of equal settings together, baselines first."""
    names = varying(runs)
    groups: list[Group] = []
    for run in runs:
        values = {name: settings(run.config).get(name) for name in names}
        found = next((one for one in groups if one.values == values), None)
        if found is None:
            groups.append(Group(values, [run]))
        else:
            found.runs.append(run)
    return sorted(groups, key=lambda one: [one.values[name] != _baseline(name, groups) for name in names])


@dataclass(frozen=True)
class Pair:
    """Two groups that differ in one setting.

    Attributes:
        setting: Its name.
        changed: The group with another value of it.
        baseline: The group with its baseline.
    """

    setting: str
    changed: Group
    baseline: Group

    @property
    def label(self) -> str:
        """What replaces what, and what stays."""
        rest = {name: value for name, value in self.changed.values.items() if name != self.setting}
        new, old = (described({self.setting: one.values[self.setting]}) for one in (self.changed, self.baseline))
        return f"{new} instead of {old}" + (f" ({described(rest)})" if rest else "")


def pairs(groups: Sequence[Group]) -> list[Pair]:
    """Every group beside those that have the baseline of one setting and are otherwise the same."""
    found = []
    for name in groups[0].values:
        baseline = _baseline(name, groups)
        for one in groups:
            wanted = one.values | {name: baseline}
            found += [Pair(name, one, other) for other in groups if other is not one and other.values == wanted]
    return found


def described(values: dict[str, Any]) -> str:
    """Settings in words: parts of the learner by their own names, other values with the name of the setting."""
    return ", ".join(str(value) if name in BASELINES else f"{name} {value}" for name, value in values.items())


def _baseline(name: str, groups: Sequence[Group]) -> Any:
    values = [one.values[name] for one in groups]
    return BASELINES[name] if name in BASELINES and BASELINES[name] in values else values[0]


def _penalised(run: CompleteRun, error: str) -> float:
    return run.trained.penalised[error]


def _last(run: CompleteRun, column: str, steps: int) -> tuple[float, float]:
    reached, value = run.points(column, steps)[:, -1]
    return float(reached), float(value)


def _wall_minutes(run: CompleteRun, steps: int) -> float:
    reached, minutes = _last(run, "time/minutes", steps)
    return 1e5 * minutes / reached


def _learner_seconds(run: CompleteRun, steps: int) -> float:
    reached, seconds = run.points("time/learner_seconds", steps)
    return float(1e5 * seconds.sum() / reached[-1])
