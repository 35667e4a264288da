"""Where a search stands that may have to go back."""

from __future__ import annotations

from dataclasses import dataclass


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
