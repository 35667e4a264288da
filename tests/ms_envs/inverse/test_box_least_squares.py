from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ms_envs.inverse import ConvergenceError, box_least_squares
from scipy.optimize import lsq_linear


def problem(seed: int, rows: int, columns: int):
    rng = np.random.default_rng(seed)
    bounded = rng.random(columns) < 0.8
    return (
        30 * rng.normal(size=(rows, columns)),
        200 * rng.normal(size=rows),
        np.where(bounded, 1.0, 1e-2),
        np.zeros(columns),
        np.where(bounded, 1.0, np.inf),
    )


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 20), columns=st.integers(1, 60))
def test_solution_satisfies_the_optimality_conditions(seed, rows, columns):
    matrix, target, weight, lower, upper = problem(seed, rows, columns)
    x, residual = box_least_squares(matrix, target, weight, lower, upper)
    gradient = matrix.T @ (matrix @ x - target) + weight * x
    scale = 1e-6 * np.linalg.norm(matrix, axis=0) * (1 + np.abs(target).max())
    assert (x >= lower).all() and (x <= upper).all()
    assert (gradient[x > lower] <= scale[x > lower]).all()
    assert (gradient[x < upper] >= -scale[x < upper]).all()
    np.testing.assert_allclose(residual, target - matrix @ x, atol=1e-6 * (1 + np.abs(target).max()))


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_scipy(seed):
    matrix, target, weight, lower, upper = problem(seed, 4, 12)
    x, _ = box_least_squares(matrix, target, weight, lower, upper)
    stacked = np.concatenate([matrix, np.diag(np.sqrt(weight))])
    reference = lsq_linear(stacked, np.concatenate([target, np.zeros(12)]), (lower, upper), tol=1e-14)
    np.testing.assert_allclose(x, reference.x, atol=1e-7)


def test_a_start_changes_the_way_but_not_the_answer():
    matrix, target, weight, lower, upper = problem(3, 10, 40)
    x, residual = box_least_squares(matrix, target, weight, lower, upper)
    again, _ = box_least_squares(matrix, target, weight, lower, upper, residual + 5.0)
    np.testing.assert_allclose(again, x, atol=1e-9)


def test_too_few_iterations_raise():
    with pytest.raises(ConvergenceError, match="stationarity"):
        box_least_squares(*problem(0, 20, 60), max_iterations=1)
