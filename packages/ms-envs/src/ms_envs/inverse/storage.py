"""OpenSim's tables over time, ``.mot`` and ``.sto``.

A name, a header of ``key=value`` lines up to ``endheader``, a line of column labels that starts with ``time``, and a
line of numbers for each time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ms_envs.atomic_file import atomic_file

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Storage:
    """K quantities at T times.

    Attributes:
        name: Title, the first line of the file.
        time: s, (T,).
        labels: Names of the quantities, K of them, without blanks.
        values: (T, K).
        in_degrees: Whether angles are in degrees, not radians.
    """

    name: str
    time: Array
    labels: tuple[str, ...]
    values: Array
    in_degrees: bool = False


def write_storage(path: str | os.PathLike[str], storage: Storage) -> None:
    """Write a table with ten significant digits; the file appears only once it is complete.

    Raises:
        ValueError: If a label is empty, has blanks or occurs twice, or the sizes do not match.
    """
    rows = np.column_stack([storage.time, storage.values])
    labels = ("time", *storage.labels)
    if len(labels) != rows.shape[1]:
        raise ValueError(f"{storage.name!r} has {len(labels) - 1} labels for {rows.shape[1] - 1} columns")
    if any(len(label.split()) != 1 for label in labels) or len(set(labels)) < len(labels):
        raise ValueError(f"labels of {storage.name!r} must differ and have no blanks, got {labels}")
    header = (
        storage.name,
        "version=1",
        f"nRows={len(rows)}",
        f"nColumns={len(labels)}",
        f"inDegrees={'yes' if storage.in_degrees else 'no'}",
        "endheader",
        "\t".join(labels),
    )
    with atomic_file(Path(path)) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        np.savetxt(stream, rows, fmt="%.10g", delimiter="\t", header="\n".join(header), comments="")


def read_storage(path: str | os.PathLike[str]) -> Storage:
    """Read a table written by :func:`write_storage`, by OpenSim, or in SIMM's form of the header.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is malformed; the message says in which line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no OpenSim table at {path}")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file: {error}") from error
    end = next((number for number, line in enumerate(lines) if line.strip().lower() == "endheader"), None)
    if end is None:
        raise ValueError(f"{path} has no line `endheader`, so it is not an OpenSim table")
    header = _header(lines[:end])
    body = [(number, line.split()) for number, line in enumerate(lines[end + 1 :], end + 2) if line.strip()]
    if len(body) < 2:
        raise ValueError(f"{path} has no data after its header")
    labels, rows = body[0][1], body[1:]
    if labels[0] != "time" or len(set(labels)) < len(labels):
        raise ValueError(f"{path}, line {body[0][0]}: expected different labels, the first one `time`, got {labels}")
    for key, expected, found in (("nrows", len(rows), "rows"), ("ncolumns", len(labels), "columns")):
        if header.get(key, str(expected)) != str(expected):
            raise ValueError(f"{path} has {expected} {found}, its header announces {header[key]}")
    values = np.array([_numbers(path, number, cells, len(labels)) for number, cells in rows])
    late = np.flatnonzero(np.diff(values[:, 0]) <= 0)
    if len(late):
        raise ValueError(f"{path}, line {rows[late[0] + 1][0]}: time does not increase")
    in_degrees = header.get("indegrees", "no").lower() in ("yes", "y")
    return Storage(lines[0].strip(), values[:, 0], tuple(labels[1:]), values[:, 1:], in_degrees)


def _header(lines: list[str]) -> dict[str, str]:
    """Entries by key in lower case; SIMM writes ``datarows 9`` for ``nRows=9``."""
    entries = [line.split("=", 1) if "=" in line else line.split(None, 1) for line in lines]
    header = {entry[0].strip().lower(): entry[1].strip() for entry in entries if len(entry) == 2}
    for simm, key in (("datarows", "nrows"), ("datacolumns", "ncolumns")):
        if simm in header:
            header.setdefault(key, header[simm])
    return header


def _numbers(path: Path, line: int, cells: list[str], count: int) -> list[float]:
    if len(cells) != count:
        raise ValueError(f"{path}, line {line}: {len(cells)} values for {count} columns")
    try:
        values = [float(cell) for cell in cells]
    except ValueError as error:
        raise ValueError(f"{path}, line {line}: {error}") from error
    if not np.isfinite(values).all():
        raise ValueError(f"{path}, line {line}: not every value is a finite number")
    return values
