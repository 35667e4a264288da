"""Make a motion obey the laws of motion: free fall in flight, feet that stay where they bear load."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import bsr_matrix
from scipy.sparse.linalg import splu

from ms_envs.bodies.body import Body
from ms_envs.inverse.floor_contact import REACH
from ms_envs.motions.clip import MotionClip, velocities
from ms_envs.retarget.centroidal import FloorResponse, Kinematics, Postures, floor_response

Array = NDArray[np.float64]
Blocks = dict[int, Array]
"""Frame offset (−1, 0, 1) to the derivatives of every frame's residuals by that neighbour's coordinates, (N, R, n)."""

GRAVITY = 9.81

LOAD_SMOOTHING = 1.0
"""Standard deviation, in frames, of the time over which the load of a segment is averaged."""


@dataclass(frozen=True)
class Tolerances:
    """Deviations that cost equally much.

    Attributes:
        force: Root force from nowhere, share of body weight.
        moment: Root moment from nowhere, body weight times m.
        position: Root and key bodies from where the clip has them, m.
        joint: Joint angle and root orientation from the clip's, rad.
        joint_jerk: Jerk of that deviation, rad/s³.
        root_jerk: Jerk of the deviation of the root's position, m/s³.
        slip: Speed of a point on the floor whose segment bears half the weight, m/s.
        height: Of such a point over the floor, and of any point below it, m.
    """

    force: float = 0.02
    moment: float = 0.008
    position: float = 0.004
    joint: float = 0.1
    joint_jerk: float = 100.0
    root_jerk: float = 50.0
    slip: float = 0.05
    height: float = 0.003


def make_consistent(
    body: Body,
    clip: MotionClip,
    *,
    tolerances: Tolerances | None = None,
    rounds: int = 3,
    iterations: int = 8,
) -> MotionClip:
    """Change a motion as little as needed for the floor alone to produce its momentum.

    In every frame the change of linear and angular momentum about the centre of mass should be what gravity and
    contact forces within friction pyramids can give; the forces are those that do it best, and where nothing is near
    the floor only free fall remains. Points that bear load should stay where they are. Deviations from the given
    motion and their accelerations are penalised. Levenberg–Marquardt on all frames at once; which points touch and
    how much they bear is found anew in every round.

    Args:
        body: The body.
        clip: A motion made for it.
        tolerances: Weights of the objectives.
        rounds: Times that the contacts are found.
        iterations: Accepted or rejected steps in each round.

    Returns:
        The changed clip, without activations.

    Raises:
        ValueError: If the clip does not fit the body.
    """
    clip.check_fits(body)
    problem = _Problem(body, clip, tolerances or Tolerances())
    qpos = problem.reference
    for _ in range(rounds):
        qpos = problem.improve(qpos, iterations)
    return problem.as_clip(qpos)


@dataclass(frozen=True, eq=False)
class _State:
    """A motion and everything its cost depends on."""

    deviation: Array
    postures: Postures
    response: FloorResponse


class _Problem:
    """Cost of a motion of N frames and n = 6 + J coordinates, and steps that lower it.

    The last frame of a looping clip, which repeats the first one, is left out, and frames are neighbours across the
    seam.
    """

    def __init__(self, body: Body, clip: MotionClip, tolerances: Tolerances) -> None:
        self.body, self.clip, self.tolerances = body, clip, tolerances
        self.kinematics = Kinematics(body)
        self.reference = clip.qpos[:-1] if clip.loop else clip.qpos
        self.weight = GRAVITY * body.mass
        self.wrench_tolerance = self.weight * np.repeat([tolerances.force, tolerances.moment], 3)
        # Forces at the ends of a motion that does not loop are unknown.
        self.inner = np.ones(len(self.reference))
        self.inner[[0, -1]] = float(clip.loop)
        self.has_next = np.ones(len(self.reference))
        self.has_next[-1] = float(clip.loop)
        self._touch(self.reference)
        self.target = self.evaluate(self.reference).postures.tracked

    def improve(self, qpos: Array, iterations: int) -> Array:
        """Lower the cost of a motion with the contacts it has, (N, nq)."""
        self._touch(qpos)
        state = self.evaluate(qpos)
        cost, damping = self.cost(state), 1e-2
        for _ in range(iterations):
            moved = self.kinematics.displace(qpos, self._step(state, damping))
            trial = self.evaluate(moved)
            trial_cost = self.cost(trial)
            accepted = trial_cost < cost
            damping *= 0.2 if accepted else 10.0
            if accepted:
                qpos, state, done, cost = moved, trial, trial_cost > 0.999 * cost, trial_cost
                if done:
                    break
        return qpos

    def evaluate(self, qpos: Array) -> _State:
        """Measure a motion, (N, nq)."""
        postures = self.kinematics.measure(qpos, self.points)
        demand = self._momentum_rate(qpos, postures)
        response = floor_response(postures, self.points, demand, self.wrench_tolerance)
        return _State(self.kinematics.difference(self.reference, qpos), postures, response)

    def cost(self, state: _State) -> float:
        """Cost of a motion."""
        _, *others = self._objectives(state)
        return float(self.inner @ state.response.cost + sum(0.5 * (residual**2).sum() for _, residual in others))

    def as_clip(self, qpos: Array) -> MotionClip:
        """The clip with another motion, (N, nq)."""
        clip = self.clip
        if clip.loop:
            qpos = np.concatenate([qpos, self._next_round(qpos[:1])])
        key_position = self.kinematics.measure(qpos, self.kinematics.contact_points(qpos)).tracked[:, 1:]
        qvel = velocities(qpos, clip.fps, self.body, loop=clip.loop)
        return replace(clip, qpos=qpos, qvel=qvel, key_position=key_position, activation=None)

    def _touch(self, qpos: Array) -> None:
        """Find the contact points, and how firmly each should stay, 0 to 1, by its height and its segment's load."""
        self.points = points = self.kinematics.contact_points(qpos)
        self.firmness = np.zeros_like(points.distance)
        load = np.zeros((len(qpos), self.body.model.nbody))
        frames = np.broadcast_to(np.arange(len(qpos))[:, None], points.body.shape)
        np.add.at(load, (frames, points.body), self.evaluate(qpos).response.force[:, :, 2])
        load = gaussian_filter1d(load, LOAD_SMOOTHING, axis=0, mode="wrap" if self.clip.loop else "nearest")
        bearing = np.sqrt(np.clip(2 * load / self.weight, 0, 1))
        self.firmness = bearing[frames, points.body] * np.clip(1 - points.distance / REACH, 0, 1)

    def _step(self, state: _State, damping: float) -> Array:
        """Levenberg–Marquardt step of all frames, (N, n)."""
        count, size = state.deviation.shape
        hessian = {offset: np.zeros((count, size, size)) for offset in range(-3, 4)}
        gradient = np.zeros((count, size))
        for blocks, residual in self._objectives(state):
            for i, left in blocks.items():
                gradient += np.roll(np.einsum("trn,tr->tn", left, residual), i, axis=0)
                for j, right in blocks.items():
                    hessian[j - i] += np.roll(left.transpose(0, 2, 1) @ right, i, axis=0)
        diagonal = np.arange(size)
        hessian[0][:, diagonal, diagonal] *= 1 + damping
        columns = (np.arange(count)[:, None] + list(hessian)) % count
        data = np.stack(list(hessian.values()), axis=1).reshape(-1, size, size)
        shape = (count * size, count * size)
        matrix = bsr_matrix((data, columns.ravel(), len(hessian) * np.arange(count + 1)), shape=shape)
        step: Array = -splu(matrix.tocsc()).solve(gradient.ravel()).reshape(count, size)
        return step

    def _next_round(self, qpos: Array) -> Array:
        """Frames one round later."""
        shifted = qpos.copy()
        shifted[:, :3] += self.clip.cycle_offset
        return shifted

    def _to_next(self, places: Array) -> Array:
        """Values (N, ..., 3) of the frame after each, one round later behind the seam."""
        following = np.roll(places, -1, axis=0)
        following[-1] += self.clip.cycle_offset
        return following

    def _momentum_rate(self, qpos: Array, postures: Postures) -> Array:
        """Wrench about the centre of mass, beyond gravity, that the motion demands, (N, 6)."""
        fps, body = self.clip.fps, self.body
        following = np.concatenate([qpos[1:], self._next_round(qpos[:1])])
        speed = fps * self.kinematics.difference(qpos, following)
        angular = np.einsum("tij,tj->ti", _between(postures.momentum_map), speed)
        linear = body.mass * fps * (self._to_next(postures.center) - postures.center)
        momentum = np.concatenate([linear, angular], axis=1)
        rate = fps * (momentum - np.roll(momentum, 1, axis=0))
        rate[:, :3] -= body.mass * body.model.opt.gravity
        demand: Array = rate * self.inner[:, None]
        return demand

    def _objectives(self, state: _State) -> list[tuple[Blocks, Array]]:
        """Weighted residuals (N, R) with their derivatives, those of the momentum first."""
        return [self._wrench(state), self._tracking(state), self._smoothness(state), self._contact(state)]

    def _wrench(self, state: _State) -> tuple[Blocks, Array]:
        postures, response, fps = state.postures, state.response, self.clip.fps
        center = self.body.mass * fps**2 * postures.center_jacobian
        to_next = fps**2 * _between(postures.momentum_map)
        to_last = np.roll(to_next, 1, axis=0)
        # The present contact forces turn the body more or less as their lever arms change.
        force = response.force[:, :, :, None]
        arms = np.cross(postures.center_jacobian, force.sum(axis=1), axis=1)
        arms = arms - np.cross(postures.contact_jacobian, force, axis=2).sum(axis=1)
        blocks = {
            -1: np.concatenate([np.roll(center, 1, axis=0), to_last], axis=1),
            0: np.concatenate([-2 * center, arms - to_last - to_next], axis=1),
            1: np.concatenate([np.roll(center, -1, axis=0), to_next], axis=1),
        }
        scale = self.inner[:, None, None] * response.stiffness / self.wrench_tolerance
        # Together they give the cost's gradient, the residual, and its second derivative, the squared stiffness.
        residual = np.linalg.solve(response.stiffness, response.residual[:, :, None])[:, :, 0]
        return {offset: scale @ block for offset, block in blocks.items()}, self.inner[:, None] * residual

    def _tracking(self, state: _State) -> tuple[Blocks, Array]:
        count, size = state.deviation.shape
        turn = np.eye(size)[3:] / self.tolerances.joint
        jacobian = state.postures.tracked_jacobian.reshape(count, -1, size) / self.tolerances.position
        moved = (state.postures.tracked - self.target).reshape(count, -1) / self.tolerances.position
        return (
            {0: np.concatenate([jacobian, np.broadcast_to(turn, (count, *turn.shape))], axis=1)},
            np.concatenate([moved, state.deviation @ turn.T], axis=1),
        )

    def _smoothness(self, state: _State) -> tuple[Blocks, Array]:
        deviation, tolerances = state.deviation, self.tolerances
        count, size = deviation.shape
        scale = np.repeat([1 / tolerances.root_jerk, 1 / tolerances.joint_jerk], [3, size - 3]) * self.clip.fps**3
        inside = np.ones((count, 1))
        inside[[0, -2, -1]] = float(self.clip.loop)
        stencil = {-1: -1.0, 0: 3.0, 1: -3.0, 2: 1.0}
        jerk = sum(factor * np.roll(deviation, -offset, axis=0) for offset, factor in stencil.items())
        weight = inside[:, :, None] * np.diag(scale)
        return {offset: factor * weight for offset, factor in stencil.items()}, inside * scale * jerk

    def _contact(self, state: _State) -> tuple[Blocks, Array]:
        postures = state.postures
        count, size = state.deviation.shape
        slip = (self.firmness * self.has_next[:, None] * self.clip.fps / self.tolerances.slip)[:, :, None]
        moved = slip * (self._to_next(postures.carried) - postures.contact)
        height = postures.contact[:, :, 2]
        near = np.isfinite(self.points.distance)
        firm = np.maximum(self.firmness, near & (height < 0)) / self.tolerances.height
        here = np.concatenate(
            [
                (-slip[..., None] * postures.contact_jacobian).reshape(count, -1, size),
                firm[:, :, None] * postures.contact_jacobian[:, :, 2],
            ],
            axis=1,
        )
        there = np.zeros_like(here)
        carried = slip[..., None] * np.roll(postures.carried_jacobian, -1, axis=0)
        there[:, : 3 * firm.shape[1]] = carried.reshape(count, -1, size)
        return {0: here, 1: there}, np.concatenate([moved.reshape(count, -1), firm * height], axis=1)


def _between(values: Array) -> Array:
    """Mean of each frame's value and the next one's, around the seam."""
    mean: Array = 0.5 * (values + np.roll(values, -1, axis=0))
    return mean
