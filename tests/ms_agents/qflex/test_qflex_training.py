from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from ms_agents import AggregatedPPO, QFlex
from ms_agents.checkpoint import read_checkpoint
from ms_agents.cli import main
from ms_agents.hyperparameters import Hyperparameters
from ms_agents.qflex.hyperparameters import QFlexHyperparameters
from ms_agents.runs import LAST, TrainingConfig, load_run
from ms_agents.training import RunKeeper, train


class PowerCutError(Exception):
    pass


def make_config(constants: QFlexHyperparameters, **changes) -> TrainingConfig:
    base = TrainingConfig(
        id="point_mass_env:PointMass-v0",
        algorithm="qflex",
        steps=8 * 64,
        hyperparameters=constants,
        checkpoint_interval=2,
        evaluation_interval=256,
        evaluation_episodes=2,
        evaluation_horizon=0.5,
        final_episodes=0,
    )
    return replace(base, **changes)


def assert_same_tensors(a, b, path: str = "") -> None:
    if isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for name in a:
            assert_same_tensors(a[name], b[name], f"{path}/{name}")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), path


def test_a_run_that_died_and_was_resumed_ends_as_if_nothing_had_happened(quick, tmp_path, monkeypatch):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(make_config(quick), whole)

    def die(keeper: RunKeeper) -> bool:
        if keeper.num_timesteps == 5 * 64 + 24:  # in the midst of an iteration, with the replay full
            raise PowerCutError
        return True

    with monkeypatch.context() as patch:
        patch.setattr(RunKeeper, "_on_step", die)
        with pytest.raises(PowerCutError):
            train(make_config(quick), broken)
    assert 0 < read_checkpoint(broken / LAST)["num_timesteps"] < 5 * 64 + 24
    train(make_config(quick), broken, resume=True)
    expected, found = read_checkpoint(whole / LAST), read_checkpoint(broken / LAST)
    assert expected["num_timesteps"] == found["num_timesteps"] == 8 * 64
    assert_same_tensors(expected, found)


def test_command_line_trains_with_qflex(tmp_path, monkeypatch):
    run = tmp_path / "run"
    arguments = ["train", "point_mass_env:PointMass-v0", "--algorithm", "qflex", "--steps", "64", "--run-dir", str(run)]
    constants = ["rollout_steps", "4", "critic_hidden", "[8]", "actor_hidden", "[8]", "discriminator.hidden", "[8]"]
    monkeypatch.setattr(sys, "argv", ["ms-agents", *arguments, "--no-video", "--set", *constants])
    main()
    config = TrainingConfig.load(run)
    assert (config.algorithm, config.explorer) == ("qflex", "flow")
    assert config.hyperparameters == QFlexHyperparameters(
        rollout_steps=4,
        critic_hidden=(8,),
        actor_hidden=(8,),
        discriminator=replace(QFlexHyperparameters().discriminator, hidden=(8,)),
    )
    model, _, _ = load_run(run)
    assert isinstance(model, QFlex)
    assert "| | untrained | trained |" in (run / "report.md").read_text()
    with pytest.raises(ValueError, match="'qflex', not 'ppo'"):
        AggregatedPPO.load(run / LAST)


def test_a_configuration_that_does_not_fit_its_algorithm_is_refused(quick):
    with pytest.raises(ValueError, match="'ppo', 'qflex'"):
        make_config(quick, algorithm="sac")
    with pytest.raises(ValueError, match="'gsde'.*'flow', 'gaussian'"):
        make_config(quick, explorer="gsde")
    with pytest.raises(ValueError, match="QFlexHyperparameters, got Hyperparameters"):
        make_config(quick, hyperparameters=Hyperparameters())


def test_configurations_written_before_there_were_algorithms_are_those_of_ppo(tmp_path):
    TrainingConfig(id="PointMass-v0").save(tmp_path, {})
    path = Path(tmp_path / "config.json")
    path.write_text(path.read_text().replace(' "algorithm": "ppo",\n', ""))
    assert '"algorithm"' not in path.read_text()
    assert TrainingConfig.load(tmp_path) == TrainingConfig(id="PointMass-v0", explorer="gaussian")
