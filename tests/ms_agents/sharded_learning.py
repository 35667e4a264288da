"""Learning whose randomness belongs to shards of the environments, in one process or in one for each shard.

Run by two processes with the environment variables of ``torchrun`` and the path of a file, it writes what they learnt.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ms_agents import AggregatedPPO
from ms_agents.aggregation import aggregator, discriminator
from ms_agents.distributed import gathered, process_group, rank
from ms_agents.exploration import GaussianExplorer
from ms_agents.hyperparameters import DiscriminatorHyperparameters, Hyperparameters

sys.path.insert(0, str(Path(__file__).parent))

from point_mass_env import PointMassVectorEnv

SHARDS, ENVIRONMENTS, ITERATIONS = 2, 8, 3
WIDTH = ENVIRONMENTS // SHARDS
CONSTANTS = Hyperparameters(
    environments=ENVIRONMENTS,
    rollout_steps=16,
    epochs=2,
    minibatch=64,
    hidden=(32,),
    discriminator=DiscriminatorHyperparameters(hidden=(32,), updates=2, batch=64),
)
permutation = torch.randperm  # which is about to be replaced


class Shards(PointMassVectorEnv):
    """Point masses that start where their own number and that of the episode say."""

    def __init__(self, shards: Sequence[int]) -> None:
        self.numbers = np.concatenate([shard * WIDTH + np.arange(WIDTH) for shard in shards])
        self.episodes = np.zeros(len(self.numbers))
        super().__init__(len(self.numbers), autoreset_mode="SameStep", horizon=0.7)

    def begin(self, envs: np.ndarray, phase: Any = None) -> None:
        super().begin(envs, (0.618 * self.numbers + 0.37 * self.episodes) % 1)
        self.episodes[envs] += 1


class Draws(GaussianExplorer):
    """Noise and orders of frames, each shard's from a generator of its own."""

    def __init__(self, shards: Sequence[int]) -> None:
        self.generators = [torch.Generator().manual_seed(100 + shard) for shard in shards]

    def noise(self, observation: torch.Tensor, actions: int, generator: Any) -> torch.Tensor:
        return torch.cat([torch.randn(WIDTH, actions, generator=own) for own in self.generators])

    def order(self, frames: int, **_: Any) -> torch.Tensor:
        orders = [permutation(frames // len(self.generators), generator=own) for own in self.generators]
        return mixed(orders, CONSTANTS.minibatch // SHARDS)

    def rows(self, frames: int, count: int, generator: Any) -> torch.Tensor:
        share = count // len(self.generators)
        rows = [torch.randint(frames // len(self.generators), (share,), generator=own) for own in self.generators]
        return mixed(rows, share)


def mixed(rows: list[torch.Tensor], share: int) -> torch.Tensor:
    """Frames of single shards as frames of all shards together, with a share of each in every batch."""
    width = WIDTH * len(rows)
    moved = [own // WIDTH * width + shard * WIDTH + own % WIDTH for shard, own in enumerate(rows)]
    return torch.cat([batch for batches in zip(*(own.split(share) for own in moved), strict=True) for batch in batches])


def learn(shards: Iterable[int], patch: Any = setattr) -> dict[str, Any]:
    """What some shards learn: networks, scales, steps and the learning rate."""
    shards = list(shards)
    draws = Draws(shards)
    patch(torch, "randperm", draws.order)
    for module in (aggregator, discriminator):
        patch(module, "random_rows", draws.rows)
    model = AggregatedPPO(env=Shards(shards), hyperparameters=CONSTANTS, explorer=draws, seed=shards[0])
    model.learn(ITERATIONS * ENVIRONMENTS * CONSTANTS.rollout_steps)
    adversary = model.aggregator.state_dict()
    return {
        "policy": model.policy.state_dict(),
        "discriminator": adversary["discriminator"],
        "scale": adversary["normalizer"],
        "steps": model.num_timesteps,
        "updates": int(model.policy.optimizer.state_dict()["state"][0]["step"]),
        "rate": model.learning_rate_now,
        "observation": torch.as_tensor(model._last_obs),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    with process_group():
        learnt = gathered(learn([rank()]))
        if learnt:
            torch.save(learnt, sys.argv[1])
