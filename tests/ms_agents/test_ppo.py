from __future__ import annotations

import json

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from hypothesis import given
from hypothesis import strategies as st
from ms_agents import AggregatedPPO
from ms_agents.hyperparameters import Hyperparameters
from ms_agents.observation_normalizer import ObservationNormalizer
from ms_agents.ppo.policy import TrackingPolicy
from ms_agents.ppo.rollout import Rollout
from ms_agents.ppo.update import update_policy
from ms_agents.ppo.vector import GymnasiumVecEnv
from stable_baselines3.common.callbacks import BaseCallback


def make_policy(low: float, high: float, **constants) -> TrackingPolicy:
    spaces = Box(-np.inf, np.inf, (5,), np.float32), Box(low, high, (3,), np.float32)
    return TrackingPolicy(*spaces, lambda _: 1e-3, hyperparameters=Hyperparameters(hidden=(16,), **constants))


def test_hyperparameters_survive_a_round_trip_through_json():
    for name in ("cpu", "gpu"):
        preset = Hyperparameters.preset(name)
        assert Hyperparameters.from_dict(json.loads(json.dumps(preset.to_dict()))) == preset


def test_unknown_constants_are_refused_by_name():
    with pytest.raises(ValueError, match="'cpu', 'gpu'"):
        Hyperparameters.preset("tpu")
    with pytest.raises(ValueError, match="gamma"):
        Hyperparameters.from_dict({"gama": 0.9})


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=4))
def test_observation_normalizer_has_the_statistics_of_all_batches(sizes):
    generator = torch.Generator().manual_seed(sum(sizes))
    batches = [3 + 2 * torch.randn(size, 2, generator=generator) for size in sizes]
    normalizer = ObservationNormalizer(2, clip=10.0)
    for batch in batches:
        normalizer.update(batch)
    together = torch.cat(batches).double()
    assert torch.allclose(normalizer.mean, together.mean(0), atol=1e-9)
    assert torch.allclose(normalizer.variance, together.var(0, correction=0), atol=1e-9)
    assert normalizer(torch.full((1, 2), 1e9)).max() <= 10


@pytest.mark.parametrize(("low", "high", "rest"), [(-1, 1, 0), (0, 1, 0), (0.2, 1, 0.2), (-2, -1, -1)])
def test_mean_action_starts_at_zero_projected_onto_the_box(low, high, rest):
    policy = make_policy(low, high, output_scale=0.0)
    action, _ = policy.predict(np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32), deterministic=True)
    assert np.allclose(action, rest)


def test_log_likelihood_differs_from_that_of_the_gaussian_by_a_constant():
    policy = make_policy(-1, 1)
    observation = torch.randn(6, 5)
    mean = policy.mean(observation)
    base = mean + policy.std * torch.randn(6, 3)
    own = policy.log_likelihood(base, mean)
    difference = policy.get_distribution(observation).log_prob(base) - own
    assert torch.allclose(difference, difference[0].expand(6), atol=1e-5)


def test_an_update_stays_finite_where_the_importance_ratio_overflows():
    policy = make_policy(-1, 1)
    rollout = Rollout(4, Box(-np.inf, np.inf, (5,), np.float32), Box(-1, 1, (3,), np.float32), n_envs=8)
    rollout.log_likelihoods.fill_(-500.0)  # far less likely before than now
    rollout.advantages[:] = torch.linspace(-1, 1, 8)
    logs = update_policy(policy, rollout, Hyperparameters(epochs=1), torch.Generator().manual_seed(0))
    assert all(np.isfinite(value) for value in logs.values())
    assert all(parameter.isfinite().all() for parameter in policy.parameters())


def test_executed_actions_stay_in_the_box_and_clipping_is_counted():
    policy = make_policy(-1, 1)
    action, share = policy.execute(torch.zeros(2, 5), torch.tensor([[0.0, 2.0, -3.0], [0.5, 0.5, 0.5]]))
    assert action.abs().max() <= 1
    assert share == pytest.approx(2 / 6)


