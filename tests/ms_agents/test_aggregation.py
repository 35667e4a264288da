from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ms_agents.aggregation import AdversarialAggregator, HandTunedAggregator, make_aggregator
from ms_agents.aggregation.discriminator import Discriminator, ErrorReplay
from ms_agents.aggregation.normalizer import ErrorNormalizer
from ms_agents.hyperparameters import DiscriminatorHyperparameters
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

SMALL = DiscriminatorHyperparameters(hidden=(32,), updates=4, batch=64, replay_capacity=300, replay_samples=20)


@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=5), seed=st.integers(0, 1000))
def test_normalizer_divides_by_the_mean_absolute_value_of_all_batches(sizes, seed):
    generator = torch.Generator().manual_seed(seed)
    batches = [torch.randn(size, 3, generator=generator) for size in sizes]
    normalizer = ErrorNormalizer(3)
    for batch in batches:
        normalizer.update(batch)
    expected = torch.cat(batches).abs().mean(0).clamp(min=1e-4)
    assert torch.allclose(normalizer(torch.ones(3)), 1 / expected, rtol=1e-4)


def test_normalizer_keeps_zero_at_zero_and_floors_a_component_that_never_errs():
    normalizer = ErrorNormalizer(2)
    normalizer.update(torch.tensor([[0.0, 5.0], [0.0, 7.0]]))
    assert torch.equal(normalizer(torch.zeros(2)), torch.zeros(2))
    assert torch.allclose(normalizer(torch.tensor([1e-4, 6.0])), torch.ones(2))


def test_loss_is_cross_entropy_with_gradient_penalty_on_both_sides_and_logit_decay():
    torch.manual_seed(0)
    discriminator, errors = Discriminator(3, SMALL), torch.randn(16, 3)
    loss, zero, negative = discriminator.loss(errors)
    samples = torch.cat([torch.zeros(1, 3), errors]).requires_grad_()
    gradient = torch.stack([torch.autograd.grad(discriminator(s[None]).sum(), samples)[0].sum(0) for s in samples])
    squared = gradient.square().sum(1)
    logits = discriminator(samples)
    expected = (
        0.5 * (cross_entropy(logits[:1], torch.ones(1)) + cross_entropy(logits[1:], torch.zeros(16)))
        + 2.0 * 0.5 * (squared[1:].mean() + squared[0])
        + 0.01 * discriminator.output.weight.square().sum()
    )
    assert torch.allclose(loss, expected, atol=1e-5)
    assert torch.allclose(zero, logits[0]) and torch.allclose(negative, logits[1:])


@given(logit=st.floats(-30, 30))
def test_reward_lies_between_zero_and_its_cap_and_grows_with_the_logit(logit):
    discriminator = Discriminator(1, SMALL)
    discriminator.forward = lambda error: torch.tensor([logit, logit + 1.0])
    low, high = discriminator.reward(torch.zeros(2, 1)).tolist()
    expected = -2 * np.log(max(1 - 1 / (1 + np.exp(-logit)), 1e-4))
    assert low == pytest.approx(expected, abs=1e-3)
    assert 0 <= low <= high <= 2 * -np.log(1e-4) + 1e-3


def test_trained_discriminator_rewards_smaller_errors_more():
    torch.manual_seed(0)
    aggregator = AdversarialAggregator(4, replace(SMALL, learning_rate=3e-3))
    generator = torch.Generator().manual_seed(0)
    for _ in range(15):
        aggregator.update(torch.randn(128, 4, generator=generator))
    direction = torch.ones(1, 4)
    rewards = aggregator.reward(torch.cat([k * direction for k in (0.0, 0.5, 1.0, 2.0)]), torch.zeros(4))
    assert (rewards.diff() < 0).all()


@pytest.mark.parametrize("name", ["adversarial", "hand-tuned"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_broken_frames_earn_nothing(name, bad):
    aggregator = make_aggregator(name, 2, SMALL, 0, torch.device("cpu"))
    error = torch.tensor([[0.1, 0.1], [0.1, bad]])
    reward = aggregator.reward(error, torch.ones(2))
    assert reward[0] > 0 and reward[1] == 0


def test_broken_frames_never_reach_the_discriminator():
    aggregator = AdversarialAggregator(2, SMALL)
    error = torch.randn(50, 2)
    error[::2] = float("nan")
    aggregator.update(error)
    assert len(aggregator.replay) == 25
    assert all(parameter.isfinite().all() for parameter in aggregator.discriminator.parameters())
    assert aggregator.normalizer.magnitude.isfinite().all()
    assert aggregator.update(torch.full((5, 2), float("nan"))) == {}


def test_rewards_use_the_scale_from_before_the_batch():
    aggregator = AdversarialAggregator(2, SMALL)
    error = torch.randn(50, 2)
    first = aggregator.reward(error, torch.zeros(50))
    assert torch.equal(first, aggregator.discriminator.reward(error))  # nothing seen yet: unit scale


def test_replay_fills_first_and_then_replaces_a_few_at_a_time():
    generator = torch.Generator().manual_seed(0)
    replay = ErrorReplay(1, capacity=10, samples=3, device=torch.device("cpu"))
    replay.add(torch.zeros(6, 1), generator)
    replay.add(torch.ones(6, 1), generator)
    assert len(replay) == 10
    assert replay.state_dict()["errors"].sum() == 4
    replay.add(torch.full((6, 1), 100.0), generator)
    kept = replay.state_dict()["errors"]
    assert (kept == 100.0).sum() == 3 and len(kept) == 10


def test_adversarial_aggregator_continues_exactly_from_its_state():
    torch.manual_seed(0)
    first, second = AdversarialAggregator(3, SMALL, seed=1), AdversarialAggregator(3, SMALL, seed=2)
    batches = [torch.randn(200, 3) for _ in range(4)]
    first.update(batches[0])
    first.update(batches[1])
    second.load_state_dict(deepcopy(first.state_dict()))
    for batch in batches[2:]:
        assert first.update(batch) == second.update(batch)
    assert torch.equal(first.reward(batches[0], torch.zeros(200)), second.reward(batches[0], torch.zeros(200)))


def test_hand_tuned_aggregator_passes_the_reward_of_the_environment_on():
    reward = torch.rand(5)
    assert torch.equal(HandTunedAggregator().reward(torch.zeros(5, 3), reward), reward)


def test_unusable_choices_are_refused_by_name():
    with pytest.raises(ValueError, match="'adversarial', 'hand-tuned'"):
        make_aggregator("gan", 3, SMALL, 0, torch.device("cpu"))
    with pytest.raises(ValueError, match="tracking_error"):
        make_aggregator("adversarial", 0, SMALL, 0, torch.device("cpu"))


def test_attention_goes_to_the_part_of_the_error_that_gives_the_policy_away():
    torch.manual_seed(0)
    blocks = {"steady": slice(0, 3), "erring": slice(3, 5)}
    aggregator = AdversarialAggregator(5, replace(SMALL, updates=60, learning_rate=3e-3), blocks=blocks)
    generator = torch.Generator().manual_seed(0)
    errors = torch.randn(256, 5, generator=generator)
    errors[:, :3] *= 1e-6  # below the floor of the scale: always as good as zero
    aggregator.normalizer.update(errors)
    logs = aggregator.update(errors)
    shares = {name: logs[f"add/attention/{name}"] for name in blocks}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["erring"] > 0.9
