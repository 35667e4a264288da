from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from ms_envs.recording import Episode, write_video


def frames(count: int) -> Iterator[np.ndarray]:
    for index in range(count):
        yield np.full((48, 64, 3), 40 * index, dtype=np.uint8)


@pytest.mark.parametrize("ending", [".mp4", ".gif"])
def test_a_video_holds_the_frames(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "new" / f"film{ending}"
    write_video(path, frames(5), fps=25)
    read = np.stack(list(iio.imiter(path)))
    assert read.shape[:3] == (5, 48, 64)
    assert np.allclose(read.mean(axis=(1, 2, 3)), [0, 40, 80, 120, 160], atol=6)


def test_a_film_that_breaks_off_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    write_video(path, frames(2), fps=10)
    before = path.read_bytes()

    def broken() -> Iterator[np.ndarray]:
        yield from frames(2)
        raise OSError("camera fell over")

    with pytest.raises(OSError, match="camera"):
        write_video(path, broken(), fps=10)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "count", "fps", "message"),
    [("film.avi", 2, 10, "'.mp4' or '.gif'"), ("film.mp4", 0, 10, "no frames"), ("film.mp4", 2, 0, "fps")],
)
def test_wrong_video_arguments_are_refused(tmp_path: Path, name: str, count: int, fps: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_video(tmp_path / name, frames(count), fps)


def recorded(steps: int) -> Episode:
    episode, generator = Episode(), np.random.default_rng(0)
    for step in range(steps):
        qpos, qvel, activation, excitation, reference = (generator.random(n) for n in (9, 8, 5, 5, 9))
        episode.record(0.02 * step, qpos, qvel, activation, excitation, reference, {"joint_error": float(step)})
    return episode


def test_an_episode_survives_saving(tmp_path: Path) -> None:
    episode = recorded(4)
    episode.save(tmp_path / "episode.npz")
    loaded = Episode.load(tmp_path / "episode.npz")
    assert loaded.keys() == episode.arrays().keys()
    assert all(np.array_equal(loaded[name], values) for name, values in episode.arrays().items())
    assert loaded["qpos"].shape == (4, 9)
    assert loaded["metric_joint_error"].tolist() == [0, 1, 2, 3]


def test_a_recorded_step_does_not_change_with_the_array_it_came_from() -> None:
    episode, qpos = Episode(), np.zeros(3)
    episode.record(0.0, qpos, qpos, qpos, qpos, qpos)
    qpos[:] = 1.0
    assert not episode.arrays()["qpos"].any()


def test_bad_episodes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="empty"):
        Episode().save(tmp_path / "episode.npz")
    with pytest.raises(ValueError, match="joint_error"):
        recorded(1).record(0.1, *(np.zeros(n) for n in (9, 8, 5, 5, 9)))
    with pytest.raises(FileNotFoundError):
        Episode.load(tmp_path / "absent.npz")
    path = tmp_path / "episode.npz"
    recorded(2).save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="not a usable episode"):
        Episode.load(path)
