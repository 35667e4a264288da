from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from ms_agents import AggregatedPPO
from ms_agents.aggregation import HandTunedAggregator
from ms_agents.exploration import FlowExplorer, make_explorer
from ms_agents.hyperparameters import FlowHyperparameters, Hyperparameters, StateDependentHyperparameters
from ms_agents.ppo.rollout import Rollout

CPU = torch.device("cpu")
WIDTH = 4


OBSERVATIONS = Box(-np.inf, np.inf, (WIDTH,), np.float32)


def make_flow(actions: int, low: float = -1.0, **constants) -> FlowExplorer:
    torch.manual_seed(0)
    flow = FlowHyperparameters(**{"hidden": (32,), "minibatch": 128, "learning_rate": 3e-3} | constants)
    return FlowExplorer(OBSERVATIONS, Box(low, 1.0, (actions,), np.float32), Hyperparameters(flow=flow), 0, CPU)


def learn_from(explorer: FlowExplorer, rollout: Rollout) -> dict[str, float]:
    return explorer.update(rollout, lambda observation: torch.zeros(len(observation)), HandTunedAggregator())


def rollout_around(actions: int, best: torch.Tensor, std: float = 0.1, frames: int = 1024) -> Rollout:
    """Episodes of one frame around the resting action, whose reward falls with the distance from the best action."""
    generator = torch.Generator().manual_seed(1)
    rollout = Rollout(frames, OBSERVATIONS, Box(-1, 1, (actions,), np.float32), n_envs=1)
    rollout.observations[:] = torch.randn(rollout.observations.shape, generator=generator)
    rollout.base_actions[:] = std * torch.randn(rollout.base_actions.shape, generator=generator)
    rollout.actions[:] = rollout.base_actions
    rollout.env_rewards[:] = -(rollout.actions - best).square().sum(-1)
    rollout.dones[:] = True
    return rollout


def test_nothing_moves_before_anything_is_learnt():
    explorer, base = make_flow(3, low=0.0), torch.rand(5, 3)
    assert torch.allclose(explorer.transport(torch.randn(5, WIDTH), base), base, atol=1e-6)


def test_integration_follows_the_field_in_euler_steps():
    field = make_flow(3).velocity
    torch.nn.init.normal_(field.network[-1].weight)
    state, action = torch.randn(5, WIDTH), torch.randn(5, 3)
    expected = action
    for time in (0.0, 0.25, 0.5, 0.75):
        expected = expected + field(state, expected, torch.full((5, 1), time)) / 4
    torch.testing.assert_close(field.integrate(state, action, 4), expected)


def test_importance_ratio_of_base_samples_is_that_of_the_executed_actions():
    explorer = make_flow(2)
    torch.nn.init.normal_(explorer.velocity.network[-1].weight, std=0.15)
    observation = torch.randn(1, WIDTH)

    def transport(base):
        with torch.no_grad():
            return explorer.transport(observation, base[None].float())[0].double()

    def inverse(action):
        base = action
        for _ in range(60):
            base = base + action - transport(base)
        return base

    def density(action, mean, std=0.2, step=1e-2):
        """Of the executed action: base density at its origin times the Jacobian of the way back."""
        columns = [(inverse(action + e) - inverse(action - e)) / (2 * step) for e in step * torch.eye(2).double()]
        base = torch.exp(-0.5 * ((inverse(action) - mean) / std).square().sum()) / (2 * np.pi * std**2)
        return float(base * torch.linalg.det(torch.stack(columns, 1)).abs())

    old, new = torch.zeros(2).double(), torch.tensor([0.1, -0.05]).double()
    jacobians = []
    for base in 0.2 * torch.randn(5, 2, generator=torch.Generator().manual_seed(0)).double():
        action = transport(base)
        base_ratio = torch.exp(0.5 * (((base - old) / 0.2).square() - ((base - new) / 0.2).square()).sum())
        assert density(action, new) / density(action, old) == pytest.approx(float(base_ratio), rel=2e-3)
        jacobians.append(density(action, old) * 2 * np.pi * 0.04 / float(torch.exp(-0.5 * (base / 0.2).square().sum())))
    assert np.std(jacobians) > 0.002  # the map really stretches


