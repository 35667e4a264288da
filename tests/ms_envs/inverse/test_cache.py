from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from ms_envs.bodies import load_body
from ms_envs.inverse import cache, inverse_solution


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MS_ENVS_CACHE", str(tmp_path))
    return tmp_path / "inverse"


@pytest.fixture(scope="module")
def clip(legs, squat, make_clip):
    return make_clip(legs, squat.qpos[20:25], squat.fps, loop=False)


def test_a_known_solution_is_read_and_not_found_again(legs, clip, folder, monkeypatch):
    first = inverse_solution(legs, clip)
    monkeypatch.setattr(cache, "static_optimization", None)
    again = inverse_solution(legs, clip)
    for field in fields(first):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(first, field.name))
    assert len(list(folder.iterdir())) == 1


def test_another_strength_or_motion_is_another_solution(legs, clip, squat, make_clip, folder):
    weak = load_body("myo-legs", strength=0.5)
    assert inverse_solution(weak, clip).activation.mean() > inverse_solution(legs, clip).activation.mean()
    inverse_solution(legs, make_clip(legs, squat.qpos[20:24], squat.fps, loop=False))
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-100], lambda content: b"x" * 500])
def test_a_damaged_file_is_replaced_with_a_warning(legs, clip, folder, damage):
    first = inverse_solution(legs, clip)
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    with pytest.warns(UserWarning, match="damaged"):
        again = inverse_solution(legs, clip)
    np.testing.assert_array_equal(again.activation, first.activation)
    assert len(path.read_bytes()) > 500 and list(folder.iterdir()) == [path]


def test_arrays_of_another_shape_are_not_taken(legs, clip, folder):
    inverse_solution(legs, clip)
    (path,) = folder.iterdir()
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays | {"activation": arrays["activation"][:, 1:]})
    with pytest.warns(UserWarning, match="activation is not"):
        assert inverse_solution(legs, clip).activation.shape == (5, legs.model.nu)


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("MS_ENVS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / "ms-envs"
    monkeypatch.setenv("MS_ENVS_CACHE", str(tmp_path / "own"))
    assert cache.cache_folder() == tmp_path / "own"
