from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from ms_agents import AggregatedPPO
from ms_agents.checkpoint import read_checkpoint
from ms_agents.evaluation import evaluate
from ms_agents.hyperparameters import DiscriminatorHyperparameters, Hyperparameters
from ms_agents.reproduction.cloning import LASTING
from ms_agents.reproduction.command import reproduce
from ms_agents.reproduction.config import CloningHyperparameters, FeedbackHyperparameters, ReproductionConfig
from ms_agents.reproduction.fine_tuning import prime
from ms_agents.runs import BEST, LAST, load_run

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
