"""What every test can use: the bodies, a small motion, and the switch for slow tests."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MUJOCO_GL", "egl")

from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
import pytest
from hypothesis import settings
from ms_envs.bodies import Body, load_body
from ms_envs.motions.clip import MotionClip

settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="also run the tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--run-slow"):
        return
    slow = [item for item in items if "slow" in item.keywords]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if "slow" not in item.keywords]


@pytest.fixture(scope="session")
def legs() -> Body:
    return load_body("myo-legs")


@pytest.fixture(scope="session")
def fullbody() -> Body:
    return load_body("myo-fullbody")


@pytest.fixture(scope="session")
def ms_human() -> Body:
    try:
        return load_body("ms-human-700")
    except FileNotFoundError as error:
        pytest.skip(f"MS-Human-700 is not on this machine: {error}")


@pytest.fixture(scope="session")
def body_named(request: pytest.FixtureRequest) -> Callable[[str], Body]:
    """A body by its name; skips where its model cannot be had."""
    fixtures = {"myo-legs": "legs", "myo-fullbody": "fullbody", "ms-human-700": "ms_human"}
    return lambda name: request.getfixturevalue(fixtures[name])


@pytest.fixture(scope="session")
def squat_clip(legs: Body) -> MotionClip:
    """Two seconds of a squat with the right foot in place, 50 frames/s, looping."""
    frames = 101
    depth = 0.25 * (1 - np.cos(np.linspace(0, 2 * np.pi, frames)))
    qpos = np.tile(legs.model.qpos0, (frames, 1))
    for side in "rl":
        for role, factor in (("hip", 1), ("knee", 2), ("ankle", 1)):
            qpos[:, legs.qpos_index[legs.joint_roles[f"{role}_{side}"][0]]] = factor * depth
    legs.complete(qpos)
    data, foot = mujoco.MjData(legs.model), legs.segments["foot_r"]
    planted = None
    for frame in range(frames):
        data.qpos[:] = qpos[frame]
        mujoco.mj_kinematics(legs.model, data)
        planted = data.xpos[foot].copy() if planted is None else planted
        qpos[frame, :3] += planted - data.xpos[foot]
    return MotionClip.through("squat", legs, qpos, 50.0, loop=True, provenance={"source": "analytic"})


@pytest.fixture(scope="session")
def squat_path(squat_clip: MotionClip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The squat as a file."""
    path = tmp_path_factory.mktemp("clips") / "squat.npz"
    squat_clip.save(path)
    return path
