"""What an action is worth."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ms_agents.networks import multilayer_perceptron


class TwinCritic(nn.Module):
    """Two networks that rate actions; the smaller rating counts (Fujimoto et al. 2018).

    Args:
        observations: Width of a normalised observation, D.
        actions: Width of an action, A.
        hidden: Widths of the hidden layers.
    """

    def __init__(self, observations: int, actions: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.first = multilayer_perceptron(observations + actions, hidden, 1, "silu")
        self.second = multilayer_perceptron(observations + actions, hidden, 1, "silu")

    def forward(self, state: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Both ratings (B,) of actions (B, A) in states (B, D)."""
        both = torch.cat([state, action], dim=-1)
        return self.first(both)[:, 0], self.second(both)[:, 0]

    def smaller(self, state: Tensor, action: Tensor) -> Tensor:
        """The smaller rating, (B,)."""
        return torch.min(*self(state, action))

    def action_gradient(self, state: Tensor, action: Tensor) -> Tensor:
        """Gradient of the smaller rating by the action, (B, A)."""
        with torch.enable_grad():
            variable = action.detach().requires_grad_()
            gradient: Tensor = torch.autograd.grad(self.smaller(state, variable).sum(), variable)[0]
        return gradient
