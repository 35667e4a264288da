from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from ms_agents.hyperparameters import Hyperparameters
from ms_agents.ppo.policy import TrackingPolicy
from ms_agents.reproduction.cloning import LASTING, clone
from ms_agents.reproduction.config import CloningHyperparameters
from ms_agents.reproduction.lessons import Lesson

HP = CloningHyperparameters(learning_rate=3e-3, minibatch=64, epochs=40, patience=40, observation_noise=0.0)


def lessons(count: int = 10) -> list[Lesson]:
    """What a linear feedback law does about states far from the origin."""
    generator, gain = np.random.default_rng(0), np.array([[0.3, 0.0], [-0.2, 0.1], [0.0, 0.4]])
    made = []
    for _ in range(count):
        states = generator.normal(size=(64, 3))
        action = np.clip(states @ gain, -1, 1).astype(np.float32)
        made.append(Lesson((5 + 2 * states).astype(np.float32), action))
    return made


@pytest.fixture
def policy() -> TrackingPolicy:
    torch.manual_seed(0)
    spaces = Box(-np.inf, np.inf, (3,)), Box(-1.0, 1.0, (2,))
    return TrackingPolicy(*spaces, lambda _: 1e-3, hyperparameters=Hyperparameters(hidden=(32,)))


def test_a_clone_does_what_it_was_taught(policy):
    critic = {name: values.clone() for name, values in policy.critic.state_dict().items()}
    result = clone(policy, lessons(), HP, 0, lambda *_: None)
    assert result.explained > 0.95
    observation = torch.tensor([[5.0, 5.0, 6.0]])  # the last state half a unit up
    assert policy.mean(observation)[0, 1].item() == pytest.approx(0.2, abs=0.05)
    assert all(torch.equal(values, critic[name]) for name, values in policy.critic.state_dict().items())


def test_the_scale_of_observations_is_that_of_the_lessons_and_stays(policy):
    clone(policy, lessons(), HP, 0, lambda *_: None)
    torch.testing.assert_close(policy.normalizer.mean.float(), torch.full((3,), 5.0), atol=0.3, rtol=0)
    before = policy.normalizer.mean.clone()
    policy.normalizer.update(torch.full((2048, 3), 50.0))
    assert policy.normalizer.count == LASTING + 2048
    torch.testing.assert_close(policy.normalizer.mean, before, atol=0.1, rtol=0)


def test_the_best_weights_are_kept(policy):
    losses = []
    result = clone(policy, lessons(4), HP, 0, lambda _, loss: losses.append(loss))
    assert result.loss == pytest.approx(min(losses))


def test_one_lesson_is_not_enough(policy):
    with pytest.raises(ValueError, match="at least two lessons, got 1"):
        clone(policy, lessons(1), HP, 0, lambda *_: None)
