"""Which forces and which muscles a motion asks for."""

from __future__ import annotations

from ms_envs.inverse.box_least_squares import ConvergenceError, box_least_squares
from ms_envs.inverse.dynamics import Dynamics, EquationsOfMotion, accelerations
from ms_envs.inverse.static_optimization import InverseSolution, static_optimization

__all__ = [
    "ConvergenceError",
    "Dynamics",
    "EquationsOfMotion",
    "InverseSolution",
    "accelerations",
    "box_least_squares",
    "static_optimization",
]
