"""Signals over the frames of a motion: filling gaps, widening, and rounds of one that repeats."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from ms_envs.retarget.source import SourceMotion


def around(motion: SourceMotion, values: NDArray[Any], travel: NDArray[np.float64] | None = None) -> NDArray[Any]:
    """Three rounds of a looping motion, one after the other, so that filters see no ends; else the values.

    Positions are carried on by the horizontal distance that a round travels; the middle round stays in place.
    """
    if not motion.loop:
        return values
    result = np.concatenate([values[:-1], values[:-1], values])
    if travel is not None:
        rounds = np.r_[np.repeat([-1, 0, 1], len(values) - 1), 1]
        result = result + rounds[:, None] * travel * [1, 1, 0]
    return result


def middle(motion: SourceMotion, values: NDArray[Any]) -> NDArray[Any]:
    """The middle one of three rounds."""
    if not motion.loop:
        return values
    count = (len(values) - 1) // 3
    return values[count : 2 * count + 1]


def spread(motion: SourceMotion, lift: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth a lift over time so that it is hardly anywhere less than asked, (T,)."""
    wide = maximum_filter1d(around(motion, lift), 7)
    return middle(motion, gaussian_filter1d(wide, 2.0, mode="nearest"))


def smooth(
    motion: SourceMotion, values: NDArray[np.float64], frames: float, travel: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Average over time with a Gaussian window of so many frames standard deviation, (T, ...).

    Positions that a round of a looping motion carries on need its ``travel``, as :func:`around` does.
    """
    return middle(motion, gaussian_filter1d(around(motion, values, travel), frames, axis=0, mode="nearest"))


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and stop (exclusive) of every run of true values."""
    edges = np.flatnonzero(np.diff(np.r_[0, flags.astype(np.int8), 0]))
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def fill(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Replace unknown rows by monotone interpolation between known ones, held at the ends; zero if none is known."""
    frames = np.arange(len(values))
    if known.sum() < 2:
        return np.broadcast_to(values[known].sum(axis=0), values.shape).copy()
    knots = frames[known]
    filled: NDArray[np.float64] = PchipInterpolator(knots, values[known], axis=0)(np.clip(frames, knots[0], knots[-1]))
    return filled


def frames_away(flags: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Frames to the nearest true value, (T,)."""
    if not flags.any():
        return np.full(len(flags), np.inf)
    frames = np.arange(len(flags))
    distance: NDArray[np.float64] = np.abs(frames[:, None] - np.flatnonzero(flags)).min(axis=1).astype(np.float64)
    return distance
