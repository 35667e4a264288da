"""How the reference keeps its balance."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.balance import measure_balance
from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.motions.clip import MotionClip
from ms_envs.task import rotations
from ms_envs.task.balance import Balance

FEET = ("foot_r", "foot_l")
"""Segments in the order of the clips' contacts."""


class BalanceTable:
    """Centre of mass, torso and feet at every frame of a clip.

    Args:
        clip: The motion.
        body: The body it was made for.

    Attributes:
        frames: Balance at every frame.
        foot_jacobian: How the feet move with the independent joints while the root stays, m/rad, (T, 2, 3, J).

    Raises:
        ValueError: If the clip does not fit the body.
    """

    def __init__(self, clip: MotionClip, body: Body) -> None:
        clip.check_fits(body)
        model, data = body.model, mujoco.MjData(body.model)
        self._clip = clip
        self.foot_jacobian = np.zeros((len(clip.qpos), len(FEET), 3, len(body.joint_ids)))
        maps = body.coordinate_map(clip.qpos)[..., ROOT_DOF:]
        jacobian = np.zeros((3, model.nv))
        rows = []
        for frame in range(len(clip.qpos)):
            data.qpos[:], data.qvel[:] = clip.qpos[frame], clip.qvel[frame]
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            mujoco.mj_comVel(model, data)
            rows.append(measure_balance(body, model, [data]))
            for side, foot in enumerate(FEET):
                mujoco.mj_jacBody(model, data, jacobian, None, body.segments[foot])
                self.foot_jacobian[frame, side] = jacobian @ maps[frame]
        self.frames = Balance(*(np.concatenate(values) for values in zip(*rows, strict=True)))

    def at(self, time: NDArray[np.float64]) -> Balance:
        """Balance at times in s since the first frame, (N,); orientations by slerp, the rest linearly."""
        index, fraction, displacement = self._clip.locate(time)
        frames, weight = self.frames, fraction[:, None]
        linear = Balance(*((1 - weight) * values[index] + weight * values[index + 1] for values in frames))
        orientation = frames.torso_orientation
        return linear._replace(
            center_of_mass=linear.center_of_mass + displacement,
            torso_orientation=rotations.slerp(np, orientation[index], orientation[index + 1], fraction),
        )

    def contact(self, time: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether the right and the left foot bear load in the nearest frame, bool, (N, 2)."""
        index, fraction, _ = self._clip.locate(time)
        return self._clip.contact[index + (fraction > 0.5)]
