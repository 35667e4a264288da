"""When an episode has failed."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

from ms_envs.task.errors import largest_deviation
from ms_envs.task.rotations import Array
from ms_envs.task.state import BodyState, Reference


class Termination(NamedTuple):
    """Deviation at which an episode ends, m; the default is the one of the scoring protocol.

    Attributes:
        root: Distance of the root from the reference.
        key_body: Distance of any key body from the reference, each relative to its own root.
    """

    root: float = 0.5
    key_body: float = 0.5

    def scaled(self, factor: float) -> Termination:
        """Both limits times a factor."""
        return Termination(self.root * factor, self.key_body * factor)


def terminated(xp: ModuleType, state: BodyState, reference: Reference, limits: Termination) -> Array:
    """Whether each body has left the reference or its physics broke down.

    Args:
        xp: numpy or jax.numpy.
        state: The bodies.
        reference: The motion at the same instant.
        limits: Deviations at which an episode ends.

    Returns:
        bool, (N,).
    """
    root, key_body = largest_deviation(xp, state.pose, reference)
    return state.diverged | (root > limits.root) | (key_body > limits.key_body)
