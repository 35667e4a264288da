"""Pictures of tracking accuracy by start phase and by joint."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from ms_envs.atomic_file import atomic_file
from ms_envs.motions import MOTIONS

from benchmarks.accuracy_cells import Cell

COLORS = {"myo-legs": "tab:green", "myo-fullbody": "tab:blue", "ms-human-700": "tab:red"}
"""Of the bodies."""
COLUMNS = 5
"""Panels beside each other."""
LARGEST = 15.0
"""Error at the end of the colour scale, deg."""


def draw_phases(best: Sequence[Cell], path: Path) -> None:
    """Survival against start phase, one panel for each motion and one line for each body.

    Args:
        best: One score of each motion and body.
        path: PNG file.
    """
    motions = [motion for motion in MOTIONS if any(cell.motion == motion for cell in best)]
    rows = ceil(len(motions) / COLUMNS)
    figure = Figure(figsize=(2.3 * COLUMNS, 1.9 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True).ravel()
    for axes, motion in zip(panels, motions, strict=False):
        for cell in (each for each in best if each.motion == motion):
            order = np.argsort(cell.phases)
            phases, survival = np.array(cell.phases)[order], np.array(cell.phase_survival)[order]
            axes.plot(phases, survival, "o-", ms=3, color=COLORS[cell.body], label=cell.body)
        axes.set_title(motion, fontsize=9)
        axes.set_ylim(0, None)
        axes.grid(alpha=0.3)
    for axes in panels[len(motions) :]:
        axes.set_axis_off()
    handles = {label: line for axes in panels for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=len(COLORS), frameon=False)
    figure.supxlabel("start phase", fontsize=9)
    figure.supylabel("survival (s)", fontsize=9)
    _save(figure, path)


def draw_joints(best: Sequence[Cell], path: Path) -> None:
    """Error of every joint, one panel for each body, one row for each motion.

    Args:
        best: One score of each motion and body.
        path: PNG file.
    """
    bodies = list(dict.fromkeys(cell.body for cell in best))
    heights = [sum(cell.body == body for cell in best) for body in bodies]
    figure = Figure(figsize=(11, 0.22 * sum(heights) + 1.5 * len(bodies)), layout="constrained")
    panels = figure.subplots(len(bodies), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, body in zip(panels, bodies, strict=True):
        cells = [cell for cell in best if cell.body == body]
        joints = list(cells[0].joints)
        values = np.array([[cell.joints[joint] for joint in joints] for cell in cells])
        image = axes.imshow(values, vmin=0, vmax=LARGEST, cmap="viridis", aspect="auto")
        axes.set_yticks(
            range(len(cells)), [f"{c.motion}, {c.controller}, {c.coverage:.0f} %" for c in cells], fontsize=7
        )
        axes.set_xticks(range(len(joints)), joints, rotation=90, fontsize=7)
        axes.set_title(body, fontsize=9, loc="left")
    figure.colorbar(image, ax=panels, label="degrees", shrink=0.4, extend="max", aspect=30)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=90, format="png")
