"""Behaviour cloning into the policy of PPO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ms_agents.ppo.policy import TrackingPolicy
from ms_agents.reproduction.config import CloningHyperparameters
from ms_agents.reproduction.lessons import Lesson

LASTING = 1_000_000
"""Observations that the statistics of the clone count for, so that fine-tuning does not move them under the policy."""


@dataclass(frozen=True)
class CloningResult:
    """How well a policy was cloned.

    Attributes:
        epochs: Passes over the lessons.
        loss: Mean squared error of actions on held-out lessons, in half ranges of the box.
        explained: Share of the variance of held-out actions that the policy explains.
    """

    epochs: int
    loss: float
    explained: float


def clone(
    policy: TrackingPolicy,
    lessons: Sequence[Lesson],
    hp: CloningHyperparameters,
    seed: int,
    report: Callable[[int, float], None],
) -> CloningResult:
    """Teach a policy what lessons say, from where it is.

    The scale of observations becomes that of the lessons. Whole lessons are held out, and stay held out when later ones
    are added.

    Args:
        policy: The policy, on the CPU.
        lessons: What it is taught.
        hp: Constants.
        seed: Of the order of frames and the noise.
        report: Told pass and held-out loss.

    Returns:
        How well the best weights, which the policy keeps, do on the held-out lessons.

    Raises:
        ValueError: If there are fewer than two lessons.
    """
    if len(lessons) < 2:
        raise ValueError(f"cloning needs at least two lessons, got {len(lessons)}")
    apart = set(range(0, len(lessons), max(round(1 / hp.held_out), 2)))
    observation, action = _frames([lesson for i, lesson in enumerate(lessons) if i not in apart])
    other, wanted = _frames([lessons[i] for i in apart])
    policy.normalizer.count.zero_()
    policy.normalizer.update(observation)
    policy.normalizer.count.fill_(LASTING)
    generator = torch.Generator().manual_seed(seed)
    actor, optimizer = policy.actor, torch.optim.AdamW(policy.actor.parameters(), hp.learning_rate)
    optimizer.param_groups[0]["weight_decay"] = hp.weight_decay
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, hp.epochs)
    state, other = policy.normalizer(observation), policy.normalizer(other)
    action, wanted = ((values - policy.rest) / policy.half_range for values in (action, wanted))

    def held_out_loss() -> float:
        with torch.no_grad():
            return float((actor(other) - wanted).square().mean())

    best, best_weights, best_epoch, epoch = held_out_loss(), _copied(actor), 0, 0
    while epoch < hp.epochs and epoch - best_epoch < hp.patience:
        epoch += 1
        for rows in torch.randperm(len(state), generator=generator).split(hp.minibatch):
            noise = hp.observation_noise * torch.randn(len(rows), state.shape[1], generator=generator)
            loss = (actor(state[rows] + noise) - action[rows]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        loss_now = held_out_loss()
        report(epoch, loss_now)
        if loss_now < best:
            best, best_weights, best_epoch = loss_now, _copied(actor), epoch
    actor.load_state_dict(best_weights)
    return CloningResult(epoch, best, 1 - best / float((wanted - action.mean(0)).square().mean()))


def _copied(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: values.clone() for name, values in module.state_dict().items()}


def _frames(lessons: Sequence[Lesson]) -> tuple[Tensor, Tensor]:
    observation = np.concatenate([lesson.observation for lesson in lessons])
    return torch.from_numpy(observation), torch.from_numpy(np.concatenate([lesson.action for lesson in lessons]))
