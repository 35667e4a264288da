"""What users of Stable-Baselines3 rely on, one test per habit."""

from __future__ import annotations

import copy
import csv
import io

import gymnasium
import numpy as np
import pytest
import torch
from ms_agents import AggregatedPPO
from ms_agents.hyperparameters import Hyperparameters
from ms_agents.ppo.vector import GymnasiumVecEnv
from stable_baselines3.common.callbacks import (
    BaseCallback,
    CallbackList,
    CheckpointCallback,
    EvalCallback,
    StopTrainingOnRewardThreshold,
)
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import configure
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

OBSERVATIONS = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
KEYS = {
    "rollout": {"ep_len_mean", "ep_rew_mean"},
    "time": {"fps", "iterations", "time_elapsed", "total_timesteps"},
    "train": {"approx_kl", "clip_fraction", "clip_range", "entropy_loss", "explained_variance", "learning_rate", "loss"}
    | {"n_updates", "policy_gradient_loss", "std", "value_loss"},
}


@pytest.fixture
def make_model(make_env, small):
    def make(seed: int = 0, **options) -> AggregatedPPO:
        return AggregatedPPO(**{"env": make_env(), "hyperparameters": small} | options, seed=seed)

    return make


def acts(model: AggregatedPPO) -> np.ndarray:
    return model.predict(OBSERVATIONS, deterministic=True)[0]


def test_checkpoint_callback_writes_files_that_load(make_model, tmp_path):
    model = make_model()
    callbacks = [CheckpointCallback(save_freq=8, save_path=str(tmp_path)), CheckpointCallback(16, str(tmp_path), "two")]
    model.learn(256, callback=CallbackList(callbacks))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"rl_model_{n}_steps.zip" for n in (64, 128, 192, 256)} | {
        "two_128_steps.zip",
        "two_256_steps.zip",
    }
    loaded = AggregatedPPO.load(tmp_path / "rl_model_256_steps.zip")
    assert loaded.num_timesteps == 256
    assert not np.array_equal(acts(loaded), acts(make_model()))


def test_eval_callback_saves_the_best_model_and_stops_at_the_threshold(make_model, make_env, tmp_path):
    evaluation = EvalCallback(
        GymnasiumVecEnv(make_env(4)),
        callback_on_new_best=StopTrainingOnRewardThreshold(0.0, verbose=0),
        n_eval_episodes=4,
        eval_freq=20,
        log_path=str(tmp_path),
        best_model_save_path=str(tmp_path),
        verbose=0,
    )
    model = make_model()
    model.learn(1024, callback=evaluation)
    assert model.num_timesteps == 160  # the first evaluation is above the threshold
    assert np.load(tmp_path / "evaluations.npz")["results"].shape == (1, 4)
    assert evaluation.last_mean_reward == evaluation.best_mean_reward > 0
    assert np.array_equal(acts(AggregatedPPO.load(tmp_path / "best_model")), acts(model))


def test_callbacks_stop_learning_within_a_rollout_and_see_its_variables(make_model):
    class Stop(BaseCallback):
        def _on_step(self) -> bool:
            assert {"rewards", "dones", "infos"} <= set(self.locals)
            return self.n_calls < 3

    model = make_model()
    model.learn(1024, callback=Stop())
    assert model.num_timesteps == 24


@pytest.mark.parametrize("explorer", ["gaussian", "gsde", "flow"])
def test_parameters_carry_over_to_another_model(make_model, explorer):
    trained, fresh = make_model(explorer=explorer), make_model(1, explorer=explorer)
    trained.learn(256)
    assert not np.array_equal(acts(trained), acts(fresh))
    fresh.set_parameters(copy.deepcopy(trained.get_parameters()))
    assert np.array_equal(acts(trained), acts(fresh))
    first, second = (m.policy.optimizer.state_dict()["state"][0]["exp_avg"] for m in (trained, fresh))
    assert torch.equal(first, second)


def test_parameters_are_read_from_a_saved_file(make_model, tmp_path):
    trained, fresh = make_model(), make_model(1)
    trained.learn(128)
    trained.save(tmp_path / "model")
    fresh.set_parameters(tmp_path / "model")
    assert np.array_equal(acts(trained), acts(fresh))


def test_unknown_and_missing_parameters_are_refused_by_name(make_model):
    model = make_model()
    policy = {"policy": copy.deepcopy(make_model(1).policy.state_dict())}
    with pytest.raises(ValueError, match=r"\['critic'\]; choose from \['policy', 'policy.optimizer'"):
        model.set_parameters({"critic": {}}, exact_match=False)
    with pytest.raises(ValueError, match="'policy.optimizer', 'explorer', 'aggregator'"):
        model.set_parameters(policy)
    assert np.array_equal(acts(model), acts(make_model()))  # a refusal changes nothing
    model.set_parameters(policy, exact_match=False)
    assert np.array_equal(acts(model), acts(make_model(1)))


