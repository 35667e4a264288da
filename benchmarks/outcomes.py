"""What became of the parts of the suite."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import results_file

FILE = "suite.json"


@dataclass(frozen=True)
class Outcome:
    """What became of a part.

    Attributes:
        command: What was run.
        finished: When, in UTC.
        seconds: Wall time.
        error: Last lines of what it said if it failed.
    """

    command: str
    finished: str
    seconds: float
    error: str | None


def outcomes(folder: Path) -> dict[str, Outcome]:
    """What became of the parts that were run into a folder, by name."""
    path = folder / FILE
    return {name: Outcome(**value) for name, value in json.loads(path.read_text()).items()} if path.is_file() else {}


def keep(folder: Path, name: str, outcome: Outcome) -> None:
    """Add the outcome of a part to those of a folder."""
    known = outcomes(folder) | {name: outcome}
    results_file.write_text(FILE, json.dumps({n: asdict(o) for n, o in known.items()}, indent=2) + "\n", folder)
