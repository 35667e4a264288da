"""What the agent sees."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

from ms_envs.task import rotations
from ms_envs.task.rotations import Array
from ms_envs.task.state import BodyState, Reference

MUSCLE_SIGNALS = ("activation", "length", "velocity", "force")
"""Muscle signals that can be observed; the activation completes the physical state, the others follow from it."""

VELOCITY_SCALE = 0.1
"""Factor on observed joint and fibre velocities, which brings them to the size of the positions."""


class MuscleScale(NamedTuple):
    """Constants that make muscle signals dimensionless.

    Attributes:
        optimal_fiber_length: m, (M,).
        peak_force: N, (M,).
    """

    optimal_fiber_length: Array
    peak_force: Array


def observation_slices(
    joints: int, key_bodies: int, muscles: int, lookahead: int, muscle_signals: Sequence[str], actions: int = 0
) -> dict[str, slice]:
    """Where each block stands in the observation.

    Args:
        joints: Number of independent joints, J.
        key_bodies: Number of key bodies, K.
        muscles: Number of muscles, M.
        lookahead: Number of future reference frames, F.
        muscle_signals: Observed muscle signals, from :data:`MUSCLE_SIGNALS`.
        actions: Length of the action in effect, A, if that is observed; 0 otherwise.

    Returns:
        Block name to slice, in order; they tile the observation.
    """
    sizes = {
        "root_height": 1,
        "gravity": 3,
        "root_linear_velocity": 3,
        "root_angular_velocity": 3,
        "joint_position": joints,
        "joint_velocity": joints,
        "key_position": 3 * key_bodies,
    }
    sizes |= {f"muscle_{signal}": muscles for signal in muscle_signals}
    sizes |= {"action": actions} if actions else {}
    for frame in range(lookahead):
        sizes |= {
            f"reference_{frame}_root_position": 3,
            f"reference_{frame}_root_orientation": 6,
            f"reference_{frame}_root_linear_velocity": 3,
            f"reference_{frame}_joint_position": joints,
            f"reference_{frame}_joint_velocity": joints,
            f"reference_{frame}_key_position": 3 * key_bodies,
        }
    slices, start = {}, 0
    for name, size in sizes.items():
        slices[name] = slice(start, start + size)
        start += size
    return slices


def observe(
    xp: ModuleType,
    state: BodyState,
    future: Sequence[Reference],
    scale: MuscleScale,
    muscle_signals: Sequence[str],
    action: Array | None = None,
) -> Array:
    """Observation of N bodies, laid out as :func:`observation_slices` says.

    Everything is expressed in the body's own heading frame, so that neither place nor direction of walking matters.
    Future reference frames are given as differences from the body as it is now, velocities excepted.

    Args:
        xp: numpy or jax.numpy.
        state: The bodies.
        future: Reference frames ahead of now, F of them.
        scale: Constants of the muscles.
        muscle_signals: Observed muscle signals.
        action: Actions in effect, if they are observed, (N, A).

    Returns:
        (N, D), float32.
    """
    pose = state.pose
    heading = rotations.heading_matrix(xp, pose.root_orientation)
    from_heading = xp.swapaxes(heading, -1, -2)

    def turned(*world: Array) -> list[Array]:
        """Vectors (N, 3) in the heading frame."""
        inside = xp.matmul(xp.stack(world, axis=1), heading)
        return [inside[:, i] for i in range(len(world))]

    def bodies_turned(world: Array) -> Array:
        """Vectors (N, K, 3) in the heading frame, flattened."""
        return xp.matmul(world, heading).reshape(world.shape[0], -1)

    orientations = xp.stack([pose.root_orientation, *(reference.root_orientation for reference in future)])
    own, *ahead = rotations.matrix(xp, orientations)
    blocks = [
        pose.root_position[:, 2:],
        own[:, 2],
        *turned(pose.root_linear_velocity, pose.root_angular_velocity),
        pose.joint_position,
        pose.joint_velocity * VELOCITY_SCALE,
        bodies_turned(pose.key_position - pose.root_position[:, None]),
    ]
    blocks += [_muscle_signal(state, signal, scale) for signal in muscle_signals]
    blocks += [] if action is None else [action]
    for reference, frame in zip(future, ahead, strict=True):
        position, velocity = turned(reference.root_position - pose.root_position, reference.root_linear_velocity)
        blocks += [
            position,
            rotations.tangent_normal(xp, xp.matmul(from_heading, frame)),
            velocity,
            reference.joint_position - pose.joint_position,
            reference.joint_velocity * VELOCITY_SCALE,
            bodies_turned(reference.key_position - pose.key_position),
        ]
    return xp.concatenate(blocks, axis=-1, dtype=xp.float32)


def _muscle_signal(state: BodyState, signal: str, scale: MuscleScale) -> Array:
    muscles = state.muscles
    if signal == "activation":
        return muscles.activation
    if signal == "length":
        return muscles.length / scale.optimal_fiber_length
    if signal == "velocity":
        return muscles.velocity / scale.optimal_fiber_length * VELOCITY_SCALE
    if signal == "force":
        return -muscles.force / scale.peak_force
    raise ValueError(f"unknown muscle signal {signal!r}; choose from {list(MUSCLE_SIGNALS)}")