def test_predict_takes_one_observation_or_many_and_hands_the_state_through(make_model):
    model, state = make_model(), (np.ones(3),)
    many, handed = model.predict(OBSERVATIONS, state=state, episode_start=np.ones(5, bool), deterministic=True)
    one, none = model.predict(OBSERVATIONS[2], deterministic=True)
    assert handed is state and none is None
    assert many.shape == (5, 2) and one.shape == (2,)
    assert np.allclose(one, many[2], atol=1e-6)
    assert np.array_equal(many, acts(model))
    random = [model.predict(OBSERVATIONS)[0] for _ in range(2)]
    assert not np.array_equal(*random)
    assert all(model.action_space.contains(action) for action in (*random[0], *many))
    with pytest.raises(ValueError, match="observation"):
        model.predict(OBSERVATIONS[:, :7])


def test_loading_replaces_what_custom_objects_name(make_model, make_env, small, tmp_path):
    make_model().save(tmp_path / "model")
    constants = small.changed({"learning_rate": 1e-5})
    for options in ({"custom_objects": {"hyperparameters": constants}}, {"hyperparameters": constants, "verbose": 1}):
        assert AggregatedPPO.load(tmp_path / "model", **options).hyperparameters.learning_rate == 1e-5
    with pytest.raises(ValueError, match=r"\['n_steps'\]; choose from .*'hyperparameters'"):
        AggregatedPPO.load(tmp_path / "model", custom_objects={"n_steps": 3})


def test_loading_takes_a_stream_a_device_and_an_environment(make_model, make_env):
    model, stream = make_model(), io.BytesIO()
    model.learn(128)
    model.save(stream)
    stream.seek(0)
    loaded = AggregatedPPO.load(stream, env=make_env(4), device="cpu")
    assert loaded.get_env().num_envs == 4 and loaded.device == torch.device("cpu")
    assert np.array_equal(acts(loaded), acts(model))


@pytest.mark.parametrize("force_reset", [False, True])
def test_loading_begins_with_fresh_episodes_where_asked(make_model, make_env, tmp_path, force_reset):
    model = make_model()
    model.learn(128)
    model.save(tmp_path / "model")
    env = make_env()
    loaded = AggregatedPPO.load(tmp_path / "model", env, force_reset=force_reset)
    loaded._setup_learn(128, reset_num_timesteps=False)
    assert np.array_equal(env.steps, 0 * env.steps if force_reset else model.get_env().env.unwrapped.steps)


def test_set_env_continues_in_another_environment_that_fits(make_model, make_env):
    model, longer = make_model(), make_env(mass=2.0)
    model.learn(128)
    model.set_env(longer)
    model.learn(128, reset_num_timesteps=False)
    assert model.get_env().env is longer and model.num_timesteps == 256
    assert model.identity["body_hash"] == "mass-2.0"


def test_set_env_refuses_an_environment_without_the_tracking_errors(make_model, make_env):
    single = gymnasium.make("PointMass-v0")
    with pytest.raises(ValueError, match=r"tracking errors \(4,\), the environment gives \(0,\)"):
        make_model().set_env(single)


def test_learn_counts_on_or_anew(make_model):
    model = make_model()
    for reset, expected in ((True, 128), (False, 256), (True, 128)):
        model.learn(100, reset_num_timesteps=reset)
        assert model.num_timesteps == expected


def test_learn_names_and_thins_the_log(make_model, tmp_path):
    pytest.importorskip("tensorboard")
    model = make_model(tensorboard_log=str(tmp_path))
    seen = []
    model.dump_logs = seen.append
    model.learn(4 * 128, log_interval=2, tb_log_name="name")
    assert seen == [2, 4]
    assert [path.name for path in tmp_path.iterdir()] == ["name_1"]


def test_learn_shows_a_progress_bar(make_model, capsys):
    pytest.importorskip("tqdm", reason="Stable-Baselines3 draws its progress bar with tqdm")
    make_model().learn(128, progress_bar=True)
    assert "128/128" in "".join(capsys.readouterr())


