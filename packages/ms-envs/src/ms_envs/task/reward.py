"""The hand-tuned reward: DeepMimic's weighted sum of exponentials (Peng et al. 2018, §5)."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from ms_envs.task import rotations
from ms_envs.task.rotations import Array
from ms_envs.task.state import BodyState, Reference

DEFAULT_REWARD: dict[str, float] = {
    "joint_position": 0.2,
    "joint_velocity": 0.05,
    "key_position": 0.3,
    "root_pose": 0.25,
    "root_velocity": 0.2,
    "effort": -0.02,
}
"""Weight of each term; all but effort lie in [0, 1]."""


def checked_weights(weights: Mapping[str, float] | None) -> dict[str, float]:
    """The weights to use.

    Args:
        weights: Term to weight; terms left out do not count. ``None`` takes :data:`DEFAULT_REWARD`.

    Returns:
        Term to weight.

    Raises:
        ValueError: If a term is unknown or a weight is not finite.
    """
    if weights is None:
        return dict(DEFAULT_REWARD)
    unknown = sorted(set(weights) - set(DEFAULT_REWARD))
    if unknown:
        raise ValueError(f"unknown reward terms {unknown}; choose from {list(DEFAULT_REWARD)}")
    for term, weight in weights.items():
        if not abs(weight) < float("inf"):
            raise ValueError(f"the weight of reward term {term!r} must be finite, got {weight!r}")
    return {term: float(weight) for term, weight in weights.items()}


def reward_terms(xp: ModuleType, state: BodyState, reference: Reference) -> dict[str, Array]:
    """Every term of the hand-tuned reward.

    The scales were chosen on walking; sums over joints are taken per joint, so that they carry over to other bodies.

    Args:
        xp: numpy or jax.numpy.
        state: The bodies.
        reference: The motion at the same instant.

    Returns:
        Term to value, (N,).
    """
    pose, joints = state.pose, state.pose.joint_position.shape[-1]

    def squared(a: Array, b: Array) -> Array:
        return ((a - b) ** 2).sum(axis=-1)

    angle = rotations.angle(xp, reference.root_orientation, pose.root_orientation)
    joint_position = squared(reference.joint_position, pose.joint_position) / joints
    joint_velocity = squared(reference.joint_velocity, pose.joint_velocity) / joints
    key_position = squared(reference.key_position, pose.key_position).mean(axis=-1)
    root_position = squared(reference.root_position, pose.root_position)
    linear = squared(reference.root_linear_velocity, pose.root_linear_velocity)
    angular = squared(reference.root_angular_velocity, pose.root_angular_velocity)
    return {
        "joint_position": xp.exp(-28.0 * joint_position),
        "joint_velocity": xp.exp(-0.28 * joint_velocity),
        "key_position": xp.exp(-10.0 * key_position),
        "root_pose": xp.exp(-10.0 * root_position - 3.0 * angle**2),
        "root_velocity": xp.exp(-2.0 * linear - 0.1 * angular),
        "effort": (state.muscles.activation**2).mean(axis=-1),
    }
