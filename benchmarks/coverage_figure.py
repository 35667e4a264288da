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
SHARE = "torque variance of a joint\n/ squared capacity"
GREY = "0.4"


def draw(rows: Sequence[Reach], crossing: Mapping[str, Sequence[int]], duration: float, path: Path) -> None:
    """Draw shares of torque, distances over time and dimensions.

    Args:
        rows: What was measured.
        crossing: Body to the number of muscles that cross each joint.
        duration: Of the roll-outs, s.
        path: The picture; it appears only once it is complete.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    figure = Figure(figsize=(10, 7.5), layout="constrained")
    colours = {body: f"C{index}" for index, body in enumerate(crossing)}
    explorers = [row for row in rows if row.noise in LINES]
    axes: list[Axes] = list(figure.subplots(2, 2).flat)
    _joints(axes[0], explorers, crossing, colours)
    _groups(axes[1], rows, colours)
    _movement(axes[2], explorers, duration, colours)
    _volume(axes[3], explorers, colours)
    for axis in axes:
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize="small")
    bodies = [axes[0].plot([], [], lw=6, color=colour)[0] for colour in colours.values()]
    figure.legend(bodies, list(colours), loc="outside upper center", ncols=len(colours), frameon=False)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=100)


def _joints(axis: Axes, rows: Sequence[Reach], crossing: Mapping[str, Sequence[int]], colours: dict[str, str]) -> None:
    for noise, face in (("gaussian", None), ("correlated", "none")):
        for row in (row for row in rows if row.noise == noise):
            count, colour = crossing[row.body], colours[row.body]
            axis.plot(count, row.torque_share, MARKERS[noise], color=colour, mfc=face or colour, ms=4, alpha=0.7)
        axis.plot([], [], MARKERS[noise], color=GREY, mfc=face or GREY, ms=4, label=noise)
    ends = np.array([min(map(min, crossing.values())), max(map(max, crossing.values()))])
    axis.plot(ends, 1 / ends, color=GREY, lw=1, label="1 / n")
    axis.set(xscale="log", yscale="log", xlabel="n muscles that cross the joint", ylabel=SHARE)


def _groups(axis: Axes, rows: Sequence[Reach], colours: dict[str, str]) -> None:
    for kind, line in (("alike", "o-"), ("random", "o:")):
        for body, colour in colours.items():
            chosen = [row for row in rows if row.body == body and row.noise in ("gaussian", kind)]
            count = np.array([row.independent for row in chosen])
            share = np.array([np.median(row.torque_share) for row in chosen])
            axis.plot(count, share, line, color=colour, ms=4)
            axis.plot(count, share[0] * count[0] / count, color=colour, lw=0.8, alpha=0.5)
        axis.plot([], [], line, color=GREY, ms=4, label=f"muscles that share noise: {kind}")
    axis.plot([], [], color=GREY, lw=0.8, alpha=0.5, label="1 / |A|")
    axis.set(xscale="log", yscale="log", ylim=(0.05, 1), xlabel="independent actions |A|", ylabel=f"{SHARE}, median")


def _movement(axis: Axes, rows: Sequence[Reach], duration: float, colours: dict[str, str]) -> None:
    for row in rows:
        colour, time = colours[row.body], np.linspace(0, duration, len(row.displacement) + 1)[1:]
        axis.plot(time, row.displacement, LINES[row.noise], color=colour)
        if row.noise == "gaussian":
            low, high = row.interval
            axis.fill_between(time, low, high, color=colour, alpha=0.12, lw=0, zorder=0)
    for noise, line in LINES.items():
        axis.plot([], [], line, color=GREY, label=noise)
    axis.set(xlabel="time (s)", ylabel="movement of joints by noise,\nRMS (deg)", ylim=(0, None))


def _volume(axis: Axes, rows: Sequence[Reach], colours: dict[str, str]) -> None:
    for row in rows:
        axis.plot(row.action_dimensions, row.joint_entropy, MARKERS[row.noise], color=colours[row.body])
    for noise, marker in MARKERS.items():
        axis.plot([], [], marker, color=GREY, label=noise)
    axis.set(xscale="log", ylim=(0, None))
    axis.set(xlabel="effective dimensions of the noise", ylabel="volume of joint angles (bits)")
