"""Exact muscle lengths and moment arms at sampled poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.motions import load_clip, motions_of
from ms_envs.paths.spans import Span

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PathSamples:
    """What MuJoCo says of the muscles at P poses.

    Attributes:
        angle: Independent joints, rad, (P, J).
        length: m, (P, M).
        moment_arm: Change of length per joint angle, coupled joints following, for each muscle and independent joint
            that it spans, m/rad, (P, pairs).
        pairs: Muscle and joint of the moment arms, (pairs, 2).
        coupled_arm: Change of length per deviation of one coupled joint from its place, for each muscle and coupled
            joint that it spans, m/m or m/rad, (P, coupled pairs).
        coupled_pairs: Muscle and coupled joint of those, (coupled pairs, 2).
    """

    angle: Array
    length: Array
    moment_arm: Array
    pairs: NDArray[np.intp]
    coupled_arm: Array
    coupled_pairs: NDArray[np.intp]

    def moment_arms_of(self, muscle: int) -> Array:
        """Moment arms of a muscle about the joints that it spans, rising, (P, s)."""
        return self.moment_arm[:, self.pairs[:, 0] == muscle]

    def coupled_arms_of(self, muscle: int, coupled: tuple[int, ...]) -> Array:
        """Change of a muscle's length per deviation of some coupled joints that it spans, (P, k)."""
        own = (self.coupled_pairs[:, 0] == muscle) & np.isin(self.coupled_pairs[:, 1], coupled)
        return self.coupled_arm[:, own]


def sample_paths(body: Body, qpos: Array, spans: Sequence[Sequence[Span]]) -> PathSamples:
    """Lengths and moment arms in independent coordinates at given poses.

    Args:
        body: The body.
        qpos: Generalised positions whose coupled coordinates follow the independent ones, (P, nq).
        spans: What :func:`ms_envs.paths.spans.path_spans` returned.
    """
    model, data = body.model, mujoco.MjData(body.model)
    pairs = _pairs([{joint for span in own for joint in span.joints} for own in spans])
    coupled_pairs = _pairs([{joint for span in own for joint in span.coupled} for own in spans])
    coupled_dof = model.jnt_dofadr[body.coupled_joint_ids][coupled_pairs[:, 1]]
    length = np.empty((len(qpos), model.nu))
    moment_arm = np.empty((len(qpos), len(pairs)))
    coupled_arm = np.empty((len(qpos), len(coupled_pairs)))
    dense = np.empty((model.nu, model.nv))
    for pose, coordinates in enumerate(qpos):
        data.qpos[:] = coordinates
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_tendon(model, data)
        mujoco.mj_transmission(model, data)
        length[pose] = data.actuator_length
        mujoco.mju_sparse2dense(dense, data.actuator_moment, data.moment_rownnz, data.moment_rowadr, data.moment_colind)
        independent = dense @ body.coordinate_map(coordinates)[:, ROOT_DOF:]
        moment_arm[pose] = independent[pairs[:, 0], pairs[:, 1]]
        coupled_arm[pose] = dense[coupled_pairs[:, 0], coupled_dof]
    return PathSamples(qpos[:, body.qpos_index], length, moment_arm, pairs, coupled_arm, coupled_pairs)


def uniform_poses(body: Body, count: int, seed: int, *, margin: float = 0.0) -> Array:
    """Poses with every joint uniform in its range, widened by a margin in rad on both sides, (count, nq)."""
    low, high = body.joint_range.T
    angles = np.random.default_rng(seed).uniform(low - margin, high + margin, (count, len(low)))
    return poses_of(body, angles)


def clip_poses(body: Body) -> Array:
    """Every frame of every clip of the package, (P, nq)."""
    return np.concatenate([load_clip(motion, body).qpos for motion in motions_of(body.name)])


def poses_around_clips(body: Body, count: int, seed: int, deviation: float) -> Array:
    """Random frames of the clips with joint angles disturbed by up to a standard deviation in rad, (count, nq)."""
    generator = np.random.default_rng(seed)
    frames = clip_poses(body)
    angles = frames[generator.integers(len(frames), size=count)][:, body.qpos_index]
    scale = deviation * generator.random((count, 1))
    return poses_of(body, angles + scale * generator.standard_normal(angles.shape))


def poses_of(body: Body, angles: Array) -> Array:
    """Poses with given independent joint angles (P, J), (P, nq)."""
    qpos = np.tile(body.model.qpos0, (len(angles), 1))
    qpos[:, body.qpos_index] = angles
    return body.complete(qpos)


def _pairs(joints_of_muscle: list[set[int]]) -> NDArray[np.intp]:
    pairs = [(muscle, joint) for muscle, joints in enumerate(joints_of_muscle) for joint in sorted(joints)]
    return np.array(pairs, dtype=np.intp).reshape(-1, 2)
