from __future__ import annotations

import dataclasses
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ms_envs.bodies import Body
from ms_envs.motions import load_clip
from ms_envs.motions.clip import MotionClip, ReferenceTable, velocities
from ms_envs.task import rotations


@pytest.fixture(scope="module")
def walking(squat_clip: MotionClip) -> MotionClip:
    """The squat while its root moves forward by 2 m a round."""
    advance = np.linspace(0, 1, len(squat_clip.qpos))[:, None] * [2.0, 0.5, 0.0]
    qpos, key_position = squat_clip.qpos.copy(), squat_clip.key_position + advance[:, None]
    qpos[:, :3] += advance
    return dataclasses.replace(squat_clip, qpos=qpos, key_position=key_position)


def altered(path: Path, target: Path, **arrays: np.ndarray) -> Path:
    """A copy of a clip file with other arrays in it."""
    with np.load(path) as archive:
        content = {name: archive[name] for name in archive.files}
    np.savez(target, **(content | arrays))
    return target


def test_interpolation_is_exact_at_frames(squat_clip: MotionClip) -> None:
    frames = np.arange(len(squat_clip.qpos) - 1)
    qpos, qvel = squat_clip.coordinates(frames / squat_clip.fps)
    np.testing.assert_allclose(qpos, squat_clip.qpos[:-1], atol=1e-9)
    np.testing.assert_allclose(qvel, squat_clip.qvel[:-1], atol=1e-9)


@given(st.floats(0.0, 1.99))
def test_interpolation_stays_between_neighbours(squat_clip: MotionClip, time: float) -> None:
    frame = int(time * squat_clip.fps)
    (qpos,), _ = squat_clip.coordinates(np.array([time]))
    ends = squat_clip.qpos[frame : frame + 2]
    assert (qpos >= ends.min(axis=0) - 1e-9).all()
    assert (qpos <= ends.max(axis=0) + 1e-9).all()


@given(st.floats(0.0, 1.9), st.integers(1, 50))
def test_looping_repeats_the_posture_and_advances_the_root(walking: MotionClip, time: float, rounds: int) -> None:
    now, _ = walking.coordinates(np.array([time]))
    later, _ = walking.coordinates(np.array([time + rounds * walking.duration]))
    np.testing.assert_allclose(later[0, 3:], now[0, 3:], atol=1e-6)
    np.testing.assert_allclose(later[0, :3] - now[0, :3], rounds * np.array([2.0, 0.5, 0.0]), atol=1e-6)


def test_looping_is_continuous_at_the_seam(walking: MotionClip) -> None:
    qpos, _ = walking.coordinates(walking.duration + np.array([-1e-6, 1e-6]))
    np.testing.assert_allclose(qpos[0], qpos[1], atol=1e-4)


def test_looping_never_changes_the_height(squat_clip: MotionClip) -> None:
    qpos = squat_clip.qpos.copy()
    qpos[-1, 2] += 0.01
    drifting = dataclasses.replace(squat_clip, qpos=qpos)
    assert drifting.cycle_offset[2] == 0


def test_clip_that_does_not_loop_stays_on_its_last_frame(squat_clip: MotionClip) -> None:
    once = dataclasses.replace(squat_clip, loop=False)
    qpos, _ = once.coordinates(np.array([once.duration, once.duration + 5]))
    np.testing.assert_allclose(qpos, np.tile(once.qpos[-1], (2, 1)), atol=1e-9)


@pytest.mark.parametrize("time", [0.0, 0.013, 0.5, 1.99, 2.0, 7.31])
def test_reference_table_agrees_with_the_coordinates(legs: Body, walking: MotionClip, time: float) -> None:
    times = np.array([time])
    (qpos,), (qvel,) = walking.coordinates(times)
    pose = ReferenceTable(walking, legs).at(times)
    np.testing.assert_allclose(pose.root_position[0], qpos[:3], atol=1e-9)
    orientation = rotations.multiply(np, qpos[None, 3:7], legs.root_frame)
    assert rotations.angle(np, pose.root_orientation, orientation)[0] < 1e-7
    np.testing.assert_allclose(pose.joint_position[0], qpos[legs.qpos_index], atol=1e-9)
    np.testing.assert_allclose(pose.joint_velocity[0], qvel[legs.dof_index], atol=1e-9)
    np.testing.assert_allclose(pose.root_linear_velocity[0], qvel[:3], atol=1e-9)


