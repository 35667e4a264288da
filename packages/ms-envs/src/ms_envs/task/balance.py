"""What keeping one's balance depends on, beyond the pose."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

from ms_envs.task.rotations import Array

GRAVITY = 9.81
"""m/s²."""
LOWEST_PENDULUM = 0.5
"""Height of the centre of mass below which a body is no inverted pendulum, m."""


class Balance(NamedTuple):
    """Centre of mass and trunk of N bodies at one instant; world frame, z up.

    Attributes:
        center_of_mass: m, (N, 3).
        center_of_mass_velocity: m/s, (N, 3).
        angular_momentum: About the centre of mass, kg·m²/s, (N, 3).
        torso_orientation: In the model's own frame of the torso, unit quaternion, (N, 4).
        torso_angular_velocity: rad/s, (N, 3).
    """

    center_of_mass: Array
    center_of_mass_velocity: Array
    angular_momentum: Array
    torso_orientation: Array
    torso_angular_velocity: Array


def capture_point(xp: ModuleType, balance: Balance) -> Array:
    """Where a foot must stand for the body to come to rest above it, m, (N, 2).

    The linear inverted pendulum of Pratt et al. (2006), Hof's (2005) extrapolated centre of mass.

    Args:
        xp: numpy or jax.numpy.
        balance: The bodies.
    """
    height = xp.maximum(balance.center_of_mass[:, 2], LOWEST_PENDULUM)
    time_constant = xp.sqrt(height / GRAVITY)
    return balance.center_of_mass[:, :2] + balance.center_of_mass_velocity[:, :2] * time_constant[:, None]
