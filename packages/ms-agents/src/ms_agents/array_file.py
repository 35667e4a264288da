"""Arrays and a header of plain values in one ``.npz`` without pickles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ms_envs.atomic_file import atomic_file
from numpy.typing import NDArray


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any], version: int) -> None:
    """Write a compressed file, which appears only once it is complete.

    Args:
        path: The file.
        arrays: Name to array.
        header: Plain values.
        version: Of the format.
    """
    text = json.dumps({"format": version, **header})
    contents = {"header": np.frombuffer(text.encode(), dtype=np.uint8), **arrays}
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **contents)  # type: ignore[arg-type]


def read_arrays(path: Path, version: int) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and header of a file of :func:`write_arrays`.

    Raises:
        ValueError: If the file is of another format; a damaged file raises other errors, too.
    """
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header: dict[str, Any] = json.loads(arrays.pop("header").tobytes())
    if header.pop("format") != version:
        raise ValueError(f"this package reads format {version}")
    return arrays, header
