from __future__ import annotations

import numpy as np
import pytest
from ms_envs.bodies import Body
from ms_envs.paths import MusclePaths, load_paths
from ms_envs.paths.samples import poses_of


@pytest.fixture(scope="session")
def paths(legs: Body) -> MusclePaths:
    return load_paths(legs)


@pytest.fixture(scope="session")
def strained(legs: Body) -> tuple[np.ndarray, np.ndarray]:
    """Poses of the legs with coupled joints a little out of place, and velocities of all coordinates."""
    generator = np.random.default_rng(0)
    qpos = poses_of(legs, generator.uniform(*legs.joint_range.T, (20, len(legs.joint_ids))))
    qpos[:, legs.model.jnt_qposadr[legs.coupled_joint_ids]] += generator.normal(0, 5e-4, (20, 14))
    return qpos, generator.normal(size=(20, legs.model.nv))
