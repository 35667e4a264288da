"""From the action an agent takes to the one in effect."""

from __future__ import annotations

import math

from ms_envs.task.rotations import Array


def smoothed(action: Array, previous: Array, timestep: float, time_constant: float) -> Array:
    """Action in effect behind a first-order low-pass filter, as it is at the end of the control step.

    Args:
        action: Actions taken, inside their box, (N, A).
        previous: Actions in effect over the last control step, (N, A).
        timestep: Control step, s.
        time_constant: Of the filter, s; 0 for none.

    Returns:
        Actions in effect over this control step, (N, A).
    """
    if time_constant == 0:
        return action
    kept = math.exp(-timestep / time_constant)
    return kept * previous + (1.0 - kept) * action


def half_ranges(change: Array, low: Array, high: Array) -> Array:
    """Changes of actions (N, A) in half ranges of their box, whose bounds are (A,)."""
    return 2.0 * change / (high - low)
