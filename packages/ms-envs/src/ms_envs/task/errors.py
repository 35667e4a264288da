"""How far the body is from the reference: the tracking-error vector, and metrics in physical units."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from ms_envs.task import rotations
from ms_envs.task.rotations import Array
from ms_envs.task.state import Muscles, Pose, Reference


def tracking_error_slices(joints: int, key_bodies: int, objectives: Sequence[str] = ()) -> dict[str, slice]:
    """Where each component stands in the tracking-error vector.

    Args:
        joints: Number of independent joints, J.
        key_bodies: Number of key bodies, K.
        objectives: What is appended, O names of :data:`ms_envs.task.objectives.OBJECTIVES`.

    Returns:
        Component name to slice, in order; they tile the vector of E = 15 + 2 J + 3 K + O entries.
    """
    sizes = {
        "root_position": 3,
        "root_orientation": 6,
        "root_linear_velocity": 3,
        "root_angular_velocity": 3,
        "joint_position": joints,
        "joint_velocity": joints,
        "key_position": 3 * key_bodies,
    }
    sizes |= dict.fromkeys(objectives, 1)
    slices, start = {}, 0
    for name, size in sizes.items():
        slices[name] = slice(start, start + size)
        start += size
    return slices


def tracking_error(xp: ModuleType, pose: Pose, reference: Reference) -> Array:
    """Signed difference reference − state, zero exactly when the body is on the reference.

    Vectors are expressed in the reference's heading frame, so the error does not change when body and reference turn
    together. Orientations differ by their tangent and normal columns: a subtraction keeps components signed and
    smooth (ADD, Zhang et al. 2025, §4; key bodies are relative to the root).

    Args:
        xp: numpy or jax.numpy.
        pose: The body.
        reference: The motion at the same instant.

    Returns:
        Errors, (N, 15 + 2 J + 3 K), ordered as :func:`tracking_error_slices` says; m, rad, m/s and rad/s.
    """
    heading = rotations.heading_matrix(xp, reference.root_orientation)
    root = xp.stack(
        [
            reference.root_position - pose.root_position,
            reference.root_linear_velocity - pose.root_linear_velocity,
            reference.root_angular_velocity - pose.root_angular_velocity,
        ],
        axis=1,
    )
    root = xp.matmul(root, heading)
    relative = xp.matmul(_root_relative(reference) - _root_relative(pose), heading)
    rotation = rotations.matrix(xp, reference.root_orientation) - rotations.matrix(xp, pose.root_orientation)
    orientation = xp.matmul(xp.swapaxes(heading, -1, -2), rotation)
    return xp.concatenate(
        [
            root[:, 0],
            rotations.tangent_normal(xp, orientation),
            root[:, 1],
            root[:, 2],
            reference.joint_position - pose.joint_position,
            reference.joint_velocity - pose.joint_velocity,
            relative.reshape(relative.shape[0], -1),
        ],
        axis=-1,
    )


METRIC_UNITS = {
    "joint_angle_error": "deg",
    "body_position_error": "mm",
    "global_body_position_error": "mm",
    "root_position_error": "mm",
    "root_orientation_error": "deg",
    "joint_velocity_error": "deg/s",
    "effort": "-",
}
"""Name and unit of every per-frame metric."""


def tracking_metrics(xp: ModuleType, pose: Pose, muscles: Muscles, reference: Reference) -> dict[str, Array]:
    """Per-frame metrics of the tracking protocol.

    Means are taken over joints or bodies, so that values compare across bodies.

    Args:
        xp: numpy or jax.numpy.
        pose: The body.
        muscles: Its muscles.
        reference: The motion at the same instant.

    Returns:
        Metric name to values, (N,), in the units of :data:`METRIC_UNITS`.
    """
    degrees = 180 / xp.pi

    def mean_distance(a: Array, b: Array) -> Array:
        return 1e3 * xp.linalg.norm(a - b, axis=-1).mean(axis=-1)

    return {
        "joint_angle_error": degrees * xp.abs(reference.joint_position - pose.joint_position).mean(axis=-1),
        "body_position_error": mean_distance(_root_relative(reference), _root_relative(pose)),
        "global_body_position_error": mean_distance(reference.key_position, pose.key_position),
        "root_position_error": 1e3 * xp.linalg.norm(reference.root_position - pose.root_position, axis=-1),
        "root_orientation_error": degrees * rotations.angle(xp, reference.root_orientation, pose.root_orientation),
        "joint_velocity_error": degrees * xp.abs(reference.joint_velocity - pose.joint_velocity).mean(axis=-1),
        "effort": (muscles.activation**2).mean(axis=-1),
    }


def largest_deviation(xp: ModuleType, pose: Pose, reference: Reference) -> tuple[Array, Array]:
    """Distances that termination looks at.

    Args:
        xp: numpy or jax.numpy.
        pose: The body.
        reference: The motion at the same instant.

    Returns:
        Distance of the root, and of the worst key body relative to its root, m, both (N,).
    """
    root = xp.linalg.norm(reference.root_position - pose.root_position, axis=-1)
    bodies = xp.linalg.norm(_root_relative(reference) - _root_relative(pose), axis=-1)
    return root, bodies.max(axis=-1)


def _root_relative(pose: Pose) -> Array:
    return pose.key_position - pose.root_position[:, None]
