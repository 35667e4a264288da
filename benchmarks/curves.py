"""Learning curves of the runs that are kept: error against steps and against core-hours, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from ms_agents.curve import STEP, read_curve
from ms_agents.runs import TrainingConfig
from ms_envs.atomic_file import atomic_file
from ms_envs.bodies import DEFAULT_BODY
from ms_envs.report_table import markdown_table

from benchmarks import results_file
from benchmarks.contestants import FOLDERS

MINUTES = "time/minutes"
QUANTITIES = {
    "eval/survival": "survival in short evaluations (s)",
    "eval/penalised_joint_angle_error": "penalised joint angle error (deg)",
}
"""Columns of ``progress.csv`` that are drawn: of the deterministic policy, with which the protocol scores too."""


@dataclass(frozen=True)
class Curve:
    """One run.

    Attributes:
        name: Folder of the run.
        task: Body, motion id and control.
        learner: Algorithm, aggregator and explorer.
        seed: Of the run.
        steps: Environment steps.
        core_hours: Wall time by threads, an upper bound of processor time.
        points: Steps, core-hours and the values of :data:`QUANTITIES` of each evaluation.
    """

    name: str
    task: str
    learner: str
    seed: int
    steps: int
    core_hours: float
    points: list[tuple[float, ...]]


def run(folders: Sequence[Path] = FOLDERS) -> None:
    """Draw the curves of every run directory and list what the runs cost.

    Raises:
        ValueError: If there is none.
    """
    curves = [_read(path.parent, folder) for folder in folders for path in sorted(folder.glob("**/progress.csv"))]
    curves = [curve for curve in curves if curve.points]
    if not curves:
        raise ValueError(f"there are no runs in {', '.join(map(str, folders))}")
    _draw(curves, results_file.FOLDER / "curves.png")
    machine = results_file.machine()
    results = {"machine": machine, "curves": [asdict(curve) for curve in curves]}
    results_file.write("curves", results, _page(curves, machine))


def _read(path: Path, folder: Path) -> Curve:
    config, rows = TrainingConfig.load(path), [row for row in read_curve(path) if row.get(MINUTES)]
    cores = (config.threads or 1) / 60
    evaluated = [row for row in rows if all(row.get(column) for column in QUANTITIES)]
    points = [
        (float(row[STEP]), float(row[MINUTES]) * cores, *(float(row[column]) for column in QUANTITIES))
        for row in evaluated
    ]
    arguments = {"body": DEFAULT_BODY, "control": "excitation"} | dict(config.env_kwargs)
    return Curve(
        name=path.relative_to(folder).as_posix(),
        task=f"{config.id.rpartition(':')[2]}, {arguments['body']}, {arguments['control']}",
        learner=f"{config.algorithm}, {config.aggregator}, {config.explorer}",
        seed=config.seed,
        steps=int(float(rows[-1][STEP])) if rows else 0,
        core_hours=float(rows[-1][MINUTES]) * cores if rows else 0.0,
        points=points,
    )


def _draw(curves: Sequence[Curve], path: Path) -> None:
    figure = Figure(figsize=(9, 3.0 * len(QUANTITIES)), layout="constrained")
    grid = figure.subplots(len(QUANTITIES), 2, sharey="row", sharex="col", squeeze=False)
    for row, label in enumerate(QUANTITIES.values()):
        axes: Axes
        for axes, x, scale in ((grid[row, 0], 0, 1e-6), (grid[row, 1], 1, 1.0)):
            axes.set_prop_cycle(color=[*map(colormaps["tab20"], range(20))])
            for curve in curves:
                values = np.array(curve.points)
                axes.plot(scale * values[:, x], values[:, 2 + row], ".-", ms=4, lw=1, label=curve.name)
            axes.grid(alpha=0.3)
        grid[row, 0].set_ylabel(label, fontsize=8)
    grid[-1, 0].set_xlabel("environment steps (millions)")
    grid[-1, 1].set_xlabel("core-hours")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False, fontsize=8)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=100, format="png")


_TEXT: dict[str, Callable[[Curve], str]] = {
    "run": lambda c: c.name,
    "task": lambda c: c.task,
    "learner": lambda c: c.learner,
}
_COLUMNS = _TEXT | {
    "seed": lambda c: str(c.seed),
    "steps": lambda c: f"{c.steps:,}",
    "core-hours": lambda c: f"{c.core_hours:.2f}",
    "first survival (s)": lambda c: f"{c.points[0][2]:.2f}",
    "best survival (s)": lambda c: f"{max(point[2] for point in c.points):.2f}",
    "last survival (s)": lambda c: f"{c.points[-1][2]:.2f}",
    "last error (deg)": lambda c: f"{c.points[-1][3]:.1f}",
}


def _page(curves: Sequence[Curve], machine: dict[str, Any]) -> str:
    return f"""# Learning curves

![Survival and joint angle error against steps and core-hours](curves.png)

Every run that is kept, by the short evaluations during training: the deterministic policy, 5 s at most, the limits of
the protocol. Core-hours are wall time by threads; the machine did other work as well, so that they are an upper bound.
Made by `python -m benchmarks curves`.

{markdown_table(_COLUMNS, curves, text=_TEXT)}
{results_file.described(machine)}.
"""
