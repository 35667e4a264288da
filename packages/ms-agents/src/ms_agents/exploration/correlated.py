"""Noise that muscles with the same effect on the joints share."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium.spaces import Box
from torch import Tensor

from ms_agents.exploration.explorer import GaussianExplorer
from ms_agents.hyperparameters import CorrelatedHyperparameters


class CorrelatedExplorer(GaussianExplorer):
    """Excites the agonists of a movement and inhibits its antagonists together, so that their noise does not cancel.

    Actions have the covariance ``Σ = (1 − c) I + c UᵀU`` times the variance of the base policy, in half ranges of the
    action box. The columns of U are the joint moments of each action, scaled to length one: two actions correlate as
    much as their effects on the joints are alike, as if a share c of the noise was drawn at the joints and sent to the
    muscles. The diagonal of Σ is one, so that every single action gets the noise of the Gaussian explorer, no more and
    no less. An action that moves no joint keeps noise of its own.

    The base policy stays the diagonal Gaussian whose likelihood the importance ratio needs. Its samples, means as well,
    are carried by the symmetric root of Σ: ``a = rest + Σ^½ (a⁰ − rest)``. This map never changes and can be inverted
    (c < 1), so its Jacobian cancels and the ratio of base likelihoods is that of the correlated Gaussians. The policy
    can express the same means as without it, in other coordinates, in which movements of joints are short ways. Only
    the loss that keeps means inside the box is about those other coordinates.

    Args:
        moments: Joint moments per unit of action, (J, A); only their ratios within an action count.
        action_space: The action box.
        hyperparameters: Constants.
        device: Where it lives.

    Attributes:
        mixing: Root of the covariance, in half ranges, (A, A).

    Raises:
        ValueError: If the moments are not those of as many actions.
    """

    def __init__(
        self, moments: Tensor, action_space: Box, hyperparameters: CorrelatedHyperparameters, device: torch.device
    ) -> None:
        low, high = (torch.as_tensor(edge, device=device) for edge in (action_space.low, action_space.high))
        if moments.ndim != 2 or moments.shape[1] != len(low):
            raise ValueError(f"joint moments must have shape (J, {len(low)}), got {tuple(moments.shape)}")
        self._half_range = (high - low) / 2
        self._rest = torch.zeros_like(low).clamp(low, high)
        covariance = correlation(moments.double(), hyperparameters.share)
        values, vectors = torch.linalg.eigh(covariance)
        self.mixing = (vectors * values.sqrt() @ vectors.T).to(low)

    def transport(self, observation: Tensor, base: Tensor) -> Tensor:
        """Mix what base actions differ from the resting action."""
        return self._rest + self._half_range * (((base - self._rest) / self._half_range) @ self.mixing)

    def state_dict(self) -> dict[str, Any]:
        """The mixing, so that a policy acts without its environment."""
        return {"mixing": self.mixing}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state_dict`."""
        self.mixing = state["mixing"].to(self.mixing)


def correlation(moments: Tensor, share: float) -> Tensor:
    """Correlation of the noise of actions.

    Args:
        moments: Joint moments per unit of action, (J, A).
        share: Share of the noise that is common to actions with the same moments, c in [0, 1).

    Returns:
        Positive definite, with a diagonal of one, (A, A).
    """
    size = moments.norm(dim=0)
    moving = size > 1e-6 * size.max()
    direction = torch.where(moving, moments / size.clamp(min=1e-300), 0.0)
    common = share * (direction.T @ direction)
    return common + torch.diag(1 - common.diagonal())
