from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.coverage import exponent
from benchmarks.coverage_noise import Noise, explorer_noise, grouped_noise, halved, like_muscles, random_groups
from benchmarks.coverage_reach import JointInfluence, NoiseBench, RollOuts


@pytest.fixture(scope="module")
def bench():
    bench = NoiseBench("myo-legs", "ms_envs:MSEmu/Walk-v0", phases=2, repeats=2, threads=1)
    yield bench
    bench.env.close()


def influence(moments: np.ndarray) -> JointInfluence:
    return JointInfluence(moments[None], 2 * moments[None], np.array([moments.shape[1]]))


@pytest.mark.parametrize("copies", [4, 32])
def test_independent_noise_of_equal_muscles_reaches_a_joint_as_one_over_their_number(copies):
    muscles = influence(np.full((1, copies), 10.0 / copies))
    assert muscles.torque_share(np.eye(copies)) == pytest.approx(1 / copies)
    assert muscles.acceleration(np.eye(copies)) == pytest.approx(20 / copies**0.5)
    assert muscles.torque_share(np.ones((copies, copies))) == pytest.approx(1)
    assert exponent([4, 32], [1 / 4, 1 / 32]) == pytest.approx(-1)


def test_groups_hold_muscles_that_do_alike_or_as_many_by_chance():
    moments = np.array([[1.0, 5.0, -1.0, 0.1, 0.0], [0.0, 0.0, 0.0, 3.0, 0.0]])
    group = like_muscles(moments, 4)
    assert group[0] == group[1] and len({*group}) == 4
    assert sorted(np.bincount(random_groups(10, 4, seed=1))) == [2, 2, 3, 3]
    assert halved(80, 14) == [80, 40, 20]


@pytest.mark.parametrize("name", ["gaussian", "gsde", "correlated"])
def test_noise_of_every_muscle_is_standard_normal_with_the_stated_covariance(bench, name):
    noise = explorer_noise(name, bench.env)
    observation = torch.randn(4000, bench.env.single_observation_space.shape[0])
    drawn = noise.draw(observation, torch.Generator().manual_seed(0)).numpy()
    assert np.diag(noise.covariance) == pytest.approx(1, abs=1e-5)
    assert np.abs(drawn.T @ drawn / len(drawn) - noise.covariance).max() < 0.12


def test_grouped_muscles_share_their_noise():
    noise = grouped_noise("pair", np.array([0, 1, 0]))
    drawn = noise.draw(torch.zeros(5, 1), torch.Generator().manual_seed(0))
    assert torch.equal(drawn[:, 0], drawn[:, 2]) and not torch.equal(drawn[:, 0], drawn[:, 1])
    assert noise.covariance.tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]


def test_effective_dimensions_are_those_of_the_noise():
    generator = np.random.default_rng(0)
    independent = generator.normal(size=(20, 64, 40)).astype(np.float32)
    shared = np.repeat(independent[:, :, :5], 8, axis=2)
    held = np.repeat(independent[:2], 10, axis=0)
    none = np.zeros((20, 64, 3))
    whole, few, slow = (RollOuts(none, noise, np.arange(20.0)) for noise in (independent, shared, held))
    assert whole.action_dimensions == pytest.approx(40, rel=0.1)
    assert few.action_dimensions == pytest.approx(5, rel=0.1)
    assert slow.episode_dimensions == pytest.approx(2, rel=0.1) and whole.episode_dimensions > 10


def test_joint_volume_counts_spread_in_cells_of_a_degree():
    angles = np.random.default_rng(0).normal(size=(1, 5000, 2)) * [3**0.5, 0.0]
    outcome = RollOuts(angles, np.zeros((1, 5000, 1), np.float32), np.zeros(1))
    assert outcome.joint_entropy == pytest.approx(1.0, abs=0.05)
    assert outcome.joint_dimensions == pytest.approx(1.0)
    assert outcome.rms() == pytest.approx(1.5**0.5, rel=0.05)


def test_joints_move_by_noise_only_and_in_proportion(bench):
    def moved(scale: float) -> np.ndarray:
        whole = Noise("", 80, np.eye(80), lambda o, g: scale * torch.randn(len(o), 80, generator=g))
        return bench.roll_out(whole, steps=3).displacement

    assert not moved(0.0).any()
    small, large = moved(0.05), moved(0.1)
    assert small.shape == (3, 4, 14)
    assert np.linalg.norm(large - 2 * small) < 0.3 * np.linalg.norm(large)
