"""How far bodies are from the reference and from balance, as one vector whose square is the cost."""

from __future__ import annotations

from typing import Any

import numpy as np
from ms_envs.envs import TrackingVectorEnv
from ms_envs.motions.balance_table import BalanceTable
from ms_envs.task import rotations
from numpy.typing import NDArray

from ms_agents.planning import PlannerHyperparameters
from ms_agents.planning.cost import SOLES, TrackingCost

Array = NDArray[np.float64]


class Deviations:
    """The terms of :class:`ms_agents.planning.cost.TrackingCost` before they are squared, in units of their tolerances.

    Rotations count by the sine of their angle.

    Args:
        env: Environments with ``control="posture"``.
        hyperparameters: Constants of the search.
    """

    def __init__(self, env: TrackingVectorEnv, hyperparameters: PlannerHyperparameters) -> None:
        self._table = BalanceTable(env.clip, env.body)
        self._hp = hyperparameters
        names = tuple(env.body.key_bodies)
        self._cost = TrackingCost(names, hyperparameters)
        self._soles = [names.index(name) for name in SOLES]

    def of(self, env: TrackingVectorEnv) -> Array:
        """Deviations of N bodies as they are, (N, R); infinite where the physics broke down."""
        hp, tolerances = self._hp, self._hp.tolerances
        (state, reference), now, then = env.tracking_state(), env.balance(), self._table.at(env.time)
        pose = state.pose
        drift = self._cost.drift(now, then)
        displacement = np.column_stack([drift, np.zeros(len(drift))])
        bodies = pose.key_position - reference.key_position - displacement[:, None]
        soles = bodies[:, self._soles]
        swings = np.sqrt(np.repeat(np.where(self._table.contact(env.time), 1.0, 0.5), 2, axis=1))
        velocity = now.center_of_mass_velocity - then.center_of_mass_velocity + hp.drift_velocity * displacement
        vectors: dict[str, Any] = {
            "joint_angle": _mean(pose.joint_position - reference.joint_position),
            "joint_velocity": _mean(pose.joint_velocity - reference.joint_velocity),
            "root_height": (pose.root_position - reference.root_position)[:, 2:],
            "root_orientation": _rotation(pose.root_orientation, reference.root_orientation),
            "torso_orientation": _rotation(now.torso_orientation, then.torso_orientation),
            "torso_angular_velocity": now.torso_angular_velocity - then.torso_angular_velocity,
            "drift": drift,
            "body": _mean(bodies),
            "foot": _mean(swings[..., None] * soles[..., :2]),
            "foot_height": _mean(soles[..., 2]),
            "center_of_mass_height": (now.center_of_mass - then.center_of_mass)[:, 2:],
            "center_of_mass_velocity": velocity,
            "capture_point": self._cost.balance_error(state, reference, now, then).reshape(len(drift), -1),
            "angular_momentum": now.angular_momentum - then.angular_momentum,
            "activation": _mean(state.muscles.activation),
        }
        parts = [values / getattr(tolerances, name) for name, values in vectors.items()]
        return np.where(state.diverged[:, None], np.inf, np.concatenate(parts, axis=1))


def _mean(values: Array) -> Array:
    """Vectors (N, K) or (N, K, 3) scaled so that their square is the mean over K, flattened."""
    return (values / np.sqrt(values.shape[1])).reshape(len(values), -1)


def _rotation(orientation: Array, reference: Array) -> Array:
    """Rotation from one orientation (N, 4) to the other, axis times the sine of the angle, (N, 3)."""
    return np.asarray(_axis(rotations.multiply(np, rotations.conjugate(np, reference), orientation)))


def _axis(quaternion: Array) -> Array:
    return 2.0 * quaternion[:, :1] * quaternion[:, 1:]
