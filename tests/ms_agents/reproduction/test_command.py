from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from ms_agents import AggregatedPPO
from ms_agents.checkpoint import read_checkpoint
from ms_agents.evaluation import evaluate
from ms_agents.hyperparameters import DiscriminatorHyperparameters, Hyperparameters
from ms_agents.planning import Plan
from ms_agents.planning.command import search
from ms_agents.reproduction.cloning import LASTING
from ms_agents.reproduction.command import Reproduction, reproduce
from ms_agents.reproduction.config import CloningHyperparameters, FeedbackHyperparameters, ReproductionConfig
from ms_agents.reproduction.fine_tuning import prime
from ms_agents.runs import BEST, LAST, load_run
from rich.console import Console

CONFIG = ReproductionConfig(
    "ms_envs:MSEmu/Walk-v0",
    {"body": "myo-legs"},
    core_hours=20 / 3600,
    plan_rounds=2,
    plan_minutes=5.0,
    lessons=2,
    rounds=1,
    episode=0.3,
    warm_up=0.05,
    episodes=2,
    feedback=FeedbackHyperparameters(bodies=8, rounds=1, first_seconds=0.12),
    cloning=CloningHyperparameters(epochs=2),
    learner=Hyperparameters(
        environments=2,
        rollout_steps=16,
        epochs=1,
        minibatch=32,
        hidden=(16,),
        discriminator=DiscriminatorHyperparameters(hidden=(16,), updates=1, batch=16),
    ),
)


@pytest.mark.slow
@pytest.mark.parametrize("teacher", ["motion", "plan"])
def test_the_whole_way_ends_in_a_run_and_is_not_gone_twice(tmp_path, teacher):
    config = replace(CONFIG, teacher=teacher)
    run = reproduce(config, tmp_path / "run", threads=1)
    stages = json.loads((run / "stages.json").read_text())
    assert list(stages) == [
        "untrained",
        *(["plan"] if teacher == "plan" else []),
        "feedback",
        "lessons 0",
        "clone 0",
        "lessons 1",
        "clone 1",
        "warm-up",
        "fine-tuning",
    ]
    assert all(stage["done"] for name, stage in stages.items() if name != "untrained")
    assert stages["feedback"]["report"]["episodes"] == stages["fine-tuning"]["report"]["episodes"] == 2
    assert "| fine-tuning |" in (run / "reproduction.md").read_text()
    assert (run / "video.mp4").stat().st_size > 0
    policies = [stages[name]["report"]["coverage"] for name in ("clone 0", "clone 1", "fine-tuning")]
    best = evaluate(load_run(run)[0], CONFIG.id, episodes=2, **load_run(run)[2] | {"muscle_paths": "exact"})
    assert best.coverage == pytest.approx(max(policies))
    policy, env_id, arguments = load_run(run)
    assert (env_id, arguments["control"], arguments["body"]) == (CONFIG.id, "posture", "myo-legs")
    assert policy.num_timesteps >= 0
    written = (run / BEST).stat().st_mtime_ns, (run / LAST).stat().st_mtime_ns
    reproduce(config, run, threads=1)
    assert written == ((run / BEST).stat().st_mtime_ns, (run / LAST).stat().st_mtime_ns)


@pytest.mark.slow
def test_without_a_teacher_everything_is_left_to_ppo(tmp_path):
    run = reproduce(CONFIG.changed({"teacher": "none", "core_hours": 4 / 3600}), tmp_path, threads=1)
    stages = json.loads((run / "stages.json").read_text())
    assert list(stages) == ["untrained", "warm-up", "fine-tuning"]
    assert stages["fine-tuning"]["report"]["survival"] > 0


@pytest.mark.slow
def test_the_warm_up_leaves_the_clone_as_it_is(tmp_path):
    env = CONFIG.training(1, 1).make_env()
    clone = AggregatedPPO(env=env, hyperparameters=CONFIG.learner, device="cpu", seed=3).policy.state_dict()
    env.close()
    clone["normalizer.count"].fill_(LASTING)
    assert prime(CONFIG, tmp_path, clone, 0.0, 1, lambda _: None) > 0
    primed = read_checkpoint(tmp_path / LAST)["policy"]
    same = {name for name in clone if torch.equal(clone[name], primed[name])}
    assert {name for name in clone if name.startswith("actor")} <= same
    assert not {name for name in clone if name.startswith("critic")} & same


def test_a_directory_of_something_else_is_left_alone(tmp_path):
    CONFIG.save(tmp_path)
    with pytest.raises(ValueError, match="with other settings"):
        reproduce(CONFIG.changed({"rounds": 2}), tmp_path)
    (tmp_path / "reproduction.json").rename(tmp_path / "config.json")
    with pytest.raises(ValueError, match="already holds a run"):
        reproduce(CONFIG, tmp_path)


def test_a_plan_that_was_made_before_takes_the_place_of_the_search(tmp_path):
    config, path = CONFIG.changed({"teacher": "plan"}), tmp_path / "plan.npz"
    made = search(replace(config.request, seconds=0.2, seed=3), path, core_minutes=1.0, threads=1)
    folder = tmp_path / "run"
    config.save(folder)
    Reproduction(config, folder, 1, made, Console())._plan()
    kept = Plan.load(folder / "plan.npz")
    assert kept.request == made.request
    np.testing.assert_array_equal(kept.actions, made.actions)
    stage = json.loads((folder / "stages.json").read_text())["plan"]
    assert stage["done"]
    assert stage["core_seconds"] == pytest.approx(made.core_seconds, abs=10.0)
    other = replace(made, rows={**made.rows, "action": made.actions + 0.1})
    with pytest.raises(ValueError, match="goes by another plan"):
        Reproduction(config, folder, 1, other, Console())._plan()
    foreign = replace(made, identity={**made.identity, "clip_hash": "of another"})
    with pytest.raises(ValueError, match="the plan was made for another environment: clip_hash"):
        Reproduction(config, tmp_path / "second", 1, foreign, Console())._plan()
    with pytest.raises(ValueError, match="the teacher is 'motion'; choose teacher 'plan'"):
        reproduce(CONFIG, tmp_path / "third", plan=path)
    with pytest.raises(FileNotFoundError, match="there is no plan"):
        reproduce(config, tmp_path / "third", plan=tmp_path / "none.npz")
    assert not (tmp_path / "third").exists()
