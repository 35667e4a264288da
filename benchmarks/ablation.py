"""What each setting of a sweep is worth: scores over seeds, their differences, and what they cost."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ms_agents.settings import train_arguments
from ms_envs.report_table import markdown_table

from benchmarks.ablation_curves import draw, write_csv
from benchmarks.ablation_runs import QUANTITIES, CompleteRun, Group, Pair, Quantity, group, pairs, read_runs, varying
from benchmarks.intervals import interval, iqm, iqm_difference, probability_of_improvement, true_coverage
from benchmarks.results_file import FOLDER, described, machine, write


def run(name: str, folder: Path) -> None:
    """Compare the settings of a sweep; results go to ``results/<name>.md``, ``.json`` and ``results/<name>/``.

    Args:
        name: Name of the ablation.
        folder: Folder of ``ms-agents sweep``; runs that are not complete are left out.

    Raises:
        ValueError: If no setting has two complete runs, or runs are not of the same length.
    """
    runs, unfinished = read_runs(folder)
    used = [one for each in group(runs) if len(each.runs) > 1 for one in each.runs]
    if not used:
        raise ValueError(f"{folder} has no setting with two complete runs; intervals need more seeds")
    groups = group(used)
    left_out = unfinished + [one.path.name for one in runs if one not in used]
    steps = min(one.steps for one in used)
    compared = {pair.label: _Comparison(pair, steps) for pair in pairs(groups)}
    about = machine()
    draw(groups, steps, FOLDER / name / "curves.png")
    write_csv(used, FOLDER / name / "curves.csv")
    page = [
        f"# {name}\n",
        _introduction(used, groups, steps, left_out),
        "## Scores\n",
        _scores(groups, steps),
        *(_differences(list(compared.values())) if compared else []),
        f"## Curves\n\n![Learning curves]({name}/curves.png)\n",
        f"Interquartile means with their intervals. The numbers are in [curves.csv]({name}/curves.csv).\n",
        f"## Commands\n\n```bash\n{_commands(used)}\n```\n",
        f"Trained with {_versions(used)}.\n",
        f"Compared on: {described(about)}.\n",
    ]
    results = {
        "machine": about,
        "steps": steps,
        "left_out": left_out,
        "settings": {one.label: _summary(one, steps) for one in groups},
        "differences": {label: one.to_dict() for label, one in compared.items()},
        "commands": _commands(used).split("\n"),
    }
    write(name, results, "\n".join(page))


class _Comparison:
    """A changed setting beside its baseline, quantity by quantity."""

    def __init__(self, pair: Pair, steps: int) -> None:
        self.label = pair.label
        samples = {q.name: tuple(one.scores(q, steps) for one in (pair.changed, pair.baseline)) for q in QUANTITIES}
        self.before = {q.name: float(iqm(samples[q.name][1])) for q in QUANTITIES}
        self.difference = {q.name: interval(iqm_difference, *samples[q.name]) for q in QUANTITIES}
        self.improvement = {
            q.name: interval(probability_of_improvement, *(q.sign * sample for sample in samples[q.name]))
            for q in QUANTITIES
        }

    def effect(self, quantity: Quantity) -> int:
        """1 where it helps, −1 where it harms, 0 where the interval contains zero."""
        difference = self.difference[quantity.name]
        return 0 if difference.contains_zero else quantity.sign * (1 if difference.value > 0 else -1)

    def in_words(self) -> str:
        """What it improves, what it worsens, what is open, and what it costs."""
        achieved, costs = ([q for q in QUANTITIES if (q.kind == "cost") == cost] for cost in (False, True))
        better, worse, unclear = ([q for q in achieved if self.effect(q) == effect] for effect in (1, -1, 0))
        texts = [
            f"{verb} {self._amounts(found)}" for verb, found in (("improves", better), ("worsens", worse)) if found
        ]
        if unclear:
            none = "otherwise no" if texts else "no"
            texts.append(
                f"{none} difference shown: the interval contains zero for {', '.join(q.name for q in unclear)}"
            )
        return f"- **{self.label}**: {'; '.join(texts)}. Cost: {self._amounts(costs)}."

    def _amounts(self, quantities: Sequence[Quantity]) -> str:
        return ", ".join(map(self._amount, quantities))

    def _amount(self, quantity: Quantity) -> str:
        difference, before = self.difference[quantity.name], self.before[quantity.name]
        share = f", {100 * difference.value / before:+.0f} %" if quantity.kind == "cost" else ""
        zero = ", contains zero" if self.effect(quantity) == 0 else ""
        return f"{quantity.name} ({difference.signed()} {quantity.unit}{share}{zero})"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            q.label: {
                "difference": vars(self.difference[q.name]),
                "probability_of_improvement": vars(self.improvement[q.name]),
            }
            for q in QUANTITIES
        }


def _introduction(used: Sequence[CompleteRun], groups: Sequence[Group], steps: int, left_out: Sequence[str]) -> str:
    config = used[0].config
    shared = {"aggregator": config.aggregator, "explorer": config.explorer, **config.env_kwargs}
    task = ", ".join(f"{name} {value}" for name, value in shared.items() if name not in varying(used))
    seeds = sorted({len(one.runs) for one in groups})
    horizon = used[0].trained.horizon
    lines = [
        f"{used[0].trained.environment}, {task}: {' or '.join(map(str, seeds))} seeds of each setting, {steps:,} "
        f"environment steps. Scored is the best policy of the short evaluations every {config.evaluation_interval:,} "
        f"steps, under the tracking protocol ({used[0].trained.episodes} episodes"
        + (f" of {horizon:g} s" if horizon else "")
        + "). A training episode is one with exploration noise, at the end of training; wall time counts evaluations, "
        "learner time only the updates.\n",
        "Numbers are interquartile means over seeds"
        + (" (of three seeds or fewer they are means)" if min(seeds) < 4 else "")
        + " with 95 % percentile bootstrap intervals."
        + "".join(
            f" With {count} seeds such an interval of a difference contains the true one in "
            f"{100 * true_coverage(count):.0f} % of cases if scores are normally distributed (simulated), not in 95 %."
            for count in seeds
            if count < 5
        )
        + "\n",
    ]
    if left_out:
        lines.append(f"Left out, because incomplete or of a setting with one run: {', '.join(left_out)}.\n")
    return "\n".join(lines)


def _scores(groups: Sequence[Group], steps: int) -> str:
    untrained = Group({}, [replace(run, trained=run.untrained) for one in groups for run in one.runs])
    columns: dict[str, Callable[[Group], str]] = {
        "": lambda one: "untrained" if one is untrained else one.label,
        "seeds": lambda one: "" if one is untrained else str(len(one.runs)),
    }
    for q in QUANTITIES:
        columns[q.label] = lambda one, q=q: (  # type: ignore[misc]
            "" if one is untrained and q.kind != "score" else str(interval(iqm, one.scores(q, steps)))
        )
    return markdown_table(columns, [untrained, *groups], text=[""])


def _differences(compared: Sequence[_Comparison]) -> list[str]:
    count = len(compared) * len(QUANTITIES)
    columns: dict[str, Callable[[_Comparison], str]] = {"": lambda one: one.label}
    return [
        "## Which help\n",
        "\n".join(one.in_words() for one in compared) + "\n",
        "## Differences\n",
        f"Of {count} intervals of 95 %, {0.05 * count:.1f} would miss zero by chance alone if nothing mattered.\n",
        markdown_table(columns | {q.label: partial(_difference, q) for q in QUANTITIES}, compared, text=[""]),
        "## Probability of improvement\n",
        "That a run with the change does better than one without, 0.5 where neither does.\n",
        markdown_table(columns | {q.name: partial(_improvement, q) for q in QUANTITIES}, compared, text=[""]),
    ]


def _difference(quantity: Quantity, one: _Comparison) -> str:
    return one.difference[quantity.name].signed()


def _improvement(quantity: Quantity, one: _Comparison) -> str:
    return str(one.improvement[quantity.name])


def _summary(one: Group, steps: int) -> dict[str, Any]:
    scores = {q.label: one.scores(q, steps) for q in QUANTITIES}
    return {
        "values": one.values,
        "interquartile_mean": {label: vars(interval(iqm, values)) for label, values in scores.items()},
        "runs": {
            each.path.name: {label: float(values[i]) for label, values in scores.items()}
            for i, each in enumerate(one.runs)
        },
    }


def _commands(runs: Sequence[CompleteRun]) -> str:
    return "\n".join(
        shlex.join(["ms-agents", *train_arguments(one.config), "--run-dir", one.path.name]) for one in runs
    )


def _versions(runs: Sequence[CompleteRun]) -> str:
    found: dict[str, set[str]] = {}
    for one in runs:
        for package, version in one.versions.items():
            found.setdefault(package, set()).add(version)
    return ", ".join(f"{package} {' and '.join(sorted(versions))}" for package, versions in found.items())
