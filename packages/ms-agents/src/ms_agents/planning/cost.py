"""How far bodies are from the reference, and from keeping on their feet."""

from __future__ import annotations

from typing import Any

import numpy as np
from ms_envs.motions.balance_table import FEET
from ms_envs.task import rotations
from ms_envs.task.balance import Balance, capture_point
from ms_envs.task.state import BodyState, Reference
from numpy.typing import NDArray

from ms_agents.planning.hyperparameters import PlannerHyperparameters, Tolerances

Array = NDArray[np.float64]

FARTHEST_DRIFT = 0.3
"""Drift beyond which no stronger correction is asked for, m."""
SOLES = ("foot_r", "toes_r", "foot_l", "toes_l")
"""Key bodies that stand on the floor."""


class TrackingCost:
    """The cost is the sum of squared deviations, each in units of its tolerance.

    Absolute positions reward leaning towards the reference, and a fall; so bodies and feet are compared after the
    horizontal drift of the centre of mass has been taken out, and balance is judged by where the capture point is
    relative to each foot.

    Args:
        key_bodies: Names of the key bodies.
        hyperparameters: Constants of the search.
    """

    def __init__(self, key_bodies: tuple[str, ...], hyperparameters: PlannerHyperparameters) -> None:
        self._hp = hyperparameters
        self._feet = [key_bodies.index(foot) for foot in FEET]
        self._soles = [key_bodies.index(name) for name in SOLES]

    def deviations(
        self,
        state: BodyState,
        reference: Reference,
        balance: Balance,
        reference_balance: Balance,
        contact: NDArray[np.bool_],
    ) -> dict[str, Array]:
        """What the cost is the sum of squares of, in units of tolerances and named as these.

        Args:
            state: The bodies.
            reference: The motion at the same instant.
            balance: Of the bodies.
            reference_balance: Of the motion.
            contact: Whether its right and left foot bear load, (N, 2).

        Returns:
            Name to (N, K), K values each.
        """
        pose, now, then = state.pose, balance, reference_balance
        drift = self.drift(now, then)
        displacement = np.column_stack([drift, np.zeros(len(drift))])
        bodies = pose.key_position - reference.key_position - displacement[:, None]
        soles = bodies[:, self._soles]
        swings = np.sqrt(np.repeat(np.where(contact, 1.0, 0.5), 2, axis=1))
        velocity = now.center_of_mass_velocity - then.center_of_mass_velocity + self._hp.drift_velocity * displacement
        errors: dict[str, Array] = {
            "joint_angle": _mean(pose.joint_position - reference.joint_position),
            "joint_velocity": _mean(pose.joint_velocity - reference.joint_velocity),
            "root_height": (pose.root_position - reference.root_position)[:, 2:],
            "root_orientation": rotations.rotation_vector(np, reference.root_orientation, pose.root_orientation),
            "torso_orientation": rotations.rotation_vector(np, then.torso_orientation, now.torso_orientation),
            "torso_angular_velocity": now.torso_angular_velocity - then.torso_angular_velocity,
            "drift": drift,
            "body": _mean(bodies),
            "foot": _mean(swings[..., None] * soles[..., :2]),
            "foot_height": _mean(soles[..., 2]),
            "center_of_mass_height": (now.center_of_mass - then.center_of_mass)[:, 2:],
            "center_of_mass_velocity": velocity,
            "capture_point": self.balance_error(state, reference, now, then).reshape(len(drift), -1),
            "angular_momentum": now.angular_momentum - then.angular_momentum,
            "activation": _mean(state.muscles.activation),
        }
        return {name: value / getattr(self._hp.tolerances, name) for name, value in errors.items()}

    def drift(self, balance: Balance, reference_balance: Balance) -> Array:
        """Horizontal distance of the centre of mass from that of the reference, m, (N, 2)."""
        drift: Array = (balance.center_of_mass - reference_balance.center_of_mass)[:, :2]
        return drift

    def balance_error(
        self, state: BodyState, reference: Reference, balance: Balance, reference_balance: Balance
    ) -> Array:
        """Error of the capture point relative to each foot, leaning against the drift, m, (N, 2 feet, 2)."""
        actual = capture_point(np, balance)[:, None] - state.pose.key_position[:, self._feet, :2]
        wanted = capture_point(np, reference_balance)[:, None] - reference.key_position[:, self._feet, :2]
        lean = np.clip(self.drift(balance, reference_balance), -FARTHEST_DRIFT, FARTHEST_DRIFT)
        error: Array = actual - wanted + self._hp.drift_lean * lean[:, None]
        return error

    def failed(self, state: BodyState, reference: Reference) -> NDArray[np.bool_]:
        """Whether a body has fallen, run away or broken down, (N,)."""
        hp = self._hp
        root = state.pose.root_position - reference.root_position
        body = np.linalg.norm(state.pose.key_position - reference.key_position, axis=2).max(axis=1)
        failed: NDArray[np.bool_] = (
            state.diverged
            | (np.linalg.norm(root, axis=1) > hp.root_limit)
            | (body > hp.body_limit)
            | (np.abs(root[:, 2]) > hp.height_limit)
        )
        return failed


def offset_cost(offset: Array, deviation: Array, tolerances: Tolerances) -> Array:
    """Cost of the offsets (N, D) themselves, (N,).

    Args:
        offset: rad, (N, D).
        deviation: Standard deviation of their noise, rad, (D,).
        tolerances: Of the cost.
    """
    cost: Array = ((offset / deviation) ** 2).mean(axis=-1) / tolerances.offset**2
    return cost


def _mean(values: Any) -> Array:
    """Values (N, K) or vectors (N, K, 3), flat and scaled so that the sum of their squares is the mean over K."""
    scaled: Array = (values / np.sqrt(values.shape[1])).reshape(len(values), -1)
    return scaled
