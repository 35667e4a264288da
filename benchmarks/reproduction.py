"""What policies can do against what they cost, with a teacher and without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure
from ms_agents.reproduction.config import ReproductionConfig
from ms_agents.reproduction.curve import Score, scores
from ms_agents.reproduction.curve import table as curve_table
from ms_envs.atomic_file import atomic_file
from ms_envs.bodies import DEFAULT_BODY

from benchmarks.results_file import FOLDER, described, machine, write

TEACHERS = {"motion": "feedback around the motion", "plan": "feedback around a plan", "none": "PPO alone"}
"""How figures call what policies were taught by."""


def run(name: str, folders: Sequence[Path]) -> None:
    """Write ``results/<name>.json``, ``.md`` and ``.png``.

    Args:
        name: Of the results.
        folders: Run directories of ``ms-agents reproduce``.

    Raises:
        ValueError: If one is none, or there is none.
    """
    if not folders:
        raise ValueError("give at least one run directory of ms-agents reproduce")
    curves = {_label(folder): scores(folder) for folder in folders}
    tables = "\n".join(f"## {_label(folder)}\n\n{curve_table(folder)}" for folder in folders)
    scored = {label: [asdict(score) for score in found] for label, found in curves.items()}
    results = {"machine": machine(), "scores": scored}
    page = f"""# From motions to policies

![Survival and completion against processor time]({name}.png)

Stages of `ms-agents reproduce`, each scored by the protocol; processor time is that of all stages up to
there, scoring left out. Made by `python -m benchmarks reproduction {name} {" ".join(map(str, folders))}`.

{tables}
{described(results["machine"])}.
"""
    write(name, results, page)
    draw(curves, FOLDER / f"{name}.png")


def draw(curves: Mapping[str, Sequence[Score]], path: Path) -> None:
    """Survival and completion against processor time.

    Args:
        curves: Label to scores.
        path: PNG file.
    """
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    axes = figure.subplots(1, 2)
    for label, found in curves.items():
        found = sorted(found, key=lambda score: score.core_seconds)
        minutes = [score.core_seconds / 60 for score in found]
        axes[0].plot(minutes, [score.survival for score in found], marker=".", label=label)
        axes[1].plot(minutes, [score.completion for score in found], marker=".")
    for ax, quantity in zip(axes, ("survival, s", "completion, %"), strict=True):
        ax.set_xlabel("core-minutes")
        ax.set_ylabel(quantity)
        ax.set_ylim(0, 103 if quantity.endswith("%") else None)
        ax.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", frameon=False)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")


def _label(folder: Path) -> str:
    config = ReproductionConfig.load(folder)
    body = config.env_kwargs.get("body", DEFAULT_BODY)
    return f"{folder.name}: {body}, {TEACHERS[config.teacher]}"
