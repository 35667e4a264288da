"""How accurately every controller makes every body follow every motion, by the one protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ms_agents.controllers import CONTROLLERS
from ms_agents.evaluation import DEFAULT_HORIZON
from ms_envs.motions import MOTIONS, motions_of
from ms_envs.report_table import markdown_table, table_console, terminal_table
from rich.console import Console
from rich.progress import track

from benchmarks import results_file
from benchmarks.accuracy_cells import SUPPORT, Cell, fingerprint, measure
from benchmarks.accuracy_figure import draw_joints, draw_phases
from benchmarks.contestants import FOLDERS, contestants

Key = tuple[str, str, str, bool]


def run(
    bodies: Sequence[str],
    motions: Sequence[str],
    phases: int,
    supported: bool,
    threads: int,
    folders: Sequence[Path] = FOLDERS,
) -> None:
    """Measure what is missing or stale, print the table and keep it.

    Each score is kept as soon as it is measured, so that an interrupted call can be repeated.

    Args:
        bodies: Names of bodies.
        motions: Names of motions; all that each body can do if empty.
        phases: Evenly spaced start phases; as many episodes more start with the motion.
        supported: Measures controllers that need no training with the root held by a spring, instead of all without.
        threads: Threads that step physics.
        folders: Where policies and plans are looked for.

    Raises:
        ValueError: If a body or motion is unknown.
    """
    entrants = contestants(bodies, motions, folders)
    known = _forget_missing({(each.body, each.motion, each.name) for each in entrants})
    if supported:
        entrants = [each for each in entrants if each.name in CONTROLLERS]
    failed: dict[str, list[str]] = {}
    try:
        for entrant in track(entrants, description="accuracy", console=Console(stderr=True)):
            key = entrant.body, entrant.motion, entrant.name, supported
            try:
                mark = fingerprint(entrant, phases, supported)
                if key not in known or known[key].fingerprint != mark:
                    cell = measure(entrant, phases, supported, threads, mark)
                    _write(read() | {key: cell})  # others may have written meanwhile
            except (ValueError, FileNotFoundError) as error:
                failed.setdefault(str(error), []).append(", ".join(key[:3]))
                if isinstance(error, ValueError):  # made for another environment; a body may be found elsewhere
                    _write({other: cell for other, cell in read().items() if other != key})
    finally:
        if cells := read():
            publish(failed)
    best = best_of_motions(cells.values())
    table_console().print(terminal_table(_SHORT, best, title="Best of each motion", text=_TEXT))
    for reason, names in failed.items():
        Console(stderr=True).print(f"{'; '.join(names)}: {reason}", style="red")
    if sum(map(len, failed.values())) == len(entrants):
        raise ValueError(f"nothing could be scored: {'; '.join(failed)}")


def read() -> dict[Key, Cell]:
    """The scores that are kept, by body, motion, controller and support."""
    path = results_file.FOLDER / "accuracy.json"
    if not path.is_file():
        return {}
    cells = [Cell(**cell) for cell in json.loads(path.read_text())["cells"]]
    return {cell.key: cell for cell in cells}


def best_of_motions(cells: Iterable[Cell]) -> list[Cell]:
    """Of each motion the unsupported score with the most coverage; of equal ones, that with the least penalised error.

    Coverage is that of the length every other controller is scored over: a plan of 3 s of a looping motion has 30 %.
    """
    best: dict[str, Cell] = {}
    for cell in cells:
        if not cell.supported and (cell.motion not in best or _merit(cell) > _merit(best[cell.motion])):
            best[cell.motion] = cell
    return [best[motion] for motion in MOTIONS if motion in best]


def publish(failed: Mapping[str, Sequence[str]]) -> None:
    """Write the page and its figures from the scores that are kept.

    Args:
        failed: Reason to what was not scored for it.
    """
    content = json.loads((results_file.FOLDER / "accuracy.json").read_text())
    cells = sorted(read().values(), key=_place)
    best = best_of_bodies(cells)
    draw_phases(best, results_file.FOLDER / "accuracy-phases.png")
    draw_joints(best, results_file.FOLDER / "accuracy-joints.png")
    results_file.write("accuracy", content, _page(cells, content, failed))


def best_of_bodies(cells: Iterable[Cell]) -> list[Cell]:
    """The best of each motion, body by body."""
    cells = list(cells)
    bodies = dict.fromkeys(cell.body for cell in cells)
    return [best for body in bodies for best in best_of_motions(cell for cell in cells if cell.body == body)]


def _place(cell: Cell) -> tuple[int, str, int, str]:
    """Where a score stands in the table: controllers that need no training come first."""
    rank = {name: number for number, name in enumerate(CONTROLLERS)}
    return list(MOTIONS).index(cell.motion), cell.body, rank.get(cell.controller, len(rank)), cell.controller


def _merit(cell: Cell) -> tuple[float, float]:
    length = cell.horizon / DEFAULT_HORIZON if cell.loop and cell.horizon is not None else 1.0
    return cell.coverage * length, -cell.penalised["body_position_error"]


def _forget_missing(present: set[tuple[str, str, str]]) -> dict[Key, Cell]:
    """Drop the scores of policies that are no longer among the files; plans need not be kept."""
    asked = {(body, motion) for body, motion, _ in present}
    cells = {
        key: cell
        for key, cell in read().items()
        if key[:2] not in asked or key[:3] in present or cell.controller == "plan"
    }
    _write(cells)
    return cells


def _write(cells: Mapping[Key, Cell]) -> None:
    content = {"machine": results_file.machine(), "cells": [cell.rounded() for cell in cells.values()]}
    results_file.write_json("accuracy", content)


_TEXT: dict[str, Callable[[Cell], str]] = {
    "motion": lambda c: c.motion,
    "body": lambda c: c.body,
    "controller": lambda c: c.controller,
}
_ROWS: dict[str, Callable[[Cell], str]] = _TEXT | {
    "of (s)": lambda c: "rest" if c.horizon is None else f"{c.horizon:.3g}",
    "survival (s)": lambda c: f"{c.survival:.2f}",
    "coverage (%)": lambda c: f"{c.coverage:.0f}",
    "completion (%)": lambda c: f"{c.completion:.0f}",
    "joints (deg)": lambda c: f"{c.errors['joint_angle_error']:.1f}",
    "bodies (mm)": lambda c: f"{c.errors['body_position_error']:.0f}",
    "global (mm)": lambda c: f"{c.errors['global_body_position_error']:.0f}",
    "root (mm)": lambda c: f"{c.errors['root_position_error']:.0f}",
    "root (deg)": lambda c: f"{c.errors['root_orientation_error']:.1f}",
    "velocity (deg/s)": lambda c: f"{c.errors['joint_velocity_error']:.0f}",
    "penalised joints (deg)": lambda c: f"{c.penalised['joint_angle_error']:.1f}",
    "penalised bodies (mm)": lambda c: f"{c.penalised['body_position_error']:.0f}",
    "effort": lambda c: f"{c.errors['effort']:.3f}",
}
_SHORT: dict[str, Callable[[Cell], str]] = _TEXT | {
    name: _ROWS[name] for name in ("survival (s)", "coverage (%)", "joints (deg)", "bodies (mm)", "effort")
}


def _page(cells: Sequence[Cell], content: dict[str, Any], failed: Mapping[str, Sequence[str]]) -> str:
    free, held = ([cell for cell in cells if cell.supported is supported] for supported in (False, True))
    episodes = " or ".join(
        str(2 * count) for count in sorted({len(c.phases) - 1 for c in free if c.controller != "plan"})
    )
    notes = "\n".join(
        [*_missing(free), *(f"- Not scored: {'; '.join(names)}: {reason}" for reason, names in failed.items())]
    )
    supported = f"""## With the root supported

