"""What an action is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ms_agents.networks import multilayer_perceptron, split_first_layer


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

    def action_gradient(self, state: Tensor) -> Callable[[Tensor], Tensor]:
        """Gradient of the smaller rating by actions (B, A), in states (B, D) that the first layers see only once."""
        with torch.no_grad():
            parts = [split_first_layer(network, state) for network in (self.first, self.second)]

        def gradient(action: Tensor) -> Tensor:
            with torch.enable_grad():
                variable = action.detach().requires_grad_()
                first, second = (rest(known + variable @ weight)[:, 0] for known, weight, rest in parts)
                slope: Tensor = torch.autograd.grad(torch.min(first, second).sum(), variable)[0]
            return slope

        return gradient
