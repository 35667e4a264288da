"""Learning curves of an ablation, as a figure and as numbers."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ms_agents.curve import STEP
from ms_envs.atomic_file import atomic_file
from numpy.typing import NDArray

from benchmarks.ablation_runs import CompleteRun, Group
from benchmarks.intervals import bounds, iqm

MINUTES = "time/minutes"
CURVES = {
    "rollout/ep_len_mean": "training episode, with noise (steps)",
    "eval/survival": "survival in short evaluations (s)",
}
"""Columns of ``progress.csv`` that are drawn."""
POINTS = 40
"""Points of a curve that are drawn and kept."""


def draw(groups: Sequence[Group], steps: int, path: Path) -> None:
    """Interquartile means with shaded intervals, against environment steps and against wall time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(CURVES), 2, figsize=(10, 3.2 * len(CURVES)), layout="constrained", sharey="row")
    for row, (column, label) in zip(axes, CURVES.items(), strict=True):
        for one in groups:
            curves = [run.points(column, steps) for run in one.runs]
            timed = [
                np.stack([_minutes(run, reached), values])
                for run, (reached, values) in zip(one.runs, curves, strict=True)
            ]
            for axis, lines, scale in ((row[0], curves, 1e-3), (row[1], timed, 1.0)):
                x, values = on_common_grid(lines)
                low, high = bounds(iqm, values, axis=0, n_resamples=2000)
                axis.plot(scale * x, iqm(values, axis=0), label=one.label)
                axis.fill_between(scale * x, low, high, alpha=0.2, linewidth=0)
        row[0].set(xlabel="environment steps (thousands)", ylabel=label)
        row[1].set(xlabel="wall time (min)")
        for axis in row:
            axis.grid(alpha=0.3)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=80)
    pyplot.close(figure)


def on_common_grid(lines: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Curves at the same places, from where the last one begins to where the first one ends.

    Args:
        lines: x and y of each of N curves, (2, P).

    Returns:
        Places, (T,), and values, (N, T).
    """
    x = np.linspace(max(line[0, 0] for line in lines), min(line[0, -1] for line in lines), POINTS)
    return x, np.stack([np.interp(x, *line) for line in lines])


def write_csv(runs: Sequence[CompleteRun], path: Path) -> None:
    """The curves of every run, with all evaluations and at most :data:`POINTS` other rows each."""
    columns = [STEP, MINUTES, *CURVES, "time/learner_seconds", "time/physics_seconds"]
    with atomic_file(path) as temporary, open(temporary, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["run", *columns])
        for run in runs:
            kept = set(np.linspace(0, len(run.curve) - 1, POINTS).astype(int).tolist())
            for i, row in enumerate(run.curve):
                if i in kept or row.get("eval/survival"):
                    writer.writerow([run.path.name, *(_short(row.get(column) or "") for column in columns)])


def _short(text: str) -> str:
    return f"{float(text):.6g}" if text else ""


def _minutes(run: CompleteRun, steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Wall time at which a run had made each of some steps, (P,)."""
    reached, minutes = run.points(MINUTES, run.steps)
    return np.interp(steps, reached, minutes)
