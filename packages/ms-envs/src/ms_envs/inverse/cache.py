"""Static optimisation that is done once per clip and body."""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import asdict
from pathlib import Path

import mujoco
import numpy as np

from ms_envs.atomic_file import atomic_file
from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.inverse.floor_contact import FORCE_WEIGHT, FRICTION, REACH
from ms_envs.inverse.static_optimization import (
    AVERAGING,
    EFFORT_WEIGHT,
    TOLERATED_FORCE,
    TOLERATED_MOMENT,
    InverseSolution,
    static_optimization,
)
from ms_envs.motions.clip import MotionClip

VERSION = 1
"""Raised when the method changes, so that solutions of an earlier one are not taken for its own."""


def inverse_solution(body: Body, clip: MotionClip) -> InverseSolution:
    """Static optimisation of a clip, out of the cache where it is known already.

    A solution is known by the content of what it depends on: postures and velocities of the clip, the whole compiled
    model, muscle strength included, and the constants of the method. A file that cannot be read is replaced.

    Args:
        body: The body.
        clip: A motion made for it.

    Returns:
        The solution of :func:`ms_envs.inverse.static_optimization`.

    Raises:
        ValueError: If the clip does not fit the body.
        ConvergenceError: If a frame was not solved to tolerance.
    """
    clip.check_fits(body)
    path = cache_folder() / "inverse" / f"{_key(body, clip)}.npz"
    if path.is_file():
        try:
            return _load(path, body, len(clip.qpos))
        except Exception as error:  # A damaged archive fails in many ways.
            warnings.warn(f"{path} is damaged and will be replaced: {error}", stacklevel=2)
    solution = static_optimization(body, clip)
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **asdict(solution))
    return solution


def cache_folder() -> Path:
    """``MS_ENVS_CACHE`` if it is set, else ``ms-envs`` in ``XDG_CACHE_HOME`` or, on every system, ``~/.cache``."""
    own = os.environ.get("MS_ENVS_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ms-envs"


def _key(body: Body, clip: MotionClip) -> str:
    """Digest of everything that a solution depends on."""
    settings = (
        *(VERSION, mujoco.mj_version(), clip.fps, clip.loop, list(body.segments.items())),
        *(EFFORT_WEIGHT, TOLERATED_FORCE, TOLERATED_MOMENT, AVERAGING, REACH, FRICTION, FORCE_WEIGHT),
    )
    model = np.empty(mujoco.mj_sizeModel(body.model), dtype=np.uint8)
    mujoco.mj_saveModel(body.model, None, model)
    digest = hashlib.sha256(repr(settings).encode())
    for values in (clip.qpos, clip.qvel, model):
        digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()[:32]


def _load(path: Path, body: Body, frames: int) -> InverseSolution:
    coordinates = ROOT_DOF + len(body.joint_ids)
    shapes = {
        "activation": (frames, body.model.nu),
        "joint_moment": (frames, coordinates),
        "residual": (frames, coordinates),
        "floor_wrench": (frames, len(body.segments), 6),
        "stationarity": (frames,),
        "wall_time": (),
    }
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in shapes}
    for name, shape in shapes.items():
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} is not {shape} finite numbers")
    return InverseSolution(**arrays | {"wall_time": float(arrays["wall_time"])})
