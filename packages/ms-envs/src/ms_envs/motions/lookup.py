"""Looking up what is given at the frames of a clip, at any time; ``xp`` is numpy or jax.numpy."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

from ms_envs.task import rotations
from ms_envs.task.rotations import Array
from ms_envs.task.state import Reference


class Timeline(NamedTuple):
    """When the frames of a clip are.

    Attributes:
        last: Index of the last frame.
        fps: Frames per second.
        loop: Whether the motion repeats.
        cycle_offset: Horizontal displacement of the root over one round, m, (3,).
    """

    last: Array
    fps: Array
    loop: Array
    cycle_offset: Array

    @property
    def duration(self) -> Array:
        """Seconds from the first to the last frame."""
        return self.last / self.fps


def locate(xp: ModuleType, timeline: Timeline, time: Array) -> tuple[Array, Array, Array]:
    """Frame before each time, fraction of the way to the next, and displacement of earlier rounds.

    Past its end a clip that does not loop stays on its last frame.

    Args:
        xp: numpy or jax.numpy.
        timeline: When the frames are.
        time: Seconds since the first frame, (N,).

    Returns:
        Frame index (N,), fraction in [0, 1] (N,), root displacement in m (N, 3).
    """
    rounds = xp.floor(time / timeline.duration) * timeline.loop
    frame = xp.clip((time - rounds * timeline.duration) * timeline.fps, 0, timeline.last)
    index = xp.minimum(frame, timeline.last - 1).astype(int)
    return index, frame - index, rounds[:, None] * timeline.cycle_offset


def interpolate(xp: ModuleType, timeline: Timeline, time: Array, *frames: Array) -> list[Array]:
    """Quantities given at every frame, each (T, D), linearly interpolated at times in s, (N,)."""
    index, fraction, _ = locate(xp, timeline, time)
    f = fraction[:, None]
    return [(1 - f) * values[index] + f * values[index + 1] for values in frames]


def coordinates_at(xp: ModuleType, timeline: Timeline, qpos: Array, qvel: Array, time: Array) -> tuple[Array, Array]:
    """Interpolated ``qpos`` (N, nq) and ``qvel`` (N, nv) at times in s, (N,), from frames (T, nq) and (T, nv)."""
    index, fraction, displacement = locate(xp, timeline, time)
    between, velocity = interpolate(xp, timeline, time, qpos, qvel)
    orientation = rotations.slerp(xp, qpos[index, 3:7], qpos[index + 1, 3:7], fraction)
    position = between[:, :3] + displacement
    return xp.concatenate([position, orientation, between[:, 7:]], axis=1), velocity


def pose_rows(xp: ModuleType, pose: Reference) -> Array:
    """Poses as one row each, (N, 16 + 2 J + 3 K), which can be looked up at once."""
    return xp.concatenate([values.reshape(len(values), -1) for values in pose], axis=1)


def reference_at(xp: ModuleType, timeline: Timeline, rows: Array, joints: int, time: Array) -> Reference:
    """Reference poses at given times; orientations by slerp, the rest linearly.

    Args:
        xp: numpy or jax.numpy.
        timeline: When the frames are.
        rows: What :func:`pose_rows` makes of the poses at the frames, (T, 16 + 2 J + 3 K).
        joints: Number of independent joints, J.
        time: Seconds since the first frame, (N,).

    Returns:
        The poses, N of them.
    """
    index, fraction, displacement = locate(xp, timeline, time)
    before, after = rows[index], rows[index + 1]
    between = before + fraction[:, None] * (after - before)
    edges = (3, 7, 10, 13, 13 + joints, 13 + 2 * joints)
    position, _, linear, angular, joint_position, joint_velocity, bodies = xp.split(between, edges, axis=1)
    return Reference(
        root_position=position + displacement,
        root_orientation=rotations.slerp(xp, before[:, 3:7], after[:, 3:7], fraction),
        root_linear_velocity=linear,
        root_angular_velocity=angular,
        joint_position=joint_position,
        joint_velocity=joint_velocity,
        key_position=bodies.reshape(len(bodies), -1, 3) + displacement[:, None],
    )
