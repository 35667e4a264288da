"""Episodes as ``.npz`` and pictures as video."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ms_envs.atomic_file import atomic_file


def write_video(path: str | os.PathLike[str], frames: Iterable[NDArray[np.uint8]], fps: float) -> None:
    """Write a video; the file appears only once it is complete.

    Args:
        path: File, whose ending names the format: ``.mp4`` or ``.gif``.
        frames: Pictures, each (H, W, 3), all of one size.
        fps: Frames per second.

    Raises:
        ValueError: If there are no frames, the rate is not positive or the ending is unknown.
        RuntimeError: If imageio or its ffmpeg is not installed.
    """
    path = Path(path)
    if path.suffix not in (".mp4", ".gif"):
        raise ValueError(f"unknown video format {path.suffix!r}; choose '.mp4' or '.gif'")
    if not fps > 0:
        raise ValueError(f"fps must be positive, got {fps!r}")
    try:
        import imageio.v2 as imageio
    except ImportError as error:
        raise RuntimeError("videos need imageio; install it with `pip install 'ms-envs[render]'`") from error
    # Players want even sizes, which pictures here have; imageio would round up to multiples of 16.
    options: dict[str, Any] = {"duration": 1000 / fps}
    if path.suffix == ".mp4":
        options = {"fps": fps, "macro_block_size": 2, "quality": 7}
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"there are no frames to write to {path}")
    writer: Any
    # A writer's own context manager leaves ffmpeg running after an exception.
    with atomic_file(path) as temporary, closing(imageio.get_writer(temporary, **options)) as writer:
        writer.append_data(first)
        for frame in frames:
            writer.append_data(frame)


class Episode:
    """Collects an episode step by step and saves it.

    Every array of the file has one row per recorded step: ``time`` (s), ``qpos``, ``qvel``, ``activation``,
    ``excitation``, ``reference_qpos``, and one ``metric_<name>`` for each tracking metric.
    """

    def __init__(self) -> None:
        self._rows: dict[str, list[NDArray[np.float64]]] = {}

    def __len__(self) -> int:
        return len(self._rows.get("time", ()))

    def record(
        self,
        time: float,
        qpos: ArrayLike,
        qvel: ArrayLike,
        activation: ArrayLike,
        excitation: ArrayLike,
        reference_qpos: ArrayLike,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Add one step.

        Args:
            time: Seconds since the start of the episode.
            qpos: Generalised positions, (nq,).
            qvel: Generalised velocities, (nv,).
            activation: Muscle activations, (M,).
            excitation: Muscle excitations, (M,).
            reference_qpos: Generalised positions of the reference, (nq,).
            metrics: Tracking metrics, the same ones in every step.

        Raises:
            ValueError: If the metrics differ from those of earlier steps.
        """
        row = {
            "time": time,
            "qpos": qpos,
            "qvel": qvel,
            "activation": activation,
            "excitation": excitation,
            "reference_qpos": reference_qpos,
        }
        row |= {f"metric_{name}": value for name, value in (metrics or {}).items()}
        if self._rows and row.keys() != self._rows.keys():
            raise ValueError(f"this step has {sorted(row)}, earlier ones had {sorted(self._rows)}")
        for name, value in row.items():
            self._rows.setdefault(name, []).append(np.array(value, dtype=np.float64))

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """The episode so far: name to array with one row per step."""
        return {name: np.stack(rows) for name, rows in self._rows.items()}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the episode as compressed ``.npz``; the file appears only once it is complete.

        Raises:
            ValueError: If nothing was recorded.
        """
        if not len(self):
            raise ValueError("the episode is empty; record at least one step before saving it")
        with atomic_file(Path(path)) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **self.arrays())  # type: ignore[arg-type]

    @staticmethod
    def load(path: str | os.PathLike[str]) -> dict[str, NDArray[np.float64]]:
        """Arrays of a saved episode.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"there is no episode at {path}")
        try:
            with np.load(path, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except Exception as error:  # A damaged archive fails in many ways.
            raise ValueError(f"{path} is not a usable episode: {error}") from error
