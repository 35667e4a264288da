"""What the muscles do along a reference motion."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.motions.clip import MotionClip


class MuscleTable:
    """Musculotendon lengths and velocities, activations and moment arms at every frame of a clip.

    Args:
        clip: The motion.
        body: The body it was made for.
        moment_arms: Whether to compute moment arms as well.

    Attributes:
        length: m, (T, M).
        velocity: m/s, (T, M).
        activation: Those that balance the clip, zero where it gives none, (T, M).
        moment_arm: Length change per independent joint angle, m/rad, (T, M, J), float32; empty if not asked for.
    """

    def __init__(self, clip: MotionClip, body: Body, *, moment_arms: bool) -> None:
        model, data = body.model, mujoco.MjData(body.model)
        frames, joints = len(clip.qpos), len(body.joint_ids)
        self.clip = clip
        self.length = np.zeros((frames, model.nu))
        self.velocity = np.zeros((frames, model.nu))
        self.activation = np.zeros((frames, model.nu)) if clip.activation is None else clip.activation
        self.moment_arm = np.zeros((frames if moment_arms else 0, model.nu, joints), dtype=np.float32)
        maps = body.coordinate_map(clip.qpos)[..., ROOT_DOF:]
        moment = np.zeros((model.nu, model.nv))
        for frame in range(frames):
            data.qpos[:], data.qvel[:] = clip.qpos[frame], clip.qvel[frame]
            mujoco.mj_fwdPosition(model, data)
            mujoco.mj_fwdVelocity(model, data)
            self.length[frame], self.velocity[frame] = data.actuator_length, data.actuator_velocity
            if moment_arms:
                mujoco.mju_sparse2dense(
                    moment, data.actuator_moment, data.moment_rownnz, data.moment_rowadr, data.moment_colind
                )
                self.moment_arm[frame] = moment @ maps[frame]

    def at(self, time: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Lengths, velocities and activations at times in s since the first frame, (N,), each (N, M)."""
        length, velocity, activation = self.clip.interpolate(time, self.length, self.velocity, self.activation)
        return length, velocity, activation
