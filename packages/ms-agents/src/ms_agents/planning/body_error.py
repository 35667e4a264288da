"""How far all bodies are from the reference, seen from the root."""

from __future__ import annotations

import mujoco
import numpy as np
from ms_envs.bodies.body import Body
from numpy.typing import NDArray

Array = NDArray[np.float64]

LIGHTEST = 0.1
"""Mass from which a body counts, kg."""


class RootFrameError:
    """Mean distance of the bodies from the reference, each in the frame of its root.

    Unlike the key bodies of the protocol, which are compared in the axes of the world, all bodies above
    :data:`LIGHTEST` count, and a root that is turned turns nothing else.

    Args:
        body: The body.
    """

    def __init__(self, body: Body) -> None:
        self._model, self._data = body.model, mujoco.MjData(body.model)
        self._root = body.segments["pelvis"]
        self._bodies = np.flatnonzero(body.model.body_mass > LIGHTEST)

    def __call__(self, qpos: Array, reference_qpos: Array) -> float:
        """Mean distance between two postures (nq,), mm."""
        distance = np.linalg.norm(self._positions(qpos) - self._positions(reference_qpos), axis=1)
        return 1e3 * float(distance.mean())

    def _positions(self, qpos: Array) -> Array:
        data = self._data
        data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, data)
        frame = data.xmat[self._root].reshape(3, 3)
        positions: Array = (data.xpos[self._bodies] - data.xpos[self._root]) @ frame
        return positions
