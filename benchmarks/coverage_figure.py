"""The figure of what noise of the muscles moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ms_envs.atomic_file import atomic_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from benchmarks.coverage import Reach

LINES = {"gaussian": "-", "gsde": ":", "correlated": "--"}
MARKERS = {"gaussian": "o", "gsde": "^", "correlated": "s"}


def draw(rows: Sequence[Reach], crossing: Mapping[str, Sequence[int]], duration: float, path: Path) -> None:
    """Draw shares of torque, distances over time and dimensions.

    Args:
        rows: What was measured.
        crossing: Body to the number of muscles that cross each joint.
        duration: Of the roll-outs, s.
        path: The picture; it appears only once it is complete.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 8), layout="constrained")
    joints, groups, moved, volume = figure.subplots(2, 2).ravel()
    colours = {body: f"C{index}" for index, body in enumerate(crossing)}
    _joints(joints, rows, crossing, colours)
    _groups(groups, rows, colours)
    for row in rows:
        if row.noise not in LINES:
            continue
        colour, time = colours[row.body], np.linspace(0, duration, len(row.displacement) + 1)[1:]
        moved.plot(time, row.displacement, LINES[row.noise], color=colour, label=f"{row.body}, {row.noise}")
        if row.noise == "gaussian":
            moved.fill_between(time, *row.interval, color=colour, alpha=0.15, lw=0)
        volume.plot(row.action_dimensions, row.joint_entropy, MARKERS[row.noise], color=colour)
        volume.annotate(f" {row.noise}", (row.action_dimensions, row.joint_entropy), va="bottom", fontsize="small")
    moved.set(xlabel="time (s)", ylabel="movement of joints by noise,\nRMS (deg)", ylim=(0, None))
    moved.legend(frameon=False, fontsize="small")
    volume.set(xscale="log", xlabel="effective dimensions of the noise", ylabel="volume of joint angles (bits)")
    volume.margins(x=0.2, y=0.15)
    for axis in (joints, groups, moved, volume):
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=100)


def _joints(axis: Axes, rows: Sequence[Reach], crossing: Mapping[str, Sequence[int]], colours: dict[str, str]) -> None:
    for row in rows:
        if row.noise in ("gaussian", "correlated"):
            face = colours[row.body] if row.noise == "gaussian" else "none"
            label = f"{row.body}, {row.noise}"
            style = f"C{list(colours).index(row.body)}{MARKERS[row.noise]}"
            axis.plot(crossing[row.body], row.torque_share, style, ms=4, mfc=face, label=label)
    count = np.array([min(map(min, crossing.values())), max(map(max, crossing.values()))])
    axis.plot(count, 1 / count, color="0.4", lw=1, label="1 / n")
    axis.set(xscale="log", yscale="log", xlabel="n muscles that cross a joint")
    axis.set_ylabel("torque variance of a joint\n/ squared capacity")
    axis.legend(frameon=False, fontsize="small")


def _groups(axis: Axes, rows: Sequence[Reach], colours: dict[str, str]) -> None:
    for body, colour in colours.items():
        start = next(row for row in rows if (row.body, row.noise) == (body, "gaussian"))
        for kind, line in (("alike", "o-"), ("random", "o:")):
            chosen = [start, *(row for row in rows if (row.body, row.noise) == (body, kind))]
            count = np.array([row.independent for row in chosen])
            share = [np.median(row.torque_share) for row in chosen]
            axis.plot(count, share, line, color=colour, ms=4, label=f"{body}, {kind} muscles share noise")
        axis.plot(count, share[0] * count[0] / count, color=colour, lw=0.8, alpha=0.6)
    axis.plot([], [], color="0.4", lw=0.8, label="1 / |A| from all muscles")
    axis.set(xscale="log", yscale="log", xlabel="independent actions |A| of the body")
    axis.set_ylabel("torque variance of a joint\n/ squared capacity, median")
    axis.legend(frameon=False, fontsize="small")
