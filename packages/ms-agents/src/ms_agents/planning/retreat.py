"""Where a search stands that may have to go back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ORDINARY = 1.5
"""Cost that is still ordinary, in medians."""


@dataclass(frozen=True)
class Retreat:
    """What is known of the obstacle at which the body fell last.

    Attributes:
        obstacle: Control step at which it fell, the farthest of its attempts; 0 before the first fall.
        attempts: Times the search has gone back for it.
    """

    obstacle: int = 0
    attempts: int = 0

    def effort(self, step: int, margin: int) -> int:
        """How hard to look where ``step`` control steps are done: 0 as always, ``attempts`` up to the obstacle.

        Args:
            step: Control steps done.
            margin: Control steps that have to be won before the obstacle counts as passed.
        """
        return self.attempts if step < self.obstacle + margin else 0

    def after_fall(self, step: int, margin: int) -> Retreat:
        """What is known after another fall."""
        passed = step > self.obstacle + margin
        return Retreat(max(step, self.obstacle), 1 if passed else self.attempts + 1)


def calm_segments(costs: Sequence[float]) -> int:
    """How many segments were over when the cost last was ordinary.

    A body is lost long before it falls; what is searched again has to begin earlier.

    Args:
        costs: At the end of every segment so far; not a number where the simulation broke down.
    """
    if not len(costs):
        return 0
    known = np.nan_to_num(costs, nan=np.inf)
    calm = np.flatnonzero(known <= ORDINARY * np.median(known))
    return int(calm[-1]) + 1
