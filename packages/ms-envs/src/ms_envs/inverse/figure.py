"""An inverse solution at a glance."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ms_envs.atomic_file import atomic_file
from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.inverse.report import body_weight
from ms_envs.inverse.static_optimization import InverseSolution
from ms_envs.motions.clip import MotionClip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

MAIN_JOINTS = {"hip": 0, "knee": 0, "ankle": 0, "lumbar": 0, "shoulder": 1, "elbow": 0}
"""Role and which of its joints is drawn: flexion, at the shoulder elevation."""

_STYLES = {"right": "-", "left": "--", "": ":"}


def inverse_figure(body: Body, clip: MotionClip, solution: InverseSolution, path: str | os.PathLike[str]) -> None:
    """Draw mean activations of the muscle groups, moments of the main joints and ground reaction over time.

    Args:
        body: The body.
        clip: A motion made for it.
        solution: Its static optimisation.
        path: Picture whose suffix says the format; it appears only once it is complete.

    Raises:
        ImportError: If matplotlib is not installed; the message says how to get it.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 8), layout="constrained")
    time = np.arange(len(clip.qpos)) / clip.fps
    panels = {
        "mean activation": _activations(body, solution),
        "net joint moment (N·m/kg)": _moments(body, solution),
        "vertical ground reaction\n(body weights)": _ground_reactions(body, solution),
    }
    axes: list[Axes] = list(figure.subplots(len(panels), 1, sharex=True))
    for axis, (label, curves) in zip(axes, panels.items(), strict=True):
        colours: dict[str, str] = {}
        for name, side, values in curves:
            colour = colours.setdefault(name, f"C{len(colours)}")
            axis.plot(time, values, _STYLES[side], color=colour, label=f"{name} {side}".strip())
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes[0].set_title(f"{clip.motion} on {body.name}")
    axes[-1].set_xlabel("time (s)")
    with atomic_file(Path(path)) as temporary:
        figure.savefig(temporary, dpi=100)


def require_matplotlib() -> None:
    """Say how to get matplotlib where it is missing.

    Raises:
        ImportError: If it is.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ImportError("figures need matplotlib; install it with `pip install 'ms-envs[plot]'`") from error


def _activations(body: Body, solution: InverseSolution) -> Iterator[tuple[str, str, Array]]:
    """Name, side and values of each curve, as the other panels do."""
    for region in dict.fromkeys(group.rsplit("_", 1)[0] for group in body.muscle_groups):
        for side in ("right", "left"):
            yield region, side, solution.activation[:, body.muscle_groups[f"{region}_{side}"]].mean(axis=1)


def _moments(body: Body, solution: InverseSolution) -> Iterator[tuple[str, str, Array]]:
    for joint, index in MAIN_JOINTS.items():
        for suffix, side in (("_r", "right"), ("_l", "left"), ("", "")):
            position = body.joint_roles.get(joint + suffix)
            if position is not None:
                yield joint, side, solution.joint_moment[:, ROOT_DOF + position[index]] / body.mass


def _ground_reactions(body: Body, solution: InverseSolution) -> Iterator[tuple[str, str, Array]]:
    segments = list(body.segments)
    force = solution.floor_wrench[..., 2] / body_weight(body)
    elsewhere = force.sum(axis=1)
    for suffix, side in (("r", "right"), ("l", "left")):
        foot = force[:, [segments.index(f"{part}_{suffix}") for part in ("ankle", "foot", "toes")]].sum(axis=1)
        elsewhere = elsewhere - foot
        yield "foot", side, foot
    if elsewhere.max() > 0.01:
        yield "elsewhere", "", elsewhere
