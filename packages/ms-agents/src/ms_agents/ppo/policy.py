"""The base policy and its critic."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import DiagGaussianDistribution
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from ms_agents.exploration import Explorer, GaussianExplorer
from ms_agents.hyperparameters import Hyperparameters
from ms_agents.networks import multilayer_perceptron
from ms_agents.observation_normalizer import ObservationNormalizer


class TrackingPolicy(BasePolicy):
    """Diagonal Gaussian of fixed width around a network, with a critic beside it.

    The mean starts near the *resting action*, zero projected onto the action box, and the network works in half ranges
    of the box. The executed action is the base sample carried by the explorer and clipped into the box; likelihoods are
    those of the base sample.

    Args:
        observation_space: A flat box.
        action_space: A bounded box.
        lr_schedule: Learning rate as Stable-Baselines3 gives it; only its value at the start counts.
        use_sde: Must be false; part of the Stable-Baselines3 interface.
        hyperparameters: Constants.
    """

    observation_space: spaces.Box
    action_space: spaces.Box
    rest: Tensor
    half_range: Tensor
    low: Tensor
    high: Tensor
    std: Tensor

    def __init__(
        self,
        observation_space: spaces.Box,
        action_space: spaces.Box,
        lr_schedule: Schedule,
        use_sde: bool = False,
        hyperparameters: Hyperparameters | None = None,
    ) -> None:
        super().__init__(observation_space, action_space)
        if use_sde:
            raise ValueError("state-dependent exploration is not available; the explorer takes its place")
        self.hyperparameters = hp = hyperparameters or Hyperparameters()
        observations, actions = observation_space.shape[0], action_space.shape[0]
        low, high = torch.as_tensor(action_space.low), torch.as_tensor(action_space.high)
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("high", high, persistent=False)
        self.register_buffer("rest", torch.zeros(actions).clamp(low, high), persistent=False)
        self.register_buffer("half_range", (high - low) / 2, persistent=False)
        self.normalizer = ObservationNormalizer(observations, hp.observation_clip)
        self.actor = multilayer_perceptron(observations, hp.hidden, actions, hp.activation)
        self.critic = multilayer_perceptron(observations, hp.hidden, 1, hp.activation)
        output = self.actor[-1]
        assert isinstance(output, nn.Linear)
        with torch.no_grad():
            output.weight *= hp.output_scale
            output.bias.zero_()
        self.register_buffer("std", hp.action_std * self.half_range, persistent=False)
        self.explorer: Explorer = GaussianExplorer()
        self.optimizer = torch.optim.Adam(self.parameters(), lr=lr_schedule(1.0))

    def mean(self, observation: Tensor) -> Tensor:
        """Mean base action, (N, A), of raw observations (N, D)."""
        return self.mean_in(self.normalizer(observation))

    def mean_in(self, state: Tensor) -> Tensor:
        """The same of normalised observations."""
        mean: Tensor = self.rest + self.half_range * self.actor(state)
        return mean

    def log_likelihood(self, base: Tensor, mean: Tensor) -> Tensor:
        """Log density of base samples (N, A) around means, up to a constant, (N,)."""
        return -0.5 * (((base - mean) / self.std) ** 2).sum(-1)

    def execute(self, observation: Tensor, base: Tensor) -> tuple[Tensor, Tensor]:
        """Carry base actions to executed ones.

        Args:
            observation: Raw, (N, D).
            base: Base actions, (N, A).

        Returns:
            Executed actions inside the box, (N, A), and the share of entries that clipping changed, ().
        """
        carried = self.explorer.transport(observation, base)
        clipped = carried.clamp(self.low, self.high)
        return clipped, (carried != clipped).float().mean()

    def forward(self, observation: Tensor, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Base action (N, A), value (N,) and log likelihood (N,) of raw observations, as Stable-Baselines3 asks."""
        mean = self.mean(observation)
        base = mean if deterministic else mean + self.std * torch.randn_like(mean)
        return base, self.predict_values(observation), self.log_likelihood(base, mean)

    def evaluate_actions(self, observation: Tensor, base: Tensor) -> tuple[Tensor, Tensor, None]:
        """Value (N,) and log likelihood (N,) of base actions; the entropy is fixed and left out."""
        return self.predict_values(observation), self.log_likelihood(base, self.mean(observation)), None

    def predict_values(self, observation: Tensor) -> Tensor:
        """Value of raw observations, (N,)."""
        return self.values_in(self.normalizer(observation))

    def values_in(self, state: Tensor) -> Tensor:
        """The same of normalised observations."""
        value: Tensor = self.critic(state)[:, 0]
        return value

    def get_distribution(self, observation: Tensor) -> DiagGaussianDistribution:
        """Base distribution in the types of Stable-Baselines3."""
        mean = self.mean(observation)
        return DiagGaussianDistribution(mean.shape[-1]).proba_distribution(mean, self.std.log())

    def _predict(self, observation: Tensor, deterministic: bool = False) -> Tensor:
        mean = self.mean(observation)
        base = mean if deterministic else mean + self.std * torch.randn_like(mean)
        return self.execute(observation, base)[0]

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            "observation_space": self.observation_space,
            "action_space": self.action_space,
            "lr_schedule": self._dummy_schedule,
            "hyperparameters": self.hyperparameters,
        }
