"""Constraint forces for MJX in JAX: Newton's method, searching each direction exactly."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from mujoco import mjx

SMALL_STEP = 1e-6
"""A step of this share of the accelerations moves them by less than single precision can use."""


class _Iterate(NamedTuple):
    acceleration: jax.Array
    active: jax.Array
    converged: jax.Array
    iteration: jax.Array


def solve(model: Any, data: Any) -> Any:
    """What ``mjx.solve`` does, of one body, to the limit of single precision.

    The accelerations minimise a cost that is quadratic but for the constraints that push and never pull. ``mjx.solve``
    takes a step if the cost decreases; in single precision the cost hides improvements of tens of rad/s². Here only
    gradients decide: the slope of the cost along a direction is linear between the points where a constraint starts
    or stops to push, so that its zero is found exactly, and the solution is reached once a step changes none of them.

    Args:
        model: ``mjx.Model`` with pyramidal friction cones and no dry friction.
        data: ``mjx.Data``.

    Returns:
        The data with ``qacc``, ``qfrc_constraint`` and ``efc_force``.
    """
    rows = data._impl
    jacobian, stiffness, target = rows.efc_J, rows.efc_D, rows.efc_aref
    two_sided = jnp.arange(len(target)) < rows.ne
    inertia = mjx.full_m(model, data)

    def pushing(residual: jax.Array) -> jax.Array:
        return two_sided | (residual < 0)

    def improved(now: _Iterate) -> _Iterate:
        residual = jacobian @ now.acceleration - target
        weighted = stiffness * now.active
        unconstrained = inertia @ now.acceleration - data.qfrc_smooth
        gradient = unconstrained + jacobian.T @ (weighted * residual)
        hessian = inertia + (jacobian.T * weighted) @ jacobian
        direction = -jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(hessian), gradient)
        along, free = jacobian @ direction, (direction @ unconstrained, direction @ inertia @ direction)
        length = _zero_of_slope(free, stiffness, residual, along, two_sided)
        step = length * direction
        active = pushing(residual + length * along)
        same = (active == now.active).all()
        small = jnp.abs(step).max() <= SMALL_STEP * jnp.abs(now.acceleration).max()
        return _Iterate(now.acceleration + step, active, same | small, now.iteration + 1)

    def unfinished(now: _Iterate) -> jax.Array:
        return ~now.converged & (now.iteration < model.opt.iterations)

    start = data.qacc_warmstart
    first = _Iterate(start, pushing(jacobian @ start - target), jnp.array(False), jnp.array(0))
    last = jax.lax.while_loop(unfinished, improved, first)
    force = -stiffness * last.active * (jacobian @ last.acceleration - target)
    return data.tree_replace(
        {"qacc": last.acceleration, "qfrc_constraint": jacobian.T @ force, "_impl.efc_force": force}
    )


def _zero_of_slope(
    free: tuple[jax.Array, jax.Array], stiffness: jax.Array, residual: jax.Array, along: jax.Array, two_sided: jax.Array
) -> jax.Array:
    """How far to go in a direction of descent until the cost rises.

    Args:
        free: Slope of the cost without constraints at the start, and how much it grows per length.
        stiffness: Of the rows, (R,).
        residual: Of the rows at the start, (R,).
        along: How much it grows per length, (R,).
        two_sided: Which rows push and pull, bool, (R,).
    """

    def slope(length: jax.Array) -> jax.Array:
        there = residual + length[:, None] * along
        pull = jnp.where(two_sided | (there < 0), stiffness * there, 0.0) @ along
        return free[0] + length * free[1] + pull

    switch = -residual / jnp.where(along == 0, 1.0, along)
    lengths = jnp.append(jnp.where((along == 0) | two_sided, 0.0, jnp.maximum(switch, 0.0)), 0.0)
    falling = slope(lengths) < 0
    low = jnp.where(falling, lengths, 0.0).max()
    high = jnp.where(falling, jnp.inf, lengths).min()
    high = jnp.where(jnp.isfinite(high) & (high > low), high, low + 1.0)
    below, above = slope(jnp.stack([low, high]))
    return low - below * (high - low) / (above - below)
