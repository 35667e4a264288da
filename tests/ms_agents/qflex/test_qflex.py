from __future__ import annotations

import json
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
import torch
from ms_agents import AggregatedPPO, QFlex
from ms_agents.ppo.vector import GymnasiumVecEnv
from ms_agents.qflex.hyperparameters import QFlexHyperparameters
from ms_agents.qflex.losses import critic_loss, flow_loss
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecNormalize

OBSERVATIONS = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)


class ConstantAggregator:
    """Rewards everything alike."""

    value = 0.0

    def reward(self, error, env_reward):
        return torch.full_like(env_reward, self.value)

    def update(self, error):
        return {}


def lengths(model: QFlex) -> float:
    return float(np.mean([episode["l"] for episode in list(model.ep_info_buffer)[-20:]]))


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def survival_before_and_after(make_env, aggregator: str, steps: int, **constants) -> tuple[float, float]:
    common = {"learning_starts": 256, "actor_hidden": (32,), "flow_hidden": (32,)}
    hyperparameters = QFlexHyperparameters(**common | constants)
    env = make_env(hyperparameters.environments)
    model = QFlex(env=env, hyperparameters=hyperparameters, aggregator=aggregator, seed=0)
    model.learn(512)
    before = lengths(model)
    model.learn(steps - 512, reset_num_timesteps=False)
    return before, lengths(model)


def test_learning_lets_the_point_mass_survive_longer(make_env):
    constants = {"environments": 16, "rollout_steps": 32, "gradient_steps": 2, "batch": 64, "flow_batch": 32}
    constants |= {"policy_delay": 2, "ascent_steps": 2, "step_size": 0.1, "transport_steps": 2}
    before, after = survival_before_and_after(
        make_env, "hand-tuned", 3072, critic_hidden=(32, 32), learning_rate=3e-3, **constants
    )
    assert after > 1.5 * before


@pytest.mark.slow
def test_learning_with_the_adversarial_reward_lets_the_point_mass_survive_longer(make_env):
    before, after = survival_before_and_after(
        make_env, "adversarial", 5120, rollout_steps=64, batch=128, critic_hidden=(64, 64), learning_rate=1e-3
    )
    assert after > 2 * before


def test_the_next_action_of_the_target_is_that_of_the_base_policy_and_does_not_flow(make_qflex):
    models = [make_qflex(), make_qflex()]
    for model in models:
        model.learn(64)
    before = [model.predict(OBSERVATIONS)[0] for model in models]
    torch.nn.init.normal_(models[1].policy.velocity.network[-1].bias, 1.0)
    losses = []
    for model in models:
        batch = model.replay_buffer.sample(32, model.generator)
        state, following = model.policy.normalizer(batch.observation), model.policy.normalizer(batch.next_observation)
        rest = (batch.action, following, batch.terminated, batch.env_reward, model.generator)
        losses.append(critic_loss(model.policy, state, *rest))
    assert losses[0] == losses[1]
    assert not np.allclose(models[1].predict(OBSERVATIONS)[0], before[1], atol=0.3)  # what is executed does flow


def test_target_is_bootstrapped_at_time_limits_but_not_at_failures(make_qflex):
    model = make_qflex()
    policy, state = model.policy, torch.randn(2, 8)
    policy.set_training_mode(False)
    action, reward = torch.zeros(2, 2), torch.tensor([3.0, 5.0])

    def loss(terminated, gamma):
        policy.hyperparameters = replace(policy.hyperparameters, gamma=gamma)
        generator = torch.Generator().manual_seed(0)
        return critic_loss(policy, state, action, state, torch.tensor(terminated), reward, generator).item()

    assert loss([True, True], 0.9) == pytest.approx(loss([False, False], 0.0))
    assert loss([False, False], 0.9) != pytest.approx(loss([False, False], 0.0))


def test_replay_tells_failures_from_time_limits_and_keeps_what_episodes_ended_with(make_qflex, make_env):
    for limits, terminated in (({"horizon": 0.1, "root_termination": 9.0}, False), ({"diverge_at": 2}, True)):
        model = make_qflex(env=make_env(8, **limits))
        model.learn(64)
        rows = model.replay_buffer.sample(200, torch.Generator().manual_seed(0))
        assert bool(rows.terminated.any()) == terminated
        moved = (rows.next_observation[:, :2] - rows.observation[:, :2]).norm(dim=-1)
        assert moved.max() < 0.5  # in one step; a fresh start is elsewhere on the circle
        assert rows.next_observation.isfinite().all()
        assert rows.error.isnan().any() == terminated


