"""What each muscle does at each joint."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import ROOT_DOF, Body


def joint_moments(body: Body, qpos: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Moments that each muscle would exert on the independent joints with its peak isometric force.

    A positive moment drives its joint to larger angles: the muscle is an agonist of that movement.

    Args:
        body: The body.
        qpos: Posture, generalised positions (nq,); by default the neutral one of the model, which stands upright.

    Returns:
        N·m, (J, M).
    """
    model, data = body.model, mujoco.MjData(body.model)
    data.qpos[:] = body.complete(model.qpos0.copy()) if qpos is None else qpos
    mujoco.mj_fwdPosition(model, data)
    lengthening = np.zeros((model.nu, model.nv))
    mujoco.mju_sparse2dense(
        lengthening, data.actuator_moment, data.moment_rownnz, data.moment_rowadr, data.moment_colind
    )
    moment_arm = -lengthening @ body.coordinate_map(data.qpos)[:, ROOT_DOF:]
    moments: NDArray[np.float64] = (moment_arm * body.peak_force[:, None]).T
    return moments
