"""The linear equations that the coefficients of a muscle's length should fulfil."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ms_envs.paths.polynomial import monomials, terms

Array = NDArray[np.float64]

HIGHEST_DEGREE = {1: 16, 2: 12, 3: 9, 4: 7, 5: 6, 6: 5}
"""Highest total degree by number of joints; at most some 500 terms."""


class PathEquations:
    """Equations of muscles whose pieces cross the same joints; a monomial that two pieces share stands once.

    Args:
        spans: Independent joints of every piece.
        low: Lower end of the domain of every joint, rad, (J,).
        high: Upper end, rad, (J,).

    Attributes:
        degree: Total degree of the monomial of every column, (T,).
    """

    def __init__(self, spans: Sequence[tuple[int, ...]], low: Array, high: Array) -> None:
        self._spans, self._centre, self._half = spans, (low + high) / 2, (high - low) / 2
        self._joints = sorted(set().union(*spans))
        self._own, degrees = [], []
        known: set[tuple[tuple[int, int], ...]] = set()
        for span in spans:
            exponents = monomials(len(span), HIGHEST_DEGREE[len(span)]).exponents
            keys = [tuple((j, int(p)) for j, p in zip(span, row, strict=True) if p) for row in exponents]
            self._own.append(np.array([key not in known for key in keys]))
            degrees.append(exponents.sum(axis=1)[self._own[-1]])
            known.update(keys)
        self.degree = np.concatenate(degrees)

    def normalised(self, angle: Array) -> Array:
        """Joint angles mapped from their domain to [−1, 1], (P, J)."""
        return (angle - self._centre) / self._half

    def rows(self, angle: Array) -> Array:
        """Equations of the length and, one joint after the other, of the moment arms, (P, 1 + s, T)."""
        x = self.normalised(angle)
        equations = np.zeros((len(angle), 1 + len(self._joints), len(self.degree)))
        column = 0
        for span, own in zip(self._spans, self._own, strict=True):
            basis = monomials(len(span), HIGHEST_DEGREE[len(span)])
            values = basis.values(x[:, span])
            block = slice(column, column + int(own.sum()))
            equations[:, 0, block] = values[:, own]
            gradient = basis.gradient(values)
            for position, joint in enumerate(span):
                equations[:, 1 + self._joints.index(joint), block] = gradient[:, position, own] / self._half[joint]
            column = block.stop
        return equations

    def split(self, degree: int, coefficients: Array) -> Iterator[tuple[int, Array]]:
        """Piece by piece, the degree and the coefficients of all its monomials, out of those of the columns."""
        column = 0
        for span, own in zip(self._spans, self._own, strict=True):
            full = np.zeros(len(own))
            full[own] = coefficients[column : column + int(own.sum())]
            column += int(own.sum())
            reached = min(degree, HIGHEST_DEGREE[len(span)])
            yield reached, full[: terms(len(span), reached)]
