from __future__ import annotations

import sys

import gymnasium
import numpy as np
import pytest
from ms_envs.bodies import load_body
from ms_envs.cli import main
from ms_envs.inverse import inverse_solution
from ms_envs.motions import load_clip
from ms_envs.motions.clip import MotionClip
from ms_envs.retarget.repair import repair, repair_command


@pytest.fixture(scope="module")
def legs():
    return load_body("myo-legs")


@pytest.fixture(scope="module")
def run(legs):
    return load_clip("run", legs)


@pytest.fixture(scope="module")
def repaired(legs, run):
    return repair(legs, run)[0]


def test_a_repaired_run_needs_half_the_force_and_moment_from_nowhere(legs, run, repaired):
    before, after = (inverse_solution(legs, clip) for clip in (run, repaired))
    assert after.root_residual_force.mean() < 0.55 * before.root_residual_force.mean()
    assert after.root_residual_moment.mean() < 0.6 * before.root_residual_moment.mean()


def test_a_repaired_run_stays_near_the_recording_and_repeats(legs, run, repaired):
    moved = np.linalg.norm(repaired.key_position - run.key_position, axis=-1)
    assert 0.001 < moved.mean() < 0.03
    assert repaired.provenance["repaired"]["moved_mean_mm"] == pytest.approx(1e3 * moved.mean(), abs=0.1)
    assert repaired.loop
    np.testing.assert_allclose(repaired.qpos[-1, 2:], repaired.qpos[0, 2:], atol=1e-9)
    np.testing.assert_allclose(repaired.cycle_offset, run.cycle_offset, atol=1e-9)


def test_a_tighter_tolerance_moves_less(legs, run, repaired):
    def moved(clip):
        return np.linalg.norm(clip.key_position - run.key_position, axis=-1).mean()

    assert moved(repair(legs, run, tolerance=0.005)[0]) < 0.7 * moved(repaired)


def test_a_repaired_clip_has_the_activations_and_the_quality_of_its_own_motion(legs, run, repaired):
    solution = inverse_solution(legs, repaired)
    np.testing.assert_allclose(repaired.activation, solution.activation, atol=1e-9)
    quality = repaired.provenance["quality"]
    assert quality["root_force"] == pytest.approx(solution.root_residual_force.mean(), rel=1e-3)
    assert quality["root_force"] < run.provenance["quality"]["root_force"]
    assert repaired.provenance["source"] == run.provenance["source"]


def test_the_package_holds_what_is_repaired_here(legs, repaired):
    known = load_clip("run", legs, repaired=True)
    np.testing.assert_allclose(known.qpos, repaired.qpos, atol=1e-3)  # files hold single precision
    assert known.provenance["repaired"]["tolerance_m"] == repaired.provenance["repaired"]["tolerance_m"]


def test_environments_take_the_repaired_variant_by_name():
    env = gymnasium.make("ms_envs:MSEmu/Run-v0", body="myo-legs", clip="repaired").unwrapped
    assert "repaired" in env.clip.provenance
    env.close()
    with pytest.raises(ValueError, match="stand is no recording and needs no repair"):
        gymnasium.make("ms_envs:MSEmu/Stand-v0", body="myo-legs", clip="repaired")
    with pytest.raises(
        ValueError, match="unknown clip 'repaird'; give the path of an .npz file, or one of repaired, walk"
    ):
        gymnasium.make("ms_envs:MSEmu/Run-v0", body="myo-legs", clip="repaird")


def test_the_command_writes_a_clip_that_an_environment_takes(legs, tmp_path, capsys):
    repair_command("MSEmu/Run-v0", tmp_path / "mine.npz", "myo-legs", 0.005)
    printed = capsys.readouterr().out
    assert "run, repaired" in printed
    assert "key bodies moved by" in printed
    MotionClip.load(tmp_path / "mine.npz").check_fits(legs)


def test_mistakes_are_named(legs, run, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="tolerance must be a positive length in m, got 0"):
        repair(legs, run, tolerance=0)
    with pytest.raises(ValueError, match=r"an \.npz file"):
        repair_command("run", tmp_path / "mine.txt", "myo-legs")
    monkeypatch.setattr(sys, "argv", ["ms-envs", "repair", "jog", "--output", str(tmp_path / "mine.npz")])
    with pytest.raises(SystemExit, match="unknown motion 'jog'; choose one of walk, run"):
        main()
