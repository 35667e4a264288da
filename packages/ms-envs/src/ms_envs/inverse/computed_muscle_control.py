"""Muscle excitations that steer a body back onto its motion, without training."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.inverse.box_least_squares import box_least_squares
from ms_envs.inverse.dynamics import Dynamics, EquationsOfMotion, accelerations, independent_velocity
from ms_envs.inverse.floor_contact import PYRAMID
from ms_envs.inverse.static_optimization import FORCE_UNIT
from ms_envs.motions.clip import MotionClip

Array = NDArray[np.float64]

BISECTIONS = 10
"""Halvings of the excitation that is searched for."""


@dataclass(frozen=True)
class TrackingGains:
    """Constants of :class:`ComputedMuscleControl`; the same for every body and motion.

    Attributes:
        stiffness: Desired acceleration per deviation, 1/s².
        damping: Desired acceleration per deviation in velocity, 1/s.
        max_acceleration: Bound on the desired acceleration of a joint, rad/s².
        inertia_floor: Added to the inertia of every joint where accelerations are weighed against each other, so that
            light segments do not rule, kg·m².
        effort_weight: Cost of a squared activation.
        contact_weight: Cost of a squared force along an edge of a friction pyramid, 1/(100 N)².
        support_weight: Cost of a squared component of the wrench that supports the root, 1/(100 N)².
        touching: Points lower than this over the floor are taken to stand on it, m.
        sliding_weight: Weight of the acceleration of standing points.
        sliding_damping: Rate at which standing points should come to rest, 1/s.
    """

    stiffness: float = 150.0
    damping: float = 24.5
    max_acceleration: float = 150.0
    inertia_floor: float = 0.1
    effort_weight: float = 3.0
    contact_weight: float = 1.0
    support_weight: float = 0.1
    touching: float = 0.0
    sliding_weight: float = 1.0
    sliding_damping: float = 20.0


class ComputedMuscleControl:
    """Tracks a clip with the least activations that give the accelerations which lead back to it.

    The desired acceleration is that of the clip plus a proportional and derivative correction, for the root as for the
    joints. Activations within what the time constants allow, and floor forces in friction pyramids, come as close to
    it as they can (computed muscle control: Thelen & Anderson 2006; with the floor as in whole-body control). What a
    muscle can pull is taken at the velocity it would have at the end of the step: at that of the beginning, light
    segments are overdriven until force-velocity damping alone moves them.

    Args:
        body: The body.
        clip: The motion.
        timestep: Time between two commands, s.
        supported: Whether a spring holds the root.
        gains: Constants.
        tolerance: Relative accuracy of the solution.

    Raises:
        ValueError: If the clip does not fit the body.
    """

    def __init__(
        self,
        body: Body,
        clip: MotionClip,
        timestep: float,
        *,
        supported: bool = False,
        gains: TrackingGains | None = None,
        tolerance: float = 1e-4,
    ) -> None:
        clip.check_fits(body)
        self.body, self.clip, self.timestep, self.supported = body, clip, timestep, supported
        self.gains = gains or TrackingGains()
        self._tolerance = tolerance
        self._dynamics = Dynamics(body)
        self._acceleration = accelerations(body, clip)
        self._substep = body.model.opt.timestep
        self._substeps = round(timestep / self._substep)
        self._time_constants = body.model.actuator_dynprm[:, :2].T
        floor = np.full(ROOT_DOF + len(body.joint_ids), self.gains.inertia_floor)
        floor[:ROOT_DOF] = 0.0
        self._inertia_floor = np.diag(floor)

    def excitation(self, qpos: Array, qvel: Array, activation: Array, time: float) -> Array:
        """Excitations to hold over the next control step.

        Args:
            qpos: Generalised positions of the body, (nq,).
            qvel: Its generalised velocities, (nv,).
            activation: Its muscle activations, (M,).
            time: Where it stands in the motion, s since the first frame.

        Returns:
            Excitations, 0 to 1, (M,).

        Raises:
            ConvergenceError: If the least-squares problem was not solved to tolerance.
        """
        desired = self._desired(qpos, qvel, time)
        coming = qvel + self.timestep * self.body.coordinate_map(qpos) @ desired
        equations = self._dynamics.at(qpos, qvel, coming)
        none, full = np.zeros_like(activation), np.ones_like(activation)
        lower, upper = self._activation_after(activation, none), self._activation_after(activation, full)
        target = self._solve(equations, qvel, desired, lower, upper)
        for _ in range(BISECTIONS):
            middle = 0.5 * (none + full)
            high = self._activation_after(activation, middle) > target
            none, full = np.where(high, none, middle), np.where(high, middle, full)
        return 0.5 * (none + full)

    def _desired(self, qpos: Array, qvel: Array, time: float) -> Array:
        """Acceleration that leads back to the clip, (6 + J,)."""
        gains, now = self.gains, np.array([time])
        wanted, wanted_velocity = (values[0] for values in self.clip.coordinates(now))
        (feedforward,) = self.clip.interpolate(now + self.timestep, self._acceleration)
        deviation = np.zeros(self.body.model.nv)
        mujoco.mj_differentiatePos(self.body.model, deviation, 1.0, qpos, wanted)
        correction = gains.stiffness * deviation + gains.damping * (wanted_velocity - qvel)
        desired: Array = feedforward[0] + independent_velocity(self.body, correction)
        desired[ROOT_DOF:] = np.clip(desired[ROOT_DOF:], -gains.max_acceleration, gains.max_acceleration)
        return desired

    def _activation_after(self, activation: Array, excitation: Array) -> Array:
        """Activations after a control step of constant excitation, as MuJoCo's muscles integrate them, (M,)."""
        activate, deactivate = self._time_constants
        for _ in range(self._substeps):
            scale = 0.5 + 1.5 * activation
            rate = np.where(excitation > activation, 1 / (activate * scale), scale / deactivate)
            activation = activation + self._substep * rate * (excitation - activation)
        return activation

    def _solve(self, equations: EquationsOfMotion, qvel: Array, desired: Array, lower: Array, upper: Array) -> Array:
        """Activations at the end of the control step, (M,)."""
        gains, muscles = self.gains, len(lower)
        standing = equations.contact.distance < gains.touching
        edges = np.repeat(standing, len(PYRAMID))
        columns = [equations.moment_arm * equations.gain, FORCE_UNIT * equations.contact_map[:, edges]]
        count = int(edges.sum())
        weight = [np.full(muscles, gains.effort_weight), np.full(count, gains.contact_weight)]
        bounds = [(lower, upper), (np.zeros(count), np.full(count, np.inf))]
        if self.supported:
            columns.append(FORCE_UNIT * np.eye(len(desired), ROOT_DOF))
            weight.append(np.full(ROOT_DOF, gains.support_weight))
            bounds.append((np.full(ROOT_DOF, -np.inf), np.full(ROOT_DOF, np.inf)))
        force = np.concatenate(columns, axis=1)
        given = equations.bias - equations.moment_arm @ equations.passive
        metric = np.linalg.cholesky(equations.mass + self._inertia_floor)
        matrix, target = np.linalg.solve(metric, force), np.linalg.solve(metric, equations.mass @ desired + given)
        if count:
            jacobian = _point_jacobian(equations.contact_map[:, edges])
            response = gains.sliding_weight * np.linalg.solve(equations.mass, jacobian.T).T
            velocity = jacobian @ independent_velocity(self.body, qvel)
            rest = gains.sliding_weight * gains.sliding_damping * velocity
            matrix = np.concatenate([matrix, response @ force])
            target = np.concatenate([target, response @ given - rest])
        solution, _ = box_least_squares(
            matrix,
            target,
            np.concatenate(weight),
            *(np.concatenate(side) for side in zip(*bounds, strict=True)),
            tolerance=self._tolerance,
        )
        return solution[:muscles]


def _point_jacobian(contact_map: Array) -> Array:
    """Velocities of points per velocity of the coordinates, from those along their pyramids' edges, (3 P, 6 + J)."""
    edges = contact_map.T.reshape(-1, len(PYRAMID), len(contact_map))
    jacobian: Array = np.einsum("ae,pen->pan", np.linalg.pinv(PYRAMID), edges).reshape(-1, len(contact_map))
    return jacobian
