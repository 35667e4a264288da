"""What is compared: the state of the simulated bodies and the reference they should follow."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

from ms_envs.task.rotations import Array, multiply, rotate


class Pose(NamedTuple):
    """Skeleton of N bodies at one instant; world frame, z up.

    Attributes:
        root_position: m, (N, 3).
        root_orientation: Of the anatomical axes of the root (x forward, y left, z up), unit quaternion, (N, 4).
        root_linear_velocity: m/s, (N, 3).
        root_angular_velocity: rad/s, (N, 3).
        joint_position: Independent joints, rad, (N, J).
        joint_velocity: rad/s, (N, J).
        key_position: Key bodies, m, (N, K, 3).
    """

    root_position: Array
    root_orientation: Array
    root_linear_velocity: Array
    root_angular_velocity: Array
    joint_position: Array
    joint_velocity: Array
    key_position: Array


class Muscles(NamedTuple):
    """Muscles of N bodies at one instant.

    Attributes:
        activation: 0 to 1, (N, M).
        length: Musculotendon length, m, (N, M).
        velocity: Musculotendon lengthening velocity, m/s, (N, M).
        force: Tension as MuJoCo gives it, N, negative when pulling, (N, M).
    """

    activation: Array
    length: Array
    velocity: Array
    force: Array


class BodyState(NamedTuple):
    """All the task needs of the simulated bodies.

    Attributes:
        pose: Skeleton.
        muscles: Muscles.
        diverged: Whether the physics of a body broke down in this step, bool, (N,).
    """

    pose: Pose
    muscles: Muscles
    diverged: Array


Reference = Pose
"""The motion to imitate at the same instant."""


def pose_from_coordinates(
    xp: ModuleType,
    qpos: Array,
    qvel: Array,
    key_position: Array,
    *,
    root_frame: Array,
    qpos_index: Array,
    dof_index: Array,
) -> Pose:
    """Pose from MuJoCo coordinates, whose first joint is a free root.

    Args:
        xp: numpy or jax.numpy.
        qpos: Generalised positions, (N, nq).
        qvel: Generalised velocities, (N, nv); the angular velocity of a free joint is in the body frame.
        key_position: World positions of the key bodies, m, (N, K, 3).
        root_frame: Orientation of the anatomical axes in the frame of the root, quaternion (4,).
        qpos_index: Addresses of the independent joints in ``qpos``, (J,).
        dof_index: Addresses of the independent joints in ``qvel``, (J,).

    Returns:
        The pose.
    """
    orientation = qpos[:, 3:7]
    return Pose(
        root_position=qpos[:, :3],
        root_orientation=multiply(xp, orientation, root_frame),
        root_linear_velocity=qvel[:, :3],
        root_angular_velocity=rotate(xp, orientation, qvel[:, 3:6]),
        joint_position=qpos[:, qpos_index],
        joint_velocity=qvel[:, dof_index],
        key_position=key_position,
    )
