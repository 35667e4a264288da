"""Which muscles would produce a motion: static optimisation along a clip."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.inverse.box_least_squares import ConvergenceError, box_least_squares
from ms_envs.inverse.dynamics import Dynamics, EquationsOfMotion, accelerations
from ms_envs.motions.clip import MotionClip

Array = NDArray[np.float64]

EFFORT_WEIGHT = 1.0
"""Cost of a squared activation, against the squared torque out of reach in (N·m)²."""

TOLERATED_FORCE = 20.0
"""Residual force of the root, N, that costs as much as one newton metre missing at a joint."""

TOLERATED_MOMENT = 5.0
"""Residual moment of the root, N·m, that costs as much as one newton metre missing at a joint."""

FORCE_UNIT = 100.0
"""Contact forces are solved for in this unit, N, to be of the size of activations."""

AVERAGING = 0.03
"""Standard deviation of the time over which activations are averaged, s, like the time constants of muscles."""

SATURATED = 0.95
"""Activation from which a muscle counts as saturated."""

NEGLIGIBLE_EFFORT = 1e-3
"""Factor on :data:`EFFORT_WEIGHT` below which the residual no longer depends on it."""


@dataclass(frozen=True, eq=False)
class InverseSolution:
    """Muscle activations and floor forces along a clip of T frames.

    Attributes:
        activation: 0 to 1, (T, M).
        joint_moment: Generalised force demanded of root and independent joints beyond what the floor gives; that of
            the root ought to be zero, N and N·m, (T, 6 + J).
        residual: The part of it that the muscles do not give, (T, 6 + J).
        floor_wrench: Force and moment about the world's origin that the floor exerts on each of ``body.segments``, in
            the world frame, N and N·m, (T, S, 6).
        stationarity: Largest violation of the conditions of the minimum, N·m, (T,).
        wall_time: How long it took to find, s.
    """

    activation: Array
    joint_moment: Array
    residual: Array
    floor_wrench: Array
    stationarity: Array
    wall_time: float = math.nan

    @cached_property
    def ground_reaction(self) -> Array:
        """Force of the floor on the body in the world frame, N, (T, 3)."""
        force: Array = self.floor_wrench[..., :3].sum(axis=1)
        return force

    @cached_property
    def root_residual_force(self) -> Array:
        """Force that would have to act on the root from nowhere, N, (T,)."""
        force: Array = np.linalg.norm(self.residual[:, :3], axis=1)
        return force

    @cached_property
    def root_residual_moment(self) -> Array:
        """Moment that would have to act on the root from nowhere, N·m, (T,)."""
        moment: Array = np.linalg.norm(self.residual[:, 3:ROOT_DOF], axis=1)
        return moment

    @cached_property
    def unreachable(self) -> float:
        """Share of the joint torque over the clip that the muscles do not give, 0 to 1."""
        return self.torque_share(self.residual)

    @cached_property
    def saturation(self) -> Array:
        """Share of saturated muscles, (T,)."""
        share: Array = (self.activation > SATURATED).mean(axis=1)
        return share

    def torque_share(self, moment: Array) -> float:
        """Size of generalised forces (T, 6 + J) at the joints, as a share of the demanded joint torque."""
        size, demand = (np.abs(values[:, ROOT_DOF:]).sum() for values in (moment, self.joint_moment))
        return float(size / max(demand, 1e-9))


def static_optimization(body: Body, clip: MotionClip) -> InverseSolution:
    """Find the least activations, and contact forces, that produce a clip's accelerations in every frame.

    Minimises the squared torque out of reach plus squared activation and contact force, with activations from 0 to 1
    and contact forces in friction pyramids. The effort of single frames hardly decides how load is shared between feet
    and between muscles, so a second pass minimises the distance to the first one's activations averaged over
    :data:`AVERAGING` instead. Both minimisers are unique: a motion that repeats gets activations that do.

    Args:
        body: The body.
        clip: A motion made for it.

    Returns:
        The solution, with everything that could not be reached in its residual.

    Raises:
        ValueError: If the clip does not fit the body.
        ConvergenceError: If a frame was not solved to tolerance.
    """
    started = time.perf_counter()
    clip.check_fits(body)
    equations, acceleration = _equations(body, clip)
    least = _solve(equations, acceleration, np.zeros((len(equations), body.model.nu)))
    solution = _solve(equations, acceleration, _averaged(least.activation, clip))
    return replace(solution, wall_time=time.perf_counter() - started)


def out_of_reach(body: Body, clip: MotionClip, solution: InverseSolution) -> Array:
    """What would still be missing if effort were free: the residual that is left at a negligible effort weight.

    It is unique, though the activations that leave it are not. The rest of the solution's residual is the price of
    saving effort. Shares of either are to be taken of the demand of that solution: without effort the feet push against
    each other, and the demand is another.

    Args:
        body: The body.
        clip: A motion made for it.
        solution: Its static optimisation.

    Returns:
        Generalised force in N and N·m, (T, 6 + J).

    Raises:
        ValueError: If the clip does not fit the body.
        ConvergenceError: If a frame was not solved to tolerance.
    """
    clip.check_fits(body)
    return _solve(*_equations(body, clip), solution.activation, NEGLIGIBLE_EFFORT * EFFORT_WEIGHT).residual


def _equations(body: Body, clip: MotionClip) -> tuple[list[EquationsOfMotion], Array]:
    """Equations of motion and accelerations of every frame."""
    dynamics = Dynamics(body)
    equations = [dynamics.at(qpos, qvel) for qpos, qvel in zip(clip.qpos, clip.qvel, strict=True)]
    return equations, accelerations(body, clip)


def _solve(
    equations: list[EquationsOfMotion], acceleration: Array, preferred: Array, effort_weight: float = EFFORT_WEIGHT
) -> InverseSolution:
    """Solution closest to preferred activations, (T, M)."""
    rows = []
    dual: Array | None = None
    for frame, (equation, target, activation) in enumerate(zip(equations, acceleration, preferred, strict=True)):
        try:
            *row, dual = _solve_frame(equation, target, activation, dual, effort_weight)
        except ConvergenceError as error:
            raise ConvergenceError(f"frame {frame}: {error}") from error
        rows.append(row)
    activation, joint_moment, residual, wrench, stationarity = (np.array(column) for column in zip(*rows, strict=True))
    return InverseSolution(activation, joint_moment, residual, wrench, stationarity)


def _solve_frame(
    equations: EquationsOfMotion, acceleration: Array, preferred: Array, dual: Array | None, effort_weight: float
) -> tuple[Array, Array, Array, Array, float, Array]:
    """Fields of the solution, and the dual to start the next frame from."""
    muscles, edges = len(equations.gain), len(equations.contact_weight)
    active = equations.moment_arm * equations.gain
    passive = equations.moment_arm @ equations.passive
    demand = equations.joint_moment(acceleration) - passive
    scale = np.repeat([1 / TOLERATED_FORCE, 1 / TOLERATED_MOMENT, 1.0], [3, 3, len(demand) - ROOT_DOF])
    solution, dual = box_least_squares(
        scale[:, None] * np.concatenate([active, FORCE_UNIT * equations.contact_map], axis=1),
        scale * (demand - active @ preferred),
        np.concatenate([np.full(muscles, effort_weight), FORCE_UNIT**2 * equations.contact_weight]),
        np.concatenate([-preferred, np.zeros(edges)]),
        np.concatenate([1 - preferred, np.full(edges, np.inf)]),
        dual,
    )
    activation = np.clip(preferred + solution[:muscles], 0.0, 1.0)
    pyramid_force = FORCE_UNIT * solution[muscles:]
    demand -= equations.contact_map @ pyramid_force
    residual = demand - active @ activation
    violation = float(np.abs(dual - scale * residual).max())
    return activation, demand + passive, residual, equations.floor_wrench(pyramid_force), violation, dual


def _averaged(values: Array, clip: MotionClip) -> Array:
    """Gaussian average over time, across the seam of a looping clip, (T, M)."""
    frames = values[:-1] if clip.loop else values
    reach = int(np.ceil(3 * AVERAGING * clip.fps))
    lags = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (lags / (AVERAGING * clip.fps)) ** 2)
    index = np.arange(len(values))[:, None] + lags
    index = index % len(frames) if clip.loop else np.clip(index, 0, len(frames) - 1)
    averaged: Array = np.einsum("l,tlm->tm", kernel / kernel.sum(), frames[index])
    return averaged
