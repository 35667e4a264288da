"""Learning curves on disk that a resumed run continues without a seam."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.logger import KVWriter, Logger, TensorBoardOutputFormat
from torch.utils.tensorboard import SummaryWriter

STEP = "time/total_timesteps"
"""Column that orders the rows."""


def make_logger(run: Path, resume_step: int | None) -> Logger:
    """Logger that writes ``progress.csv`` and TensorBoard files into a run directory.

    Args:
        run: The directory.
        resume_step: Where a resumed run continues: later entries of the interrupted one are dropped.

    Returns:
        The logger.
    """
    return Logger(str(run), [CurveFile(run / "progress.csv", resume_step), _TensorBoard(run / "tb", resume_step)])


def read_curve(run: Path) -> list[dict[str, str]]:
    """Rows of a run's ``progress.csv``: column to text, empty where nothing was logged; none without the file."""
    path = run / "progress.csv"
    if not path.is_file():
        return []
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


class CurveFile(KVWriter):
    """A CSV table that grows new columns as new values are logged.

    Args:
        path: The file.
        resume_step: Step beyond which rows of an interrupted run are dropped; ``None`` starts a new file.
    """

    def __init__(self, path: Path, resume_step: int | None) -> None:
        self._path = path
        self._columns = [STEP]
        kept: list[dict[str, str]] = []
        if resume_step is not None and path.is_file():
            with open(path, newline="") as stream:
                reader = csv.DictReader(stream)
                kept = [row for row in reader if int(float(row[STEP] or 0)) <= resume_step]
                self._columns = list(reader.fieldnames or self._columns)
        self._rewrite(kept)

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        """Append a row of numbers."""
        row = {name: value for name, value in key_values.items() if isinstance(value, int | float | np.number)}
        row.setdefault(STEP, step)
        new = sorted(set(row) - set(self._columns))
        if new:
            with open(self._path, newline="") as stream:
                rows = list(csv.DictReader(stream))
            self._columns += new
            self._rewrite(rows)
        with open(self._path, "a", newline="") as stream:
            csv.DictWriter(stream, self._columns).writerow(row)

    def close(self) -> None:
        """Nothing stays open."""

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        temporary = self._path.with_suffix(".tmp")
        with open(temporary, "w", newline="") as stream:
            writer = csv.DictWriter(stream, self._columns)
            writer.writeheader()
            writer.writerows(rows)
        temporary.replace(self._path)


class _TensorBoard(TensorBoardOutputFormat):
    def __init__(self, folder: Path, resume_step: int | None) -> None:
        self.writer = SummaryWriter(str(folder), purge_step=None if resume_step is None else resume_step + 1)
        self._is_closed = False