@given(seed=st.integers(0, 100))
def test_returns_are_lambda_returns(seed):
    steps, envs, gamma, lam = 6, 2, 0.9, 0.8
    rng = np.random.default_rng(seed)
    space = Box(-1, 1, (1,), np.float32)
    rollout = Rollout(steps, space, space, gamma=gamma, gae_lambda=lam, n_envs=envs)
    for tensor in (rollout.rewards, rollout.values, rollout.next_values):
        tensor[:] = torch.from_numpy(rng.normal(size=(steps, envs)))
    rollout.dones[:] = torch.from_numpy(rng.random((steps, envs)) < 0.3)
    rollout.next_values[:-1] = torch.where(rollout.dones[:-1], rollout.next_values[:-1], rollout.values[1:])
    rollout.compute_returns()
    expected = np.zeros(envs)
    for t in reversed(range(steps)):
        done, following = rollout.dones[t].numpy(), rollout.next_values[t].numpy()
        last = done | (t == steps - 1)
        mixed = np.where(last, following, (1 - lam) * following + lam * expected)
        expected = rollout.rewards[t].numpy() + gamma * mixed
        assert np.allclose(rollout.returns[t].numpy(), expected, atol=1e-5)


def test_adapter_reports_what_finished_episodes_ended_with(make_env):
    env = GymnasiumVecEnv(make_env(4, horizon=0.2))
    env.seed(3)
    env.reset()
    rewards = np.zeros(4)
    for _ in range(4):
        observation, reward, done, infos = env.step(np.zeros((4, 2), np.float32))
        rewards += reward
    assert done.all() and env.truncated.all()
    for i, info in enumerate(infos):
        assert info["TimeLimit.truncated"]
        assert info["episode"]["l"] == 4
        assert info["episode"]["r"] == pytest.approx(rewards[i], rel=1e-5)
        assert not np.allclose(info["terminal_observation"], observation[i])
        assert np.allclose(info["terminal_observation"][4:], env.tracking_error[i])
    assert (np.abs(env.tracking_error).max(1) > 0).all()  # that of the end, not of the fresh start
    assert set(env.metrics) == {"root_position_error", "effort"}


def test_adapter_marks_diverged_frames_as_unusable(make_env):
    env = GymnasiumVecEnv(make_env(2, diverge_at=2))
    env.reset()
    env.step(np.zeros((2, 2), np.float32))
    assert np.isfinite(env.tracking_error).all()
    _, _, done, infos = env.step(np.zeros((2, 2), np.float32))
    assert done.all() and not infos[0]["TimeLimit.truncated"]
    assert np.isnan(env.tracking_error).all()


def test_adapter_refuses_an_environment_that_resets_in_the_next_step(make_env):
    with pytest.raises(ValueError, match="SAME_STEP"):
        GymnasiumVecEnv(make_env(2, autoreset_mode="NextStep"))


def test_time_limits_are_bootstrapped_and_failures_are_not(make_env, small):
    for limits, expect_zero in (({"horizon": 0.1, "root_termination": 9.0}, False), ({"diverge_at": 2}, True)):
        model = AggregatedPPO(env=make_env(8, **limits), hyperparameters=small, seed=0)
        model.learn(128)
        ended = model.rollout_buffer.next_values[model.rollout_buffer.dones]
        assert len(ended) > 0
        assert (ended == 0).all() == expect_zero


@pytest.mark.parametrize("aggregator", ["adversarial", "hand-tuned"])
def test_learning_lets_the_point_mass_survive_longer(make_env, aggregator):
    quick = Hyperparameters(
        environments=32, rollout_steps=16, epochs=4, minibatch=128, hidden=(32,), learning_rate_range=(1e-3, 3e-3)
    )
    model = AggregatedPPO(env=make_env(32), hyperparameters=quick, aggregator=aggregator, seed=0)
    model.learn(512)
    before = model.ep_info_buffer[0]["l"]
    model.learn(25 * 512)
    assert np.mean([episode["l"] for episode in model.ep_info_buffer]) > 2 * before


