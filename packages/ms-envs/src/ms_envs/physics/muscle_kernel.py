"""MuJoCo's muscle model in machine code."""

from __future__ import annotations

from typing import NamedTuple

import mujoco
import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MINIMUM = 1e-15
"""Smallest denominator, MuJoCo's ``mjMINVAL``."""


class MuscleTable(NamedTuple):
    """Parameters of M muscles, (M,) each.

    Attributes:
        scale: Normalised length (optimal fibre lengths) per metre of musculotendon length, 1/m.
        offset: Normalised length of a musculotendon of no length.
        peak: Peak isometric force, N.
        shortest: Normalised length below which there is no active force.
        longest: Normalised length above which there is no active force.
        velocity_scale: Greatest shortening velocities per m/s, s/m.
        eccentric: Active force when lengthening fast, in units of the isometric one.
        passive_scale: As ``scale``, for passive force.
        passive_offset: As ``offset``, for passive force.
        passive_longest: Normalised length that sets the rise of passive force.
        passive: Passive force at that length, in units of the peak isometric force.
        passive_peak: Peak force that passive force counts in, N.
        rise: Time constant of rising activation, s.
        fall: Time constant of falling activation, s.
        smoothing: Width of the switch between them.
    """

    scale: Floats
    offset: Floats
    peak: Floats
    shortest: Floats
    longest: Floats
    velocity_scale: Floats
    eccentric: Floats
    passive_scale: Floats
    passive_offset: Floats
    passive_longest: Floats
    passive: Floats
    passive_peak: Floats
    rise: Floats
    fall: Floats
    smoothing: Floats


def muscle_table(model: mujoco.MjModel) -> MuscleTable:
    """Parameters of all actuators of a model.

    Raises:
        ValueError: If one is something else than a muscle on a tendon as the kernel knows it.
    """
    _check(model)
    gain, bias, dynamics = model.actuator_gainprm, model.actuator_biasprm, model.actuator_dynprm
    scale, offset = _normalisation(model, gain)
    columns = (
        *(scale, offset, _peak(model, gain), gain[:, 4], gain[:, 5], scale / gain[:, 6], gain[:, 8]),
        *(*_normalisation(model, bias), bias[:, 5], bias[:, 7], _peak(model, bias)),
        *(dynamics[:, 0], dynamics[:, 1], dynamics[:, 2]),
    )
    return MuscleTable(*(np.ascontiguousarray(column, dtype=np.float64) for column in columns))


@numba.njit(nogil=True, cache=True)
def muscle_forces(table: MuscleTable, length: Floats, velocity: Floats, activation: Floats, force: Floats) -> None:
    """Forces of all muscles (``mju_muscleGain``, ``mju_muscleBias``; Hill 1938, Zajac 1989 with a rigid tendon).

    Args:
        table: Parameters.
        length: m, (M,).
        velocity: m/s, (M,).
        activation: (M,).
        force: N, negative when pulling, (M,), written.
    """
    for muscle in range(len(force)):
        normal = table.offset[muscle] + length[muscle] * table.scale[muscle]
        active = _force_length(normal, table.shortest[muscle], table.longest[muscle])
        active *= _force_velocity(velocity[muscle] * table.velocity_scale[muscle], table.eccentric[muscle])
        normal = table.passive_offset[muscle] + length[muscle] * table.passive_scale[muscle]
        passive = table.passive[muscle] * _passive_force(normal, table.passive_longest[muscle])
        force[muscle] = -table.peak[muscle] * active * activation[muscle] - table.passive_peak[muscle] * passive


@numba.njit(nogil=True, cache=True)
def advance_activations(table: MuscleTable, timestep: float, excitation: Floats, activation: Floats) -> None:
    """One explicit Euler step of the activation dynamics (``mju_muscleDynamics``; Millard et al. 2013).

    Args:
        table: Parameters.
        timestep: s.
        excitation: Clamped to [0, 1], (M,).
        activation: (M,), written.
    """
    for muscle in range(len(activation)):
        speed = 0.5 + 1.5 * min(max(activation[muscle], 0.0), 1.0)
        change = min(max(excitation[muscle], 0.0), 1.0) - activation[muscle]
        rise, fall = table.rise[muscle] * speed, table.fall[muscle] / speed
        if table.smoothing[muscle] < MINIMUM:
            time_constant = rise if change > 0 else fall
        else:
            x = min(max(change / table.smoothing[muscle] + 0.5, 0.0), 1.0)
            time_constant = fall + (rise - fall) * x**3 * (x * (6 * x - 15) + 10)
        activation[muscle] += timestep * change / max(time_constant, MINIMUM)


@numba.njit(nogil=True, cache=True)
def _force_length(length: float, shortest: float, longest: float) -> float:
    if length < shortest or length > longest:
        return 0.0
    rising, falling = 0.5 * (shortest + 1), 0.5 * (1 + longest)
    if length <= rising:
        return 0.5 * ((length - shortest) / max(rising - shortest, MINIMUM)) ** 2
    if length <= 1:
        return 1 - 0.5 * ((1 - length) / max(1 - rising, MINIMUM)) ** 2
    if length <= falling:
        return 1 - 0.5 * ((length - 1) / max(falling - 1, MINIMUM)) ** 2
    return 0.5 * ((longest - length) / max(longest - falling, MINIMUM)) ** 2


@numba.njit(nogil=True, cache=True)
def _force_velocity(velocity: float, eccentric: float) -> float:
    excess = eccentric - 1
    if velocity <= -1:
        return 0.0
    if velocity <= 0:
        return (velocity + 1) ** 2
    if velocity <= excess:
        return eccentric - (excess - velocity) ** 2 / max(excess, MINIMUM)
    return eccentric


@numba.njit(nogil=True, cache=True)
def _passive_force(length: float, longest: float) -> float:
    middle = 0.5 * (1 + longest)
    if length <= 1:
        return 0.0
    stretch = (length - 1) / max(middle - 1, MINIMUM)
    return 0.5 * stretch**2 if length <= middle else stretch - 0.5


def _normalisation(model: mujoco.MjModel, parameters: Floats) -> tuple[Floats, Floats]:
    """Slope and offset from musculotendon to normalised length, (M,) each."""
    shortest, longest = model.actuator_lengthrange.T
    scale = (parameters[:, 1] - parameters[:, 0]) / np.maximum(longest - shortest, MINIMUM)
    return scale, parameters[:, 0] - shortest * scale


def _peak(model: mujoco.MjModel, parameters: Floats) -> Floats:
    given, scale = parameters[:, 2], parameters[:, 3]
    return np.where(given < 0, scale / np.maximum(model.actuator_acc0, MINIMUM), given)


def _check(model: mujoco.MjModel) -> None:
    """Refuse actuators that the kernel does not know."""
    muscle = (
        (model.actuator_dyntype == mujoco.mjtDyn.mjDYN_MUSCLE)
        & (model.actuator_gaintype == mujoco.mjtGain.mjGAIN_MUSCLE)
        & (model.actuator_biastype == mujoco.mjtBias.mjBIAS_MUSCLE)
        & (model.actuator_trntype == mujoco.mjtTrn.mjTRN_TENDON)
        & (model.actuator_gear[:, 0] == 1)
        & (model.actuator_ctrlrange == [0, 1]).all(axis=1)
        & ~(model.actuator_forcelimited | model.actuator_actlimited | model.actuator_actearly).astype(bool)
    )
    if not muscle.all():
        names = ", ".join(model.actuator(i).name for i in np.flatnonzero(~muscle)[:5])
        raise ValueError(f"fitted muscle paths are for plain muscles on tendons, which these are not: {names}")
