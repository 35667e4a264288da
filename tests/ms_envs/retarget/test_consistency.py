from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from ms_envs.bodies import Body, load_body
from ms_envs.inverse import static_optimization
from ms_envs.motions.clip import MotionClip
from ms_envs.retarget.centroidal import Kinematics
from ms_envs.retarget.consistency import Tolerances, make_consistent

FPS = 50.0


@pytest.fixture(scope="module")
def legs() -> Body:
    return load_body("myo-legs")


def clip_through(body: Body, qpos: np.ndarray, *, loop: bool) -> MotionClip:
    return MotionClip.through("test", body, qpos, FPS, loop=loop)


def centers(body: Body, clip: MotionClip) -> np.ndarray:
    kinematics = Kinematics(body)
    return kinematics.measure(clip.qpos, kinematics.contact_points(clip.qpos)).center


@pytest.fixture(scope="module")
def thrown(legs):
    """A body in the air that wobbles instead of falling freely."""
    frames = 40
    time = np.arange(frames) / FPS
    qpos = np.repeat(legs.model.qpos0[None], frames, axis=0)
    qpos[:, 0] += 1.5 * time
    qpos[:, 2] = 2.0 + 3.0 * time - 0.5 * 9.81 * time**2 + 0.01 * np.sin(20 * time)
    knee = legs.qpos_index[legs.joint_roles["knee_r"][0]]
    qpos[:, knee] = 0.5 + 0.3 * np.sin(5 * time)
    half = 0.5 * (1.0 * time + 0.02 * np.sin(18 * time))
    for frame, angle in enumerate(half):
        turn = np.array([np.cos(angle), 0, 0, np.sin(angle)])
        mujoco.mju_mulQuat(qpos[frame, 3:7], turn, qpos[frame, 3:7].copy())
    legs.complete(qpos)
    return clip_through(legs, qpos, loop=False)


def test_flight_becomes_a_parabola(legs, thrown):
    fallen = make_consistent(legs, thrown)

    def error(clip):
        acceleration = np.diff(centers(legs, clip), 2, axis=0) * FPS**2
        return np.abs(acceleration - legs.model.opt.gravity).max()

    assert error(thrown) > 3
    assert error(fallen) < 1
    assert np.linalg.norm(fallen.key_position - thrown.key_position, axis=2).mean() < 0.015


def test_flight_needs_less_force_and_moment_from_nowhere(legs, thrown):
    before, after = (static_optimization(legs, clip) for clip in (thrown, make_consistent(legs, thrown)))
    assert after.root_residual_force.mean() < 0.15 * before.root_residual_force.mean()
    assert after.root_residual_moment.mean() < 0.5 * before.root_residual_moment.mean()


@pytest.fixture(scope="module")
def swaying(legs):
    """A standing body whose feet are dragged along as it sways, faster than friction allows."""
    frames = 51
    time = np.arange(frames) / FPS
    qpos = np.repeat(legs.model.qpos0[None], frames, axis=0)
    qpos[:, 0] += 0.03 * np.sin(4 * np.pi * time)
    kinematics = Kinematics(legs)
    low, high = 0.5, 1.5
    for _ in range(30):
        middle = 0.5 * (low + high)
        qpos[:, 2] = middle
        distance = kinematics.contact_points(qpos[:1]).distance
        low, high = (low, middle) if np.isfinite(distance).any() and distance.min() > 0 else (middle, high)
        if not np.isfinite(distance).any():
            low, high = low, middle
    return clip_through(legs, qpos, loop=True)


def foot_speed(body: Body, clip: MotionClip) -> float:
    foot = clip.key_position[:, list(body.key_bodies).index("foot_r")]
    return float(np.abs(np.gradient(foot, axis=0)).max() * clip.fps)


def test_loaded_feet_stay_and_the_loop_stays_closed(legs, swaying):
    steady = make_consistent(legs, swaying, tolerances=Tolerances(position=0.02))
    assert foot_speed(legs, steady) < 0.6 * foot_speed(legs, swaying)
    np.testing.assert_allclose(steady.qpos[0], steady.qpos[-1], atol=1e-9)
    np.testing.assert_allclose(steady.qvel[0], steady.qvel[-1], atol=1e-9)


def test_result_respects_couplings_and_limits(legs, swaying):
    steady = make_consistent(legs, swaying, rounds=1)
    np.testing.assert_allclose(legs.complete(steady.qpos.copy()), steady.qpos, atol=1e-12)
    low, high = legs.joint_range.T
    angle, given = steady.qpos[:, legs.qpos_index], swaying.qpos[:, legs.qpos_index]
    assert (angle >= np.minimum(low, given.min(axis=0)) - 1e-9).all()
    assert (angle <= np.maximum(high, given.max(axis=0)) + 1e-9).all()
    np.testing.assert_allclose(np.linalg.norm(steady.qpos[:, 3:7], axis=1), 1, atol=1e-9)


def test_a_clip_of_another_body_is_refused(legs, swaying):
    with pytest.raises(ValueError, match="was made for body"):
        make_consistent(legs, replace(swaying, body_hash="other"))
