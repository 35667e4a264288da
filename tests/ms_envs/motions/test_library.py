from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ms_envs.bodies import BODIES, Body
from ms_envs.motions import MOTIONS, clip_path, load_clip, motions_of
from ms_envs.motions.clip import MotionClip


def test_names_are_unique() -> None:
    assert len(MOTIONS) == 17
    assert len({motion.env_name for motion in MOTIONS.values()}) == len(MOTIONS)


def test_legs_do_not_do_what_needs_arms() -> None:
    assert motions_of("myo-fullbody") == motions_of("ms-human-700") == list(MOTIONS)
    assert {"walk", "squat"} <= set(motions_of("myo-legs")) < set(MOTIONS)
    assert "cartwheel" not in motions_of("myo-legs")


@pytest.mark.parametrize("motion", ["cartwheel", "moonwalk", ""])
def test_motion_the_body_cannot_do_is_refused_with_those_it_can(legs: Body, motion: str) -> None:
    with pytest.raises(ValueError, match="'myo-legs' has no motion") as error:
        load_clip(motion, legs)
    assert all(name in str(error.value) for name in motions_of("myo-legs"))


def test_clip_of_ones_own_is_loaded_by_path(legs: Body, squat_path: Path) -> None:
    assert load_clip(squat_path, legs).motion == load_clip(str(squat_path), legs).motion == "squat"


def test_clip_of_ones_own_must_fit_the_body(fullbody: Body, squat_path: Path) -> None:
    with pytest.raises(ValueError, match="made for body 'myo-legs'"):
        load_clip(squat_path, fullbody)


@pytest.mark.parametrize(("body_name", "motion"), [(b, m) for b in BODIES for m in motions_of(b)])
def test_shipped_clip_is_complete(body_named, body_name: str, motion: str) -> None:
    body = body_named(body_name)
    clip = load_clip(motion, body)
    assert clip.motion == motion
    assert clip.provenance["licence"]
    assert clip.provenance["source"]
    assert 0.5 <= clip.duration <= 20
    assert clip.activation is None or clip.activation.shape == (len(clip.qpos), body.model.nu)
    np.testing.assert_allclose(body.complete(clip.qpos.copy()), clip.qpos, atol=1e-4)  # couplings hold
    if clip.loop:
        np.testing.assert_allclose(clip.qpos[-1, 7:], clip.qpos[0, 7:], atol=1e-4)


@pytest.mark.parametrize(
    ("body_name", "motion"), [(b, m) for b in BODIES for m in motions_of(b) if MOTIONS[m].recorded]
)
def test_a_repaired_variant_of_every_recording_needs_less_from_nowhere_and_ends_alike(
    body_named, body_name: str, motion: str
) -> None:
    body = body_named(body_name)
    recorded, repaired = load_clip(motion, body), load_clip(motion, body, repaired=True)
    force = [clip.provenance["quality"]["root_force_share"] for clip in (recorded, repaired)]
    assert force[1] < force[0]
    assert repaired.provenance["repaired"]["moved_mean_mm"] < 60
    assert (repaired.duration, repaired.loop) == (recorded.duration, recorded.loop)
    np.testing.assert_allclose(repaired.cycle_offset, recorded.cycle_offset, atol=1e-6)
    assert repaired.activation is not None


def test_clips_are_small() -> None:
    paths = [
        clip_path(motion, body, repaired=repaired)
        for body in BODIES
        for motion in motions_of(body)
        for repaired in (False, True)
    ]
    assert sum(path.stat().st_size for path in paths if path.is_file()) < 14e6


def test_clips_are_read_without_a_class_of_another_package(squat_path: Path) -> None:
    with np.load(squat_path, allow_pickle=False) as archive:
        assert {"header", "qpos", "qvel", "key_position", "contact"} <= set(archive.files)
    assert isinstance(MotionClip.load(squat_path), MotionClip)
