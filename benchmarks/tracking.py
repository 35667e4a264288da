"""Tracking accuracy of trained policies: table, learning curves, and what is needed to check them."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ms_agents.curve import STEP, read_curve
from ms_agents.evaluation import evaluate
from ms_agents.report import TrackingReport, comparison_markdown
from ms_agents.runs import BEST, TrainingConfig, load_run
from ms_agents.settings import train_arguments
from ms_envs.atomic_file import atomic_file

from benchmarks.results_file import FOLDER, described, machine, write

CURVES = {
    "eval/survival": "survival of 5 s, deterministic (s)",
    "eval/joint_angle_error": "joint angle error, deterministic (deg)",
    "rollout/ep_len_mean": "episodes in training, with noise (steps)",
}
"""Columns of ``progress.csv`` that are drawn."""
KEPT = ("config.json", "progress.csv", BEST)
"""What is kept of a run."""


def run(name: str, runs: Sequence[Path], horizons: Sequence[float], episodes: int, threads: int) -> None:
    """Score runs in the same environment side by side and keep what they learnt in ``results/<name>/``.

    Args:
        name: Name of the comparison.
        runs: Run directories of ``ms-agents train``, all in one environment.
        horizons: Longest episodes to score with, s.
        episodes: Episodes of each score.
        threads: Threads that step physics.

    Raises:
        ValueError: If a run is damaged, or the runs are of different environments.
    """
    loaded = {path.name: load_run(path) for path in runs}
    _, env_id, arguments = next(iter(loaded.values()))
    for other, (_, other_id, other_arguments) in loaded.items():
        if (other_id, _task(other_arguments)) != (env_id, _task(arguments)):
            raise ValueError(f"{other} was trained in another environment; compare runs of one environment at a time")
    policies: dict[str, Any] = {"untrained": "untrained"} | {run: model for run, (model, _, _) in loaded.items()}
    page = [f"# {name}\n", _command_lines(runs)]
    results: dict[str, Any] = {"machine": machine(), "scores": {}}
    for horizon in horizons:
        reports = [
            evaluate(
                model, env_id, name=label, episodes=episodes, horizon=horizon, **(arguments | {"threads": threads})
            )
            for label, model in policies.items()
        ]
        results["scores"][f"{horizon:g} s"] = [_summary(report) for report in reports]
        page += [f"\n## Episodes of {horizon:g} s\n", comparison_markdown(reports)]
    for path in runs:
        _keep(path, FOLDER / name / path.name)
    _draw(runs, FOLDER / name / "curves.png")
    page.append(f"\n![Learning curves]({name}/curves.png)\n")
    page.append(f"\n{described(results['machine'])}.\n")
    write(name, results, "\n".join(page))


def _task(arguments: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if key != "threads"}


def _summary(report: TrackingReport) -> dict[str, Any]:
    return {key: value for key, value in report.to_dict().items() if key != "per_episode"}


def _command_lines(runs: Sequence[Path]) -> str:
    lines = []
    for path in runs:
        config = replace(TrainingConfig.load(path), steps=_last_step(path), minutes=None, threads=None, video=True)
        lines.append(shlex.join(["ms-agents", *train_arguments(config), "--run-dir", path.name]))
    return "\n".join(["```bash", *lines, "```"])


def _last_step(path: Path) -> int:
    return int(float(read_curve(path)[-1][STEP]))


def _keep(source: Path, target: Path) -> None:
    for name in KEPT:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)


def _draw(runs: Sequence[Path], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(CURVES), figsize=(4 * len(CURVES), 3.2), layout="constrained")
    for axis, (column, label) in zip(axes, CURVES.items(), strict=True):
        for run_path in runs:
            points = [(float(row[STEP]) / 1e6, float(row[column])) for row in read_curve(run_path) if row[column]]
            axis.plot(*zip(*points, strict=True), label=run_path.name, marker="." if len(points) < 50 else "")
        axis.set(xlabel="environment steps (millions)", ylabel=label)
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=110)
    pyplot.close(figure)