@pytest.mark.parametrize("actions", [2, 30])
def test_transported_samples_are_better(actions):
    explorer, best = make_flow(actions, epochs=20), torch.full((actions,), 0.3)
    rollout = rollout_around(actions, best)
    logs = learn_from(explorer, rollout)
    base = rollout.base_actions.flatten(0, 1)
    with torch.no_grad():
        moved = explorer.transport(rollout.observations.flatten(0, 1), base)
    before, after = ((a - best).square().sum(-1) for a in (base, moved))
    assert after.mean() < 0.95 * before.mean()
    assert (after < before).float().mean() > 0.9
    assert logs["flow/value_gain"] > 0


def test_gradient_is_that_of_the_smaller_critic():
    critic = make_flow(6).critic
    state, action = torch.randn(20, WIDTH), torch.randn(20, 6).requires_grad_()
    expected = torch.autograd.grad(critic.smaller(state, action).sum(), action)[0]
    torch.testing.assert_close(critic.action_gradient(state)(action.detach()), expected, rtol=1e-4, atol=1e-6)


def test_critics_remember_earlier_rollouts_but_rate_them_by_the_rewards_of_today():
    explorer, best = make_flow(4, epochs=40), torch.full((4,), 0.3)
    learn_from(explorer, rollout_around(4, -best))
    blank = rollout_around(4, best)
    blank.actions[:], blank.env_rewards[:] = 0, 0
    aggregator = HandTunedAggregator()
    aggregator.reward = lambda error, env_reward: -env_reward  # so that what was bad is good now
    explorer.update(blank, lambda observation: torch.zeros(len(observation)), aggregator)
    state, base = torch.randn(50, WIDTH), torch.zeros(50, 4)
    assert (explorer.climb(state, base) @ best).mean() > 0


def test_the_way_is_bounded_and_stays_in_the_box():
    explorer = make_flow(6, reach=0.5, step_size=100.0)
    state, base = torch.randn(50, WIDTH), 0.5 * torch.randn(50, 6).clamp(-1, 1)
    target = explorer.climb(state, base)
    assert (target - base).norm(dim=-1).max() <= 0.5 * 0.1 * 6**0.5 + 1e-5
    assert (target - base).norm(dim=-1).min() > 0
    assert target.abs().max() <= 1


def test_state_dependent_noise_is_standard_normal_and_changes_with_the_state_only():
    hp = Hyperparameters(gsde=StateDependentHyperparameters(features=16, interval=3))
    explorer = make_explorer("gsde", Box(-np.inf, np.inf, (WIDTH,)), Box(-1, 1, (8,)), hp, 0, CPU)
    generator, observation = torch.Generator().manual_seed(0), torch.randn(500, WIDTH)
    first, second, third, fourth = (explorer.noise(observation, 8, generator) for _ in range(4))
    assert torch.equal(first, second) and torch.equal(first, third)
    assert not torch.equal(first, fourth)
    assert abs(first.mean()) < 0.05 and abs(first.std() - 1) < 0.05
    nearby = explorer.noise(observation + 1e-3, 8, generator)
    assert 0 < (nearby - fourth).abs().max() < 0.05


@pytest.mark.parametrize("name", ["gsde", "correlated", "flow"])
def test_learning_goes_on_exactly_from_a_file(name, make_env, small, tmp_path):
    model = AggregatedPPO(env=make_env(), hyperparameters=small, explorer=name, seed=0)
    model.learn(3 * 128)
    model.save(tmp_path / "model.zip")
    resumed = AggregatedPPO.load(tmp_path / "model.zip", make_env())
    assert resumed.explorer_choice == name
    for learner in (model, resumed):
        learner.learn(2 * 128, reset_num_timesteps=False)
    other = resumed.policy.state_dict()
    assert all(torch.equal(value, other[key]) for key, value in model.policy.state_dict().items())
    observation = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    actions = [learner.predict(observation, deterministic=True)[0] for learner in (model, resumed)]
    assert np.array_equal(*actions)


def test_unknown_explorer_is_refused_with_the_known_ones(make_env, small):
    with pytest.raises(ValueError, match="'gaussian', 'gsde', 'correlated', 'flow'"):
        AggregatedPPO(env=make_env(), hyperparameters=small, explorer="levy")
