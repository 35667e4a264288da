from __future__ import annotations

import sys

import pytest
from ms_envs.cli import main
from ms_envs.inverse import ConvergenceError, command, read_storage
from ms_envs.inverse.command import inverse_command, motion_name


def test_motions_are_known_by_name_id_and_path():
    assert [motion_name(m) for m in ("walk", "MSEmu/Dance-v0", "ms_envs:MSEmu/Run-v0", "a/b.npz")] == [
        "walk",
        "dance_b",
        "run",
        "a/b.npz",
    ]
    with pytest.raises(ValueError, match="unknown motion 'Walk'; choose one of walk, run"):
        motion_name("Walk")


def test_mistakes_name_the_choices():
    with pytest.raises(ValueError, match="unknown body 'legs'; choose one of"):
        inverse_command(["walk"], ["legs"])
    with pytest.raises(ValueError, match="cartwheel is a motion of myo-fullbody, ms-human-700, not of myo-legs"):
        inverse_command(["cartwheel"], ["myo-legs"])
    with pytest.raises(FileNotFoundError, match="no clip at"):
        inverse_command(["missing.npz"])


def test_a_damaged_clip_ends_in_one_line(tmp_path, monkeypatch):
    path = tmp_path / "mine.npz"
    path.write_bytes(b"not a clip")
    monkeypatch.setattr(sys, "argv", ["ms-envs", "inverse", str(path)])
    with pytest.raises(SystemExit, match=r"^ms-envs: .*mine.npz is not a usable motion clip"):
        main()


def test_a_clip_of_ones_own_is_solved_drawn_and_exported(legs, squat, make_clip, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("MS_ENVS_CACHE", str(tmp_path / "cache"))
    make_clip(legs, squat.qpos[20:26], squat.fps, loop=False).save(tmp_path / "mine.npz")
    inverse_command([str(tmp_path / "mine.npz")], output=tmp_path / "out")
    assert "myo-legs" in capsys.readouterr().out
    written = {path.name for path in (tmp_path / "out" / "myo-legs").iterdir()}
    assert written == {"mine.png", "mine.mot", "mine_activations.sto", "mine_moments.sto", "mine_grf.mot"}
    assert "| myo-legs | test | 0.10 | 6 |" in (tmp_path / "out" / "README.md").read_text()
    assert read_storage(tmp_path / "out" / "myo-legs" / "mine.mot").values.shape[0] == 6


def test_a_clip_that_is_not_solved_is_an_error_that_names_it(monkeypatch):
    def fail(body, clip):
        raise ConvergenceError("frame 3: stationarity violated")

    monkeypatch.setattr(command, "inverse_solution", fail)
    with pytest.raises(ValueError, match="stand on myo-legs was not solved: frame 3"):
        inverse_command(["stand"], ["myo-legs"])
