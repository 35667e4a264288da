"""What each muscle does at each joint."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import ROOT_DOF, Body


def joint_moments(body: Body, qpos: NDArray[np.float64]) -> NDArray[np.float64]:
    """Moments that each muscle would exert on the independent joints with its peak isometric force.

    A positive moment drives its joint to larger angles: the muscle is an agonist of that movement.

    Args:
        body: The body.
        qpos: Postures, generalised positions (N, nq).

    Returns:
        Mean over the postures, N·m, (J, M).
    """
    model, data = body.model, mujoco.MjData(body.model)
    lengthening = np.zeros((model.nu, model.nv))
    moment_arm = np.zeros((model.nu, len(body.joint_ids)))
    for posture, coordinates in zip(qpos, body.coordinate_map(qpos), strict=True):
        data.qpos[:] = posture
        mujoco.mj_fwdPosition(model, data)
        mujoco.mju_sparse2dense(
            lengthening, data.actuator_moment, data.moment_rownnz, data.moment_rowadr, data.moment_colind
        )
        moment_arm -= lengthening @ coordinates[:, ROOT_DOF:] / len(qpos)
    moments: NDArray[np.float64] = (moment_arm * body.peak_force[:, None]).T
    return moments
