from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ms_agents import sweep as module
from ms_agents.algorithms import ALGORITHMS
from ms_agents.checkpoint import read_checkpoint
from ms_agents.cli import main
from ms_agents.curve import read_curve
from ms_agents.hyperparameters import Hyperparameters
from ms_agents.runs import LAST, TrainingConfig
from ms_agents.settings import settings, train_arguments
from ms_agents.sweep import Sweep, sweep

HERE = Path(__file__).parent
SMALL = "--set environments 8 rollout_steps 16 epochs 2 minibatch 64 hidden [32]"
BASE = TrainingConfig("point_mass_env:PointMass-v0", {"mass": 2.0}, steps=256, video=False)

TRAINER = """
import sys
from pathlib import Path
arguments = sys.argv[1:]
resumed = "--resume" in arguments
run = Path(arguments[arguments.index("--resume" if resumed else "--run-dir") + 1])
run.mkdir(exist_ok=True)
with open(run / "calls", "a") as calls:
    calls.write("resumed\\n" if resumed else "started\\n")
if run.name.endswith("seed-1"):
    sys.exit("no muscles left")
(run / "progress.csv").write_text(f"time/total_timesteps\\n{arguments[arguments.index('--steps') + 1]}\\n")
(run / "report-trained.json").write_text("{}")
"""
"""Does at once what training does to a run directory, but fails for seed 1."""


@pytest.fixture
def asked() -> Sweep:
    return Sweep(BASE, (0, 1), ("adversarial", "hand-tuned"), ("gaussian",))


@pytest.fixture
def trainer(tmp_path, monkeypatch) -> tuple[str, ...]:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.02)
    (tmp_path / "trainer.py").write_text(TRAINER)
    return sys.executable, str(tmp_path / "trainer.py")


def calls(folder: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text().replace("\n", " ").strip() for path in folder.glob("*/calls")}


def test_every_combination_is_a_run_with_its_settings_in_its_name():
    asked = Sweep(
        BASE, (3,), ("adversarial",), ("gsde", "flow"), {"action_std": (0.05, 0.1), "reflex": ({"delay": 0},)}
    )
    runs = asked.runs()
    assert list(runs) == [
        f"adversarial-{explorer}-action_std-{std}-reflex-delay_0-seed-3"
        for explorer in ("gsde", "flow")
        for std in ("0.05", "0.1")
    ]
    last = runs["adversarial-flow-action_std-0.1-reflex-delay_0-seed-3"]
    assert (last.seed, last.explorer, last.hyperparameters.action_std) == (3, "flow", 0.1)
    assert last.env_kwargs == {"mass": 2.0, "reflex": {"delay": 0}}


