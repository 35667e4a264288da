"""Picture of where the time of a training iteration goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure
from ms_envs.atomic_file import atomic_file

LIMIT = 0.25
"""Share of an iteration that everything outside physics should stay within."""


def draw(costs: Sequence[Mapping[str, Any]], parts: Sequence[str], path: Path) -> None:
    """A bar for each explorer: the whole iteration, and beside it what lies outside physics, enlarged.

    Args:
        costs: Fields of :class:`benchmarks.learner.Cost`.
        parts: Parts in the order of their stack; the first one is physics.
        path: PNG file.
    """
    explorers = list(dict.fromkeys(cost["explorer"] for cost in costs))
    share = {(cost["explorer"], cost["part"]): 100 * cost["share"] for cost in costs}
    colors = ["0.75", *map(colormaps["tab10"], range(len(parts) - 1))]
    figure = Figure(figsize=(11, 1.2 + 0.7 * len(explorers)), layout="constrained")
    whole, outside = figure.subplots(1, 2)
    for axes, shown in ((whole, parts), (outside, parts[1:])):
        left = [0.0] * len(explorers)
        for part, color in list(zip(parts, colors, strict=True))[-len(shown) :]:
            widths = [share[explorer, part] for explorer in explorers]
            axes.barh(explorers, widths, left=left, color=color, label=part)
            left = [start + width for start, width in zip(left, widths, strict=True)]
        axes.invert_yaxis()
        axes.set_xlabel("share of the iteration, %")
        axes.spines[["top", "right"]].set_visible(False)
    outside.axvline(100 * LIMIT, color="black", linestyle="--", linewidth=1)
    whole.set_title("whole iteration")
    outside.set_title("outside physics (dashed: 25 %)")
    handles, labels = whole.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
