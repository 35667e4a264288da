"""Where bodies are and what they do on average, segment by segment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ms_agents.reproduction.dynamics import FAR, Samples

Array = NDArray[np.float64]

FEWEST = 4
"""Samples of a segment below which its middle stays where it was."""


@dataclass(frozen=True)
class Middle:
    """The middle of what roll-outs did, as deviations from the nominal trajectory.

    Attributes:
        state: At the beginning of each segment, (S, D).
        offset: Of each segment, rad, (S, U).
    """

    state: Array
    offset: Array

    def of(self, samples: Samples, scale: Array) -> Middle:
        """The middle of other samples, those far from the nominal trajectory counting less.

        Args:
            samples: What bodies did last.
            scale: Of every coordinate, (D,).
        """
        state, offset = self.state.copy(), self.offset.copy()
        near = 1 / (1 + ((samples.state / scale) ** 2).mean(axis=1) / FAR)
        for segment in range(len(state)):
            here = samples.segment == segment
            if here.sum() >= FEWEST:
                state[segment] = np.average(samples.state[here], axis=0, weights=near[here])
                offset[segment] = np.average(samples.offset[here], axis=0, weights=near[here])
        return Middle(state, offset)

    def smooth_offset(self, loop: bool) -> Array:
        """Offsets without what alternates from one segment to the next, rad, (S, U)."""
        padded = np.pad(self.offset, ((1, 1), (0, 0)), mode="wrap" if loop else "edge")
        return np.asarray((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4)
