from __future__ import annotations

import mujoco
import numpy as np
import pytest
from ms_envs.bodies import Body

from benchmarks.kinetics import floor_forces


@pytest.fixture(scope="module")
def on_one_foot(legs: Body) -> mujoco.MjData:
    """The body pressed into the floor with its right foot, the left one lifted."""
    data = mujoco.MjData(legs.model)
    data.qpos[legs.qpos_index[legs.joint_roles["knee_l"][0]]] = 1.0
    legs.complete(data.qpos)
    mujoco.mj_kinematics(legs.model, data)
    data.qpos[2] -= data.xpos[legs.segments["foot_r"], 2]
    data.qvel[0] = 0.5
    mujoco.mj_forward(legs.model, data)
    return data


def test_floor_forces_add_up_to_the_force_on_the_root(legs: Body, on_one_foot: mujoco.MjData) -> None:
    total = floor_forces(legs, on_one_foot).sum(axis=0)
    assert total[2] > 100
    np.testing.assert_allclose(total, on_one_foot.qfrc_constraint[:3], rtol=1e-6, atol=1e-6)


def test_floor_pushes_only_the_foot_that_touches(legs: Body, on_one_foot: mujoco.MjData) -> None:
    force = dict(zip(legs.segments, floor_forces(legs, on_one_foot)[:, 2], strict=True))
    assert sum(force[name] for name in ("foot_r", "toes_r")) == pytest.approx(sum(force.values()))
