from __future__ import annotations

from pathlib import Path

import pytest
from ms_envs import TrackingEnv, TrackingVectorEnv


@pytest.fixture
def make_env(squat_path: Path):
    """Builds single environments on the squat of the legs, and closes them afterwards."""
    envs = []

    def build(**options) -> TrackingEnv:
        envs.append(TrackingEnv("squat", **{"body": "myo-legs", "clip": squat_path} | options))
        return envs[-1]

    yield build
    for env in envs:
        env.close()


@pytest.fixture
def make_vector_env(squat_path: Path):
    """Builds vector environments on the squat of the legs, and closes them afterwards."""
    envs = []

    def build(num_envs: int = 3, **options) -> TrackingVectorEnv:
        envs.append(TrackingVectorEnv("squat", num_envs, **{"body": "myo-legs", "clip": squat_path} | options))
        return envs[-1]

    yield build
    for env in envs:
        env.close()
