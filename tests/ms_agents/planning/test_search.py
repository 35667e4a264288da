from __future__ import annotations

import numpy as np
import pytest
from ms_agents.planning.hyperparameters import JointNoise, PlannerHyperparameters, Tolerances
from ms_agents.planning.search import CrossEntropySearch

HP = PlannerHyperparameters(samples=40, iterations=8)
DEVIATION = np.array([0.1, 0.2])


def make(seed: int = 0, mean: float = 0.0, deviation=DEVIATION) -> CrossEntropySearch:
    return CrossEntropySearch(np.full((3, len(deviation)), mean), deviation, 0.4, HP, np.random.default_rng(seed))


def solve(seed: int) -> CrossEntropySearch:
    search = make(seed)
    for _ in range(HP.iterations):
        samples = search.sample(HP.samples)
        search.learn(samples, ((samples - [0.15, -0.3]) ** 2).sum(axis=(1, 2)))
    return search


def test_finds_the_minimum_of_a_bowl():
    np.testing.assert_allclose(solve(0).mean, np.tile([0.15, -0.3], (3, 1)), atol=0.04)


def test_equal_seeds_search_alike_and_others_do_not():
    np.testing.assert_array_equal(solve(1).best, solve(1).best)
    assert not np.array_equal(solve(1).best, solve(2).best)


def test_the_best_is_never_lost():
    search = make()
    search.learn(search.sample(10), np.arange(10.0))
    best = search.best
    search.learn(search.sample(10), np.arange(1.0, 11.0))
    np.testing.assert_array_equal(search.best, best)
    assert search.best_cost == 0.0


def test_the_first_samples_are_the_mean_and_the_proposals():
    search = make(mean=0.1)
    proposals = np.stack([np.full((3, 2), 0.2), np.full((3, 2), -9.0)])
    samples = search.sample(5, proposals)
    np.testing.assert_array_equal(samples[:3, 0, 0], [0.1, 0.2, -0.4])


def test_noise_has_the_deviation_of_each_joint_and_hangs_together_in_time():
    noise = make(deviation=np.array([0.02, 0.05])).sample(20_000)[1:]
    np.testing.assert_allclose(noise.std(axis=0), np.tile([0.02, 0.05], (3, 1)), rtol=0.03)
    correlation = np.corrcoef(noise[:, 0, 0], noise[:, 1, 0])[0, 1]
    assert correlation == pytest.approx(HP.smoothness, abs=0.03)


def test_noise_is_given_to_joints_by_their_role():
    hp = PlannerHyperparameters(noise=JointNoise(hip=0.3, knee=0.2, ankle=0, subtalar=0, lumbar=0.1))
    roles = {"hip_r": [0, 1], "hip_l": [5], "knee_l": [2], "lumbar": [3], "forearm_r": [4]}
    np.testing.assert_array_equal(hp.joint_deviation(roles, 6), [0.3, 0.3, 0.2, 0.1, 0.0, 0.3])
    np.testing.assert_allclose(hp.joint_deviation(roles, 6, stiffness=12.5), [0.6, 0.6, 0.4, 0.2, 0.0, 0.6])


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"segment": 0.0}, {"elites": 0.0}, {"smoothness": 1.0}])
def test_unusable_constants_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PlannerHyperparameters(**wrong)
    with pytest.raises(ValueError, match="tolerance drift"):
        Tolerances(drift=0.0)


def test_constants_survive_a_round_trip_with_infinite_tolerances():
    hp = PlannerHyperparameters(tolerances=Tolerances(angular_momentum=float("inf")))
    assert PlannerHyperparameters.from_dict(hp.to_dict()) == hp