A critically damped spring of {SUPPORT:g} rad/s holds the root, so that balance is no question and the muscles are.

{markdown_table(_SHORT, held, text=_TEXT)}
"""
    return f"""# Tracking accuracy

Every controller on every motion and body, unsupported, by the protocol of `ms-agents evaluate`: deterministic, half the
episodes from the beginning of the motion and half from evenly spaced phases, {episodes} episodes, 10 s of a motion
that loops and the whole of another; an episode ends where the root, or a key body relative to it, is more than 0.5 m
from the reference. Errors are means over tracked frames and say nothing without the coverage beside them; penalised
ones count every lost frame at the error of the last. Bodies are relative to the root, *global* in the world.

`untrained` leaves the muscles relaxed, `reflex` is the stretch reflex around the reference with the activations of
static optimisation fed forward, `inverse` is computed muscle control, which sees the whole state; `plan` is a plan
replayed from the beginning, over its own length; the others are trained policies, named after their folders.
Made by `python -m benchmarks accuracy`.

## Best of each motion

That with the most coverage; of equal ones, that with the least penalised error of bodies. A plan counts with the part
of 10 s that it covers, where the motion loops. *Of*: longest episode, or the rest of the motion.

{markdown_table(_ROWS, best_of_motions(free), text=_TEXT)}
{notes}

## By start phase

![Time until the episode ends against the phase it starts at](accuracy-phases.png)

The best controller of each motion and body. A motion that does not loop leaves at most the rest of it to survive.

## By joint

![Mean absolute error of every joint over tracked frames](accuracy-joints.png)

The best controller of each motion and body, tracked frames, degrees; beside the motion its coverage.

## All

{markdown_table(_ROWS, free, text=_TEXT)}
{supported if held else ""}
{results_file.described(content["machine"])},
{sum(cell.core_seconds for cell in cells) / 60:.0f} core-minutes.
"""


def _missing(cells: Sequence[Cell]) -> list[str]:
    """Lines on controllers that need no training and are yet to be scored on some motions of a body."""
    scored = {(cell.controller, cell.body, cell.motion) for cell in cells}
    counts = {
        (name, body): sum((name, body, motion) not in scored for motion in motions_of(body))
        for name in CONTROLLERS
        for body in dict.fromkeys(cell.body for cell in cells)
    }
    return [f"- Not yet scored: {name}, {n} motions of {body}." for (name, body), n in counts.items() if n]
