"""The clipped surrogate objective."""

from __future__ import annotations

import torch
from torch import Tensor

from ms_agents.distributed import average_gradients, averaged, mean_and_std, share
from ms_agents.hyperparameters import Hyperparameters
from ms_agents.ppo.policy import TrackingPolicy
from ms_agents.ppo.rollout import Rollout

FARTHEST_LOG_RATIO = 20.0
"""Logarithm of the importance ratio beyond which it is taken to be no larger: of hundreds of muscles, whose logarithms
add up, the ratio of a single frame else exceeds what single precision holds, and with it loss and weights."""


def update_policy(
    policy: TrackingPolicy, rollout: Rollout, hp: Hyperparameters, generator: torch.Generator
) -> dict[str, float]:
    """Improve policy and critic on a rollout (PPO, Schulman et al. 2017).

    The importance ratio is that of the base samples. It equals the ratio of the executed actions, because the map from
    the ones to the others is the same for the old and the new policy, so that its Jacobian cancels.

    Of several processes each takes its share of a minibatch from its own rollout.

    Args:
        policy: The policy and its critic.
        rollout: What the old policy experienced, with advantages and returns.
        hp: Constants.
        generator: Of the order of frames.

    Returns:
        What to log, under the names of Stable-Baselines3.
    """
    states, base = policy.normalizer(rollout.observations.flatten(0, 1)), rollout.base_actions.flatten(0, 1)
    old, returns = rollout.log_likelihoods.flatten(), rollout.returns.flatten()
    advantages = normalized_advantages(rollout.advantages.flatten(), hp.advantage_clip)
    minibatch = share(hp.minibatch, "minibatch")
    logs: list[Tensor] = []
    last_epoch = 0
    for _ in range(hp.epochs):
        last_epoch = len(logs)
        order = torch.randperm(rollout.frames, generator=generator, device=generator.device)
        for rows in order.split(minibatch):
            state = states[rows]
            mean = policy.mean_in(state)
            log_ratio = policy.log_likelihood(base[rows], mean) - old[rows]
            ratio, advantage = log_ratio.clamp(max=FARTHEST_LOG_RATIO).exp(), advantages[rows]
            surrogate = torch.min(ratio * advantage, ratio.clamp(1 - hp.clip, 1 + hp.clip) * advantage).mean()
            value_loss = (policy.values_in(state) - returns[rows]).square().mean()
            outside = (mean - mean.clamp(policy.low, policy.high)) / policy.half_range
            bound_loss = outside.square().mean()
            loss = -surrogate + hp.value_coefficient * value_loss + hp.bound_coefficient * bound_loss
            policy.optimizer.zero_grad()
            loss.backward()
            average_gradients(policy.parameters())
            torch.nn.utils.clip_grad_norm_(policy.parameters(), hp.max_gradient_norm)
            policy.optimizer.step()
            with torch.no_grad():
                kl = ((ratio - 1) - log_ratio).mean()
                clipped = ((ratio - 1).abs() > hp.clip).float().mean()
                logs.append(torch.stack([-surrogate, value_loss, bound_loss, loss, clipped, kl]))
    names = ("policy_gradient_loss", "value_loss", "bound_loss", "loss", "clip_fraction")
    means = dict(zip(names, torch.stack(logs).mean(0).tolist(), strict=False))
    return averaged(means | {"approx_kl": float(torch.stack(logs[last_epoch:])[:, -1].mean())})


def normalized_advantages(advantages: Tensor, clip: float | None) -> Tensor:
    """Advantages (B,) of zero mean and unit spread over all processes, bounded if ``clip`` is given."""
    mean, std = mean_and_std(advantages)
    advantages = (advantages - mean) / (std + 1e-6)
    return advantages if clip is None else advantages.clamp(-clip, clip)
