from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ms_agents.algorithms import ALGORITHMS
from ms_agents.report import TrackingReport
from ms_agents.runs import TrainingConfig

from benchmarks import ablation, results_file
from benchmarks.ablation_curves import on_common_grid
from benchmarks.ablation_runs import QUANTITIES, CompleteRun, group, pairs, read_runs

CONFIG = TrainingConfig("ms_envs:MSEmu/Walk-v0", {"body": "myo-legs"}, steps=400_000, video=False)
UNTRAINED = TrackingReport(
    environment="MSEmu/Walk-v0",
    policy="untrained",
    episodes=32,
    seed=0,
    horizon=5.0,
    coverage=20.0,
    completion=0.0,
    survival=0.5,
    reward=0.1,
    errors={},
    penalised={"joint_angle_error": 9.0, "body_position_error": 200.0},
    failures={},
)

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes the directory of a run that survives ``survival`` s and takes ``minutes`` per 100,000 steps."""

    def write(aggregator: str, explorer: str, seed: int, *, survival: float = 1.0, minutes: float = 1.0) -> Path:
        run = tmp_path / "sweep" / f"{aggregator}-{explorer}-seed-{seed}"
        run.mkdir(parents=True)
        replace(CONFIG, aggregator=aggregator, explorer=explorer, seed=seed).save(run, {})
        errors = {"joint_angle_error": 10 - survival, "body_position_error": 100.0 + seed}
        trained = replace(UNTRAINED, policy="trained", survival=survival, completion=50.0, penalised=errors)
        for report in (UNTRAINED, trained):
            (run / f"report-{report.policy}.json").write_text(report.to_json())
        rows = ["time/total_timesteps,time/minutes,rollout/ep_len_mean,eval/survival,time/learner_seconds"]
        rows += [f"{step},{minutes * step / 1e5},{step / 1e4},{'' if step % 200_000 else 2.0},6" for step in STEPS]
        (run / "progress.csv").write_text("\n".join([*rows, "400000,,,3.0,6"]))
        return run

    return write


STEPS = range(100_000, 400_001, 100_000)


@pytest.fixture
def sweep(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three seeds by hand-tuned and adversarial reward, the latter 1 s better and half again as slow; two odd ones."""
    for module in (ablation, results_file):
        monkeypatch.setattr(module, "FOLDER", tmp_path / "results")
    for seed in range(3):
        make("hand-tuned", "gaussian", seed, survival=1 + 0.1 * seed)
        make("adversarial", "gaussian", seed, survival=2 + 0.1 * seed, minutes=1.5)
    (make("adversarial", "gaussian", 3) / "report-trained.json").unlink()
    make("adversarial", "flow", 0)
    return tmp_path / "sweep"


def test_numbers_of_a_run_are_per_hundred_thousand_steps(make: Make) -> None:
    run = CompleteRun.read(make("adversarial", "flow", 2, survival=3.0, minutes=2.0))
    assert {quantity.name: quantity.value(run, 300_000) for quantity in QUANTITIES} == {
        "survival": 3.0,
        "completion": 50.0,
        "penalised joint angle error": 7.0,
        "penalised body position error": 102.0,
        "training episode": 30.0,
        "wall time": 2.0,
        "learner time": 6.0,
    }


def test_page_says_what_helps_by_how_much_and_what_it_costs(sweep: Path, tmp_path: Path) -> None:
    ablation.run("walk", sweep)
    page = (tmp_path / "results" / "walk.md").read_text()
    (sentence,) = (line for line in page.split("\n") if line.startswith("- **"))
    assert sentence.startswith("- **adversarial instead of hand-tuned**: improves survival (+1 [+0.867, +1.13] s), ")
    assert "penalised joint angle error (-1 [-1.13, -0.867] deg); otherwise no difference shown" in sentence
    assert "contains zero for completion, penalised body position error, training episode. " in sentence
    assert "Cost: wall time (+0.5 [+0.5, +0.5] min/100k steps, +50 %), learner time (+0 [+0, +0] s/" in sentence
    assert sentence.endswith("+0 %, contains zero).")
    assert "| untrained |  | 0.5 [0.5, 0.5] |" in page and "| adversarial | 3 | 2.1 [2, 2.2] |" in page
    assert "explorer gaussian, body myo-legs: 3 seeds" in page
    assert "with one run: adversarial-gaussian-seed-3, adversarial-flow-seed-0." in page
    assert page.count("ms-agents train ms_envs:MSEmu/Walk-v0 --body myo-legs") == 6
    numbers = json.loads((tmp_path / "results" / "walk.json").read_text())
    improvement = numbers["differences"]["adversarial instead of hand-tuned"]["survival (s)"][
        "probability_of_improvement"
    ]
    assert improvement == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert (tmp_path / "results" / "walk" / "curves.png").stat().st_size > 10_000
    assert len((tmp_path / "results" / "walk" / "curves.csv").read_text().splitlines()) == 1 + 6 * 5


