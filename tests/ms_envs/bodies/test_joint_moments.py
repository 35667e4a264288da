from __future__ import annotations

import gymnasium
import mujoco
import numpy as np
import pytest
from ms_envs.bodies import Body
from ms_envs.bodies.body import ROOT_DOF
from ms_envs.bodies.joint_moments import joint_moments


def standing(legs: Body) -> np.ndarray:
    return legs.complete(legs.model.qpos0.copy())


@pytest.mark.parametrize("muscle", ["soleus_r", "recfem_l", "glmax2_r"])
def test_moments_are_those_that_an_excited_muscle_exerts(legs: Body, muscle: str) -> None:
    index = legs.muscle_names.index(muscle)
    data = mujoco.MjData(legs.model)
    data.qpos[:] = standing(legs)
    exerted = []
    for activation in (0.0, 1.0):
        data.act[index] = activation
        mujoco.mj_forward(legs.model, data)
        exerted.append(legs.coordinate_map(data.qpos).T @ data.qfrc_actuator)
    active, peak = (exerted[1] - exerted[0])[ROOT_DOF:], joint_moments(legs, standing(legs)[None])[:, index]
    share = (active @ peak) / (peak @ peak)
    assert 0.1 < share < 1.1  # of the peak force, at this length
    assert active == pytest.approx(share * peak, abs=1e-6)


def test_agonists_and_antagonists_have_opposite_signs(legs: Body) -> None:
    moments = joint_moments(legs, standing(legs)[None])
    ankle = legs.joint_names.index("ankle_angle_r")
    soleus, tibialis = (moments[ankle, legs.muscle_names.index(name)] for name in ("soleus_r", "tibant_r"))
    assert soleus < -20 and tibialis > 5
    assert not moments[ankle, legs.muscle_names.index("soleus_l")]


@pytest.mark.parametrize("control", ["excitation", "reflex"])
def test_environments_offer_the_mean_moments_of_actions_that_are_muscles(control: str) -> None:
    env = gymnasium.make_vec("ms_envs:MSEmu/Walk-v0", num_envs=1, body="myo-legs", control=control)
    base = env.unwrapped
    first, last = (joint_moments(base.body, base.clip.qpos[frame][None]) for frame in (0, -1))
    assert base.action_moments.shape == (14, *env.single_action_space.shape)
    assert np.corrcoef(base.action_moments.ravel(), first.ravel())[0, 1] > 0.95
    assert np.allclose(joint_moments(base.body, base.clip.qpos[[0, -1]]), (first + last) / 2)
    env.close()


def test_offsets_of_joint_angles_have_no_moments_of_their_own() -> None:
    env = gymnasium.make_vec("ms_envs:MSEmu/Walk-v0", num_envs=1, body="myo-legs", control="posture")
    assert env.unwrapped.action_moments is None
    env.close()
