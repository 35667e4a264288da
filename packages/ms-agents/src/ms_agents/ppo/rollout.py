"""What one iteration experienced."""

from __future__ import annotations

import torch
from gymnasium import spaces
from torch import Tensor

from ms_agents.replay import Transitions


class Rollout:
    """Frames of T steps of N environments, as tensors on the learner's device.

    Attributes:
        observations: Raw, (T, N, D).
        base_actions: Samples of the base policy, which the importance ratio is about, (T, N, A).
        actions: Executed actions, (T, N, A).
        log_likelihoods: Of the base actions, (T, N).
        values: Critic's value of each observation, (T, N).
        next_values: Value of what followed: zero after a failure, that of the last observation at a time limit, (T, N).
        dones: Whether the episode ended with this frame, bool, (T, N).
        time_limits: Whether it only ran out of time, bool, (T, N).
        errors: Raw tracking errors, (T, N, E).
        env_rewards: Reward the environment gave, (T, N).
        rewards: Reward of the aggregator, (T, N).
        advantages: (T, N).
        returns: TD(λ) returns, (T, N).

    Args:
        buffer_size: T.
        observation_space: A flat box.
        action_space: A box.
        device: Where the tensors live.
        gae_lambda: Trade-off of TD(λ).
        gamma: Discount.
        n_envs: N.
        error_size: E.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Box,
        action_space: spaces.Box,
        device: torch.device | str = "cpu",
        gae_lambda: float = 0.95,
        gamma: float = 0.99,
        n_envs: int = 1,
        error_size: int = 0,
    ) -> None:
        self.gamma, self.gae_lambda = gamma, gae_lambda
        self.frames = buffer_size * n_envs

        def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(buffer_size, n_envs, *shape, dtype=dtype, device=device)

        self.observations = zeros(*observation_space.shape)
        self.base_actions = zeros(*action_space.shape)
        self.actions = zeros(*action_space.shape)
        self.log_likelihoods = zeros()
        self.values = zeros()
        self.next_values = zeros()
        self.dones = zeros(dtype=torch.bool)
        self.time_limits = zeros(dtype=torch.bool)
        self.errors = zeros(error_size)
        self.env_rewards = zeros()
        self.rewards = zeros()
        self.advantages = zeros()
        self.returns = zeros()

    def compute_returns(self) -> None:
        """Generalised advantages and TD(λ) returns of the rewards (Schulman et al. 2016)."""
        difference = self.rewards + self.gamma * self.next_values - self.values
        decay = self.gamma * self.gae_lambda * (~self.dones)
        advantage = torch.zeros_like(self.values[0])
        for step in reversed(range(len(self.values))):
            advantage = difference[step] + decay[step] * advantage
            self.advantages[step] = advantage
        torch.add(self.advantages, self.values, out=self.returns)

    def transitions(self) -> Transitions:
        """Frames whose following observation is known: all but the last of each environment and those at a time limit.

        Returns:
            B frames; what follows a failure is not its own observation, but nothing follows it.
        """
        known = ~self.time_limits[:-1]
        columns = (
            self.observations[:-1],
            self.actions[:-1],
            self.observations[1:],
            self.dones[:-1],
            self.errors[:-1],
            self.env_rewards[:-1],
        )
        return Transitions(*(column[known] for column in columns))
