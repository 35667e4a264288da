from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ms_agents.planning import PlannerHyperparameters, PlanRequest
from ms_agents.planning.cost import TrackingCost
from ms_agents.planning.stage import make_stage
from ms_agents.reproduction.config import Perturbation
from ms_agents.reproduction.deviations import Deviations
from ms_agents.reproduction.refiner import Refiner
from ms_agents.reproduction.states import Trajectory, perturbed
from ms_envs.motions.balance_table import BalanceTable

HP = PlannerHyperparameters(segment=0.04, horizon=2, rollout_paths="fitted")
REQUEST = PlanRequest("ms_envs:MSEmu/Walk-v0", {"body": "myo-legs"}, hyperparameters=HP)
NOWHERE = Perturbation(0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def trajectory() -> Trajectory:
    """A walk whose left hip is told to stay behind."""
    env = make_stage(REQUEST, 1, muscle_paths="fitted")
    action = np.zeros(env.action_space.shape, np.float32)
    action[0, env.body.joint_roles["hip_l"]] = -0.5
    rows = []
    for _ in range(6):
        rows.append([values[0].copy() for values in (*env.coordinates(), env.time, action)])
        env.step(action)
    env.close()
    return Trajectory(*(np.array(values) for values in zip(*rows, strict=True)))


@pytest.fixture(scope="module")
def refiner():
    made = Refiner(REQUEST, neighbours=3, threads=1)
    yield made
    made.close()


def test_the_squared_deviations_are_the_cost_of_planning():
    env = make_stage(REQUEST, 2, muscle_paths="fitted")
    env.step(np.random.default_rng(0).uniform(-0.3, 0.3, env.action_space.shape).astype(np.float32))
    table = BalanceTable(env.clip, env.body)
    state, reference = env.tracking_state()
    time = env.time
    terms = TrackingCost(tuple(env.body.key_bodies), HP).terms(
        state, reference, env.balance(), table.at(time), table.contact(time)
    )
    deviations = Deviations(env, HP).of(env)
    env.close()
    np.testing.assert_allclose((deviations**2).sum(axis=1), sum(terms.values()), rtol=1e-3)


def test_a_lesson_improves_on_what_was_done(refiner, trajectory):
    lesson = refiner.teach(trajectory, 1, Perturbation(), np.random.default_rng(0))
    assert lesson.after < 0.8 * lesson.before
    assert lesson.observation.shape[0] == lesson.action.shape[0] == 4
    assert lesson.action[0].min() > trajectory.action[1].min()


def test_neighbours_at_the_same_place_are_taught_the_same(refiner, trajectory):
    lesson = refiner.teach(trajectory, 1, NOWHERE, np.random.default_rng(0))
    np.testing.assert_array_equal(lesson.action[1:], np.tile(lesson.action[1:2], (3, 1)))
    np.testing.assert_array_equal(lesson.observation[1:], np.tile(lesson.observation[1:2], (3, 1)))
    np.testing.assert_allclose(lesson.action[1], lesson.action[0], atol=0.05)  # its joints are coupled exactly


def test_neighbours_elsewhere_are_taught_something_else(refiner, trajectory):
    lesson = refiner.teach(trajectory, 1, Perturbation(), np.random.default_rng(0))
    assert (np.abs(lesson.action[1:] - lesson.action[0]).max(axis=1) > 0.02).all()


def test_joints_without_noise_are_left_alone(trajectory):
    quiet = replace(HP, noise=replace(HP.noise, knee=0.0))
    made = Refiner(replace(REQUEST, hyperparameters=quiet), neighbours=1, threads=1)
    knees = np.concatenate([made._stage.body.joint_roles[f"knee_{side}"] for side in "rl"])
    lesson = made.teach(trajectory, 1, Perturbation(), np.random.default_rng(0))
    made.close()
    assert not lesson.action[:, knees].any()
    assert lesson.action.any()


def test_perturbed_states_keep_the_coupling_of_joints():
    env = make_stage(REQUEST, 1, muscle_paths="fitted")
    qpos, qvel, _ = (np.repeat(values, 4, axis=0) for values in env.coordinates())
    positions, velocities = perturbed(env.body, Perturbation(), qpos, qvel, np.random.default_rng(0))
    body = env.body
    env.close()
    np.testing.assert_allclose(np.linalg.norm(positions[:, 3:7], axis=1), 1.0)
    np.testing.assert_array_equal(body.complete(positions.copy()), positions)
    assert (np.abs(velocities - qvel)[:, :2] > 0).all()
