"""Muscle paths as functions of joint angles."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from ms_envs.bodies import BODIES
from ms_envs.bodies.body import Body
from ms_envs.paths.muscle_paths import MusclePaths, PathComponent


def fit_path(body_name: str) -> Path:
    """Where the fitted paths of a body stand in the package."""
    return Path(str(resources.files("ms_envs.paths"))) / "fits" / f"{body_name}.npz"


def load_paths(body: Body) -> MusclePaths:
    """Fitted muscle paths of a body of the package.

    Args:
        body: The body.

    Returns:
        The paths.

    Raises:
        ValueError: If there are none for this body, because its skeleton is another than the one that was fitted.
    """
    if body.name not in BODIES:
        raise ValueError(f"body {body.name!r} has no fitted muscle paths; choose one of {', '.join(BODIES)}")
    paths = MusclePaths.load(fit_path(body.name))
    paths.check_fits(body)
    return paths


__all__ = ["MusclePaths", "PathComponent", "fit_path", "load_paths"]
