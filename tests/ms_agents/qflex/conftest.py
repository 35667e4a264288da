from __future__ import annotations

import pytest
from ms_agents import QFlex
from ms_agents.hyperparameters import DiscriminatorHyperparameters
from ms_agents.qflex.hyperparameters import QFlexHyperparameters


@pytest.fixture
def quick() -> QFlexHyperparameters:
    """Small networks; a replay that is soon full."""
    return QFlexHyperparameters(
        environments=8,
        rollout_steps=8,
        learning_starts=32,
        replay_capacity=160,
        batch=32,
        flow_batch=16,
        policy_delay=2,
        actor_hidden=(16,),
        critic_hidden=(16,),
        flow_hidden=(16,),
        discriminator=DiscriminatorHyperparameters(hidden=(16,), updates=2, batch=32, replay_capacity=200),
    )


@pytest.fixture
def make_qflex(make_env, quick):
    def make(seed: int = 0, **options) -> QFlex:
        return QFlex(**{"env": make_env(), "hyperparameters": quick} | options, seed=seed)

    return make
