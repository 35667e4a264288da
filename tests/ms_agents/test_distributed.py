from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import sharded_learning
import torch
from ms_agents import AggregatedPPO, QFlex
from ms_agents.checkpoint import read_checkpoint, write_checkpoint
from ms_agents.distributed import share
from ms_agents.runs import LAST
from ms_agents.training import train
from test_training import assert_same_tree, config

HERE = Path(__file__).parent


def in_two_processes(*command: str, **environment: str) -> None:
    """Run Python twice, as ``torchrun`` would."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen(
            [sys.executable, *command],
            env=os.environ | address | environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    assert [process.wait(timeout=1200) for process in processes] == [0, 0]


def largest_difference(a: dict, b: dict) -> float:
    return max(float((a[name].double() - b[name].double()).abs().max()) for name in a)


def test_two_processes_learn_what_one_learns_in_all_environments(tmp_path, monkeypatch):
    in_two_processes(str(HERE / "sharded_learning.py"), str(tmp_path / "learnt.pt"))
    first, second = torch.load(tmp_path / "learnt.pt", weights_only=True)
    together = sharded_learning.learn([0, 1], monkeypatch.setattr)
    alone = sharded_learning.learn([0], monkeypatch.setattr)
    for part in ("policy", "discriminator", "scale"):
        assert largest_difference(first[part], second[part]) == 0, part
        assert largest_difference(first[part], together[part]) < 1e-5, part
        assert largest_difference(alone[part], together[part]) > 1e-3, part
    for number in ("steps", "updates", "rate"):
        assert first[number] == second[number] == pytest.approx(together[number])
    observations = torch.cat([first["observation"], second["observation"]])
    assert torch.allclose(observations, together["observation"], atol=1e-4)


@pytest.mark.parametrize("explorer", ["gsde", "flow"])
@pytest.mark.slow
def test_run_of_two_processes_resumes_as_if_it_had_never_stopped(tmp_path, explorer):
    def run(name: str, *arguments: str) -> dict:
        options = ("--run-dir", str(tmp_path / name)) if "--resume" not in arguments else ()
        torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "ms_agents", "train")
        subprocess.run(
            [sys.executable, *torchrun, *arguments, *options],
            env=os.environ | {"PYTHONPATH": str(HERE)},
            check=True,
        )
        return read_checkpoint(tmp_path / name / LAST)

    constants = ("--envs", "8", "--set", "rollout_steps", "16", "minibatch", "64", "hidden", "[16]", "flow.epochs", "1")
    new = ("point_mass_env:PointMass-v0", "--explorer", explorer, *constants, "--no-video")
    whole = run("whole", *new, "--steps", "512")
    run("broken", *new, "--steps", "256")
    broken = run("broken", "--resume", str(tmp_path / "broken"), "--steps", "512")
    assert whole["num_timesteps"] == 512
    for state in (whole, broken):
        state.pop("run")
        for own in (state, *state["other_processes"]):
            own["learner"].pop("pending_logs")
    assert_same_tree(whole, broken)
    other = whole["other_processes"][0]
    assert_same_tree(whole["policy"], other["policy"])
    if explorer == "flow":
        for network in ("critic", "velocity"):
            assert_same_tree(whole["explorer"][network], other["explorer"][network])
    assert not torch.equal(whole["learner"]["last_observation"], other["learner"]["last_observation"])
    assert (tmp_path / "whole" / "report.md").is_file()


def test_a_run_of_two_processes_is_not_continued_by_one(tmp_path):
    run = train(config(steps=128, evaluation_interval=0), tmp_path / "run")
    state = read_checkpoint(run / LAST)
    write_checkpoint(run / LAST, state | {"other_processes": [state.copy()]})
    with pytest.raises(ValueError, match="trained by 2 processes, not 1.*--nproc-per-node 2"):
        train(config(steps=256), run, resume=True)


def test_what_cannot_be_shared_evenly_is_refused_by_name(make_env, small, monkeypatch):
    monkeypatch.setattr("ms_agents.distributed.world_size", lambda: 3)
    assert share(6, "environments") == 2
    with pytest.raises(ValueError, match="environments must be divisible by the number of processes, 3, got 8"):
        share(8, "environments")
    with pytest.raises(ValueError, match="minibatch must be divisible"):
        AggregatedPPO(env=make_env(), hyperparameters=small)


def test_qflex_refuses_several_processes(make_env, monkeypatch):
    monkeypatch.setattr("ms_agents.qflex.algorithm.world_size", lambda: 2)
    with pytest.raises(ValueError, match="'qflex' learns in one process only"):
        QFlex(env=make_env())
