"""Forces under the feet and moments at the joints of a body that walks, beside the clip's inverse dynamics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.envs import TrackingVectorEnv
from ms_envs.inverse import inverse_solution
from ms_envs.inverse.floor_contact import floor_geoms, segment_membership
from ms_envs.inverse.report import body_weight
from ms_envs.motions.clip import MotionClip
from ms_envs.report_table import markdown_table
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from benchmarks import results_file
from benchmarks.accuracy import best_of_bodies, read
from benchmarks.accuracy_cells import Cell
from benchmarks.contestants import FOLDERS, Contestant, contestants, perform
from benchmarks.kinetics_figure import draw

Array = NDArray[np.float64]

BINS = 50
"""Places in the cycle at which curves are compared."""
SETTLING = 0.3
"""Time after the start that is left out: the body begins on the reference, not in balance with the floor, s."""
JOINTS = ("hip", "knee", "ankle")
"""Roles whose first joint, flexion, is shown."""
QUANTITIES = ("vertical force", "forward force", *(f"{joint} moment" for joint in JOINTS))
UNITS = ("% body weight", "% body weight", *["N·m/kg"] * len(JOINTS))
SIDES = ("r", "l")


@dataclass(frozen=True)
class Comparison:
    """One controller on one looping motion.

    Attributes:
        body: Name of the body.
        motion: Name of the motion.
        controller: Name of the controller.
        seconds: Length of the episode, s.
        reference: Curves of the clip over the cycle, (2, Q, B): right and left leg, :data:`QUANTITIES`.
        mean: Curves of the body, mean over cycles.
        spread: Their standard deviation over cycles.
        rms: Root mean square difference of single frames, (2, Q).
        mean_rms: Of the mean curves.
        correlation: Of the mean curves.
    """

    body: str
    motion: str
    controller: str
    seconds: float
    reference: Array
    mean: Array
    spread: Array
    rms: Array
    mean_rms: Array
    correlation: Array


def run(
    motions: Sequence[str], bodies: Sequence[str], controllers: Sequence[str], folders: Sequence[Path] = FOLDERS
) -> None:
    """Compare the best controllers that last for a cycle, print the table and keep it with a figure.

    Args:
        motions: Names of motions that loop.
        bodies: Names of bodies.
        controllers: Names of controllers; of each motion and body the best in the accuracy table if empty.
        folders: Where policies and plans are looked for.

    Raises:
        ValueError: If there is no accuracy table.
    """
    cells = [c for c in read().values() if not c.supported and c.motion in motions and c.body in bodies]
    if not cells:
        raise ValueError(f"{', '.join(motions)} was not scored; run `python -m benchmarks accuracy` first")
    chosen = [cell for cell in cells if cell.controller in controllers] if controllers else best_of_bodies(cells)
    found = {(c.body, c.motion, c.name): c for c in contestants(bodies, motions, folders)}
    compared, too_short = [], []
    for cell in track(chosen, description="kinetics", console=Console(stderr=True)):
        result = _compare(found[cell.body, cell.motion, cell.controller])
        if result is None:
            too_short.append(cell)
        else:
            compared.append(result)
    if compared:
        draw(compared, QUANTITIES, UNITS, results_file.FOLDER / "kinetics.png")
    machine = results_file.machine()
    results_file.write(
        "kinetics",
        {"machine": machine, "comparisons": [_plain(c) for c in compared]},
        _page(compared, too_short, machine),
    )


def floor_forces(body: Body, data: mujoco.MjData) -> Array:
    """Force of the floor on each of ``body.segments`` in the world frame, N, (S, 3); needs ``mj_forward``."""
    model, membership = body.model, segment_membership(body)
    floor, wrench, force = set(floor_geoms(model).tolist()), np.zeros(6), np.zeros((len(body.segments), 3))
    for index, contact in enumerate(data.contact):
        first, second = contact.geom.tolist()
        if (first in floor) == (second in floor):
            continue
        mujoco.mj_contactForce(model, data, index, wrench)
        # MuJoCo's normal points from the first geometry to the second, on which the force acts.
        sign, limb = (1, second) if first in floor else (-1, first)
        force += sign * np.outer(membership[:, model.geom_bodyid[limb]], contact.frame.reshape(3, 3).T @ wrench[:3])
    return force


def _compare(contestant: Contestant) -> Comparison | None:
    """``None`` if the body does not last for a cycle."""
    measured, times = [], []
    for env in perform(contestant, None):
        measured.append(_of_body(env))
        times.append(float(env.time[0]))
    body, clip = env.body, env.clip
    kept = np.array(times) >= SETTLING
    if not clip.loop or times[-1] < SETTLING + clip.duration:
        return None
    phases = (np.array(times)[kept] % clip.duration) / clip.duration
    values, (grid, reference) = np.array(measured)[kept], _of_clip(body, clip)
    expected = _at(phases, grid, reference)
    places = (np.arange(BINS) + 0.5) / BINS
    bins = np.minimum((phases * BINS).astype(int), BINS - 1)
    cycle = [values[bins == each] for each in range(BINS)]
    if any(len(rows) == 0 for rows in cycle):
        return None
    mean, spread = (np.array([take(rows, axis=0) for rows in cycle]) for take in (np.mean, np.std))
    curves = _at(places, grid, reference)
    centred = [each - each.mean(axis=0) for each in (mean, curves)]
    correlation = (centred[0] * centred[1]).sum(axis=0) / np.prod([np.linalg.norm(c, axis=0) for c in centred], axis=0)
    return Comparison(
        body=contestant.body,
        motion=contestant.motion,
        controller=contestant.name,
        seconds=times[-1],
        reference=np.moveaxis(curves, 0, -1),
        mean=np.moveaxis(mean, 0, -1),
        spread=np.moveaxis(spread, 0, -1),
        rms=np.sqrt(np.mean((values - expected) ** 2, axis=0)),
        mean_rms=np.sqrt(np.mean((mean - curves) ** 2, axis=0)),
        correlation=correlation,
    )


def _of_body(env: TrackingVectorEnv) -> Array:
    """What acts on the body at this instant, (2, Q)."""
    body = env.body
    data = mujoco.MjData(body.model)
    qpos, qvel, activation = env.coordinates()
    data.qpos[:], data.qvel[:], data.act[:], data.ctrl[:] = qpos[0], qvel[0], activation[0], env.excitation()[0]
    mujoco.mj_forward(body.model, data)
    moment = body.coordinate_map(data.qpos).T @ data.qfrc_actuator
    return _quantities(body, env.clip, floor_forces(body, data), moment)


def _of_clip(body: Body, clip: MotionClip) -> tuple[Array, Array]:
    """Phases of the frames, (T,), and what inverse dynamics says acts on the body there, (T, 2, Q)."""
    solution = inverse_solution(body, clip)
    frames = zip(solution.floor_wrench[..., :3], solution.joint_moment, strict=True)
    values = np.array([_quantities(body, clip, force, moment) for force, moment in frames])
    return np.linspace(0, 1, len(values)), values


def _quantities(body: Body, clip: MotionClip, force: Array, moment: Array) -> Array:
    """Of each leg, in :data:`UNITS`, (2, Q).

    Args:
        body: The body.
        clip: The motion; it goes forward where one round leads.
        force: Of the floor on each segment, N, (S, 3).
        moment: Of the muscles in independent coordinates, N·m, (6 + J,).
    """
    forward = clip.cycle_offset / np.linalg.norm(clip.cycle_offset)
    weight = body_weight(body) / 100
    rows = []
    for side in SIDES:
        leg = force[[name.endswith(f"_{side}") for name in body.segments]].sum(axis=0) / weight
        joints = [ROOT_DOF + body.joint_roles[f"{joint}_{side}"][0] for joint in JOINTS]
        rows.append([leg[2], leg @ forward, *moment[joints] / body.mass])
    return np.array(rows)


def _at(phases: Array, grid: Array, values: Array) -> Array:
    """Curves (T, 2, Q) at some phases, (P, 2, Q)."""
    flat = values.reshape(len(grid), -1)
    return np.stack([np.interp(phases, grid, column) for column in flat.T], axis=-1).reshape(-1, *values.shape[1:])


def _plain(comparison: Comparison) -> dict[str, Any]:
    return {
        name: np.round(value, 4).tolist() if isinstance(value, np.ndarray) else value
        for name, value in asdict(comparison).items()
    }


Row = tuple[Comparison, int]
_TEXT: dict[str, Callable[[Row], str]] = {
    "motion": lambda r: r[0].motion,
    "body": lambda r: r[0].body,
    "controller": lambda r: r[0].controller,
    "quantity": lambda r: QUANTITIES[r[1]],
    "unit": lambda r: UNITS[r[1]],
}


def _both(values: Array, quantity: int) -> str:
    return " / ".join(
        f"{value:.0f}" if UNITS[quantity].startswith("%") else f"{value:.2f}" for value in values[:, quantity]
    )


_COLUMNS: Mapping[str, Callable[[Row], str]] = _TEXT | {
    "RMS, frames": lambda r: _both(r[0].rms, r[1]),
    "RMS, mean cycle": lambda r: _both(r[0].mean_rms, r[1]),
    "range in the clip": lambda r: _both(np.ptp(r[0].reference, axis=-1), r[1]),
    "correlation": lambda r: " / ".join(f"{value:.2f}" for value in r[0].correlation[:, r[1]]),
}


def _page(compared: Sequence[Comparison], too_short: Sequence[Cell], machine: dict[str, Any]) -> str:
    rows = [(comparison, quantity) for comparison in compared for quantity in range(len(QUANTITIES))]
    shown = f"""![Ground reaction and joint moments over the cycle](kinetics.png)

Black: inverse dynamics of the clip. Coloured: the body, mean and standard deviation over cycles.

{markdown_table(_COLUMNS, rows, text=_TEXT)}
"""
    missing = "".join(
        f"- {cell.motion} of {cell.body}: the best controller, {cell.controller}, lasts "
        f"{cell.phase_survival[0]:.2f} s from the beginning, less than a cycle after {SETTLING:g} s of settling.\n"
        for cell in too_short
    )
    return f"""# Ground reaction and joint moments

What the floor and the muscles do to a body that follows a looping motion, beside what inverse dynamics of the clip
asks for: contact forces of MuJoCo at the end of every control step, unfiltered, and the moments of all muscles about
the flexion axes in independent coordinates. The clip's forces under the feet were not measured but found with its
activations at least effort. One episode from the beginning; right / left leg. *RMS, frames* compares instants,
*mean cycle* the mean over cycles. Made by `python -m benchmarks kinetics`.

{shown if compared else "No controller lasts for a cycle yet."}
{missing}
{results_file.described(machine)}.
"""
