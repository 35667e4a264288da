"""Where results go, and the machine they were measured on."""

from __future__ import annotations

import datetime
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ms_envs.atomic_file import atomic_file

FOLDER = Path(__file__).parent / "results"


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


def write(name: str, results: dict[str, Any], table: str) -> None:
    """Write ``results/<name>.json`` and, for reading, ``results/<name>.md``."""
    for suffix, content in ((".json", json.dumps(results, indent=2) + "\n"), (".md", table)):
        with atomic_file(FOLDER / f"{name}{suffix}") as temporary:
            temporary.write_text(content)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
