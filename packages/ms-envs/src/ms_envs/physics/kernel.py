"""A whole control step of one body in machine code, so that the interpreter lock is released once, not per substep."""

from __future__ import annotations

from pathlib import Path

import llvmlite.binding
import mujoco
import numba
import numpy as np
from numba import types
from numpy.typing import NDArray


def _load_mujoco() -> None:
    """Let compiled code find MuJoCo's functions by name.

    Raises:
        ImportError: If the package has no shared library.
    """
    folder = Path(mujoco.__file__).parent
    libraries = [
        path for pattern in ("libmujoco*.so*", "libmujoco*.dylib", "mujoco.dll") for path in folder.glob(pattern)
    ]
    if not libraries:
        raise ImportError(f"no shared library of MuJoCo in {folder}")
    llvmlite.binding.load_library_permanently(str(libraries[0]))


_load_mujoco()
_advance = types.void(types.uintp, types.uintp)
step1 = types.ExternalFunction("mj_step1", _advance)
"""First half of a physics step, given the addresses of an ``mjModel`` and an ``mjData``."""
step2 = types.ExternalFunction("mj_step2", _advance)
"""Second half."""


@numba.njit(nogil=True, cache=True)
def reflex_steps(
    model: int,
    data: int,
    substeps: int,
    excitation: NDArray[np.float64],
    length: NDArray[np.float64],
    velocity: NDArray[np.float64],
    bias: NDArray[np.float64],
    length_gain: NDArray[np.float64],
    velocity_gain: NDArray[np.float64],
    afferent: NDArray[np.float64],
    oldest: int,
) -> None:
    """Advance one body under a stretch reflex, from and to the middle of a physics step.

    Args:
        model: Address of its ``mjModel``.
        data: Address of its ``mjData``.
        substeps: Physics steps.
        excitation: Its ``ctrl``, (M,), written.
        length: Its ``actuator_length``, (M,).
        velocity: Its ``actuator_velocity``, (M,).
        bias: Constant part of the excitation, (M,).
        length_gain: 1/m, (M,).
        velocity_gain: s/m, (M,).
        afferent: Ring of past lengths and velocities, (delay, 2, M), written.
        oldest: Its oldest entry.
    """
    for substep in range(substeps):
        stretch_reflex(excitation, length, velocity, bias, length_gain, velocity_gain, afferent, oldest + substep)
        step2(model, data)
        step1(model, data)


@numba.njit(nogil=True, cache=True)
def stretch_reflex(
    excitation: NDArray[np.float64],
    length: NDArray[np.float64],
    velocity: NDArray[np.float64],
    bias: NDArray[np.float64],
    length_gain: NDArray[np.float64],
    velocity_gain: NDArray[np.float64],
    afferent: NDArray[np.float64],
    oldest: int,
) -> None:
    """Excitations of one physics step; arguments as in :func:`reflex_steps`."""
    delay = len(afferent)
    past = oldest % delay if delay else 0
    for muscle in range(len(bias)):
        felt_length, felt_velocity = length[muscle], velocity[muscle]
        if delay:
            felt_length, afferent[past, 0, muscle] = afferent[past, 0, muscle], felt_length
            felt_velocity, afferent[past, 1, muscle] = afferent[past, 1, muscle], felt_velocity
        stretch = length_gain[muscle] * felt_length + velocity_gain[muscle] * felt_velocity
        excitation[muscle] = stretch + bias[muscle]
