"""Inverse kinematics of a whole motion at once: Levenberg–Marquardt over the independent coordinates of all frames."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial.transform import Rotation

from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.retarget.targets import KeyPointTargets, SegmentTargets

REST_WEIGHT = 0.02
"""Pull of the joints towards their rest, m/rad: decides what the targets leave open."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A motion to be found.

    Attributes:
        body: The body.
        points: Key points.
        segments: Segment orientations.
        fps: Frames per second.
        cutoff: Frequency in Hz above which movement is smoothed away. Accelerations are penalised so that each
            coordinate on its own responds to its targets like a fourth-order low-pass filter with this cutoff.
        period: Displacement of the root over one round, m, (3,), of a motion whose last frame is the first one of the
            next round; ``None`` if it does not repeat.
        rest: Joint angles the solution leans to, rad, (J,).
    """

    body: Body
    points: KeyPointTargets
    segments: SegmentTargets
    fps: float
    cutoff: float
    period: NDArray[np.float64] | None
    rest: NDArray[np.float64]


def solve(
    problem: Problem, guess: NDArray[np.float64], *, iterations: int = 60, tolerance: float = 1e-4
) -> NDArray[np.float64]:
    """Find the motion that comes closest to its targets.

    Joint limits hold throughout: coordinates that a step would carry beyond are put on their limit and taken out of
    the step (active set). Couplings hold because only independent coordinates are varied.

    Args:
        problem: What is wanted.
        guess: Coordinates to start from, (T, nq).
        iterations: Most steps to take.
        tolerance: Relative fall of the cost at which to stop.

    Returns:
        Generalised positions, (T, nq).
    """
    frames = len(guess) - (problem.period is not None)
    qpos = problem.body.complete(guess[:frames].copy())
    smoothing = _Smoothing(problem, frames)
    residual = _linearise(problem, qpos)
    smoothing.scale_to(residual.hessian)
    cost = residual.cost + smoothing.cost(qpos)
    damping = 1e-3
    for _ in range(iterations):
        step = _bounded_step(problem, qpos, residual, smoothing, damping)
        trial = _moved(problem.body, qpos, step)
        trial_residual = _linearise(problem, trial)
        trial_cost = trial_residual.cost + smoothing.cost(trial)
        if trial_cost >= cost:
            damping *= 8
            if damping > 1e4:
                break
            continue
        fall = (cost - trial_cost) / cost
        qpos, residual, cost = trial, trial_residual, trial_cost
        damping = max(damping / 5, 1e-7)
        if fall < tolerance:
            break
    if problem.period is None:
        return qpos
    last = qpos[:1].copy()
    last[:, :3] += problem.period
    return np.concatenate([qpos, last])


@dataclass(frozen=True, eq=False)
class _Residual:
    """Cost of the targets with its Gauss–Newton model in every frame: hessian (T, n, n), gradient (T, n)."""

    cost: float
    hessian: NDArray[np.float64]
    gradient: NDArray[np.float64]


def _linearise(problem: Problem, qpos: NDArray[np.float64]) -> _Residual:
    body, points, segments = problem.body, problem.points, problem.segments
    model, data = body.model, mujoco.MjData(body.model)
    count = len(points.names) + len(segments.names)
    jacobian = np.zeros((count, 3, model.nv))
    reduced = np.empty((len(qpos), 3 * count, ROOT_DOF + len(body.joint_ids)))
    residual = np.empty((len(qpos), count, 3))
    turned = np.empty((len(qpos), len(segments.names), 3, 3))
    weight = np.concatenate([points.weight[: len(qpos)], np.tile(segments.weight, (len(qpos), 1))], axis=1)[:, :, None]
    maps = body.coordinate_map(qpos)
    for frame, coordinates in enumerate(qpos):
        data.qpos[:] = coordinates
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        for k, bone in enumerate(points.body_ids):
            place = data.xpos[bone] + data.xmat[bone].reshape(3, 3) @ points.offset[k]
            mujoco.mj_jac(model, data, jacobian[k], None, place, bone)
            residual[frame, k] = points.position[frame, k] - place
        for k, bone in enumerate(segments.body_ids, start=len(points.names)):
            mujoco.mj_jacBody(model, data, None, jacobian[k], bone)
        turned[frame] = data.xmat[segments.body_ids].reshape(-1, 3, 3)
        reduced[frame] = (weight[frame][:, :, None] * jacobian).reshape(3 * count, -1) @ maps[frame]
    missing = segments.orientation[: len(qpos)] @ turned.transpose(0, 1, 3, 2)
    residual[:, len(points.names) :] = (
        Rotation.from_matrix(missing.reshape(-1, 3, 3)).as_rotvec().reshape(len(qpos), -1, 3)
    )
    weighted = (weight * residual).reshape(len(qpos), -1)
    lean = problem.rest - qpos[:, body.qpos_index]
    hessian = reduced.transpose(0, 2, 1) @ reduced
    joints = np.arange(ROOT_DOF, hessian.shape[1])
    hessian[:, joints, joints] += REST_WEIGHT**2
    gradient = np.einsum("tri,tr->ti", reduced, weighted)
    gradient[:, ROOT_DOF:] += REST_WEIGHT**2 * lean
    return _Residual(float((weighted**2).sum() + REST_WEIGHT**2 * (lean**2).sum()), hessian, gradient)


class _Smoothing:
    """Penalty on the second differences of the independent coordinates."""

    def __init__(self, problem: Problem, frames: int) -> None:
        self.problem = problem
        identity = sparse.identity(frames, format="csr")
        if problem.period is None:
            self.difference = (identity[:-2] - 2 * identity[1:-1] + identity[2:]) * problem.fps**2
        else:
            ring = np.arange(frames)
            before, after = identity[np.roll(ring, 1)], identity[np.roll(ring, -1)]
            self.difference = (before - 2 * identity + after) * problem.fps**2
        self.normal = (self.difference.T @ self.difference).tocsc()
        self.weight = np.zeros(ROOT_DOF + len(problem.body.joint_ids))

    def scale_to(self, hessian: NDArray[np.float64]) -> None:
        """Weigh accelerations by the stiffness of each coordinate over cutoff⁴.

        The greatest stiffness in the motion counts: where a coordinate has little effect, as the plane of elevation
        has with the arm down, it moves on smoothly.
        """
        stiffness = np.diagonal(hessian, axis1=1, axis2=2).max(axis=0)
        self.weight = np.maximum(stiffness, 1e-2) / (2 * np.pi * self.problem.cutoff) ** 4

    def acceleration(self, qpos: NDArray[np.float64]) -> NDArray[np.float64]:
        """Second differences, (T, 6 + J), without the two end frames of a motion that does not repeat."""
        problem = self.problem
        extended = qpos
        if problem.period is not None:
            first, last = qpos[:1].copy(), qpos[-1:].copy()
            first[:, :3] += problem.period
            last[:, :3] -= problem.period
            extended = np.concatenate([last, qpos, first])
        turn = Rotation.from_quat(extended[:, [4, 5, 6, 3]])
        velocity = np.concatenate(
            [
                np.diff(extended[:, :3], axis=0),
                (turn[:-1].inv() * turn[1:]).as_rotvec(),
                np.diff(extended[:, problem.body.qpos_index], axis=0),
            ],
            axis=1,
        )
        result: NDArray[np.float64] = np.diff(velocity, axis=0) * problem.fps**2
        return result

    def cost(self, qpos: NDArray[np.float64]) -> float:
        return float((self.acceleration(qpos) ** 2 @ self.weight).sum())

    def gradient(self, qpos: NDArray[np.float64]) -> NDArray[np.float64]:
        descent: NDArray[np.float64] = -(self.difference.T @ self.acceleration(qpos)) * self.weight
        return descent


def _bounded_step(
    problem: Problem,
    qpos: NDArray[np.float64],
    residual: _Residual,
    smoothing: _Smoothing,
    damping: float,
) -> NDArray[np.float64]:
    """Levenberg–Marquardt step of all frames within the joint limits, (T, 6 + J)."""
    body = problem.body
    frames, size = residual.gradient.shape
    diagonal = np.diagonal(residual.hessian, axis1=1, axis2=2)
    blocks = residual.hessian + np.einsum("ti,ij->tij", damping * (diagonal + 1e-3), np.eye(size))
    data_term = sparse.bsr_matrix((blocks, np.arange(frames), np.arange(frames + 1)), shape=(frames * size,) * 2)
    matrix = (data_term + sparse.kron(smoothing.normal, sparse.diags(smoothing.weight))).tocsc()
    target = (residual.gradient + smoothing.gradient(qpos)).ravel()

    room = np.full((2, frames, size), np.inf)
    room[0, :, ROOT_DOF:] = qpos[:, body.qpos_index] - body.joint_range[:, 0]
    room[1, :, ROOT_DOF:] = body.joint_range[:, 1] - qpos[:, body.qpos_index]
    lower, upper = -room[0].ravel(), room[1].ravel()
    fixed = ((lower > -1e-9) & (target < 0)) | ((upper < 1e-9) & (target > 0))
    step: NDArray[np.float64] = np.zeros(frames * size)
    for _ in range(4):
        free = np.flatnonzero(~fixed)
        rows = matrix[free]
        step[free] = splu(
            rows[:, free].tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
        ).solve(target[free] - rows[:, np.flatnonzero(fixed)] @ step[fixed])
        beyond = (step < lower - 1e-9) | (step > upper + 1e-9)
        if not beyond.any():
            break
        step[beyond] = np.clip(step[beyond], lower[beyond], upper[beyond])
        fixed |= beyond
    step = np.clip(step, lower, upper).reshape(frames, size)
    largest = np.abs(step[:, 3:]).max()
    step *= min(1.0, 0.8 / max(largest, 1e-12))
    return step


def _moved(body: Body, qpos: NDArray[np.float64], step: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coordinates after a step in root and joint space, couplings completed."""
    result = qpos.copy()
    result[:, :3] += step[:, :3]
    turn = Rotation.from_quat(qpos[:, [4, 5, 6, 3]]) * Rotation.from_rotvec(step[:, 3:6])
    result[:, 3:7] = turn.as_quat()[:, [3, 0, 1, 2]]
    result[:, body.qpos_index] = np.clip(qpos[:, body.qpos_index] + step[:, ROOT_DOF:], *body.joint_range.T)
    return body.complete(result)
