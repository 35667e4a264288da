"""Value-guided flow exploration (Qflex, Wei, Zuo & Sui 2026; MS-Emulator, Wei et al. 2026)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from gymnasium.spaces import Box
from torch import Tensor, nn

from ms_agents.exploration.critic import TwinCritic
from ms_agents.exploration.explorer import GaussianExplorer
from ms_agents.exploration.velocity import VelocityField
from ms_agents.hyperparameters import FlowHyperparameters
from ms_agents.observation_normalizer import ObservationNormalizer

if TYPE_CHECKING:
    from ms_agents.ppo.rollout import Rollout


class FlowExplorer(GaussianExplorer):
    """Carries base samples along the action gradient of a critic, in the space of the muscles.

    After each policy update twin critics learn what the executed actions added to the value of their states, samples
    climb the smaller of the two by a bounded number of bounded steps, and a velocity field learns the way they went.
    The next rollout integrates that field. Networks work in half ranges of the action box, from the resting action.

    Args:
        observations: Width of an observation, D.
        action_space: The action box.
        action_std: Standard deviation of the base policy, in half ranges.
        hyperparameters: Constants.
        observation_clip: Bound on normalised observations.
        seed: Of the sampling; the initial weights come from torch's global generator.
        device: Where it lives.
    """

    def __init__(
        self,
        observations: int,
        action_space: Box,
        action_std: float,
        hyperparameters: FlowHyperparameters,
        observation_clip: float,
        seed: int,
        device: torch.device,
    ) -> None:
        self.hyperparameters = hp = hyperparameters
        low, high = (torch.as_tensor(edge, device=device) for edge in (action_space.low, action_space.high))
        self._half_range = (high - low) / 2
        self._rest = torch.zeros_like(low).clamp(low, high)
        self._low, self._high = (low - self._rest) / self._half_range, (high - self._rest) / self._half_range
        self._spread = action_std * len(low) ** 0.5
        self.normalizer = ObservationNormalizer(observations, observation_clip).to(device)
        self.critic = TwinCritic(observations, len(low), hp.hidden).to(device)
        self.velocity = VelocityField(observations, len(low), hp.hidden).to(device)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), lr=hp.learning_rate)
        self.velocity_optimizer = torch.optim.Adam(self.velocity.parameters(), lr=hp.learning_rate)
        self.generator = torch.Generator(device).manual_seed(seed)

    def transport(self, observation: Tensor, base: Tensor) -> Tensor:
        """Integrate the velocity field from the base actions over unit time (Euler)."""
        action = self.velocity.integrate(
            self.normalizer(observation), self._normalized(base), self.hyperparameters.steps
        )
        return self._rest + self._half_range * action

    def update(self, rollout: Rollout) -> dict[str, float]:
        """Fit the critics to what the executed actions added, then the velocity field to their gradient."""
        observation, added = rollout.observations.flatten(0, 1), rollout.advantages.flatten()
        self.normalizer.update(observation)
        state = self.normalizer(observation)
        base, executed = (self._normalized(a.flatten(0, 1)) for a in (rollout.base_actions, rollout.actions))
        added = added / added.std().clamp(min=1e-6)
        logs = {"flow/critic_loss": self._fit_critic(state, executed, added)}
        target = torch.cat([self.climb(state[rows], base[rows]) for rows in torch.arange(len(base)).split(4096)])
        logs["flow/velocity_loss"] = self._fit_velocity(state, base, target)
        with torch.no_grad():
            moved = self.velocity.integrate(state, base, self.hyperparameters.steps)
            gain = self.critic.smaller(state, moved) - self.critic.smaller(state, base)
            logs["flow/value_gain"] = float(gain.mean())
            logs["flow/displacement"] = float((moved - base).norm(dim=-1).mean()) / self._spread
            left = (added - self.critic.smaller(state, executed)).var() / added.var().clamp(min=1e-12)
            logs["flow/critic_explained_variance"] = 1 - float(left)
        return logs

    def climb(self, state: Tensor, base: Tensor) -> Tensor:
        """Bounded ascent of the smaller critic from base actions, ``aⁿ = aⁿ⁻¹ + min(η, 2√A / ‖g‖) g``.

        What it moves altogether is bounded as well (``reach``), since PPO does not see this second policy change.

        Args:
            state: Normalised observations, (B, D).
            base: Normalised base actions, (B, A).

        Returns:
            Normalised actions inside the box, (B, A).
        """
        hp, action = self.hyperparameters, base.clamp(self._low, self._high)
        longest = 2 * base.shape[-1] ** 0.5
        for _ in range(hp.ascent_steps):
            gradient = self.critic.action_gradient(state, action)
            size = gradient.norm(dim=-1, keepdim=True).clamp(min=1e-12)
            action = (action + (longest / size).clamp(max=hp.step_size) * gradient).clamp(self._low, self._high)
        moved = action - base
        return base + moved * (hp.reach * self._spread / moved.norm(dim=-1, keepdim=True).clamp(min=1e-12)).clamp(
            max=1.0
        )

    def state_dict(self) -> dict[str, Any]:
        """Networks, optimisers, scale of the observations and random state."""
        return {name: getattr(self, name).state_dict() for name in _PARTS} | {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state_dict`."""
        for name in _PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.generator.set_state(state["generator"].cpu())

    def _normalized(self, action: Tensor) -> Tensor:
        return (action - self._rest) / self._half_range

    def _minibatches(self, frames: int) -> Iterator[Tensor]:
        for _ in range(self.hyperparameters.epochs):
            order = torch.randperm(frames, generator=self.generator, device=self.generator.device)
            yield from order.split(self.hyperparameters.minibatch)

    def _fit_critic(self, state: Tensor, action: Tensor, added: Tensor) -> float:
        losses = []
        for rows in self._minibatches(len(state)):
            first, second = self.critic(state[rows], action[rows])
            loss = (first - added[rows]).square().mean() + (second - added[rows]).square().mean()
            _descend(loss, self.critic_optimizer)
            losses.append(loss.detach())
        return float(torch.stack(losses).mean())

    def _fit_velocity(self, state: Tensor, base: Tensor, target: Tensor) -> float:
        """Flow matching on straight lines (Lipman et al. 2023)."""
        losses = []
        for rows in self._minibatches(len(state)):
            time = torch.rand(len(rows), 1, generator=self.generator, device=self.generator.device)
            line = target[rows] - base[rows]
            loss = (self.velocity(state[rows], base[rows] + time * line, time) - line).square().mean()
            _descend(loss, self.velocity_optimizer)
            losses.append(loss.detach())
        return float(torch.stack(losses).mean())


_PARTS = ("normalizer", "critic", "velocity", "critic_optimizer", "velocity_optimizer")


def _descend(loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
    optimizer.step()
