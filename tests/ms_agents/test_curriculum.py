from __future__ import annotations

import sys

import gymnasium
import numpy as np
import pytest
from ms_agents.checkpoint import read_checkpoint
from ms_agents.cli import main
from ms_agents.curriculum import TerminationCurriculum
from ms_agents.ppo.algorithm import AggregatedPPO
from ms_agents.runs import LAST, TrainingConfig
from ms_agents.settings import train_arguments
from ms_agents.training import train
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv
from test_training import assert_same_tree, config


@pytest.mark.parametrize("start", [0.4, 3.0])
def test_scale_goes_from_the_start_to_one_in_a_straight_line(start: float) -> None:
    curriculum = TerminationCurriculum(start, 1000)
    scales = [curriculum.scale(step) for step in (0, 500, 1000, 5000)]
    np.testing.assert_allclose(scales, [start, (start + 1) / 2, 1, 1])


@pytest.mark.parametrize("arguments", [(0.0, 1000), (-1.0, 1000), (np.nan, 1000), (2.0, 0)])
def test_unusable_curriculum_is_refused(arguments) -> None:
    with pytest.raises(ValueError, match="termination curriculum"):
        TerminationCurriculum(*arguments)


def test_limits_are_scaled_before_each_rollout_and_logged(make_env, small) -> None:
    env = make_env()
    model = AggregatedPPO(env=env, hyperparameters=small, seed=0)
    model.learn(2 * 128, callback=TerminationCurriculum(3.0, 256))
    assert env.unwrapped.scale == 2.0
    model.learn(128, callback=TerminationCurriculum(3.0, 256), reset_num_timesteps=False)
    assert env.unwrapped.scale == 1.0


def test_wrapped_environments_of_stable_baselines3_are_reached() -> None:
    env = DummyVecEnv([lambda: gymnasium.make("ms_envs:MSEmu/Walk-v0", body="myo-legs", root_termination=0.4)])
    PPO("MlpPolicy", env, n_steps=2, batch_size=2, n_epochs=1, device="cpu").learn(2, TerminationCurriculum(2.0, 100))
    assert env.envs[0].unwrapped.vector._limits.root == 0.8
    env.close()


def test_environment_without_limits_is_refused() -> None:
    model = PPO("MlpPolicy", "Pendulum-v1", n_steps=2, batch_size=2, device="cpu")
    with pytest.raises(ValueError, match="set_termination_scale"):
        model.learn(2, TerminationCurriculum(2.0, 100))


def test_command_line_and_files_keep_the_curriculum(tmp_path, monkeypatch) -> None:
    asked = TrainingConfig("Some-v0", curriculum=(0.5, 2000))
    trained = []
    monkeypatch.setattr("ms_agents.training.train", lambda config, run: trained.append(config))
    monkeypatch.setattr(sys, "argv", ["ms-agents", *train_arguments(asked)])
    main()
    asked.save(tmp_path, {})
    assert trained == [asked] == [TrainingConfig.load(tmp_path)]


def test_a_continued_run_goes_on_with_its_curriculum(tmp_path) -> None:
    settings = {"curriculum": (4.0, 1024), "evaluation_interval": 0, "steps": 1024}
    train(config(**settings), tmp_path / "whole")
    train(config(**settings | {"steps": 512}), tmp_path / "broken")
    train(config(**settings), tmp_path / "broken", resume=True)
    train(config(**settings | {"curriculum": None}), tmp_path / "without")
    whole, broken, without = (
        read_checkpoint(tmp_path / name / LAST)["policy"] for name in ("whole", "broken", "without")
    )
    assert_same_tree(whole, broken)
    assert any((whole[name] != without[name]).any() for name in whole)
