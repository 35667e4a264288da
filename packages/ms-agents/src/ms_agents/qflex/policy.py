"""The base policy, its critics and the flow that explores."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from sb3_contrib.crossq.policies import CrossQPolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor

from ms_agents.exploration.velocity import VelocityField
from ms_agents.observation_normalizer import ObservationNormalizer
from ms_agents.qflex.hyperparameters import QFlexHyperparameters


class QFlexPolicy(CrossQPolicy):
    """Squashed Gaussian and twin critics with batch renormalisation (CrossQ, Bhatt et al. 2024), and a velocity field.

    Networks see normalised observations and actions scaled to [-1, 1]. The mean starts near the resting action, zero
    projected onto the action box. ``predict`` gives the mean of the base policy if it is to be deterministic, which is
    the policy that the critics rate, and otherwise an exploring action as it is executed in training.

    Args:
        observation_space: A flat box.
        action_space: A bounded box.
        lr_schedule: Learning rate as Stable-Baselines3 gives it; only its value at the start counts.
        use_sde: Must be false; part of the Stable-Baselines3 interface.
        hyperparameters: Constants.
        flow: Whether samples flow before they are executed.
    """

    action_space: spaces.Box

    def __init__(
        self,
        observation_space: spaces.Box,
        action_space: spaces.Box,
        lr_schedule: Schedule,
        use_sde: bool = False,
        hyperparameters: QFlexHyperparameters | None = None,
        flow: bool = True,
    ) -> None:
        if use_sde:
            raise ValueError("state-dependent exploration is not available; the flow takes its place")
        self.hyperparameters = hp = hyperparameters or QFlexHyperparameters()
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            net_arch={"pi": list(hp.actor_hidden), "qf": list(hp.critic_hidden)},
            renorm_warmup_steps=hp.renorm_warmup,
            optimizer_kwargs={"betas": (hp.adam_beta, 0.999)},
        )
        self.flow = flow
        observations, actions = observation_space.shape[0], action_space.shape[0]
        self.normalizer = ObservationNormalizer(observations, hp.observation_clip)
        self.velocity = VelocityField(observations, actions, hp.flow_hidden)
        self.velocity_optimizer = torch.optim.Adam(
            self.velocity.parameters(), lr=lr_schedule(1.0), betas=(hp.adam_beta, 0.999)
        )
        self._start_near_rest()

    def _start_near_rest(self) -> None:
        hp, low, high = self.hyperparameters, self.action_space.low, self.action_space.high
        rest = torch.as_tensor(self.scale_action((0 * low).clip(low, high))).clamp(-0.9, 0.9)
        spread = torch.full_like(rest, hp.initial_std)
        for layer, bias in ((self.actor.mu, rest.atanh()), (self.actor.log_std, spread.log())):
            layer.weight.data *= hp.output_scale
            layer.bias.data[:] = bias

    def sample(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Base actions, the squashed samples of a Gaussian, in states (B, D), (B, A)."""
        mean, log_std, _ = self.actor.get_action_dist_params(state)
        noise = torch.randn(mean.shape, generator=generator, device=generator.device)
        return torch.tanh(mean + log_std.exp() * noise)

    def transport(self, state: Tensor, base: Tensor) -> Tensor:
        """Where base actions (B, A) flow to in states (B, D), inside the box, (B, A)."""
        if not self.flow:
            return base
        return self.velocity.integrate(state, base, self.hyperparameters.transport_steps).clamp(-1.0, 1.0)

    def value(self, state: Tensor, action: Tensor) -> Tensor:
        """The smaller rating of actions (B, A) in states (B, D), (B,)."""
        return torch.cat(self.critic(state, action), dim=1).amin(dim=1)

    def action_gradient(self, state: Tensor, action: Tensor) -> Tensor:
        """Gradient of the smaller rating by the action, (B, A)."""
        with torch.enable_grad():
            variable = action.detach().requires_grad_()
            gradient: Tensor = torch.autograd.grad(self.value(state, variable).sum(), variable)[0]
        return gradient

    def _predict(self, observation: Tensor, deterministic: bool = False) -> Tensor:
        state = self.normalizer(observation)
        base: Tensor = self.actor(state, deterministic)
        return base if deterministic else self.transport(state, base)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            "observation_space": self.observation_space,
            "action_space": self.action_space,
            "lr_schedule": self._dummy_schedule,
            "hyperparameters": self.hyperparameters,
            "flow": self.flow,
        }
