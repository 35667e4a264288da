"""Where results go, and the machine they were measured on."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ms_envs.atomic_file import atomic_file

OUTPUT = "MS_BENCHMARKS_OUTPUT"
"""Variable that names another folder for results."""
COMMITTED = Path(__file__).parent / "results"
FOLDER = Path(os.environ.get(OUTPUT) or COMMITTED)


def machine() -> dict[str, Any]:
    """Processor, cores, load, versions and date."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: version(name) for name in ("ms-envs", "mujoco", "gymnasium", "stable-baselines3", "numpy")},
    }


def described(values: Mapping[str, Any]) -> str:
    """Settings, or what :func:`machine` says, as one line of text."""
    return ", ".join(f"{key} {value}" for key, value in values.items())


def write(name: str, results: dict[str, Any], table: str) -> None:
    """Write ``results/<name>.json`` and, for reading, ``results/<name>.md``."""
    write_json(name, results)
    write_text(f"{name}.md", table)


def write_json(name: str, results: dict[str, Any]) -> None:
    """Write ``results/<name>.json``."""
    write_text(f"{name}.json", json.dumps(results, indent=2) + "\n")


def write_text(name: str, content: str, folder: Path | None = None) -> None:
    """Write a file of the results, or of another folder, atomically."""
    with atomic_file((folder or FOLDER) / name) as temporary:
        temporary.write_text(content)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
