"""Picture of forces and moments over the cycle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from ms_envs.atomic_file import atomic_file

COLORS = ("tab:blue", "tab:orange")
"""Of the right and the left leg."""


def draw(compared: Sequence[Any], quantities: Sequence[str], units: Sequence[str], path: Path) -> None:
    """Two rows of panels, right and left leg, for each controller.

    Args:
        compared: Of :class:`benchmarks.kinetics.Comparison`.
        quantities: Names of the columns.
        units: Of the columns.
        path: PNG file.
    """
    figure = Figure(figsize=(2.3 * len(quantities), 3.6 * len(compared)), layout="constrained")
    for part, one in zip(figure.subfigures(len(compared), 1, squeeze=False)[:, 0], compared, strict=True):
        part.suptitle(f"{one.motion}, {one.body}, {one.controller}", fontsize=10)
        panels = part.subplots(2, len(quantities), sharex=True, sharey="col")
        cycle = 100 * (np.arange(one.mean.shape[-1]) + 0.5) / one.mean.shape[-1]
        for leg, color in enumerate(COLORS):
            for column, axes in enumerate(panels[leg]):
                mean, spread = one.mean[leg, column], one.spread[leg, column]
                axes.fill_between(cycle, mean - spread, mean + spread, color=color, alpha=0.25, lw=0)
                axes.plot(cycle, mean, color=color)
                axes.plot(cycle, one.reference[leg, column], color="black", lw=1)
                axes.grid(alpha=0.3)
            panels[leg, 0].set_ylabel(("right", "left")[leg])
        for axes, quantity, unit in zip(panels[0], quantities, units, strict=True):
            axes.set_title(f"{quantity}\n({unit})", fontsize=8)
        part.supxlabel("clip, %", fontsize=8)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=90, format="png")
