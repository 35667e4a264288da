from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from ms_agents import AggregatedPPO, export_policy, load_policy
from ms_agents.exploration import CorrelatedExplorer
from ms_agents.exploration.correlated import correlation
from ms_agents.hyperparameters import CorrelatedHyperparameters, Hyperparameters
from ms_agents.ppo.policy import TrackingPolicy
from torch.distributions import MultivariateNormal

ID = "point_mass_env:PointMass-v0"
CPU = torch.device("cpu")
BOX = Box(np.array([0, 0, 0, -1, 0], np.float32), np.array([1, 1, 2, 1, 1], np.float32))
MOMENTS = torch.tensor([[3.0, 2.0, -1.0, 0.0, 0.0], [0.0, 2.0, 0.0, 5.0, 0.0]])
"""Two agonists, an antagonist, a muscle of another joint and one that moves nothing."""


def make_explorer(share: float = 0.8) -> CorrelatedExplorer:
    return CorrelatedExplorer(MOMENTS, BOX, CorrelatedHyperparameters(share), CPU)


def test_importance_ratio_is_that_of_the_correlated_gaussians():
    observations = Box(-np.inf, np.inf, (3,), np.float32)
    policy = TrackingPolicy(observations, BOX, lambda _: 1e-3, hyperparameters=Hyperparameters(action_std=0.2))
    explorer, generator = make_explorer(), torch.Generator().manual_seed(0)
    old, new = (policy.rest + 0.2 * torch.randn(50, 5, generator=generator) for _ in range(2))
    base = old + policy.std * torch.randn(50, 5, generator=generator)
    ratio = policy.log_likelihood(base, new) - policy.log_likelihood(base, old)

    scale = torch.diag(policy.std.double())
    covariance = scale @ correlation(MOMENTS.double(), 0.8) @ scale
    executed, *means = (explorer.transport(observations, action).double() for action in (base, old, new))
    before, after = (MultivariateNormal(mean, covariance).log_prob(executed) for mean in means)
    assert (after - before).std() > 1
    assert torch.allclose(ratio.double(), after - before, atol=1e-3)


def test_agonists_are_excited_together_and_antagonists_inhibited_with_the_noise_of_each_unchanged():
    noise = 0.1 * torch.randn(40_000, 5, generator=torch.Generator().manual_seed(0))
    explorer = make_explorer()
    rest, half_range = torch.as_tensor(BOX.low).clamp(min=0), torch.as_tensor(BOX.high - BOX.low) / 2
    action = (explorer.transport(noise, rest + half_range * noise) - rest) / half_range
    assert torch.allclose(action.std(0), torch.full((5,), 0.1), rtol=0.02)
    measured = torch.corrcoef(action.T)
    assert measured[0, 2] == pytest.approx(-0.8, abs=0.02)
    assert measured[0, 1] == pytest.approx(0.8 / 2**0.5, abs=0.02)
    assert measured[[0, 4, 4, 4], [3, 0, 1, 2]].abs().max() < 0.02
    joint = torch.stack([(MOMENTS @ sample.T).square().sum() for sample in (action, noise)])
    assert joint[0] > 1.5 * joint[1]


def test_no_common_share_is_the_gaussian_explorer():
    base = torch.randn(7, 5)
    assert torch.allclose(make_explorer(0.0).transport(base, base), base, atol=1e-6)


def test_a_saved_policy_acts_the_same_without_its_environment_and_exported(make_env, small, tmp_path):
    model = AggregatedPPO(env=make_env(), hyperparameters=small, explorer="correlated", seed=0)
    torch.nn.init.normal_(model.policy.actor[-1].weight, std=0.2)
    model.learn(128)
    model.save(tmp_path / "model.zip")
    observation = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    expected, _ = model.predict(observation, deterministic=True)
    loaded = AggregatedPPO.load(tmp_path / "model.zip", device="cpu")
    assert np.array_equal(loaded.predict(observation, deterministic=True)[0], expected)
    exported = load_policy(export_policy(model, tmp_path / "exported", ID))
    assert np.allclose(exported.predict(observation)[0], expected, atol=1e-6)
    model.explorer.mixing = torch.eye(2)
    assert np.abs(model.predict(observation, deterministic=True)[0] - expected).max() > 0.02


def test_muscles_of_a_body_are_correlated_at_their_joints(small):
    env = gymnasium.make_vec("ms_envs:MSEmu/Walk-v0", num_envs=4, body="myo-legs", autoreset_mode="SameStep")
    names = env.unwrapped.body.muscle_names
    model = AggregatedPPO(env=env, hyperparameters=small, explorer="correlated", seed=0)
    covariance = model.explorer.mixing @ model.explorer.mixing
    env.close()
    soleus, gastrocnemius, tibialis, other = (
        names.index(name) for name in ("soleus_r", "gasmed_r", "tibant_r", "soleus_l")
    )
    assert covariance[soleus, gastrocnemius] > 0.2
    assert covariance[soleus, tibialis] < -0.2
    assert abs(covariance[soleus, other]) < 0.01


def test_environments_without_joint_moments_are_refused(make_env, small, monkeypatch):
    env = make_env()
    monkeypatch.setattr(type(env), "action_moments", None)
    with pytest.raises(ValueError, match="needs an environment that offers the joint moments"):
        AggregatedPPO(env=env, hyperparameters=small, explorer="correlated")


def test_wrong_constants_and_shapes_are_refused():
    with pytest.raises(ValueError, match=r"in \[0, 1\), got 1.0"):
        CorrelatedHyperparameters(1.0)
    with pytest.raises(ValueError, match=r"shape \(J, 5\), got \(2, 4\)"):
        CorrelatedExplorer(MOMENTS[:, :4], BOX, CorrelatedHyperparameters(), CPU)
