"""The three losses of Qflex (Wei, Zuo & Sui 2026, arXiv 2601.19707)."""

from __future__ import annotations

import torch
from torch import Tensor

from ms_agents.exploration.ascent import bounded_ascent
from ms_agents.qflex.policy import QFlexPolicy


def critic_loss(
    policy: QFlexPolicy,
    state: Tensor,
    action: Tensor,
    next_state: Tensor,
    terminated: Tensor,
    reward: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Squared distance of both critics from ``y = r + gamma (1 − d) min_i Q_i(s', a')``.

    The next action a' is a sample of the base policy, not of the flow. There is no target network: ``(s, a)`` and
    ``(s', a')`` pass the critics together, so that both are normalised with the statistics of their mixture (CrossQ,
    Bhatt et al. 2024, section 3).

    Args:
        policy: The policy and its critics.
        state: Normalised observations, (B, D).
        action: Executed actions in [-1, 1], (B, A).
        next_state: What followed, (B, D).
        terminated: Whether the episode failed, (B,).
        reward: Of the aggregator as it is now, (B,).
        generator: Of the next actions.

    Returns:
        The loss, ().
    """
    with torch.no_grad():
        next_action = policy.sample(next_state, generator)
    policy.critic.set_bn_training_mode(True)
    values = torch.cat(policy.critic(torch.cat([state, next_state]), torch.cat([action, next_action])), dim=1)
    policy.critic.set_bn_training_mode(False)
    value, next_value = values.chunk(2)
    target = reward + policy.hyperparameters.gamma * ~terminated * next_value.detach().amin(dim=1)
    return 0.5 * (value - target[:, None]).square().mean(dim=0).sum()


def policy_loss(policy: QFlexPolicy, state: Tensor, generator: torch.Generator) -> Tensor:
    """``−E min_i Q_i(s, a)`` over samples of the base policy in normalised states (B, D), ()."""
    policy.actor.set_bn_training_mode(True)
    action = policy.sample(state, generator)
    policy.actor.set_bn_training_mode(False)
    return -policy.value(state, action).mean()


def flow_loss(policy: QFlexPolicy, state: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Flow matching of the velocity field to straight lines from base actions to where they climb.

    ``E ‖v(s, (1 − t) a⁰ + t aᴺ, t) − (aᴺ − a⁰)‖²`` with t uniform in [0, 1] and aᴺ from
    :func:`~ms_agents.exploration.ascent.bounded_ascent` on the smaller critic, through which no gradient flows.

    Args:
        policy: Everything.
        state: Normalised observations, (B, D).
        generator: Of base actions and times.

    Returns:
        The loss () and the mean length of the lines per root of the number of actions ().
    """
    hp = policy.hyperparameters
    with torch.no_grad():
        base = policy.sample(state, generator)
    edge = torch.ones_like(base[0])
    climbed = bounded_ascent(
        lambda action: policy.action_gradient(state, action),
        base,
        steps=hp.ascent_steps,
        step_size=hp.step_size,
        low=-edge,
        high=edge,
    )
    time = torch.rand(len(state), 1, generator=generator, device=generator.device)
    line = climbed - base
    loss = (policy.velocity(state, base + time * line, time) - line).square().sum(dim=-1).mean()
    return loss, line.norm(dim=-1).mean() / line.shape[-1] ** 0.5
