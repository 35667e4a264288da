from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from ms_agents.checkpoint import read_checkpoint
from ms_agents.cli import main
from ms_agents.hyperparameters import Hyperparameters
from ms_agents.run_lock import run_lock
from ms_agents.runs import LAST, TrainingConfig
from ms_agents.training import train

HERE = Path(__file__).parent
STEPS = 24 * 128

KILLED_AT = 13 * 128 + 40

TRAIN_AND_DIE = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(HERE)!r})
import torch
torch.set_num_threads(1)
import test_training
from ms_agents.training import RunKeeper, train

def on_step(keeper):
    if keeper.num_timesteps == {KILLED_AT}:
        os.kill(os.getpid(), signal.SIGKILL)
    return True

RunKeeper._on_step = on_step
train(test_training.config(), Path(sys.argv[1]))
"""


def config(**changes) -> TrainingConfig:
    small = Hyperparameters(environments=8, rollout_steps=16, epochs=2, minibatch=64, hidden=(32,))
    base = TrainingConfig(
        id="point_mass_env:PointMass-v0",
        steps=STEPS,
        hyperparameters=small,
        checkpoint_interval=2,
        evaluation_interval=1000,
        evaluation_episodes=2,
        evaluation_horizon=1.0,
        final_episodes=0,
    )
    return replace(base, **changes)


def wait_for_steps(run: Path, steps: int) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if (run / LAST).exists() and read_checkpoint(run / LAST)["num_timesteps"] >= steps:
            return
        time.sleep(0.05)
    raise AssertionError("the run made no checkpoint in time")


def assert_same_tree(a, b, path: str = "") -> None:
    if isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for key in a:
            assert_same_tree(a[key], b[key], f"{path}/{key}")
    elif isinstance(a, list):
        assert len(a) == len(b), path
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same_tree(x, y, f"{path}/{i}")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), path
    else:
        assert a == b or path.rpartition("/")[2] in ("t", "physics_seconds", "learner_seconds") or "time/" in path, path


def curve(run: Path) -> list[dict[str, str]]:
    with open(run / "progress.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    timed = ("time/fps", "time/time_elapsed", "time/minutes", "time/physics_seconds", "time/learner_seconds")
    return [{k: v for k, v in row.items() if k not in (*timed, "time/iterations")} for row in rows]


def test_a_killed_and_resumed_run_ends_as_if_nothing_had_happened(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(config(), whole)
    process = subprocess.run([sys.executable, "-c", TRAIN_AND_DIE, str(broken)], stdout=subprocess.DEVNULL, check=False)
    assert process.returncode == -signal.SIGKILL
    assert 0 < read_checkpoint(broken / LAST)["num_timesteps"] < KILLED_AT
    train(config(), broken, resume=True)
    expected, found = read_checkpoint(whole / LAST), read_checkpoint(broken / LAST)
    assert expected["num_timesteps"] == STEPS
    for state in (expected, found):
        state["run"].pop("elapsed")
    assert_same_tree(expected, found)
    assert curve(whole) == curve(broken)


def test_interrupt_saves_and_leaves_cleanly(tmp_path):
    def interrupt():
        wait_for_steps(tmp_path / "run", 256)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    run = train(config(steps=100_000), tmp_path / "run")
    thread.join()
    assert 256 <= read_checkpoint(run / LAST)["num_timesteps"] < 100_000


def test_a_finished_run_has_its_table_and_is_not_overwritten(tmp_path):
    run = train(config(steps=256, final_episodes=2, video=False), tmp_path / "run")
    assert "| | untrained | trained |" in (run / "report.md").read_text()
    with pytest.raises(ValueError, match="already holds a run"):
        train(config(), run)
    assert TrainingConfig.load(run) == config(steps=256, final_episodes=2, video=False)


def test_a_run_belongs_to_one_process_at_a_time(tmp_path):
    run = train(config(steps=256), tmp_path / "run")
    with run_lock(run), pytest.raises(ValueError, match="another process is training"):
        train(config(steps=512), run, resume=True)
    train(config(steps=512), run, resume=True)
    assert read_checkpoint(run / LAST)["num_timesteps"] == 512


def test_resume_refuses_a_run_of_another_environment(tmp_path):
    run = train(config(steps=256), tmp_path / "run")
    with pytest.raises(ValueError, match="another environment: body_hash"):
        train(config(steps=512, env_kwargs={"mass": 2.0}), run, resume=True)


def command(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["ms-agents", *arguments])
    main()


def test_command_line_trains_and_evaluates(tmp_path, monkeypatch, capsys):
    run = str(tmp_path / "run")
    train(config(steps=256), Path(run))
    command(monkeypatch, "evaluate", run, "--episodes", "2", "--horizon", "1", "--json", f"{run}/r.json")
    assert "coverage (%)" in capsys.readouterr().out
    assert Path(run, "r.json").exists()
    command(monkeypatch, "train", "--resume", run, "--steps", "384")
    assert read_checkpoint(Path(run) / LAST)["num_timesteps"] == 384


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "give the id"),
        (["train", "Nowhere-v0"], "Nowhere"),
        (["evaluate", "nothing-here"], "not a run directory"),
        (["train", "--resume", "nothing-here"], "not a run directory"),
        (["train", "Nowhere-v0", "--env", "a", "1", "--env", "b", "2"], "--env is given twice"),
    ],
)
def test_errors_of_use_are_one_line(arguments, message, monkeypatch, capsys):
    with pytest.raises(SystemExit) as exit_:
        command(monkeypatch, *arguments)
    error = capsys.readouterr().err
    assert exit_.value.code == 2
    assert message in error and error.count("\n") == 1
