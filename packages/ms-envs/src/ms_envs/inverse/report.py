"""How well muscles and floor explain a clip, in numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from rich.console import Console

from ms_envs import report_table
from ms_envs.bodies.body import Body
from ms_envs.inverse.static_optimization import InverseSolution, out_of_reach
from ms_envs.motions.clip import MotionClip


@dataclass(frozen=True)
class InverseReport:
    """The inverse solution of one clip.

    Attributes:
        body: Name of the body.
        motion: Name of the motion.
        seconds: Duration, s.
        frames: Number of frames.
        root_force: Mean force that would have to act on the root from nowhere, N.
        root_moment: Mean moment that would have to act on the root from nowhere, N·m.
        out_of_reach: Torque that the muscles could not give if effort were free, as a share of the demanded one.
        regularisation: Torque that they could give but do not, because effort costs, as a share of the demanded one.
        saturation: Mean share of saturated muscles.
        activation: Mean activation.
        peak_ground_reaction: Greatest vertical force of the floor, body weights.
        stationarity: Largest violation of the conditions of the minimum in any frame, N·m.
        wall_time: How long the solution took to find, s.
    """

    body: str
    motion: str
    seconds: float
    frames: int
    root_force: float
    root_moment: float
    out_of_reach: float
    regularisation: float
    saturation: float
    activation: float
    peak_ground_reaction: float
    stationarity: float
    wall_time: float


def inverse_report(body: Body, clip: MotionClip, solution: InverseSolution) -> InverseReport:
    """Judge a solution; takes about half as long as finding it.

    Args:
        body: The body.
        clip: A motion made for it.
        solution: Its static optimisation.

    Returns:
        The report.

    Raises:
        ValueError: If the clip does not fit the body.
        ConvergenceError: If what is out of reach was not solved to tolerance.
    """
    unreachable = out_of_reach(body, clip, solution)
    return InverseReport(
        body=body.name,
        motion=clip.motion,
        seconds=clip.duration,
        frames=len(clip.qpos),
        root_force=float(solution.root_residual_force.mean()),
        root_moment=float(solution.root_residual_moment.mean()),
        out_of_reach=solution.torque_share(unreachable),
        regularisation=solution.torque_share(solution.residual - unreachable),
        saturation=float(solution.saturation.mean()),
        activation=float(solution.activation.mean()),
        peak_ground_reaction=float(solution.ground_reaction[:, 2].max()) / body_weight(body),
        stationarity=float(solution.stationarity.max()),
        wall_time=solution.wall_time,
    )


def body_weight(body: Body) -> float:
    """Weight, N."""
    return body.mass * float(np.linalg.norm(body.model.opt.gravity))


_COLUMNS: dict[str, Callable[[InverseReport], str]] = {
    "body": lambda report: report.body,
    "motion": lambda report: report.motion,
    "s": lambda report: f"{report.seconds:.2f}",
    "frames": lambda report: str(report.frames),
    "root N": lambda report: f"{report.root_force:.0f}",
    "N·m": lambda report: f"{report.root_moment:.1f}",
    "out of reach %": lambda report: f"{100 * report.out_of_reach:.2f}",
    "regularised %": lambda report: f"{100 * report.regularisation:.2f}",
    "saturated %": lambda report: f"{100 * report.saturation:.1f}",
    "activation": lambda report: f"{report.activation:.3f}",
    "floor BW": lambda report: f"{report.peak_ground_reaction:.2f}",
    "stationarity N·m": lambda report: f"{report.stationarity:.0e}",
    "wall s": lambda report: f"{report.wall_time:.1f}",
}

_TEXT = ("body", "motion")
"""Columns that hold no numbers."""

CAPTION = (
    "root: mean force and moment from nowhere; out of reach: share of the torque demand that muscles could not meet if "
    "effort were free; regularised: share that they could meet but do not, because effort costs; saturated: share of "
    "muscles; activation: mean; floor: greatest vertical force in body weights; stationarity: largest violation of the "
    "conditions of the minimum; wall: time to find the solution, on one core"
)
"""What the columns mean."""


def print_table(reports: Iterable[InverseReport], console: Console | None = None) -> None:
    """Print one row per clip.

    Args:
        reports: Reports in the order of the rows.
        console: Where to print; standard output by default.
    """
    table = report_table.terminal_table(_COLUMNS, reports, title="Inverse solutions", text=_TEXT, caption=CAPTION)
    (console or Console()).print(table)


def markdown_table(reports: Iterable[InverseReport]) -> str:
    """The same table in Markdown."""
    return report_table.markdown_table(_COLUMNS, reports, text=_TEXT)
