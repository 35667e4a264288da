"""MuJoCo's muscle model on batched arrays; ``xp`` is numpy or jax.numpy."""

from __future__ import annotations

from types import ModuleType

from ms_envs.physics.muscle_kernel import MINIMUM, MuscleTable
from ms_envs.task.rotations import Array


def activation_rate(xp: ModuleType, table: MuscleTable, excitation: Array, activation: Array) -> Array:
    """Rate at which activations follow excitations, 1/s (``mju_muscleDynamics``; Millard et al. 2013).

    Args:
        xp: numpy or jax.numpy.
        table: Parameters.
        excitation: Clamped to [0, 1], (..., M).
        activation: (..., M).

    Returns:
        (..., M).
    """
    change = xp.clip(excitation, 0.0, 1.0) - activation
    speed = 0.5 + 1.5 * xp.clip(activation, 0.0, 1.0)
    rise, fall = table.rise * speed, table.fall / speed
    x = xp.clip(change / xp.maximum(table.smoothing, MINIMUM) + 0.5, 0.0, 1.0)
    share = xp.where(table.smoothing < MINIMUM, change > 0, x**3 * (x * (6 * x - 15) + 10))
    return change / xp.maximum(fall + (rise - fall) * share, MINIMUM)


def muscle_force(xp: ModuleType, table: MuscleTable, length: Array, velocity: Array, activation: Array) -> Array:
    """Forces of muscles (``mju_muscleGain``, ``mju_muscleBias``; Hill 1938, Zajac 1989 with a rigid tendon).

    Args:
        xp: numpy or jax.numpy.
        table: Parameters.
        length: m, (..., M).
        velocity: m/s, (..., M).
        activation: (..., M).

    Returns:
        N, negative when pulling, (..., M).
    """
    active = _force_length(xp, table.offset + length * table.scale, table.shortest, table.longest)
    active = active * _force_velocity(xp, velocity * table.velocity_scale, table.eccentric)
    passive = _passive_force(xp, table.passive_offset + length * table.passive_scale, table.passive_longest)
    return -table.peak * active * activation - table.passive_peak * table.passive * passive


def _force_length(xp: ModuleType, length: Array, shortest: Array, longest: Array) -> Array:
    rising, falling = 0.5 * (shortest + 1), 0.5 * (1 + longest)

    def parabola(distance: Array, width: Array) -> Array:
        return 0.5 * (distance / xp.maximum(width, MINIMUM)) ** 2

    beyond = xp.where(
        length <= falling, 1 - parabola(length - 1, falling - 1), parabola(longest - length, longest - falling)
    )
    below = xp.where(
        length <= rising, parabola(length - shortest, rising - shortest), 1 - parabola(1 - length, 1 - rising)
    )
    return xp.where((length < shortest) | (length > longest), 0.0, xp.where(length <= 1, below, beyond))


def _force_velocity(xp: ModuleType, velocity: Array, eccentric: Array) -> Array:
    excess = eccentric - 1
    lengthening = eccentric - xp.maximum(excess - velocity, 0.0) ** 2 / xp.maximum(excess, MINIMUM)
    return xp.where(velocity <= 0, xp.maximum(velocity + 1, 0.0) ** 2, lengthening)


def _passive_force(xp: ModuleType, length: Array, longest: Array) -> Array:
    stretch = xp.maximum(length - 1, 0.0) / xp.maximum(0.5 * (longest - 1), MINIMUM)
    return xp.where(stretch <= 1, 0.5 * stretch**2, stretch - 0.5)
