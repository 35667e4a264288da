"""Constants of the planner."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from ms_envs.envs.options import MUSCLE_PATHS

from ms_agents.hyperparameter_set import HyperparameterSet, require_positive

STIFFNESS = 50.0
"""Stiffness of the reflex at which noise is as given."""


@dataclass(frozen=True)
class JointNoise:
    """Standard deviation of the offsets of target angles by anatomical role, rad; 0 leaves a joint to its reflex.

    Under a reflex of another stiffness than :data:`STIFFNESS` they are multiplied by the square root of the ratio,
    halfway between equal angles and equal excitations.

    Attributes:
        hip: Flexion, adduction and rotation.
        knee: Flexion.
        ankle: Flexion.
        subtalar: Inversion.
        toes: Flexion.
        lumbar: All joints between pelvis and thorax.
        neck: All joints between thorax and head.
        shoulder: Plane, elevation and rotation.
        elbow: Flexion.
    """

    hip: float = 0.14
    knee: float = 0.17
    ankle: float = 0.17
    subtalar: float = 0.1
    toes: float = 0.0
    lumbar: float = 0.06
    neck: float = 0.0
    shoulder: float = 0.0
    elbow: float = 0.0


@dataclass(frozen=True)
class Tolerances:
    """Deviations from the reference that cost 1 each; infinity takes a term out.

    Attributes:
        joint_angle: Root mean square over the joints, rad.
        joint_velocity: The same, rad/s.
        root_height: m.
        root_orientation: rad.
        torso_orientation: rad.
        torso_angular_velocity: rad/s.
        drift: Horizontal distance of the centre of mass from that of the reference, m.
        body: Root mean square over the key bodies, the drift taken out, m.
        foot: The same over feet and toes; twice as far where the foot swings, m.
        foot_height: m.
        center_of_mass_height: m.
        center_of_mass_velocity: Deviation from the velocity that also undoes the drift, m/s.
        capture_point: Of the capture point relative to either foot, m.
        angular_momentum: About the centre of mass, kg·m²/s.
        activation: Root mean square over the muscles.
        offset: Root mean square of the offsets, in standard deviations of their noise.
    """

    joint_angle: float = 0.17
    joint_velocity: float = 4.2
    root_height: float = 0.04
    root_orientation: float = 0.12
    torso_orientation: float = 0.12
    torso_angular_velocity: float = 1.4
    drift: float = 0.14
    body: float = 0.06
    foot: float = 0.06
    foot_height: float = 0.035
    center_of_mass_height: float = 0.04
    center_of_mass_velocity: float = 0.25
    capture_point: float = 0.06
    angular_momentum: float = 8.5
    activation: float = 0.36
    offset: float = 2.2

    def __post_init__(self) -> None:
        require_positive(self, "tolerance", "a positive number or infinity")


@dataclass(frozen=True)
class PlannerHyperparameters(HyperparameterSet):
    """Constants of the receding-horizon search.

    Attributes:
        segment: Seconds between two offsets, of which one is committed at a time.
        horizon: Segments looked ahead.
        samples: Roll-outs of one iteration, which run side by side.
        iterations: Refinements of the samples for every segment.
        elites: Share of the samples that the next iteration is drawn around.
        spread: Factor on the deviation of the elites, which shrink too soon.
        least_deviation: Smallest standard deviation, in units of the noise.
        smoothness: Correlation of the noise of one segment with that of the segment before.
        final_weight: Factor on the cost at the end of the horizon, which stands for what follows.
        fade: Factor on the last offset of a plan where it is carried beyond its horizon.
        placement_gain: Share of the error of the capture point by which the prior moves the swinging foot; 0 for none.
        placement_reach: Farthest the prior moves a foot, m.
        drift_velocity: Speed, per metre of drift, with which to come back, 1/s.
        drift_lean: Displacement of the wanted capture point per metre of drift.
        root_limit: Distance of the root from the reference at which a body has failed, m.
        body_limit: Distance of a key body, in the world, at which it has, m.
        height_limit: Vertical distance of the root at which it has, m.
        failure_cost: Cost of every segment not reached.
        retreats: Times that the search goes back for one fall before it gives up.
        rollout_paths: Muscle paths of the roll-outs; ``"fitted"`` saves time, the plan itself is as its environment.
        noise: Of the offsets, by joint.
        tolerances: Of the cost.
    """

    segment: float = 0.1
    horizon: int = 3
    samples: int = 24
    iterations: int = 3
    elites: float = 0.2
    spread: float = 1.1
    least_deviation: float = 0.2
    smoothness: float = 0.6
    final_weight: float = 1.5
    fade: float = 0.5
    placement_gain: float = 1.0
    placement_reach: float = 0.3
    drift_velocity: float = 0.5
    drift_lean: float = 0.3
    root_limit: float = 0.3
    body_limit: float = 0.5
    height_limit: float = 0.3
    failure_cost: float = 2000.0
    retreats: int = 4
    rollout_paths: str = "exact"
    noise: JointNoise = field(default_factory=JointNoise)
    tolerances: Tolerances = field(default_factory=Tolerances)

    def __post_init__(self) -> None:
        for name in ("horizon", "samples", "iterations"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)!r}")
        if self.rollout_paths not in MUSCLE_PATHS:
            raise ValueError(f"unknown rollout_paths {self.rollout_paths!r}; choose one of {', '.join(MUSCLE_PATHS)}")
        if not self.segment > 0:
            raise ValueError(f"segment must be a positive number of seconds, got {self.segment!r}")
        if not 0 < self.elites <= 1:
            raise ValueError(f"elites must be a share of the samples in (0, 1], got {self.elites!r}")
        if not 0 <= self.smoothness < 1:
            raise ValueError(f"smoothness must be in [0, 1), got {self.smoothness!r}")

    def joint_deviation(
        self, roles: dict[str, Any], joints: int, stiffness: float = STIFFNESS
    ) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Standard deviation of every joint's offset, rad, (J,).

        Args:
            roles: Role with its side to positions among the joints, as bodies have it.
            joints: J.
            stiffness: Of the reflex.
        """
        deviation = np.zeros(joints)
        for entry in fields(self.noise):
            for role, positions in roles.items():
                if role.removesuffix("_r").removesuffix("_l") == entry.name:
                    deviation[positions] = np.sqrt(STIFFNESS / max(stiffness, 1.0)) * getattr(self.noise, entry.name)
        return deviation


PlannerHyperparameters.presets = {
    "walk": PlannerHyperparameters(rollout_paths="fitted"),
    "whole-body": PlannerHyperparameters(
        horizon=4, samples=32, rollout_paths="fitted", noise=JointNoise(toes=0.1, neck=0.06, shoulder=0.2, elbow=0.2)
    ),
}
