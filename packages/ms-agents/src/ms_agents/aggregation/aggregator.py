"""Tracking errors in, rewards out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from ms_agents.aggregation.discriminator import Discriminator, ErrorReplay, random_rows
from ms_agents.aggregation.normalizer import ErrorNormalizer
from ms_agents.distributed import average_gradients, everywhere, share, world_size
from ms_agents.hyperparameters import DiscriminatorHyperparameters


class Aggregator(Protocol):
    """Turns the error vectors of a rollout into rewards, and may learn from them afterwards.

    Frames whose error is not finite (the physics broke down) earn nothing and teach nothing.
    """

    def reward(self, error: Tensor, env_reward: Tensor) -> Tensor:
        """Rewards of a batch.

        Args:
            error: Raw tracking errors, (B, E).
            env_reward: Reward the environment gave, (B,).

        Returns:
            Rewards, (B,).
        """
        ...

    def update(self, error: Tensor) -> dict[str, float]:
        """Learn from raw errors (B, E) whose rewards are already computed; returns what to log."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue exactly: tensors and plain values."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state_dict`."""
        ...


class HandTunedAggregator:
    """The environment's own weighted reward: the baseline."""

    def reward(self, error: Tensor, env_reward: Tensor) -> Tensor:
        """The environment's reward, zero where the physics broke down."""
        return torch.where(_usable(error) & env_reward.isfinite(), env_reward, 0.0)

    def update(self, error: Tensor) -> dict[str, float]:
        """Nothing to learn."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Nothing to remember."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""


class AdversarialAggregator:
    """Reward without weights: how well a discriminator takes the error for zero (ADD, Zhang et al. 2025).

    Args:
        size: Length of an error vector, E.
        hyperparameters: Constants.
        seed: Of the sampling; the initial weights come from torch's global generator.
        device: Where the networks live.
        blocks: Part of the error to its place in the vector, for the log.
    """

    def __init__(
        self,
        size: int,
        hyperparameters: DiscriminatorHyperparameters | None = None,
        seed: int = 0,
        device: torch.device | str = "cpu",
        blocks: Mapping[str, slice] | None = None,
    ) -> None:
        if size == 0:
            raise ValueError(
                "the adversarial aggregator needs info['tracking_error'] from the environment, which gives none; "
                "use the 'hand-tuned' aggregator"
            )
        device = torch.device(device)
        self.hyperparameters = hp = hyperparameters or DiscriminatorHyperparameters()
        self.normalizer = ErrorNormalizer(size).to(device)
        self.discriminator = Discriminator(size, hp).to(device)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=hp.learning_rate)
        self._batch, processes = share(hp.batch, "discriminator.batch"), world_size()
        self.replay = ErrorReplay(size, hp.replay_capacity // processes, hp.replay_samples // processes, device)
        self.generator = torch.Generator(device).manual_seed(seed)
        self._blocks = blocks or {}

    def reward(self, error: Tensor, env_reward: Tensor) -> Tensor:
        """Discriminator's reward; see :meth:`Discriminator.reward`."""
        usable = _usable(error)
        safe = torch.where(usable[:, None], error, 0.0)
        return torch.where(usable, self.discriminator.reward(self.normalizer(safe)), 0.0)

    def update(self, error: Tensor) -> dict[str, float]:
        """Train the discriminator on a rollout and its past, then renew the scale of the errors."""
        error, recent_share = error[_usable(error)], self._batch // 2
        if not everywhere(len(error) > 0):
            return {}
        self.replay.add(error, self.generator)
        losses, zeros, negatives = [], [], []
        for _ in range(self.hyperparameters.updates):
            recent = error[random_rows(len(error), recent_share, self.generator)]
            old = self.replay.draw(self._batch - recent_share, self.generator)
            loss, zero, logits = self.discriminator.loss(self.normalizer(torch.cat([recent, old])))
            self.optimizer.zero_grad()
            loss.backward()
            average_gradients(self.discriminator.parameters())
            self.optimizer.step()
            losses.append(loss.detach())
            zeros.append(zero.detach())
            negatives.append(torch.sigmoid(logits[:recent_share].detach()).mean())
        attention = self.attention(error)
        self.normalizer.update(error)
        return attention | {
            "add/loss": float(torch.stack(losses).mean()),
            "add/D(0)": float(torch.sigmoid(torch.stack(zeros)).mean()),
            "add/D(delta)": float(torch.stack(negatives).mean()),
            "add/replay": float(len(self.replay)),
        }

    def attention(self, error: Tensor) -> dict[str, float]:
        """Share of each block in what raw errors (B, E) take from the logit, as ``add/attention/<block>``."""
        if not self._blocks:
            return {}
        taken = self.discriminator.attribution(self.normalizer(error))
        total = float(taken.sum().clamp(min=1e-12))
        return {f"add/attention/{name}": float(taken[block].sum()) / total for name, block in self._blocks.items()}

    def state_dict(self) -> dict[str, Any]:
        """Networks, optimiser, scale, replay and random state."""
        return {
            "normalizer": self.normalizer.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "replay": self.replay.state_dict(),
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state_dict`."""
        for name in ("normalizer", "discriminator", "optimizer", "replay"):
            getattr(self, name).load_state_dict(state[name])
        self.generator.set_state(state["generator"].cpu())


AGGREGATORS = ("adversarial", "hand-tuned")
"""Aggregators by name."""


def make_aggregator(
    name: str,
    size: int,
    hyperparameters: DiscriminatorHyperparameters,
    seed: int,
    device: torch.device,
    blocks: Mapping[str, slice] | None = None,
) -> Aggregator:
    """Build an aggregator.

    Args:
        name: One of :data:`AGGREGATORS`.
        size: Length of an error vector, E.
        hyperparameters: Constants of the adversarial one.
        seed: Of its sampling.
        device: Where it lives.
        blocks: Part of the error to its place in the vector, for the log.

    Returns:
        The aggregator.

    Raises:
        ValueError: If the name is unknown.
    """
    if name == "adversarial":
        return AdversarialAggregator(size, hyperparameters, seed, device, blocks)
    if name == "hand-tuned":
        return HandTunedAggregator()
    raise ValueError(f"unknown aggregator {name!r}; choose one of {', '.join(map(repr, AGGREGATORS))}")


def _usable(error: Tensor) -> Tensor:
    return error.isfinite().all(-1)
