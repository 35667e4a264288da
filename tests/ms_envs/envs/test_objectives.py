from __future__ import annotations

import numpy as np
import pytest
from ms_envs.task.objectives import OBJECTIVES


def test_objectives_are_appended_to_an_otherwise_equal_task(make_vector_env) -> None:
    plain, extended = make_vector_env(2), make_vector_env(2, objectives=("power", "effort"))
    size = max(part.stop for part in plain.error_slices.values())
    assert list(extended.error_slices) == [*plain.error_slices, "power", "effort"]
    plain.reset(seed=0)
    extended.reset(seed=0)
    for action in np.random.default_rng(0).uniform(size=(3, 2, 80)):
        (*values, info), (*others, extended_info) = plain.step(action), extended.step(action)
        for left, right in zip(values, others, strict=True):
            np.testing.assert_array_equal(left, right)
        error = extended_info["tracking_error"]
        np.testing.assert_array_equal(error[:, :size], info["tracking_error"])
        np.testing.assert_allclose(error[:, size + 1], info["metrics"]["effort"], rtol=1e-6)
        assert (error[:, size] > 0).all()


def test_power_is_the_work_of_the_muscles_per_second_and_mass(make_env) -> None:
    env = make_env(objectives=("power",), muscle_signals=("velocity", "force"))
    env.reset(seed=0)
    observation, _, _, _, info = env.step(np.full(80, 0.3, np.float32))
    velocity = observation[env.observation_slices["muscle_velocity"]] * 10 * env.body.optimal_fiber_length
    force = observation[env.observation_slices["muscle_force"]] * env.body.peak_force
    expected = np.abs(velocity * force).sum() / env.body.mass
    assert info["tracking_error"][-1] == pytest.approx(expected, rel=1e-4)


def test_action_rate_counts_changes_only_and_starts_over_with_the_episode(make_vector_env) -> None:
    env = make_vector_env(2, control="posture", objectives=("action_rate",), horizon=0.08, autoreset_mode="SameStep")
    _, info = env.reset(seed=0)
    rates = [info["tracking_error"][0, -1]]
    for level in (0.5, 0.5, -0.5, 0.0):
        *_, info = env.step(np.full(env.action_space.shape, level))
        rates.append(info["tracking_error"][0, -1])
    np.testing.assert_allclose(rates, [0, 0.25, 0, 1, 0])
    assert info["final_info"]["tracking_error"][0, -1] == 0.25


def test_reward_and_metrics_do_not_depend_on_objectives(make_env) -> None:
    results = []
    for objectives in ((), OBJECTIVES):
        env = make_env(control="reflex", objectives=objectives)
        env.reset(seed=0)
        _, reward, *_, info = env.step(np.full(80, 0.5, np.float32))
        results.append((reward, info["metrics"], info["reward_terms"]))
    assert results[0] == results[1]
