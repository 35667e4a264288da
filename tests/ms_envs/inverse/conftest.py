from __future__ import annotations

import mujoco
import numpy as np
import pytest
from ms_envs.bodies import Body, load_body
from ms_envs.inverse import floor_contact
from ms_envs.motions.clip import MotionClip


def clip_through(body: Body, qpos: np.ndarray, fps: float, *, loop: bool) -> MotionClip:
    """A clip through given postures."""
    return MotionClip.through("test", body, qpos, fps, loop=loop)


def lowest_point(body: Body, qpos: np.ndarray) -> float:
    """Height of the lowest contact point of a posture, m."""
    model = floor_contact.contact_model(body)
    model.geom_margin[:], model.body_margin[:] = 3.0, 3.0
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_fwdPosition(model, data)
    return float(floor_contact.floor_contacts(model, data).distance.min())


@pytest.fixture(scope="session")
def make_clip():
    return clip_through


@pytest.fixture(scope="session")
def legs() -> Body:
    return load_body("myo-legs")


@pytest.fixture(scope="session")
def squat(legs: Body) -> MotionClip:
    """Two seconds of a shallow squat, feet on the floor."""
    frames = 101
    depth = 0.3 * (1 - np.cos(2 * np.pi * np.arange(frames) / (frames - 1)))
    qpos = np.repeat(legs.model.qpos0[None], frames, axis=0)
    for side in "rl":
        for role, factor in (("hip", 1.0), ("knee", 2.0), ("ankle", 1.0)):
            qpos[:, legs.qpos_index[legs.joint_roles[f"{role}_{side}"][0]]] = factor * depth
    legs.complete(qpos)
    data = mujoco.MjData(legs.model)
    start = None
    for q in qpos:
        data.qpos[:] = q
        mujoco.mj_kinematics(legs.model, data)
        foot = data.xpos[legs.segments["foot_r"]].copy()
        start = foot if start is None else start
        q[:3] += start - foot
    qpos[:, 2] -= lowest_point(legs, qpos[0]) + 0.001
    return clip_through(legs, qpos, 50.0, loop=True)
