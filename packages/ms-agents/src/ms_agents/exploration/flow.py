"""Value-guided flow exploration (Qflex, Wei, Zuo & Sui 2026; MS-Emulator, Wei et al. 2026)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from gymnasium.spaces import Box
from torch import Tensor, nn

from ms_agents.distributed import average_gradients, mean_and_std, share, world_size
from ms_agents.exploration.ascent import bounded_ascent
from ms_agents.exploration.critic import TwinCritic
from ms_agents.exploration.explorer import GaussianExplorer
from ms_agents.exploration.velocity import VelocityField
from ms_agents.hyperparameters import Hyperparameters
from ms_agents.observation_normalizer import ObservationNormalizer
from ms_agents.replay import TrackingReplay

if TYPE_CHECKING:
    from ms_agents.aggregation import Aggregator
    from ms_agents.ppo.rollout import Rollout

MONITORED = 4
"""Of so many frames of a rollout one tells how far the flow carries."""


class FlowExplorer(GaussianExplorer):
    """Carries base samples along the action gradient of a critic, in the space of the muscles.

    After each policy update twin critics learn what an action adds to the value of its state,
    ``r + gamma V(s') − V(s)``, with the reward and the value V of today. That holds for any action, so they learn from
    earlier rollouts as well: of hundreds of muscles a single one tells too little. Samples then climb the smaller
    critic by a bounded number of bounded steps, and a velocity field learns the way they went. The next rollout
    integrates that field. Networks work in half ranges of the action box, from the resting action.

    Args:
        observation_space: A flat box, of width D.
        action_space: The action box.
        hyperparameters: Constants, those of the base policy among them.
        seed: Of the sampling; the initial weights come from torch's global generator.
        device: Where it lives.
        error_size: Length of an error vector, E.
    """

    def __init__(
        self,
        observation_space: Box,
        action_space: Box,
        hyperparameters: Hyperparameters,
        seed: int,
        device: torch.device,
        error_size: int = 0,
    ) -> None:
        self.hyperparameters = hp = hyperparameters.flow
        self._gamma = hyperparameters.gamma
        low, high = (torch.as_tensor(edge, device=device) for edge in (action_space.low, action_space.high))
        self._half_range = (high - low) / 2
        self._rest = torch.zeros_like(low).clamp(low, high)
        self._low, self._high = (low - self._rest) / self._half_range, (high - self._rest) / self._half_range
        observations, actions = observation_space.shape[0], len(low)
        self._spread = hyperparameters.action_std * actions**0.5
        self.normalizer = ObservationNormalizer(observations, hyperparameters.observation_clip).to(device)
        self.critic = TwinCritic(observations, actions, hp.hidden).to(device)
        self.velocity = VelocityField(observations, actions, hp.hidden).to(device)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), lr=hp.learning_rate)
        self.velocity_optimizer = torch.optim.Adam(self.velocity.parameters(), lr=hp.learning_rate)
        self._minibatch, capacity = share(hp.minibatch, "flow.minibatch"), hp.replay_capacity // world_size()
        self.replay = TrackingReplay(capacity, observation_space, action_space, device, error_size=error_size)
        self.generator = torch.Generator(device).manual_seed(seed)

    def transport(self, observation: Tensor, base: Tensor) -> Tensor:
        """Integrate the velocity field from the base actions over unit time (Euler)."""
        action = self.velocity.integrate(
            self.normalizer(observation), self._normalized(base), self.hyperparameters.steps
        )
        return self._rest + self._half_range * action

    def update(self, rollout: Rollout, value: Callable[[Tensor], Tensor], aggregator: Aggregator) -> dict[str, float]:
        """Fit the critics to what executed actions added, then the velocity field to their gradient."""
        observation = rollout.observations.flatten(0, 1)
        self.normalizer.update(observation)
        state, base = self.normalizer(observation), self._normalized(rollout.base_actions.flatten(0, 1))
        self.replay.add(rollout.transitions())
        logs = self._fit_critic(len(base), value, aggregator)
        target = torch.cat([self.climb(state[rows], base[rows]) for rows in torch.arange(len(base)).split(4096)])
        logs["flow/velocity_loss"] = self._fit_velocity(state, base, target)
        with torch.no_grad():
            state, base = state[::MONITORED], base[::MONITORED]
            moved = self.velocity.integrate(state, base, self.hyperparameters.steps)
            gain = self.critic.smaller(state, moved) - self.critic.smaller(state, base)
            logs["flow/value_gain"] = float(gain.mean())
            logs["flow/displacement"] = float((moved - base).norm(dim=-1).mean()) / self._spread
        return logs

    def climb(self, state: Tensor, base: Tensor) -> Tensor:
        """Bounded ascent of the smaller critic from base actions, by :func:`bounded_ascent`.

        What it moves altogether is bounded as well (``reach``), since PPO does not see this second policy change.

        Args:
            state: Normalised observations, (B, D).
            base: Normalised base actions, (B, A).

        Returns:
            Normalised actions inside the box, (B, A).
        """
        hp = self.hyperparameters
        action = bounded_ascent(
            self.critic.action_gradient(state),
            base,
            steps=hp.ascent_steps,
            step_size=hp.step_size,
            low=self._low,
            high=self._high,
        )
        moved = action - base
        return base + moved * (hp.reach * self._spread / moved.norm(dim=-1, keepdim=True).clamp(min=1e-12)).clamp(
            max=1.0
        )

    def state_dict(self) -> dict[str, Any]:
        """Networks, optimisers, scale of the observations, replay and random state."""
        return {name: getattr(self, name).state_dict() for name in _PARTS} | {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state_dict`."""
        for name in _PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.generator.set_state(state["generator"].cpu())

    def _normalized(self, action: Tensor) -> Tensor:
        return (action - self._rest) / self._half_range

    def _fit_critic(self, frames: int, value: Callable[[Tensor], Tensor], aggregator: Aggregator) -> dict[str, float]:
        losses = []
        for _ in range(-(-frames // self._minibatch) * self.hyperparameters.epochs):
            batch = self.replay.sample(self._minibatch, self.generator)
            with torch.no_grad():
                before, after = value(torch.cat([batch.observation, batch.next_observation])).chunk(2)
                reward = aggregator.reward(batch.error, batch.env_reward)
                added = reward + self._gamma * torch.where(batch.terminated, 0.0, after) - before
                mean, std = mean_and_std(added)
                added = (added - mean) / std.clamp(min=1e-6)
            first, second = self.critic(self.normalizer(batch.observation), self._normalized(batch.action))
            loss = (first - added).square().mean() + (second - added).square().mean()
            _descend(loss, self.critic_optimizer)
            losses.append(loss.detach() / 2)
        return {"flow/critic_explained_variance": 1 - float(torch.stack(losses).mean())}

    def _minibatches(self, frames: int) -> Iterator[Tensor]:
        for _ in range(self.hyperparameters.epochs):
            order = torch.randperm(frames, generator=self.generator, device=self.generator.device)
            yield from order.split(self._minibatch)

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


_PARTS = ("normalizer", "critic", "velocity", "critic_optimizer", "velocity_optimizer", "replay")


def _descend(loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss.backward()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    average_gradients(parameters)
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
