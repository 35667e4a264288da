from __future__ import annotations

import numpy as np
import pytest
from ms_envs.paths.polynomial import DEVIATION_DEGREE, monomials, terms


@pytest.mark.parametrize(("angles", "degree", "deviations"), [(1, 5, 0), (3, 4, 0), (3, 4, 2), (2, 2, 3)])
def test_every_monomial_stands_once_and_has_its_value(angles: int, degree: int, deviations: int) -> None:
    basis = monomials(angles, degree, deviations)
    exponents = [tuple(row) for row in basis.exponents.tolist()]
    assert len(set(exponents)) == len(exponents) == terms(angles, degree, deviations)
    for row in exponents:
        powers, deviating = sum(row[:angles]), sum(row[angles:])
        assert (powers <= degree and deviating == 0) or (powers <= DEVIATION_DEGREE and deviating == 1)
    x = np.random.default_rng(0).uniform(-1, 1, (7, angles + deviations))
    np.testing.assert_allclose(basis.values(x), np.prod(x[:, None] ** basis.exponents, axis=-1), atol=1e-14)


def test_monomials_of_a_lower_degree_come_first() -> None:
    low, high = monomials(3, 3, 2), monomials(3, 6, 2)
    np.testing.assert_array_equal(high.exponents[: len(low.exponents)], low.exponents)


def test_gradient_is_the_derivative() -> None:
    basis, x, step = monomials(3, 4, 1), np.array([0.3, -0.7, 0.5, 0.2]), 1e-6
    gradient = basis.gradient(basis.values(x))
    for variable in range(4):
        moved = step * np.eye(4)[variable]
        difference = (basis.values(x + moved) - basis.values(x - moved)) / (2 * step)
        np.testing.assert_allclose(gradient[variable], difference, atol=1e-9)