def test_key_bodies_of_the_reference_advance_with_the_root(legs: Body, walking: MotionClip) -> None:
    pose = ReferenceTable(walking, legs).at(np.array([0.3, 0.3 + 3 * walking.duration]))
    expected = np.broadcast_to(3 * np.array([2.0, 0.5, 0.0]), pose.key_position.shape[1:])
    np.testing.assert_allclose(pose.key_position[1] - pose.key_position[0], expected, atol=1e-6)


def test_velocities_are_the_slope_of_the_positions(legs: Body, squat_clip: MotionClip) -> None:
    knee = legs.joint_roles["knee_r"][0]
    slope = np.gradient(squat_clip.qpos[:, legs.qpos_index[knee]], 1 / squat_clip.fps)[1:-1]
    np.testing.assert_allclose(squat_clip.qvel[1:-1, legs.dof_index[knee]], slope, atol=1e-9)


def test_velocities_close_the_loop(legs: Body, squat_clip: MotionClip) -> None:
    qvel = velocities(squat_clip.qpos, squat_clip.fps, legs, loop=True)
    np.testing.assert_allclose(qvel[0], qvel[-1], atol=1e-9)


def test_save_and_load_round_trip(squat_clip: MotionClip, tmp_path: Path) -> None:
    path = tmp_path / "clip.npz"
    original = dataclasses.replace(squat_clip, activation=np.random.default_rng(0).uniform(size=(101, 80)))
    original.save(path)
    loaded = MotionClip.load(path)
    for name in ("motion", "body_name", "body_hash", "fps", "loop", "provenance"):
        assert getattr(loaded, name) == getattr(original, name)
    for name in ("qpos", "qvel", "key_position"):
        np.testing.assert_allclose(getattr(loaded, name), getattr(original, name), atol=1e-6)
    np.testing.assert_allclose(loaded.activation, original.activation, atol=0.5 / 255 + 1e-9)
    np.testing.assert_array_equal(loaded.contact, original.contact)


def test_loaded_orientations_are_unit(squat_path: Path) -> None:
    np.testing.assert_allclose(np.linalg.norm(MotionClip.load(squat_path).qpos[:, 3:7], axis=1), 1, atol=1e-15)


def test_equal_clips_give_equal_bytes(squat_clip: MotionClip, tmp_path: Path) -> None:
    first, second = tmp_path / "a.npz", tmp_path / "b.npz"
    squat_clip.save(first)
    os.utime(first, (0, 0))
    squat_clip.save(second)
    assert first.read_bytes() == second.read_bytes()
    MotionClip.load(first).save(second)
    assert first.read_bytes() == second.read_bytes()


