"""What was experienced, with its errors in place of a reward."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from gymnasium import spaces
from torch import Tensor

from ms_agents.aggregation.discriminator import random_rows


class Transitions(NamedTuple):
    """A batch of B transitions.

    Attributes:
        observation: Raw, (B, D).
        action: Executed, in [-1, 1], (B, A).
        next_observation: Raw, before any reset, (B, D).
        terminated: Whether the episode failed; false where it only ran out of time, bool, (B,).
        error: Raw tracking error of the next observation, (B, E).
        env_reward: Reward the environment gave, (B,).
    """

    observation: Tensor
    action: Tensor
    next_observation: Tensor
    terminated: Tensor
    error: Tensor
    env_reward: Tensor


class TrackingReplay:
    """Ring of transitions in main memory; a batch gets its reward when it is drawn, from the aggregator as it is then.

    Args:
        buffer_size: Transitions kept.
        observation_space: A flat box.
        action_space: A box.
        device: Where batches go.
        n_envs: Environments that add transitions together.
        optimize_memory_usage: Must be false; part of the Stable-Baselines3 interface.
        error_size: Length of an error vector, E.

    Raises:
        ValueError: If memory should be saved in the way of Stable-Baselines3, which loses time limits.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Box,
        action_space: spaces.Box,
        device: torch.device | str = "cpu",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
        error_size: int = 0,
    ) -> None:
        if optimize_memory_usage:
            raise ValueError("optimize_memory_usage is not available; choose a smaller replay_capacity")
        self.buffer_size, self.device = buffer_size // n_envs * n_envs, torch.device(device)
        observation, action = observation_space.shape, action_space.shape

        def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(self.buffer_size, *shape, dtype=dtype)

        self._rows = Transitions(
            zeros(*observation),
            zeros(*action),
            zeros(*observation),
            zeros(dtype=torch.bool),
            zeros(error_size),
            zeros(),
        )
        self._filled = self._next = 0

    def __len__(self) -> int:
        return self._filled

    def size(self) -> int:
        """Transitions kept so far."""
        return self._filled

    def add(self, transitions: Transitions) -> None:
        """Keep transitions in place of the oldest; of more than fit, the last."""
        transitions = Transitions(*(rows[-self.buffer_size :] for rows in transitions))
        slots = (self._next + torch.arange(len(transitions.action))) % self.buffer_size
        for kept, new in zip(self._rows, transitions, strict=True):
            kept[slots] = new
        self._next = int(slots[-1] + 1) % self.buffer_size
        self._filled = min(self._filled + len(slots), self.buffer_size)

    def sample(self, batch_size: int, generator: torch.Generator) -> Transitions:
        """Random transitions, with replacement."""
        rows = random_rows(self._filled, batch_size, generator).cpu()
        return Transitions(*(kept[rows].to(self.device) for kept in self._rows))

    def state_dict(self) -> dict[str, Any]:
        """The transitions kept and where the next ones go."""
        full = self._filled == self.buffer_size
        kept = {
            name: rows if full else rows[: self._filled].clone()  # a view would be saved with all of its storage
            for name, rows in self._rows._asdict().items()
        }
        return {**kept, "next": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state_dict`.

        Raises:
            ValueError: If this replay is too small for them.
        """
        filled = len(state["action"])
        if filled > self.buffer_size:
            raise ValueError(f"a replay of {self.buffer_size} transitions cannot take {filled}")
        for name, rows in self._rows._asdict().items():
            rows[:filled] = state[name]
        self._filled, self._next = filled, state["next"] % self.buffer_size
