"""The seam between the base policy and the action that is executed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from ms_agents.aggregation import Aggregator
    from ms_agents.ppo.rollout import Rollout


class Explorer(Protocol):
    """Draws the noise of base samples and carries them to actions by a map that is fixed during one iteration.

    Because the map is frozen while a rollout is collected and learnt from, its Jacobian cancels in the importance
    ratio: the ratio of base likelihoods is exact, and only the base sample needs to be remembered. For the same reason
    every component of the noise must be standard normal given the observation, and independent of the others.
    """

    def noise(self, observation: Tensor, actions: int, generator: torch.Generator) -> Tensor:
        """Noise of base samples in their standard deviations, for the next step of N environments.

        Args:
            observation: Raw observations, (N, D).
            actions: Width of an action, A.
            generator: Source of randomness.

        Returns:
            Standard normal for each environment and component, possibly correlated over time, (N, A).
        """
        ...

    def transport(self, observation: Tensor, base: Tensor) -> Tensor:
        """Deterministic image of base actions.

        Args:
            observation: Raw observations, (N, D).
            base: Base actions in the units of the action box, (N, A).

        Returns:
            Actions, (N, A), not yet clipped into the box.
        """
        ...

    def update(self, rollout: Rollout, value: Callable[[Tensor], Tensor], aggregator: Aggregator) -> dict[str, float]:
        """Learn from a rollout whose policy update is done.

        Args:
            rollout: The rollout.
            value: Value (B,) of raw observations (B, D), as the policy's critic sees it now.
            aggregator: What rewards tracking errors.

        Returns:
            What to log.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue exactly: tensors and plain values."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state_dict`."""
        ...


class GaussianExplorer:
    """Fresh noise in every step; the executed action is the base sample itself."""

    def noise(self, observation: Tensor, actions: int, generator: torch.Generator) -> Tensor:
        """Independent of everything, (N, A)."""
        return torch.randn(len(observation), actions, generator=generator, device=generator.device)

    def transport(self, observation: Tensor, base: Tensor) -> Tensor:
        """The base actions."""
        return base

    def update(self, rollout: Rollout, value: Callable[[Tensor], Tensor], aggregator: Aggregator) -> dict[str, float]:
        """Nothing to learn."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Nothing to remember."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""
