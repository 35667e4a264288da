"""The stretch reflex as pure functions of batched arrays, for every engine; ``xp`` is numpy or jax.numpy."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

from ms_envs.motions.lookup import Timeline, interpolate, locate
from ms_envs.physics import ReflexCommand
from ms_envs.task.rotations import Array

SHORTENING = 0.1
"""Change of target length at the edge of the box of ``"reflex"`` actions, in optimal fibre lengths."""
OFFSET = 0.4
"""Change of target angle at the edge of the box of ``"posture"`` actions, rad."""


class ReflexTables(NamedTuple):
    """What the reflex must know of a body and the clip that it follows.

    Attributes:
        length: Muscle lengths on the clip, m, (T, M).
        velocity: m/s, (T, M).
        activation: Those that balance the clip at normal strength, (T, M).
        moment_arm: Length change per independent joint angle, m/rad, (T, M, J); empty unless actions are postures.
        optimal_fiber_length: m, (M,).
        tone: Excitation at the target length.
        feedforward: Excitation per activation of the clip.
        length_gain: Excitation per stretch, 1/m, (M,).
        velocity_gain: Excitation per stretch rate, s/m, (M,).
    """

    length: Array
    velocity: Array
    activation: Array
    moment_arm: Array
    optimal_fiber_length: Array
    tone: Array
    feedforward: Array
    length_gain: Array
    velocity_gain: Array


def reflex_command(
    xp: ModuleType, timeline: Timeline, tables: ReflexTables, delay: float, offset: Array, time: Array
) -> ReflexCommand:
    """Reflex law around the muscle lengths of the clip.

    Args:
        xp: numpy or jax.numpy.
        timeline: When the frames of the clip are.
        tables: The body and the clip.
        delay: Age of the lengths and velocities that will be compared with the target, s.
        offset: What is added to the reference lengths to make the target, m, (N, M).
        time: Instant at which the control step ends, s since the first frame, (N,).

    Returns:
        The law.
    """
    length, velocity, activation = interpolate(xp, timeline, time, tables.length, tables.velocity, tables.activation)
    if delay:
        length, velocity = interpolate(xp, timeline, time - delay, tables.length, tables.velocity)
    bias = tables.tone + tables.feedforward * activation
    bias = bias - tables.length_gain * (length + offset) - tables.velocity_gain * velocity
    return ReflexCommand(bias, tables.length_gain, tables.velocity_gain)


def shortening(xp: ModuleType, tables: ReflexTables, action: Array) -> Array:
    """Offset of target lengths that ``"reflex"`` actions (N, M) ask for, m, (N, M)."""
    return -SHORTENING * tables.optimal_fiber_length * xp.clip(action, -1.0, 1.0)


def posture_offset(xp: ModuleType, timeline: Timeline, tables: ReflexTables, action: Array, time: Array) -> Array:
    """Offset of target lengths that ``"posture"`` actions (N, J) ask for, m, (N, M).

    Moment arms are those of the nearest frame; they change little between frames.
    """
    index, fraction, _ = locate(xp, timeline, time)
    moment_arm = tables.moment_arm[index + (fraction > 0.5)]
    return xp.matmul(moment_arm, OFFSET * xp.clip(action, -1.0, 1.0)[:, :, None])[:, :, 0]
