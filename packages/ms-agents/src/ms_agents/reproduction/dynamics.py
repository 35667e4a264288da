"""Linear models of a body around a trajectory, fitted to what roll-outs did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEIGHBOUR = 0.4
"""Weight of the samples of the segments before and after."""
FAR = 4.0
"""Mean squared deviation from the middle of its segment, in scales, at which a sample counts half."""
CONSTANT_RIDGE = 0.05
"""Weight of the prior of the constants, as a share of that of the slopes."""


@dataclass(frozen=True)
class Samples:
    """What B segments of roll-outs did; everything but the segment is a deviation from the nominal trajectory.

    Attributes:
        state: Where they began, (B, D).
        before: Offsets of the segment before, rad, (B, U); muscles remember them.
        offset: Offsets of the segment, rad, (B, U).
        following: Where they ended, (B, D).
        segment: Which of the trajectory, (B,).
    """

    state: Array
    before: Array
    offset: Array
    following: Array
    segment: NDArray[np.int64]

    @classmethod
    def joined(cls, parts: list[Samples]) -> Samples:
        """All samples of several roll-outs."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))


def linear_models(
    samples: Samples, middle: Array, loop: bool, duration: float, scale: Array, deviation: Array, ridge: float
) -> Array:
    """Models of all segments, following = M [state, before, offset, 1], by weighted ridge regression.

    What is fitted is the difference from a body that moves on at its velocity and loses half of it. The constant
    takes up that the nominal trajectory need not be one of the body.

    Args:
        samples: What is fitted; those of neighbouring segments and those far away count less.
        middle: State in the middle of those at the beginning of each segment, (S, D).
        loop: Whether the first segment follows the last.
        duration: Of a segment, s.
        scale: Of every coordinate, (D,).
        deviation: Scale of every offset, rad, (U,).
        ridge: Weight of the prior, in samples.

    Returns:
        (S, D, D + 2 U + 1).
    """
    segments = len(middle)
    size, inputs = samples.state.shape[1], np.concatenate([samples.state, samples.before, samples.offset], axis=1)
    units = np.concatenate([scale, deviation, deviation])
    prior = _prior(size, inputs.shape[1], duration)
    far = (((samples.state - middle[samples.segment]) / scale) ** 2).mean(axis=1)
    known, unknown = inputs / units, (samples.following - inputs @ prior.T) / scale
    models = np.empty((segments, size, inputs.shape[1] + 1))
    weights = np.concatenate([np.full(len(units), ridge), np.full(3, CONSTANT_RIDGE * ridge)])
    for segment in range(segments):
        ahead = samples.segment - segment
        if loop:
            ahead = (ahead + segments // 2) % segments - segments // 2
        near = np.abs(ahead) <= 1
        weight = (np.where(ahead[near] == 0, 1.0, NEIGHBOUR) / (1.0 + far[near] / FAR))[:, None]
        constants = (ahead[near][:, None] == np.arange(-1, 2)).astype(np.float64)
        rows = np.concatenate([known[near], constants], axis=1)
        fitted = np.linalg.solve((weight * rows).T @ rows + np.diag(weights), (weight * rows).T @ unknown[near])
        models[segment, :, :-1] = prior + fitted[: len(units)].T * scale[:, None] / units
        models[segment, :, -1] = fitted[len(units) + 1] * scale
    return models


def _prior(size: int, inputs: int, duration: float) -> Array:
    half = size // 2
    prior = np.zeros((size, inputs))
    prior[:half, :half] = np.eye(half)
    prior[half:, half:size] = 0.5 * np.eye(half)
    prior[:half, half:size] = 0.75 * duration * np.eye(half)
    return prior
