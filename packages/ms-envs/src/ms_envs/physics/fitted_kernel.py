"""A whole control step of one body with fitted muscle paths, in machine code."""

from __future__ import annotations

from typing import NamedTuple

import mujoco
import numba
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import ROOT_DOF
from ms_envs.physics.kernel import step1, step2, stretch_reflex
from ms_envs.physics.muscle_kernel import MuscleTable, advance_activations, muscle_forces
from ms_envs.physics.path_kernel import PathTable, PathWork, add_path_torques, path_lengths
from ms_envs.task.state import Muscles

Floats = NDArray[np.float64]


class FittedMuscles(NamedTuple):
    """What the kernels know of the muscles of a body.

    Attributes:
        paths: Fitted paths.
        parameters: Of all M muscles.
        exact: Muscles whose paths MuJoCo computes, in the order of the model's actuators, (K,).
        timestep: s.
    """

    paths: PathTable
    parameters: MuscleTable
    exact: NDArray[np.int64]
    timestep: float


class BodyArrays(NamedTuple):
    """Arrays of one ``MjData``, by their names there.

    Attributes:
        qpos: (nq,).
        qvel: (nv,).
        qfrc_applied: Written but for the root, (nv,).
        ctrl: Pull of the muscles with exact paths, N, written, (K,).
        actuator_length: m, (K,).
        actuator_velocity: m/s, (K,).
    """

    qpos: Floats
    qvel: Floats
    qfrc_applied: Floats
    ctrl: Floats
    actuator_length: Floats
    actuator_velocity: Floats

    @classmethod
    def of(cls, data: mujoco.MjData) -> BodyArrays:
        """The arrays of one ``MjData``."""
        return cls(*(getattr(data, name) for name in cls._fields))


@numba.njit(nogil=True, cache=True)
def fitted_steps(
    model: int,
    data: int,
    substeps: int,
    fitted: FittedMuscles,
    work: PathWork,
    arrays: BodyArrays,
    signals: Muscles,
    excitation: Floats,
    bias: Floats,
    length_gain: Floats,
    velocity_gain: Floats,
    afferent: Floats,
    oldest: int,
) -> None:
    """Advance one body under a stretch reflex, from and to the middle of a physics step.

    Args:
        model: Address of its ``mjModel``, which has no muscles but those with exact paths.
        data: Address of its ``mjData``.
        substeps: Physics steps.
        fitted: Its muscles.
        work: Room for the kernels, written.
        arrays: Arrays of its ``mjData``.
        signals: Activation, length, velocity and force of its muscles, written, (M,) each.
        excitation: (M,), written.
        bias: Constant part of the excitation, (M,).
        length_gain: 1/m, (M,).
        velocity_gain: s/m, (M,).
        afferent: Ring of past lengths and velocities, (delay, 2, M), written.
        oldest: Its oldest entry.
    """
    length, velocity = signals.length, signals.velocity
    for substep in range(substeps):
        measure_muscles(fitted, work, arrays, signals)
        stretch_reflex(excitation, length, velocity, bias, length_gain, velocity_gain, afferent, oldest + substep)
        pull_muscles(fitted, work, arrays, signals)
        advance_activations(fitted.parameters, fitted.timestep, excitation, signals.activation)
        step2(model, data)
        step1(model, data)


@numba.njit(nogil=True, cache=True)
def measure_muscles(fitted: FittedMuscles, work: PathWork, arrays: BodyArrays, signals: Muscles) -> None:
    """Lengths and velocities of all muscles at the coordinates of a body; arguments as in :func:`fitted_steps`."""
    path_lengths(fitted.paths, work, arrays.qpos, arrays.qvel, signals.length, signals.velocity)
    for index, muscle in enumerate(fitted.exact):
        signals.length[muscle] = arrays.actuator_length[index]
        signals.velocity[muscle] = arrays.actuator_velocity[index]


@numba.njit(nogil=True, cache=True)
def pull_muscles(fitted: FittedMuscles, work: PathWork, arrays: BodyArrays, signals: Muscles) -> None:
    """Let the muscles just measured pull on the joints; arguments as in :func:`fitted_steps`."""
    muscle_forces(fitted.parameters, signals.length, signals.velocity, signals.activation, signals.force)
    arrays.qfrc_applied[ROOT_DOF:] = 0.0
    add_path_torques(fitted.paths, work, signals.force, arrays.qfrc_applied)
    for index, muscle in enumerate(fitted.exact):
        arrays.ctrl[index] = signals.force[muscle]