@pytest.mark.parametrize("aggregator", ["adversarial", "hand-tuned"])
def test_a_logger_of_ones_own_gets_the_usual_keys(make_model, make_env, tmp_path, aggregator):
    model = make_model(env=make_env(horizon=0.5), aggregator=aggregator)
    model.set_logger(configure(str(tmp_path), ["csv"]))
    model.learn(3 * 128)
    model.logger.close()
    rows = list(csv.DictReader((tmp_path / "progress.csv").open()))
    expected = {f"{group}/{name}" for group, names in KEYS.items() for name in names}
    assert expected <= set(rows[0])
    assert all(np.isfinite(float(rows[-1][key])) for key in expected)
    assert float(rows[-1]["rollout/ep_len_mean"]) <= 10  # 0.5 s
    entropy = model.policy.get_distribution(torch.zeros(1, 8)).entropy()[0]
    assert float(rows[-1]["train/entropy_loss"]) == pytest.approx(-float(entropy), rel=1e-5)


@pytest.mark.filterwarnings("error:Evaluation environment is not wrapped")
def test_evaluate_policy_takes_vector_and_single_environments(make_model, make_env):
    model = make_model()
    short = {"horizon": 0.5, "root_termination": 9.0}
    for env in (GymnasiumVecEnv(make_env(4, **short)), Monitor(gymnasium.make("PointMass-v0", **short))):
        rewards, lengths = evaluate_policy(model, env, n_eval_episodes=4, return_episode_rewards=True)
        assert lengths == [10] * 4
        assert min(rewards) > 0 and max(rewards) <= 10


def test_vec_normalize_is_found_and_the_reward_still_comes_from_the_tracking_error(make_model, make_env):
    env = VecNormalize(GymnasiumVecEnv(make_env()))
    model = make_model(env=env)
    model.learn(128)
    assert model.get_vec_normalize_env() is env
    assert env.obs_rms.count > 100
    errors = model.rollout_buffer.errors.flatten(0, 1)
    assert errors.shape == (128, 4) and errors.abs().min(0).values.max() > 0
    assert make_model().get_vec_normalize_env() is None


@pytest.mark.filterwarnings("ignore:The environment is already wrapped with a `Monitor`")
def test_vec_monitor_writes_episodes_and_the_model_is_saved_with_it(make_model, make_env, tmp_path):
    env = VecMonitor(GymnasiumVecEnv(make_env(horizon=0.5)), str(tmp_path / "log"))
    model = make_model(env=env)
    model.learn(256)
    assert len((tmp_path / "log.monitor.csv").read_text().splitlines()) > 10
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match="'mass-1.0', not 'mass-2.0'"):
        AggregatedPPO.load(tmp_path / "model", VecMonitor(GymnasiumVecEnv(make_env(mass=2.0))))
    again = AggregatedPPO.load(tmp_path / "model", VecMonitor(GymnasiumVecEnv(make_env())))
    assert list(again.ep_info_buffer) == list(model.ep_info_buffer)
    again.learn(128, reset_num_timesteps=False)
    assert again.num_timesteps == 384


@pytest.mark.parametrize("explorer", ["gaussian", "flow"])
def test_set_random_seed_repeats_learning(make_model, explorer):
    weights = []
    for own, later in ((0, 7), (1, 7), (0, 8)):
        model = make_model(own, explorer=explorer)
        model.set_parameters(make_model(0, explorer=explorer).get_parameters())
        model.set_random_seed(later)
        model.learn(128)
        weights.append(model.policy.parameters_to_vector())
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_options_of_the_next_reset_reach_the_environment(make_env):
    env = GymnasiumVecEnv(make_env(3))
    env.set_options({"phase": 0.25})
    env.reset()
    assert np.array_equal(env.env.unwrapped.start, [0.5] * 3)
    env.reset()
    assert len(set(env.env.unwrapped.start)) == 3
    with pytest.raises(ValueError, match="one dict of options"):
        env.set_options([{"phase": 0.25}] * 3)


def test_a_body_learns_with_callbacks_and_is_evaluated(legs, tmp_path):
    constants = Hyperparameters(environments=2, rollout_steps=8, epochs=1, minibatch=16, hidden=(16,))

    def make() -> GymnasiumVecEnv:
        options = {"body": "myo-legs", "threads": 1, "horizon": 0.1, "autoreset_mode": "SameStep"}
        return GymnasiumVecEnv(gymnasium.make_vec("ms_envs:MSEmu/Walk-v0", num_envs=2, **options))

    env, evaluation_env = make(), make()
    files = {"log_path": str(tmp_path), "best_model_save_path": str(tmp_path)}
    evaluation = EvalCallback(evaluation_env, n_eval_episodes=2, eval_freq=8, verbose=0, **files)
    model = AggregatedPPO(env=env, hyperparameters=constants, seed=0)
    model.learn(32, callback=evaluation)
    assert evaluation.evaluations_length == [[5, 5], [5, 5]]
    AggregatedPPO.load(tmp_path / "best_model", env).learn(16, reset_num_timesteps=False)
    env.close()
    evaluation_env.close()
