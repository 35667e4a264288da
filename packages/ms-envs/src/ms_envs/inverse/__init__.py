"""Which forces and which muscles a motion asks for."""

from __future__ import annotations

from ms_envs.inverse.box_least_squares import ConvergenceError, box_least_squares
from ms_envs.inverse.cache import inverse_solution
from ms_envs.inverse.computed_muscle_control import ComputedMuscleControl, TrackingGains
from ms_envs.inverse.dynamics import Dynamics, EquationsOfMotion, accelerations
from ms_envs.inverse.static_optimization import InverseSolution, out_of_reach, static_optimization
from ms_envs.inverse.storage import Storage, read_storage, write_storage

__all__ = [
    "ComputedMuscleControl",
    "ConvergenceError",
    "Dynamics",
    "EquationsOfMotion",
    "InverseSolution",
    "Storage",
    "TrackingGains",
    "accelerations",
    "box_least_squares",
    "inverse_solution",
    "out_of_reach",
    "read_storage",
    "static_optimization",
    "write_storage",
]
