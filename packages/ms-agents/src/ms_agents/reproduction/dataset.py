"""Lessons on disk, one file for each trajectory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ms_envs.atomic_file import atomic_file

from ms_agents.reproduction.refiner import Lesson
from ms_agents.versions import package_versions

FORMAT_VERSION = 1


def save_lessons(path: Path, lessons: Sequence[Lesson], identity: Mapping[str, Any], core_seconds: float) -> None:
    """Write the lessons of a trajectory; the file appears only once it is complete.

    Args:
        path: An ``.npz`` file.
        lessons: At least one.
        identity: What observations and actions mean, see :func:`ms_agents.identity.environment_identity`.
        core_seconds: Processor time they took.
    """
    header = {"format": FORMAT_VERSION, "identity": dict(identity), "core_seconds": core_seconds}
    header["versions"] = package_versions()
    arrays = {
        "header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        "observation": np.concatenate([lesson.observation for lesson in lessons]),
        "action": np.concatenate([lesson.action for lesson in lessons]),
        "size": np.array([len(lesson.action) for lesson in lessons]),
        "before": np.array([lesson.before for lesson in lessons]),
        "after": np.array([lesson.after for lesson in lessons]),
    }
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def load_lessons(path: Path, identity: Mapping[str, Any] | None = None) -> tuple[list[Lesson], dict[str, Any]]:
    """Read the lessons of a trajectory, and the header of their file.

    Args:
        path: The file.
        identity: Of the environment they are to be for; by default any.

    Raises:
        ValueError: If the file is damaged, or its lessons are for another environment.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header: dict[str, Any] = json.loads(arrays["header"].tobytes())
        if header["format"] != FORMAT_VERSION:
            raise ValueError(f"this package reads format {FORMAT_VERSION}")
        ends = arrays["size"].cumsum()[:-1]
        states = (np.split(arrays[name], ends) for name in ("observation", "action"))
        costs = (arrays[name].tolist() for name in ("before", "after"))
        lessons = [Lesson(*values) for values in zip(*states, *costs, strict=True)]
    except Exception as error:  # A damaged archive fails in many ways.
        raise ValueError(f"{path} holds no usable lessons: {error}") from error
    wanted, found = json.loads(json.dumps(identity or header["identity"])), header["identity"]
    differing = sorted(name for name in {**found, **wanted} if found.get(name) != wanted.get(name))
    if differing:
        raise ValueError(f"the lessons in {path} are for another environment: {', '.join(differing)} differ")
    return lessons, header


def load_folder(folder: Path, identity: Mapping[str, Any] | None = None) -> tuple[list[list[Lesson]], float]:
    """The lessons of each trajectory in a folder, and the processor time they took, s.

    Raises:
        ValueError: If a file is damaged, or its lessons are for another environment.
    """
    files = [load_lessons(path, identity) for path in sorted(folder.glob("*.npz"))]
    return [lessons for lessons, _ in files], sum(header["core_seconds"] for _, header in files)
