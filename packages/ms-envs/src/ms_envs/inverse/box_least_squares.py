"""Regularised least squares with bounds, by a dual semismooth Newton method."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HOMOTOPY = (100.0, 10.0, 1.0)
"""Factors on the regularisation; each problem starts the next, which is harder, from its solution."""

Array = NDArray[np.float64]


class ConvergenceError(RuntimeError):
    """A solver stopped before its answer was good enough to be one."""


def box_least_squares(
    matrix: Array,
    target: Array,
    weight: Array,
    lower: Array,
    upper: Array,
    start: Array | None = None,
    *,
    tolerance: float = 1e-9,
    max_iterations: int = 200,
) -> tuple[Array, Array]:
    """Minimise ``½|A x − b|² + ½ Σ w x²`` over ``lower ≤ x ≤ upper``.

    Few rows and many columns make the dual small. Its stationary point is ``r + A x(r) = b`` with
    ``x(r) = clip(Aᵀ r / w, lower, upper)``, where ``r`` turns out to be the residual ``b − A x``. Newton's method on
    this piecewise linear equation, with an exact line search on the dual objective, ends after finitely many steps.

    Args:
        matrix: A, (m, n).
        target: b, (m,).
        weight: w, above zero, (n,).
        lower: Lower bounds, −inf allowed, (n,).
        upper: Upper bounds, inf allowed, (n,).
        start: First guess of the residual, such as that of a neighbouring problem, (m,).
        tolerance: Largest violation of the stationarity condition, relative to ``1 + max |b|``.
        max_iterations: Newton steps allowed.

    Returns:
        The minimiser (n,) and the residual ``b − A x`` (m,).

    Raises:
        ConvergenceError: If the condition is not met after ``max_iterations``.
    """
    residual = np.zeros(len(target)) if start is None else start.copy()
    bound = tolerance * (1.0 + np.abs(target).max(initial=0.0))
    left = max_iterations
    for factor in HOMOTOPY if start is None else HOMOTOPY[-1:]:
        final = factor == HOMOTOPY[-1]
        residual, x, violation, steps = _newton(
            matrix, target, factor * weight, lower, upper, residual, bound if final else 1e-3, left
        )
        left -= steps
    if not violation <= bound:
        raise ConvergenceError(
            f"bounded least squares with {matrix.shape[0]} rows and {matrix.shape[1]} columns: stationarity violated "
            f"by {violation:.2e} after {max_iterations} Newton steps, {bound:.2e} allowed"
        )
    return x, residual


def _newton(
    matrix: Array,
    target: Array,
    weight: Array,
    lower: Array,
    upper: Array,
    residual: Array,
    bound: float,
    max_steps: int,
) -> tuple[Array, Array, float, int]:
    """Residual, minimiser, violation of stationarity and steps taken."""
    identity = np.eye(len(target))
    projected = matrix.T @ residual
    for step in range(max_steps + 1):
        unbounded = projected / weight
        x = np.clip(unbounded, lower, upper)
        gradient = residual + matrix @ x - target
        violation = float(np.abs(gradient).max(initial=0.0))
        if violation <= bound or step == max_steps:
            break
        free = (unbounded > lower) & (unbounded < upper)
        columns = matrix[:, free]
        direction = -np.linalg.solve(identity + (columns / weight[free]) @ columns.T, gradient)
        change = matrix.T @ direction
        length = _line_search(
            slope=float(direction @ gradient),
            curvature=float(direction @ direction),
            position=unbounded,
            speed=change / weight,
            gain=change**2 / weight,
            lower=lower,
            upper=upper,
        )
        residual = residual + length * direction
        projected = projected + length * change
    return residual, x, violation, step


def _line_search(
    *, slope: float, curvature: float, position: Array, speed: Array, gain: Array, lower: Array, upper: Array
) -> float:
    """Length in (0, 1] at which the derivative of the dual objective vanishes, 1 if it is still negative there.

    The derivative is piecewise linear: column i adds ``gain`` to its slope while ``position + t speed`` is in bounds.
    """
    moving = speed != 0
    position, speed, gain, lower, upper = (v[moving] for v in (position, speed, gain, lower, upper))
    bounds = np.sort(np.stack([(lower - position) / speed, (upper - position) / speed]), axis=0)
    enter, leave = np.clip(bounds, 0.0, 1.0)
    time = np.concatenate([enter, leave, [1.0]])
    order = np.argsort(time)
    time = time[order]
    slopes = curvature + np.cumsum(np.concatenate([gain, -gain, [0.0]])[order])
    value = slope + np.cumsum(np.diff(time, prepend=0.0) * np.concatenate([[curvature], slopes[:-1]]))
    if value[-1] <= 0:
        return 1.0
    first = int(np.searchsorted(value, 0.0, side="right"))
    rise = curvature if first == 0 else slopes[first - 1]
    return float(time[first] - value[first] / rise)
