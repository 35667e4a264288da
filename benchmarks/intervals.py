"""Interquartile means, probabilities of improvement, and bootstrap intervals of both over seeds.

The statistics are those of Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice",
and of their package rliable, which the tests compare them with. Its own bootstrap is not used: it cannot be imported
beside pandas 3, and it ignores its random state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
RESAMPLES = 10_000

Statistic = Callable[..., NDArray[np.float64]]


@dataclass(frozen=True)
class Interval:
    """A statistic and the bounds of its confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"

    def signed(self) -> str:
        """As text, with the sign of a difference."""
        return f"{self.value:+.3g} [{self.low:+.3g}, {self.high:+.3g}]"

    @property
    def contains_zero(self) -> bool:
        """Whether zero lies within the bounds."""
        return self.low <= 0.0 <= self.high


def iqm(scores: ArrayLike, axis: int = -1) -> NDArray[np.float64]:
    """Interquartile mean: the mean without the lowest and highest quarter, rounded down to whole scores."""
    return np.asarray(scipy.stats.trim_mean(scores, 0.25, axis=axis))


def iqm_difference(a: ArrayLike, b: ArrayLike, axis: int = -1) -> NDArray[np.float64]:
    """Interquartile mean of ``a`` minus that of ``b``."""
    return iqm(a, axis) - iqm(b, axis)


def probability_of_improvement(a: ArrayLike, b: ArrayLike, axis: int = -1) -> NDArray[np.float64]:
    """Probability that a run of ``a`` scores higher than one of ``b``, ties counted half."""
    a, b = np.moveaxis(np.asarray(a), axis, -1)[..., :, None], np.moveaxis(np.asarray(b), axis, -1)[..., None, :]
    return ((a > b) + 0.5 * (a == b)).mean(axis=(-2, -1))


def bounds(statistic: Statistic, *samples: ArrayLike, axis: int = -1, **options: Any) -> NDArray[np.float64]:
    """Percentile bootstrap interval over independent samples, low and high first, (2, …).

    All samples are of one environment, so that there is one stratum: the stratified bootstrap is this one.
    """
    options = {"n_resamples": RESAMPLES, "rng": 0, "confidence_level": LEVEL, "method": "percentile"} | options
    result = scipy.stats.bootstrap(samples, statistic, vectorized=True, axis=axis, **options)
    return np.stack([result.confidence_interval.low, result.confidence_interval.high])


def interval(statistic: Statistic, *samples: ArrayLike) -> Interval:
    """A statistic of independent samples with its bounds."""
    low, high = bounds(statistic, *samples)
    return Interval(float(statistic(*samples)), float(low), float(high))


def true_coverage(seeds: int, repeats: int = 1000) -> float:
    """How often the interval of a difference contains the true one, if scores are normally distributed.

    With few seeds that is less than it claims: a resample never leaves the range of what was seen.
    """
    samples = np.random.default_rng(0).normal(size=(2, repeats, seeds))
    low, high = bounds(iqm_difference, *samples, n_resamples=1000, batch=50)
    return float(((low <= 0) & (high >= 0)).mean())
