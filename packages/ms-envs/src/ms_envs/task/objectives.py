"""Objectives beside tracking that are best at zero, and so need no weight in the tracking-error vector."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from ms_envs.task.rotations import Array
from ms_envs.task.state import Muscles

OBJECTIVES = ("effort", "power", "action_rate")
"""What can be appended to the tracking error (MS-Emulator, Wei et al. 2026: adversarial reward aggregation)."""


def objective_values(
    xp: ModuleType, names: Sequence[str], muscles: Muscles, mass: float, action_change: Array
) -> list[Array]:
    """Value of each objective, never negative.

    - ``effort``: mean squared activation.
    - ``power``: mechanical power of the muscles, shortening or lengthening, summed and per body mass, W/kg.
    - ``action_rate``: mean squared change of the action in effect since the last control step, in half ranges of the
      action box.

    Args:
        xp: numpy or jax.numpy.
        names: Some of :data:`OBJECTIVES`.
        muscles: The muscles.
        mass: Of the body, kg.
        action_change: In half ranges, (N, A).

    Returns:
        Values in the order of the names, each (N,).

    Raises:
        ValueError: If an objective is unknown.
    """

    def value(name: str) -> Array:
        if name == "effort":
            return (muscles.activation**2).mean(axis=-1)
        if name == "power":
            return xp.abs(muscles.force * muscles.velocity).sum(axis=-1) / mass
        if name == "action_rate":
            return (action_change**2).mean(axis=-1)
        raise ValueError(f"unknown objective {name!r}; choose from {list(OBJECTIVES)}")

    return [value(name) for name in names]
