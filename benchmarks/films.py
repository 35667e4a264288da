"""Films of the best controller of each motion: muscles coloured by activation, the reference as a ghost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ms_envs.recording import write_video
from ms_envs.report_table import markdown_table
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from benchmarks import results_file
from benchmarks.accuracy import best_of_motions, read
from benchmarks.accuracy_cells import Cell
from benchmarks.contestants import FOLDERS, Contestant, contestants, perform

STRIDE = 2
"""Control steps from picture to picture."""
MOST = 2_000_000
"""Bytes that a film may have."""


def run(motions: Sequence[str], seconds: float, size: int, folders: Sequence[Path] = FOLDERS) -> None:
    """Film what leads the accuracy table; films of unchanged controllers are kept.

    Args:
        motions: Names of motions; all in the accuracy table if empty.
        seconds: Longest film.
        size: Width and height, pixels.
        folders: Where policies and plans are looked for.

    Raises:
        ValueError: If there is no accuracy table, or a film is too large.
    """
    best = best_of_motions(read().values())
    chosen = [cell for cell in best if not motions or cell.motion in motions]
    if not chosen:
        raise ValueError("there is nothing to film; run `python -m benchmarks accuracy` first")
    films, machine = _known(), results_file.machine()
    for cell in track(chosen, description="films", console=Console(stderr=True)):
        path = results_file.FOLDER / "films" / f"{cell.motion}.mp4"
        wanted = {"fingerprint": cell.fingerprint, "seconds": seconds, "size": size}
        if films.get(cell.motion) != wanted or not path.is_file():
            write_video(path, _pictures(_contestant(cell, folders), seconds, size), fps=50 / STRIDE)
        if path.stat().st_size > MOST:
            raise ValueError(f"{path} has more than {MOST:,} bytes; choose a smaller size or fewer seconds")
        films[cell.motion] = wanted
        results_file.write_json("films", {"machine": machine, "films": films})
    results_file.write_text("films.md", _page([cell for cell in best if cell.motion in films], seconds, machine))


def _known() -> dict[str, Any]:
    path = results_file.FOLDER / "films.json"
    return dict(json.loads(path.read_text())["films"]) if path.is_file() else {}


def _contestant(cell: Cell, folders: Sequence[Path]) -> Contestant:
    found = [each for each in contestants([cell.body], [cell.motion], folders) if each.name == cell.controller]
    if not found:
        raise ValueError(f"{cell.controller} of {cell.body} in {cell.motion} is not among the files; score it anew")
    return found[0]


def _pictures(contestant: Contestant, seconds: float, size: int) -> Iterator[NDArray[np.uint8]]:
    looks: dict[str, Any] = {"render_mode": "rgb_array", "render_options": {"width": size, "height": size}}
    for step, env in enumerate(perform(contestant, min(seconds, contestant.duration or seconds), **looks)):
        if step % STRIDE == 0:
            pictures = env.render()
            assert pictures is not None
            yield pictures[0]


_TEXT: dict[str, Callable[[Cell], str]] = {
    "motion": lambda c: c.motion,
    "body": lambda c: c.body,
    "controller": lambda c: c.controller,
    "film": lambda c: f"[{c.motion}](films/{c.motion}.mp4)",
}
_COLUMNS = _TEXT | {
    "from the start (s)": lambda c: f"{c.phase_survival[0]:.2f}",
    "coverage (%)": lambda c: f"{c.coverage:.0f}",
}


def _page(best: Sequence[Cell], seconds: float, machine: dict[str, Any]) -> str:
    return f"""# Films

The best controller of each motion by the accuracy table, from the beginning of the motion until the protocol ends the
episode, at most {seconds:g} s. Muscles are blue at rest and red when active; the ghost is the reference. Made by
`python -m benchmarks films`.

{markdown_table(_COLUMNS, best, text=_TEXT)}
{results_file.described(machine)}.
"""
