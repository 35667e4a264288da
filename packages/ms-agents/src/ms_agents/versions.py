"""What results depend on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("ms-envs", "ms-agents", "gymnasium", "mujoco", "numpy", "stable-baselines3", "torch")


def package_versions() -> dict[str, str]:
    """Versions of what results depend on, by package."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
