"""The cross-entropy method on sequences of offsets (Rubinstein 1999; with the improvements of Pinneri et al. 2020)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ms_agents.planning.hyperparameters import PlannerHyperparameters

Array = NDArray[np.float64]

FEWEST_ELITES = 4


class CrossEntropySearch:
    """Search for one sequence of H offsets of D joints.

    The best sequences of all iterations so far are kept; the distribution is fitted to them.

    Args:
        mean: Sequence to begin around, rad, (H, D).
        deviation: Standard deviation of the noise, rad, (D,).
        limit: Largest offset, rad.
        hyperparameters: Constants of the search.
        generator: Source of the noise.

    Attributes:
        mean: Centre of the next samples, (H, D).
        best: The best sequence so far, (H, D).
        best_cost: Its cost.
    """

    def __init__(
        self,
        mean: Array,
        deviation: Array,
        limit: float,
        hyperparameters: PlannerHyperparameters,
        generator: np.random.Generator,
    ) -> None:
        self.mean = mean
        self._noise, self._limit, self._hp, self._generator = deviation, limit, hyperparameters, generator
        self._deviation = np.tile(deviation, (len(mean), 1))
        self._elites, self._costs = np.empty((0, *mean.shape)), np.empty(0)

    def sample(self, count: int, proposals: Array | None = None) -> Array:
        """Sequences to try, the first of them the mean itself, rad, (count, H, D).

        Args:
            count: How many.
            proposals: Sequences that take the place of the samples after the mean, (P, H, D).
        """
        noise = self._generator.standard_normal((count, *self.mean.shape))
        kept = self._hp.smoothness
        for segment in range(1, len(self.mean)):
            noise[:, segment] = kept * noise[:, segment - 1] + np.sqrt(1 - kept**2) * noise[:, segment]
        noise[0] = 0.0
        samples = self.mean + noise * self._deviation
        if proposals is not None:
            samples[1 : 1 + len(proposals)] = proposals[: count - 1]
        clipped: Array = np.clip(samples, -self._limit, self._limit)
        return clipped

    def learn(self, samples: Array, costs: Array) -> None:
        """Take in what the samples cost, (count,)."""
        hp = self._hp
        samples, costs = np.concatenate([self._elites, samples]), np.concatenate([self._costs, costs])
        count = min(max(FEWEST_ELITES, round(hp.elites * len(costs))), len(costs))
        best = np.argsort(costs, kind="stable")[:count]
        self._elites, self._costs = samples[best], costs[best]
        weights = np.log(count + 0.5) - np.log(np.arange(1, count + 1))
        weights /= weights.sum()
        self.mean = np.tensordot(weights, self._elites, 1)
        variance = np.tensordot(weights, (self._elites - self.mean) ** 2, 1)
        spread = hp.spread * np.sqrt(variance) + hp.least_deviation * self._noise
        self._deviation = np.minimum(spread, self._deviation)

    @property
    def best(self) -> Array:
        """The best sequence so far, rad, (H, D)."""
        best: Array = self._elites[0]
        return best

    @property
    def best_cost(self) -> float:
        """Its cost."""
        return float(self._costs[0])
