import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ms_envs.retarget import deepmimic

pytest.importorskip("pybullet_data", reason="the recordings come with pybullet, which is not installed")


def standing_file(path: Path, *, frames: int = 10, duration: float = 0.02, loop: str = "none") -> dict:
    frame = np.zeros(deepmimic.COLUMNS)
    frame[0], frame[2] = duration, deepmimic.SKELETON.hip_height
    frame[[column for _, column, width in deepmimic._JOINTS.values() if width == 4]] = 1.0
    document = {"Loop": loop, "Frames": np.tile(frame, (frames, 1)).tolist()}
    path.write_text(json.dumps(document))
    return document


@pytest.mark.parametrize("name", deepmimic.CLIPS)
def test_every_clip_reads_as_finite_rotations_at_50_frames_per_second(name: str) -> None:
    motion = deepmimic.read_clip(name)
    assert motion.fps == 50 and len(motion) > 20 and motion.licence
    for matrices in motion.orientation.values():
        assert matrices.shape == (len(motion), 3, 3)
        np.testing.assert_allclose(
            matrices @ matrices.transpose(0, 2, 1), np.broadcast_to(np.eye(3), matrices.shape), atol=1e-9
        )
    assert min(place[:, 2].min() for place in motion.landmarks.values()) > -0.1


@pytest.mark.parametrize("name", deepmimic.LOOPING)
def test_looping_motions_end_where_they_begin_but_for_their_horizontal_place(name: str) -> None:
    motion = deepmimic.read_clip(name)
    assert motion.loop
    for matrices in motion.orientation.values():
        np.testing.assert_allclose(matrices[0], matrices[-1], atol=1e-9)
    assert motion.root_position[0, 2] == pytest.approx(motion.root_position[-1, 2], abs=1e-9)


def test_standing_skeleton_has_its_soles_on_the_ground_and_faces_x(tmp_path: Path) -> None:
    standing_file(tmp_path / "stand.txt")
    motion = deepmimic.read_file(tmp_path / "stand.txt", "stand", loop=False)
    for side, left in (("r", -1), ("l", 1)):
        assert motion.landmarks[f"heel_{side}"][0, 2] == pytest.approx(0, abs=1e-9)
        assert motion.landmarks[f"ball_{side}"][0, 0] > motion.landmarks[f"heel_{side}"][0, 0]
        assert np.sign(motion.landmarks[f"hand_{side}"][0, 1]) == left


def test_walk_goes_forward() -> None:
    motion = deepmimic.read_clip("walk")
    travel = motion.root_position[-1] - motion.root_position[0]
    assert travel[0] > 1.0 and abs(travel[1]) < 0.05


def test_unknown_clip_names_the_choices() -> None:
    with pytest.raises(ValueError, match=r"no clip 'waltz'.*walk, run"):
        deepmimic.read_clip("waltz")


def test_missing_pybullet_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepmimic.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "ms-envs\[retarget\]"'):
        deepmimic.read_clip("walk")


def damaged(document: dict, damage: str) -> str:
    if damage == "truncated":
        return json.dumps(document)[:-40]
    if damage == "not a number":
        document["Frames"][4][9] = float("nan")
    elif damage == "column missing":
        document["Frames"] = [frame[:-1] for frame in document["Frames"]]
    elif damage == "ragged":
        document["Frames"][3] = document["Frames"][3][:-5]
    elif damage == "slow":
        document["Frames"][2][0] = 0.5
    elif damage == "backwards":
        document["Frames"][2][0] = -0.02
    elif damage == "two frames":
        document["Frames"] = document["Frames"][:2]
    elif damage == "no quaternion":
        document["Frames"][5][4:8] = [0, 0, 0, 0]
    elif damage == "loop":
        document["Loop"] = "maybe"
    elif damage == "no frames":
        del document["Frames"]
    elif damage == "list":
        return json.dumps(document["Frames"])
    return json.dumps(document)


@pytest.mark.parametrize(
    "damage",
    [
        *("truncated", "not a number", "column missing", "ragged", "slow", "backwards", "two frames"),
        *("no quaternion", "loop", "no frames", "list"),
    ],
)
def test_damaged_file_is_refused_with_its_path(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "motion.txt"
    path.write_text(damaged(standing_file(path), damage))
    with pytest.raises(ValueError, match=r"motion\.txt"):
        deepmimic.read_file(path, "motion", loop=False)


def test_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a DeepMimic motion"):
        deepmimic.read_file(tmp_path / "none.txt", "none", loop=False)


@given(frames=st.integers(3, 40), duration=st.floats(0.005, 0.1))
def test_resampling_keeps_duration_to_one_frame(
    tmp_path_factory: pytest.TempPathFactory, frames: int, duration: float
) -> None:
    path = tmp_path_factory.mktemp("resampled") / "motion.txt"
    standing_file(path, frames=frames, duration=duration)
    if (frames - 1) * duration < 0.05:
        return
    motion = deepmimic.read_file(path, "motion", loop=False)
    assert (len(motion) - 1) / motion.fps == pytest.approx((frames - 1) * duration, abs=1 / motion.fps)
