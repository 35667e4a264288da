"""Checkpoint files: trees of tensors and plain values, written atomically and read without running code."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

FORMAT_VERSION = 1


def write_checkpoint(path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Write a tree so that the file is either the old one or the new one, whenever the process dies.

    Args:
        path: Destination.
        state: Nested dicts and lists of tensors, numbers, strings, booleans and ``None``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as stream:
            torch.save({"format": FORMAT_VERSION, **state}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_checkpoint(path: str | os.PathLike[str] | IO[bytes], device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read what :func:`write_checkpoint` wrote; unlike pickle, this never runs code from the file.

    Args:
        path: The file, or a stream of one.
        device: Where its tensors go.

    Returns:
        The tree.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged or not a checkpoint of this package.
    """
    if isinstance(path, str | os.PathLike) and not Path(path).is_file():
        raise FileNotFoundError(f"there is no checkpoint at {path}")
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        version = state["format"]
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a usable checkpoint: {error}") from error
    if version != FORMAT_VERSION:
        raise ValueError(f"{path} has format {version!r}, this package reads {FORMAT_VERSION}")
    return dict(state)


def tensors_from_arrays(tree: Any) -> Any:
    """The same tree with numpy arrays as tensors and numpy scalars as plain numbers.

    Raises:
        ValueError: If it holds anything a checkpoint cannot.
    """
    if isinstance(tree, Mapping):
        return {key: tensors_from_arrays(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [tensors_from_arrays(value) for value in tree]
    if isinstance(tree, np.ndarray):
        return torch.from_numpy(np.array(tree))
    if isinstance(tree, np.generic):
        return tree.item()
    if tree is None or isinstance(tree, bool | int | float | str | torch.Tensor):
        return tree
    raise ValueError(f"a checkpoint cannot hold a {type(tree).__name__}")


def arrays_from_tensors(tree: Any) -> Any:
    """The same tree with tensors as numpy arrays."""
    if isinstance(tree, Mapping):
        return {key: arrays_from_tensors(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [arrays_from_tensors(value) for value in tree]
    return tree.cpu().numpy() if isinstance(tree, torch.Tensor) else tree
