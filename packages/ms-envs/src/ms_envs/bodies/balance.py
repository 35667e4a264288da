"""Centre of mass, angular momentum and torso, out of MuJoCo's data."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from ms_envs.bodies.body import Body
from ms_envs.task.balance import Balance

WORLD = 0
"""Id of the body whose subtree is everything."""


def measure_balance(body: Body, model: mujoco.MjModel, data: Sequence[mujoco.MjData]) -> Balance:
    """Balance of bodies whose positions and velocities are up to date.

    Args:
        body: The body.
        model: What is simulated.
        data: One for each of N copies of it; only what MuJoCo derives for its sensors is written.

    Returns:
        Copies, with N rows.
    """
    torso = body.segments["torso"]
    for copy in data:
        mujoco.mj_subtreeVel(model, copy)
    return Balance(
        center_of_mass=np.array([copy.subtree_com[WORLD] for copy in data]),
        center_of_mass_velocity=np.array([copy.subtree_linvel[WORLD] for copy in data]),
        angular_momentum=np.array([copy.subtree_angmom[WORLD] for copy in data]),
        torso_orientation=np.array([copy.xquat[torso] for copy in data]),
        torso_angular_velocity=np.array([copy.cvel[torso, :3] for copy in data]),
    )
