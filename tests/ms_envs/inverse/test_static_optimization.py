from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ms_envs.inverse import Dynamics, accelerations, out_of_reach, static_optimization
from scipy.optimize import lsq_linear


@pytest.fixture(scope="module")
def solution(legs, squat):
    return static_optimization(legs, squat)


def test_activations_and_floor_reproduce_the_motion(legs, squat, solution):
    frame = 30
    equations = Dynamics(legs).at(squat.qpos[frame], squat.qvel[frame])
    muscle = equations.moment_arm @ (equations.gain * solution.activation[frame] + equations.passive)
    np.testing.assert_allclose(muscle + solution.residual[frame], solution.joint_moment[frame], atol=1e-9)
    demand = equations.joint_moment(accelerations(legs, squat)[frame])
    floor = demand - solution.joint_moment[frame]
    np.testing.assert_allclose(floor[:3], solution.ground_reaction[frame], atol=1e-9)


def test_a_squat_is_within_reach_of_the_legs(legs, squat, solution):
    assert solution.unreachable < 0.01
    assert solution.saturation.max() < 0.1
    assert solution.root_residual_force.mean() < 5
    assert solution.activation.min() >= 0 and solution.activation.max() <= 1
    assert solution.ground_reaction[:, 2].mean() == pytest.approx(9.81 * legs.mass, rel=0.02)


def test_activations_of_a_loop_repeat_and_are_smooth(solution):
    np.testing.assert_allclose(solution.activation[0], solution.activation[-1], atol=1e-6)
    assert np.abs(np.diff(solution.activation, axis=0)).max() < 0.05


def test_a_weak_body_reports_what_it_cannot_reach(squat):
    from ms_envs.bodies import load_body

    weak = load_body("myo-legs", strength=0.02)
    solution = static_optimization(weak, squat)
    assert solution.unreachable > 0.1
    assert solution.saturation.max() > 0.1


def test_stationarity_is_far_below_what_would_matter(solution):
    assert solution.stationarity.max() < 1e-6


def test_what_is_out_of_reach_is_what_remains_when_effort_is_free(legs, make_clip):
    qpos = legs.model.qpos0[None].repeat(3, axis=0)
    qpos[:, 2] = 3.0
    qpos[:, legs.qpos_index[legs.joint_roles["knee_r"][0]]] = [0.0, 0.4, 2.4]
    kick = make_clip(legs, legs.complete(qpos), 20.0, loop=False)
    solution = static_optimization(legs, kick)
    equations = Dynamics(legs).at(kick.qpos[1], kick.qvel[1])
    demand = equations.joint_moment(accelerations(legs, kick)[1]) - equations.moment_arm @ equations.passive
    scale = np.repeat([1 / 20, 1 / 5, 1], [3, 3, len(legs.joint_ids)])
    best = lsq_linear(scale[:, None] * equations.moment_arm * equations.gain, scale * demand, (0, 1), tol=1e-14)
    missing = out_of_reach(legs, kick, solution)
    np.testing.assert_allclose(scale * missing[1], -best.fun, atol=0.05)
    assert solution.torque_share(missing) > 0.05
    assert 1e-6 < solution.torque_share(solution.residual - missing) < 0.01


def test_a_clip_of_another_body_is_refused(legs, squat):
    with pytest.raises(ValueError, match="was made for body"):
        static_optimization(legs, replace(squat, body_hash="other"))