def test_another_algorithm_is_named_so_that_it_can_share_the_folder():
    base = TrainingConfig("MSEmu/Walk-v0", algorithm="qflex", hyperparameters=ALGORITHMS["qflex"].hyperparameters())
    assert list(Sweep(base, (0,), ("adversarial",), ("flow",)).runs()) == ["qflex-adversarial-flow-seed-0"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": ()}, "at least one value"),
        ({"seeds": (1, 1)}, "give each value once"),
        ({"explorers": ("hope",)}, "unknown explorer 'hope'"),
        ({"varied": {"gamma": (2.0, "2.0")}}, "give each value once"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(asked, changes, message):
    with pytest.raises(ValueError, match=message):
        replace(asked, **changes).runs()


def test_command_line_of_a_run_asks_for_its_configuration(monkeypatch):
    config = replace(
        BASE,
        env_kwargs={"body": "myo-legs", "clip": "my clip.npz", "reflex": {"stiffness": 10}},
        explorer="gsde",
        hyperparameters=Hyperparameters().changed({"hidden": (32,), "target_kl": None, "activation": "tanh"}),
        threads=1,
    )
    trained = []
    monkeypatch.setattr("ms_agents.training.train", lambda config, run: trained.append(config))
    monkeypatch.setattr(sys, "argv", ["ms-agents", *shlex.split(shlex.join(train_arguments(config)))])
    main()
    assert trained == [config]


def test_a_failed_run_is_named_and_does_not_stop_the_rest(asked, trainer, tmp_path, capsys):
    failed = sweep(asked, tmp_path / "sweep", jobs=2, command=trainer)
    assert failed == ["adversarial-gaussian-seed-1", "hand-tuned-gaussian-seed-1"]
    assert "exit code 1: no muscles left" in " ".join(capsys.readouterr().out.split())
    complete = [name for name in asked.runs() if module.is_complete(tmp_path / "sweep" / name, 256)]
    assert complete == ["adversarial-gaussian-seed-0", "hand-tuned-gaussian-seed-0"]


def test_complete_runs_are_left_alone_and_unfinished_ones_resumed(asked, trainer, tmp_path):
    sweep(asked, tmp_path, command=trainer)
    (tmp_path / "adversarial-gaussian-seed-1" / LAST).parent.mkdir()
    (tmp_path / "adversarial-gaussian-seed-1" / LAST).touch()
    sweep(asked, tmp_path, command=trainer)
    assert calls(tmp_path) == {
        "adversarial-gaussian-seed-0": "started",
        "hand-tuned-gaussian-seed-0": "started",
        "adversarial-gaussian-seed-1": "started resumed",
        "hand-tuned-gaussian-seed-1": "started started",
    }


def test_more_steps_continue_complete_runs_and_discard_their_reports(asked, trainer, tmp_path):
    run = tmp_path / "adversarial-gaussian-seed-1"
    (run / LAST).parent.mkdir(parents=True)
    (run / LAST).touch()
    (run / "progress.csv").write_text("time/total_timesteps\n256\n")
    (run / "report-trained.json").write_text("{}")
    longer = replace(asked, base=replace(BASE, steps=512), seeds=(1,), aggregators=("adversarial",))
    assert sweep(longer, tmp_path, command=trainer) == [run.name]
    assert calls(tmp_path) == {run.name: "resumed"} and not (run / "report-trained.json").exists()


def test_a_run_made_with_other_settings_is_refused_by_their_names(asked, trainer, tmp_path):
    other = replace(BASE, env_kwargs={"mass": 3.0}, hyperparameters=Hyperparameters(gamma=0.9), steps=512)
    other.save(tmp_path / "adversarial-gaussian-seed-0", {})
    with pytest.raises(ValueError, match=r"made with mass 3\.0 instead of 2\.0, gamma 0\.9 instead of 0\.99;"):
        sweep(asked, tmp_path, command=trainer)
    assert not calls(tmp_path) and not (tmp_path / "sweep.json").exists()


def test_a_run_is_not_started_twice_even_when_its_sweep_is_gone(asked, trainer, tmp_path):
    one = replace(asked, seeds=(0,), aggregators=("adversarial",))
    (name, config), *_ = one.runs().items()
    orphan = module._Run(tmp_path / name, config)
    orphan.start((sys.executable, "-c", "import time; time.sleep(60)"))
    assert sweep(one, tmp_path, command=trainer) == [name] and not calls(tmp_path)
    orphan.interrupt()
    orphan._process.wait()
    assert sweep(one, tmp_path, command=trainer) == []


def arguments(folder: Path, steps: int) -> list[str]:
    command = f"sweep {BASE.id} {SMALL} --steps {steps} --seeds 0 1 --aggregators adversarial hand-tuned --jobs 2"
    return [*shlex.split(command), "--folder", str(folder)]


@pytest.mark.slow
def test_an_interrupted_sweep_is_completed_by_the_same_command(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    steps = 200 * 128
    process = subprocess.Popen([sys.executable, "-m", "ms_agents", *arguments(tmp_path, steps)])
    first = tmp_path / "adversarial-gaussian-seed-0"
    deadline = time.monotonic() + 300
    while len(read_curve(first)) < 15 and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    reached = read_checkpoint(first / LAST)["num_timesteps"]
    assert 15 * 128 <= reached < steps
    assert read_curve(first)[-1]["time/total_timesteps"] == str(reached)  # stopped cleanly: nothing was lost
    subprocess.run([sys.executable, "-m", "ms_agents", *arguments(tmp_path, steps)], check=True)
    names = {f"{aggregator}-gaussian-seed-{n}" for aggregator in ("adversarial", "hand-tuned") for n in (0, 1)}
    for name in names:
        assert read_checkpoint(tmp_path / name / LAST)["num_timesteps"] == steps
        assert settings(TrainingConfig.load(tmp_path / name))["hidden"] == [32]
        assert (tmp_path / name / "report-trained.json").exists() and (tmp_path / f"{name}.log").exists()
    assert json.loads((tmp_path / "sweep.json").read_text())["seeds"] == [0, 1]
    before = os.stat(first / LAST).st_mtime_ns
    subprocess.run([sys.executable, "-m", "ms_agents", *arguments(tmp_path, steps)], check=True)
    assert os.stat(first / LAST).st_mtime_ns == before
