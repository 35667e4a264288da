from __future__ import annotations

import sys
from pathlib import Path

import gymnasium
import pytest
import torch
from ms_agents.hyperparameters import DiscriminatorHyperparameters, Hyperparameters

sys.path.insert(0, str(Path(__file__).parent))  # where point_mass_env is, also for ids that import it

import point_mass_env  # noqa: F401


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def small() -> Hyperparameters:
    discriminator = DiscriminatorHyperparameters(hidden=(32,), updates=2, batch=64, replay_capacity=500)
    return Hyperparameters(
        environments=8, rollout_steps=16, epochs=2, minibatch=64, hidden=(32,), discriminator=discriminator
    )


@pytest.fixture
def make_env():
    made = []

    def make(num_envs: int = 8, **kwargs):
        made.append(gymnasium.make_vec("PointMass-v0", num_envs=num_envs, **{"autoreset_mode": "SameStep"} | kwargs))
        return made[-1]

    yield make
    for env in made:
        env.close()