def test_old_experience_is_rewarded_by_the_aggregator_as_it_is_now(make_qflex, quick):
    constants = replace(quick, gamma=0.0, learning_rate=3e-3)
    model = make_qflex(hyperparameters=constants, aggregator=ConstantAggregator())
    model.learn(128)

    def mean_value() -> float:
        batch = model.replay_buffer.sample(128, model.generator)
        return float(model.policy.value(model.policy.normalizer(batch.observation), batch.action).mean())

    for value in (1.0, -1.0):
        model.aggregator.value = value
        model.train(200, 32)
        assert mean_value() == pytest.approx(value, abs=0.2)


def test_the_field_learns_to_carry_actions_uphill(make_qflex, quick):
    model = make_qflex(hyperparameters=replace(quick, ascent_steps=20, step_size=0.1, learning_rate=3e-3))
    model.learn(64)
    policy, generator = model.policy, torch.Generator().manual_seed(0)
    state = policy.normalizer(model.replay_buffer.sample(128, generator).observation)
    for _ in range(150):
        loss, _ = flow_loss(policy, state, generator)
        policy.velocity_optimizer.zero_grad()
        loss.backward()
        policy.velocity_optimizer.step()
    with torch.no_grad():
        base = policy.sample(state, generator)
        moved = policy.transport(state, base)
        better = policy.value(state, moved) > policy.value(state, base)
    assert better.float().mean() > 0.9
    assert moved.abs().max() <= 1


def test_each_update_teaches_critics_and_every_second_one_policy_and_field(make_qflex):
    model = make_qflex()
    model.learn(64)
    model._n_updates = 2
    parts = {"actor": model.actor, "critic": model.critic, "velocity": model.policy.velocity}
    for taught in ({"critic"}, {"actor", "critic", "velocity"}):
        before = {name: weights(part) for name, part in parts.items()}
        model.train(1, 32)
        assert {name for name, part in parts.items() if not torch.equal(weights(part), before[name])} == taught


def test_deterministic_actions_are_the_mean_of_the_base_policy_in_the_box(make_qflex):
    model = make_qflex()
    model.learn(128)
    first, second = (model.predict(OBSERVATIONS, deterministic=True)[0] for _ in range(2))
    assert np.array_equal(first, second)
    state = model.policy.normalizer(torch.from_numpy(OBSERVATIONS))
    assert np.allclose(first, model.actor(state, deterministic=True).detach().numpy(), atol=1e-6)
    explored = model.predict(OBSERVATIONS)[0]
    assert not np.array_equal(explored, first)
    assert np.abs(explored).max() <= 1


@pytest.mark.parametrize(("low", "high", "rest"), [(-1, 1, 0), (0, 1, 0.05), (-2, -1, -1.05)])
def test_mean_action_starts_near_the_resting_action(low, high, rest, quick):
    from ms_agents.qflex.policy import QFlexPolicy

    spaces = gymnasium.spaces.Box(-np.inf, np.inf, (8,)), gymnasium.spaces.Box(low, high, (3,))
    policy = QFlexPolicy(*spaces, lambda _: 1e-3, hyperparameters=replace(quick, output_scale=0.0))
    assert np.allclose(policy.predict(OBSERVATIONS, deterministic=True)[0], rest, atol=1e-6)


def test_loaded_model_learns_on_as_if_it_had_never_stopped(make_qflex, make_env, tmp_path):
    model = make_qflex()
    model.learn(256)  # more than the replay holds
    model.save(tmp_path / "model.zip")
    loaded = QFlex.load(tmp_path / "model.zip", make_env())
    for continued in (model, loaded):
        continued.learn(128, reset_num_timesteps=False)
    assert loaded.num_timesteps == model.num_timesteps == 384
    for name, value in model.policy.state_dict().items():
        assert torch.equal(value, loaded.policy.state_dict()[name]), name
    kept, expected = loaded.replay_buffer.state_dict(), model.replay_buffer.state_dict()
    assert all(torch.equal(kept[name], expected[name]) for name in expected if name != "next")