def test_runs_of_unequal_length_are_refused(sweep: Path) -> None:
    longer = sweep / "adversarial-gaussian-seed-0" / "progress.csv"
    longer.write_text(longer.read_text() + "\n500000,,,3.0,6")
    with pytest.raises(ValueError, match="adversarial-gaussian-seed-0 has 500,000 steps and .* 400,000; compare"):
        ablation.run("walk", sweep)


def test_a_folder_without_seeds_to_compare_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no complete run"):
        ablation.run("walk", tmp_path / "nothing")
    make("adversarial", "flow", 0)
    with pytest.raises(ValueError, match="no setting with two complete runs"):
        ablation.run("walk", tmp_path / "sweep")


def test_every_setting_is_compared_with_the_baseline_that_is_otherwise_the_same(make: Make, tmp_path: Path) -> None:
    for aggregator in ("adversarial", "hand-tuned"):
        for explorer in ("flow", "gaussian", "gsde"):
            make(aggregator, explorer, 0)
    groups = group(read_runs(tmp_path / "sweep")[0])
    assert groups[0].label == "hand-tuned, gaussian"
    assert {pair.label for pair in pairs(groups)} == {
        f"adversarial instead of hand-tuned ({explorer})" for explorer in ("flow", "gaussian", "gsde")
    } | {f"{new} instead of gaussian ({old})" for new in ("flow", "gsde") for old in ("adversarial", "hand-tuned")}


def test_runs_may_differ_in_any_setting(make: Make, tmp_path: Path) -> None:
    first = make("adversarial", "gaussian", 0)
    other = first.with_name("stronger")
    shutil.copytree(first, other)
    replace(CONFIG, env_kwargs={"body": "myo-legs", "strength": 1.5}).save(other, {})
    (pair,) = pairs(group(read_runs(tmp_path / "sweep")[0]))
    assert pair.label == "strength 1.5 instead of strength None"


def test_constants_of_parts_that_a_run_does_not_have_are_no_settings(make: Make, tmp_path: Path) -> None:
    for explorer in ("gaussian", "flow"):
        for seed, reach in enumerate((0.5, 1.0)):
            config = replace(
                CONFIG, explorer=explorer, hyperparameters=CONFIG.hyperparameters.changed({"flow.reach": reach})
            )
            config.save(make("adversarial", explorer, seed), {})
    labels = [one.label for one in group(read_runs(tmp_path / "sweep")[0])]
    assert labels == ["gaussian, flow.reach None", "flow, flow.reach 0.5", "flow, flow.reach 1.0"]


def test_algorithms_are_one_setting_although_their_constants_differ(make: Make, tmp_path: Path) -> None:
    for seed, (algorithm, kind) in enumerate(ALGORITHMS.items()):
        config = replace(CONFIG, algorithm=algorithm, explorer="flow", hyperparameters=kind.hyperparameters())
        config.save(make("adversarial", "flow", seed), {})
    (pair,) = pairs(group(read_runs(tmp_path / "sweep")[0]))
    assert pair.label == "qflex instead of ppo"


def test_curves_meet_where_all_of_them_are() -> None:
    x, values = on_common_grid([np.array([[0.0, 10.0], [0.0, 10.0]]), np.array([[2.0, 20.0], [4.0, 40.0]])])
    assert (x[0], x[-1]) == (2.0, 10.0)
    assert values[0] == pytest.approx(x) and values[1] == pytest.approx(2 * x)
