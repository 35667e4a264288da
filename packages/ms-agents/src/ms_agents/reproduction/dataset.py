"""Lessons on disk, one file for each round of teaching."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ms_agents.array_file import read_arrays, write_arrays
from ms_agents.reproduction.lessons import Lesson
from ms_agents.versions import package_versions

FORMAT_VERSION = 2


def save_lessons(path: Path, lessons: Sequence[Lesson], identity: Mapping[str, Any]) -> None:
    """Write lessons; the file appears only once it is complete.

    Args:
        path: An ``.npz`` file.
        lessons: At least one.
        identity: What observations and actions mean, see :func:`ms_agents.identity.environment_identity`.
    """
    header = {"identity": dict(identity), "versions": package_versions()}
    arrays = {
        "observation": np.concatenate([lesson.observation for lesson in lessons]),
        "action": np.concatenate([lesson.action for lesson in lessons]),
        "size": np.array([len(lesson.action) for lesson in lessons]),
    }
    write_arrays(path, arrays, header, FORMAT_VERSION)


def load_lessons(path: Path, identity: Mapping[str, Any]) -> list[Lesson]:
    """Read lessons.

    Args:
        path: The file.
        identity: Of the environment they are to be for.

    Raises:
        ValueError: If the file is damaged, or its lessons are for another environment.
    """
    try:
        arrays, header = read_arrays(path, FORMAT_VERSION)
        ends = arrays["size"].cumsum()[:-1]
        states = (np.split(arrays[name], ends) for name in ("observation", "action"))
        lessons = [Lesson(*values) for values in zip(*states, strict=True)]
    except Exception as error:  # A damaged archive fails in many ways.
        raise ValueError(f"{path} holds no usable lessons: {error}") from error
    wanted, found = json.loads(json.dumps(identity)), header["identity"]
    differing = sorted(name for name in {**found, **wanted} if found.get(name) != wanted.get(name))
    if differing:
        raise ValueError(f"the lessons in {path} are for another environment: {', '.join(differing)} differ")
    return lessons
