"""The field that samples flow along."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ms_agents.networks import multilayer_perceptron, split_first_layer


class VelocityField(nn.Module):
    """Velocity of an action at a time between 0 and 1, in a state; zero before anything is learnt.

    Args:
        observations: Width of a normalised observation, D.
        actions: Width of an action, A.
        hidden: Widths of the hidden layers.
    """

    def __init__(self, observations: int, actions: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.network = multilayer_perceptron(observations + actions + 1, hidden, actions, "silu")
        output = self.network[-1]
        assert isinstance(output, nn.Linear)
        nn.init.zeros_(output.weight)
        nn.init.zeros_(output.bias)

    def forward(self, state: Tensor, action: Tensor, time: Tensor) -> Tensor:
        """Velocities (B, A) of actions (B, A) in states (B, D) at times (B, 1)."""
        velocity: Tensor = self.network(torch.cat([state, action, time], dim=-1))
        return velocity

    def integrate(self, state: Tensor, action: Tensor, steps: int) -> Tensor:
        """Where actions (B, A) have flowed to after unit time, by Euler steps; the first layer sees the states once."""
        known, weight, rest = split_first_layer(self.network, state)
        for step in range(steps):
            time = torch.full_like(action[:, :1], step / steps)
            action = action + rest(known + torch.cat([action, time], dim=-1) @ weight) / steps
        return action