def test_saved_model_predicts_the_same_without_an_environment(make_qflex, tmp_path):
    model = make_qflex()
    model.learn(64)
    model.save(tmp_path / "model")
    loaded = QFlex.load(tmp_path / "model")
    assert np.array_equal(*(m.predict(OBSERVATIONS, deterministic=True)[0] for m in (model, loaded)))


def test_parameters_and_replay_move_from_one_model_to_another(make_qflex, tmp_path):
    model, other = make_qflex(), make_qflex(seed=1)
    model.learn(64)
    model.save(tmp_path / "model.zip")
    for parameters in (model.get_parameters(), tmp_path / "model.zip"):
        other = make_qflex(seed=1)
        other.set_parameters(parameters)
        assert np.array_equal(*(m.predict(OBSERVATIONS, deterministic=True)[0] for m in (model, other)))
    model.save_replay_buffer(tmp_path / "replay.pt")
    other.load_replay_buffer(tmp_path / "replay.pt")
    assert other.replay_buffer.size() == model.replay_buffer.size() == 64


def test_callbacks_and_logger_see_what_users_of_stable_baselines_expect(make_qflex):
    class Watcher(BaseCallback):
        steps = 0
        seen: dict = {}

        def _on_step(self):
            self.steps += 1
            return len(self.locals["infos"]) == 8 and self.num_timesteps < 192

        def _on_rollout_end(self):
            self.seen |= self.logger.name_to_value

    watcher, model = Watcher(), make_qflex()
    model.learn(10_000, callback=watcher)
    assert (watcher.steps, model.num_timesteps) == (24, 192)  # stopped by the callback
    assert {"train/critic_loss", "train/actor_loss", "train/flow_loss", "train/n_updates", "flow/way"} <= set(
        watcher.seen
    )
    assert {"add/reward_mean", "add/hand_tuned_reward", "add/loss", "time/physics_seconds"} <= set(watcher.seen)


def test_environments_of_stable_baselines_work_with_the_hand_tuned_reward(quick):
    constants = replace(quick, environments=1, replay_capacity=100)
    model = QFlex(env=gymnasium.make("Pendulum-v1"), hyperparameters=constants, aggregator="hand-tuned", seed=0)
    model.learn(64)
    assert model._n_updates > 0
    assert np.abs(model.predict(np.zeros((4, 3), np.float32))[0]).max() <= 2


def test_an_id_makes_the_environments(quick):
    assert QFlex(env="PointMass-v0", hyperparameters=quick).n_envs == quick.environments


def test_hyperparameters_survive_a_round_trip_through_json():
    for name in ("cpu", "gpu"):
        preset = QFlexHyperparameters.preset(name)
        assert QFlexHyperparameters.from_dict(json.loads(json.dumps(preset.to_dict()))) == preset


def test_what_cannot_be_is_refused_by_name(make_qflex, make_env, small, tmp_path):
    with pytest.raises(ValueError, match="'levy'.*'flow', 'gaussian'"):
        make_qflex(explorer="levy")
    with pytest.raises(ValueError, match="'adversarial', 'hand-tuned'"):
        make_qflex(aggregator="sum")
    with pytest.raises(ValueError, match="without VecNormalize"):
        make_qflex(env=VecNormalize(GymnasiumVecEnv(make_env())))
    with pytest.raises(ValueError, match="SAME_STEP"):
        make_qflex(env=make_env(autoreset_mode="NextStep"))
    with pytest.raises(ValueError, match="flow_batch.*512 is more than 256"):
        QFlexHyperparameters(flow_batch=512)
    with pytest.raises(ValueError, match=r"\['etta'\]"):
        QFlexHyperparameters().changed({"etta": 0.1})
    AggregatedPPO(env=make_env(), hyperparameters=small, seed=0).save(tmp_path / "ppo.zip")
    with pytest.raises(ValueError, match="algorithm 'ppo', not 'qflex'"):
        QFlex.load(tmp_path / "ppo.zip")
    make_qflex().save(tmp_path / "qflex.zip")
    with pytest.raises(ValueError, match="body_hash 'mass-1.0', not 'mass-2.0'"):
        QFlex.load(tmp_path / "qflex.zip", make_env(mass=2.0))
