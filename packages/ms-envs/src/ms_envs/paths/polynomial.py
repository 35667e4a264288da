"""Monomials in joint angles and small deviations, each a product of ones before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import comb

import numpy as np
from numpy.typing import NDArray

DEVIATION_DEGREE = 2
"""Total degree in the angles of what multiplies a deviation."""


@dataclass(frozen=True, eq=False)
class Monomials:
    """Monomials in n angles and k deviations, so that those up to a lower degree come first.

    Without deviations they rise in degree. Those of degree d whose first variable is i are ``x_i`` times those of
    degree d - 1 whose first variable is i or later, which stand together: every block is a contiguous block times one
    variable. Deviations are small and occur in first power only, times the angles' monomials up to
    :data:`DEVIATION_DEGREE`, after which they stand.

    Attributes:
        exponents: Of angles, then deviations, (T, n + k).
        blocks: Variable, start of the factor, length and start of the product of every block, (B, 4).
    """

    exponents: NDArray[np.int32]
    blocks: NDArray[np.int32]

    def values(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at points.

        Args:
            x: Angles, then deviations, (..., n + k).

        Returns:
            (..., T).
        """
        result = np.ones((*x.shape[:-1], len(self.exponents)))
        for variable, start, length, end in self.blocks.tolist():
            result[..., end : end + length] = x[..., variable, None] * result[..., start : start + length]
        return result

    def gradient(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Derivatives by every variable.

        Args:
            values: What :meth:`values` returned, (..., T).

        Returns:
            (..., n + k, T).
        """
        index = {tuple(e): t for t, e in enumerate(self.exponents.tolist())}
        lower = np.zeros(self.exponents.shape, dtype=np.intp)
        for term, exponent in enumerate(self.exponents.tolist()):
            for variable, power in enumerate(exponent):
                if power:
                    lower[term, variable] = index[(*exponent[:variable], power - 1, *exponent[variable + 1 :])]
        derivative: NDArray[np.float64] = values[..., lower.T] * self.exponents.T
        return derivative


@cache
def monomials(angles: int, degree: int, deviations: int = 0) -> Monomials:
    """All monomials in some angles up to a total degree, and of deviations; :func:`terms` of them."""
    exponents = np.zeros((terms(angles, degree, deviations), angles + deviations), dtype=np.int32)
    blocks: list[tuple[int, int, int, int]] = []
    end = 1

    def multiply(variable: int, start: int, stop: int) -> None:
        nonlocal end
        length = stop - start
        exponents[end : end + length] = exponents[start:stop]
        exponents[end : end + length, variable] += 1
        blocks.append((variable, start, length, end))
        end += length

    first, stop = [0] * angles, 1
    for power in range(1, degree + 1):
        starts = []
        for variable in range(angles):
            starts.append(end)
            multiply(variable, first[variable], stop)
        first, stop = starts, end
        if power == DEVIATION_DEGREE:
            for deviation in range(deviations):
                multiply(angles + deviation, 0, stop)
    return Monomials(exponents, np.array(blocks, dtype=np.int32).reshape(-1, 4))


def terms(angles: int, degree: int, deviations: int = 0) -> int:
    """Number of monomials in some angles up to a total degree, and of deviations."""
    return comb(angles + degree, degree) + deviations * comb(angles + DEVIATION_DEGREE, DEVIATION_DEGREE)
