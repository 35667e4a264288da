from __future__ import annotations

from pathlib import Path

from ms_agents.runs import TrainingConfig

from benchmarks.curves import _read


def test_curve_holds_evaluations_against_steps_and_core_hours(tmp_path: Path) -> None:
    run = tmp_path / "walk" / "adversarial"
    run.mkdir(parents=True)
    TrainingConfig("ms_envs:MSEmu/Walk-v0", {"body": "myo-legs"}, threads=2, seed=3).save(run, {})
    (run / "progress.csv").write_text(
        "time/total_timesteps,time/minutes,eval/survival,eval/penalised_joint_angle_error\n"
        "100,15,1.5,9.0\n200,30,,\n300,60,2.5,7.0\n400,90,,\n"
    )
    curve = _read(run, tmp_path)
    assert curve.points == [(100, 0.5, 1.5, 9.0), (300, 2.0, 2.5, 7.0)]
    assert (curve.name, curve.steps, curve.core_hours, curve.seed) == ("walk/adversarial", 400, 3.0, 3)
    assert curve.task == "MSEmu/Walk-v0, myo-legs, excitation"


def test_run_without_evaluations_has_no_points(tmp_path: Path) -> None:
    config = TrainingConfig("ms_envs:MSEmu/Walk-v0")
    config.save(tmp_path, {})
    (tmp_path / "progress.csv").write_text("time/total_timesteps,time/minutes\n100,1\n")
    assert _read(tmp_path, tmp_path).points == []