def test_callbacks_and_logger_see_what_users_of_stable_baselines_expect(make_env, small):
    class Watcher(BaseCallback):
        seen: dict = {}
        steps = 0

        def _on_step(self):
            self.steps += 1
            assert self.locals["infos"] is not None
            return True

        def _on_rollout_start(self):
            self.seen |= self.logger.name_to_value

    watcher = Watcher()
    model = AggregatedPPO(env=make_env(), hyperparameters=small, seed=0)
    model.learn(3 * 128, callback=watcher)
    assert watcher.steps == 48 and model.num_timesteps == 384
    assert {"train/approx_kl", "train/learning_rate", "add/D(0)", "add/D(delta)", "add/loss"} <= set(watcher.seen)


def test_an_id_makes_the_environments(small):
    model = AggregatedPPO(env="PointMass-v0", hyperparameters=small)
    assert model.n_envs == small.environments


def test_same_seed_gives_the_same_policy(make_env, small):
    weights = []
    for seed in (0, 0, 1):
        model = AggregatedPPO(env=make_env(), hyperparameters=small, seed=seed)
        model.learn(256)
        weights.append(model.policy.parameters_to_vector())
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_saved_model_predicts_the_same_without_an_environment(make_env, small, tmp_path):
    model = AggregatedPPO(env=make_env(), hyperparameters=small, seed=0)
    model.learn(256)
    model.save(tmp_path / "model")
    loaded = AggregatedPPO.load(tmp_path / "model")
    observation = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    assert np.array_equal(
        model.predict(observation, deterministic=True)[0], loaded.predict(observation, deterministic=True)[0]
    )
    assert loaded.predict(observation[0], deterministic=True)[0].shape == (2,)


@pytest.mark.parametrize("aggregator", ["adversarial", "hand-tuned"])
def test_loaded_model_learns_on_as_if_it_had_never_stopped(make_env, small, tmp_path, aggregator):
    model = AggregatedPPO(env=make_env(), hyperparameters=small, aggregator=aggregator, seed=0)
    model.learn(256)
    model.save(tmp_path / "model.zip")
    loaded = AggregatedPPO.load(tmp_path / "model.zip", make_env())
    for continued in (model, loaded):
        continued.learn(384, reset_num_timesteps=False)
    assert loaded.num_timesteps == model.num_timesteps == 640
    for name, value in model.policy.state_dict().items():
        assert torch.equal(value, loaded.policy.state_dict()[name]), name


def test_loading_refuses_another_environment_by_name(make_env, small, tmp_path):
    model = AggregatedPPO(env=make_env(), hyperparameters=small, seed=0)
    model.save(tmp_path / "model.zip")
    with pytest.raises(ValueError, match="body_hash 'mass-1.0', not 'mass-2.0'"):
        AggregatedPPO.load(tmp_path / "model.zip", make_env(mass=2.0))


def test_single_environments_of_gymnasium_work_with_the_hand_tuned_reward():
    small = Hyperparameters(environments=1, rollout_steps=32, epochs=1, minibatch=16, hidden=(8,))
    model = AggregatedPPO(env=gymnasium.make("Pendulum-v1"), hyperparameters=small, aggregator="hand-tuned", seed=0)
    model.learn(64)
    assert model.num_timesteps == 64


def test_constants_can_be_changed_by_name():
    changed = Hyperparameters().changed({"gamma": 0.9, "hidden": [8], "discriminator.updates": 3})
    assert (changed.gamma, changed.hidden, changed.discriminator.updates) == (0.9, (8,), 3)
    with pytest.raises(ValueError, match="update"):
        Hyperparameters().changed({"discriminator.update": 3})
