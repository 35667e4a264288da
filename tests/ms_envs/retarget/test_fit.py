from dataclasses import replace

import numpy as np
import pytest
from ms_envs.bodies import Body
from ms_envs.motions import motions_of
from ms_envs.retarget import deepmimic, pipeline, skeleton, synthetic
from ms_envs.retarget.fit import Retargeted, retarget
from ms_envs.retarget.kinematics_report import foot_skate, kinematics_report
from ms_envs.retarget.targets import point_positions


@pytest.fixture(scope="module")
def walk(legs: Body) -> Retargeted:
    pytest.importorskip("pybullet_data", reason="the recordings come with pybullet, which is not installed")
    return retarget(deepmimic.read_clip("walk"), legs)


@pytest.fixture(scope="module")
def squat(legs: Body) -> Retargeted:
    return pipeline.make("squat", legs)


def test_walk_is_within_10_mm_of_its_targets_and_15_mm_of_the_floor(legs: Body, walk: Retargeted) -> None:
    report = kinematics_report(legs, walk.clip, walk.targets)
    assert report["key_point_error_mm"] < 10
    assert report["penetration_mm"] < 15
    assert report["limit_violation_rad"] == 0
    assert report["coupling_violation"] < 1e-9
    assert report["joint_speed"] < 15


def test_walk_closes_with_continuous_velocity(walk: Retargeted) -> None:
    qpos, qvel = walk.clip.qpos, walk.clip.qvel
    np.testing.assert_allclose(qpos[0, 2:], qpos[-1, 2:], atol=1e-9)
    np.testing.assert_allclose(qvel[0], qvel[-1], atol=1e-9)
    assert walk.clip.cycle_offset[0] > 1.0
    change = np.abs(np.diff(qvel, axis=0)).max(axis=1)
    assert change[[0, -1]].max() <= change.max()


def test_walking_feet_alternate_and_swing_clear_of_the_floor(legs: Body, walk: Retargeted) -> None:
    contact = walk.clip.contact
    assert 0.5 < contact.mean() < 0.75 and contact.any(axis=1).all()
    place = point_positions(legs, walk.clip.qpos, walk.targets)
    for foot, side in enumerate("rl"):
        swing = ~contact[:, foot]
        middle = np.flatnonzero(swing)[len(np.flatnonzero(swing)) // 2]
        soles = [walk.targets.index(f"{point}_{side}") for point in ("heel", "ball", "toe_tip")]
        assert place[middle, soles, 2].min() > 0.02


def test_heading_of_walk_has_no_spikes(walk: Retargeted) -> None:
    yaw_speed = walk.clip.qvel[:, 3:6]
    assert np.abs(np.diff(yaw_speed, axis=0)).max() < 0.5


def test_retargeting_is_deterministic(legs: Body, walk: Retargeted) -> None:
    again = retarget(deepmimic.read_clip("walk"), legs)
    np.testing.assert_array_equal(again.clip.qpos, walk.clip.qpos)


def test_squat_keeps_feet_still_and_centre_of_mass_over_them(legs: Body, squat: Retargeted) -> None:
    clip, targets = squat.clip, squat.targets
    assert foot_skate(legs, clip, targets) < 0.005
    place = point_positions(legs, clip.qpos, targets)
    feet = place[:, [targets.index(f"{point}_{side}") for point in ("heel", "ball") for side in "rl"]]
    centre = pipeline.centre_of_mass(legs, clip.qpos)
    assert np.abs(centre[:, 0] - feet[:, :, 0].mean(axis=1)).max() < 0.01
    assert np.abs(centre[:, 1]).max() < 0.005
    assert np.ptp(clip.qpos[:, 2]) > 0.15


def test_stand_does_not_move(legs: Body) -> None:
    clip = pipeline.make("stand", legs).clip
    assert np.abs(clip.qvel).max() < 1e-3 and clip.loop and clip.contact.all()


def test_motion_of_another_body_is_refused_with_the_choices(legs: Body) -> None:
    with pytest.raises(ValueError, match=r"has no motion 'cartwheel'.*walk"):
        pipeline.make("cartwheel", legs)


def test_unknown_names_are_refused_before_anything_is_computed() -> None:
    with pytest.raises(ValueError, match=r"unknown motion 'waltz'.*walk"):
        pipeline.retarget_command(("waltz",), ("myo-legs",))
    with pytest.raises(ValueError, match=r"unknown body 'robot'.*myo-legs"):
        pipeline.retarget_command(("walk",), ("robot",))
    with pytest.raises(ValueError, match="can do none of cartwheel"):
        pipeline.retarget_command(("cartwheel",), ("myo-legs",))


def test_joint_limits_hold_where_the_recording_breaks_them(legs: Body) -> None:
    motion = synthetic.squat()
    backward = skeleton.Rotation.from_rotvec([0, 1.2, 0]).as_matrix()
    turn = {
        name: matrices @ backward if name.startswith("shank") else matrices
        for name, matrices in motion.orientation.items()
    }
    clip = retarget(replace(motion, orientation=turn), legs).clip
    angle = clip.qpos[:, legs.qpos_index]
    assert (angle >= legs.joint_range[:, 0]).all() and (angle <= legs.joint_range[:, 1]).all()


def test_key_points_have_the_body_own_bone_lengths(fullbody: Body) -> None:
    bones = skeleton.measure(fullbody)
    motion = synthetic.squat()
    points = skeleton.key_points(bones, motion)
    for near, far in (("knee_r", "ankle_r"), ("elbow_l", "wrist_l"), ("heel_r", "ball_r")):
        length = np.linalg.norm(points.position[:, points.index(far)] - points.position[:, points.index(near)], axis=1)
        np.testing.assert_allclose(length, np.linalg.norm(bones.joint[far] - bones.joint[near]), atol=1e-9)


def test_targets_of_other_length_than_the_clip_are_refused(legs: Body, walk: Retargeted, squat: Retargeted) -> None:
    with pytest.raises(ValueError, match="frames"):
        kinematics_report(legs, walk.clip, squat.targets)


@pytest.mark.slow
@pytest.mark.parametrize("body_name", ["myo-legs", "myo-fullbody", "ms-human-700"])
def test_every_clip_is_within_15_mm_of_its_targets(body_named, body_name: str) -> None:
    pytest.importorskip("pybullet_data", reason="the recordings come with pybullet, which is not installed")
    body = body_named(body_name)
    for name in motions_of(body_name):
        fitted = pipeline.make(name, body)
        report = kinematics_report(body, fitted.clip, fitted.targets)
        close = name in ("walk", "run", "dance_b", "jump", "backflip")
        assert report["key_point_error_mm"] <= (10 if close else 15), name
        assert report["penetration_mm"] <= 15, name