def test_interrupted_save_leaves_the_old_clip(squat_clip: MotionClip, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "clip.npz"
    squat_clip.save(path)
    before = path.read_bytes()

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(np.lib.format, "write_array", interrupt)
    with pytest.raises(KeyboardInterrupt):
        dataclasses.replace(squat_clip, fps=60.0).save(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("field", ["qpos", "qvel", "key_position", "activation"])
def test_values_that_are_not_finite_are_refused(squat_clip: MotionClip, field: str) -> None:
    values = np.zeros((101, 80)) if field == "activation" else getattr(squat_clip, field).copy()
    values.flat[7] = np.nan
    with pytest.raises(ValueError, match=f"{field}.*finite"):
        dataclasses.replace(squat_clip, **{field: values})


@pytest.mark.parametrize("fps", [0.0, -50.0, 1.0, 1e6, np.nan, np.inf])
def test_wrong_rate_is_refused(squat_clip: MotionClip, fps: float) -> None:
    with pytest.raises(ValueError, match="10 to 1000"):
        dataclasses.replace(squat_clip, fps=fps)


@pytest.mark.parametrize("frames", [0, 1])
def test_too_few_frames_are_refused(squat_clip: MotionClip, frames: int) -> None:
    arrays = {name: getattr(squat_clip, name)[:frames] for name in ("qpos", "qvel", "key_position", "contact")}
    with pytest.raises(ValueError, match="at least 2"):
        dataclasses.replace(squat_clip, **arrays)


def test_arrays_of_different_length_are_refused(squat_clip: MotionClip) -> None:
    with pytest.raises(ValueError, match="qvel has 100 frames, qpos has 101"):
        dataclasses.replace(squat_clip, qvel=squat_clip.qvel[:-1])


def test_clip_of_another_body_is_refused(fullbody: Body, squat_clip: MotionClip) -> None:
    with pytest.raises(ValueError, match="made for body 'myo-legs'.*not for 'myo-fullbody'.*ms-envs retarget"):
        squat_clip.check_fits(fullbody)


@pytest.mark.parametrize("field", ["qpos", "qvel", "key_position"])
def test_frames_of_the_wrong_size_are_refused(legs: Body, squat_clip: MotionClip, field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} has frames of shape"):
        dataclasses.replace(squat_clip, **{field: getattr(squat_clip, field)[:, 1:]}).check_fits(legs)


def test_activations_of_the_wrong_size_are_refused(legs: Body, squat_clip: MotionClip) -> None:
    with pytest.raises(ValueError, match="activation has frames of shape"):
        dataclasses.replace(squat_clip, activation=np.zeros((101, 3))).check_fits(legs)


def test_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no clip at"):
        MotionClip.load(tmp_path / "absent.npz")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_file_is_refused(squat_path: Path, tmp_path: Path, share: float) -> None:
    content, path = squat_path.read_bytes(), tmp_path / "cut.npz"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="not a usable motion clip"):
        MotionClip.load(path)


def test_damaged_file_is_refused(squat_path: Path, tmp_path: Path) -> None:
    content, path = bytearray(squat_path.read_bytes()), tmp_path / "damaged.npz"
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a usable motion clip"):
        MotionClip.load(path)


@pytest.mark.parametrize("content", [b"not an archive", b"\x93NUMPY\x01\x00", b"PK\x05\x06" + bytes(18)])
def test_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a usable motion clip"):
        MotionClip.load(path)


def test_plain_array_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    path = tmp_path / "array.npz"
    path.write_bytes(stream.getvalue())
    with pytest.raises(ValueError, match="not a usable motion clip"):
        MotionClip.load(path)


class Trap:
    """Writes a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_pickled_arrays_are_refused_and_not_run(squat_path: Path, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    path = altered(squat_path, tmp_path / "trap.npz", qpos=np.array([Trap(sprung)], dtype=object))
    with pytest.raises(ValueError, match="not a usable motion clip"):
        MotionClip.load(path)
    assert not sprung.exists()


@pytest.mark.parametrize("header", [b"", b"[]", b"{", b"null", b'{"format": 99}', b'{"format": 1}', b"\xff\xfe"])
def test_unusable_header_is_refused(squat_path: Path, tmp_path: Path, header: bytes) -> None:
    path = altered(squat_path, tmp_path / "header.npz", header=np.frombuffer(header, dtype=np.uint8))
    with pytest.raises(ValueError, match="not a usable motion clip"):
        MotionClip.load(path)


@pytest.mark.parametrize(
    "qpos", [np.zeros(5), np.zeros((101, 3)), np.zeros((101, 35)), np.full((101, 35), "a"), np.float64(1.0)]
)
def test_unusable_positions_are_refused(legs: Body, squat_path: Path, tmp_path: Path, qpos: np.ndarray) -> None:
    path = altered(squat_path, tmp_path / "qpos.npz", qpos=qpos)
    with pytest.raises(ValueError, match=r"not a usable motion clip|frames of shape \(3,\)"):
        load_clip(path, legs)


def test_missing_array_is_refused(squat_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "less.npz"
    with zipfile.ZipFile(squat_path) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            if name != "qvel.npy":
                target.writestr(name, source.read(name))
    with pytest.raises(ValueError, match=r"not a usable motion clip.*qvel"):
        MotionClip.load(path)


def test_clip_through_postures_of_another_body_is_refused(legs: Body) -> None:
    with pytest.raises(ValueError, match=rf"needs \(T, {legs.model.nq}\)"):
        MotionClip.through("mine", legs, np.zeros((5, legs.model.nq + 1)), 50.0, loop=False)
