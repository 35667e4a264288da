"""Unit quaternions (w, x, y, z) on batched arrays; ``xp`` is numpy or jax.numpy."""

from __future__ import annotations

from types import ModuleType
from typing import Any

Array = Any
"""A numpy or JAX array."""


def multiply(xp: ModuleType, a: Array, b: Array) -> Array:
    """Hamilton product, (..., 4)."""
    aw, ax, ay, az = (a[..., i] for i in range(4))
    bw, bx, by, bz = (b[..., i] for i in range(4))
    return xp.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def conjugate(xp: ModuleType, q: Array) -> Array:
    """Inverse rotation, (..., 4)."""
    return xp.concatenate([q[..., :1], -q[..., 1:]], axis=-1)


def rotate(xp: ModuleType, q: Array, v: Array) -> Array:
    """Rotate vectors (..., 3) by quaternions (..., 4); the leading axes broadcast."""
    axis = xp.broadcast_to(q[..., 1:], (*v.shape[:-1], 3))
    twice = 2.0 * _cross(xp, axis, v)
    return v + q[..., :1] * twice + _cross(xp, axis, twice)


def heading_matrix(xp: ModuleType, q: Array) -> Array:
    """Rotation about the vertical that turns the world y axis to where the body's left points, (..., 3, 3).

    The left axis stays level in walking, flipping forwards or backwards, and lying on belly or back; only where it is
    vertical, on the side or half-way through a cartwheel, is the heading undefined and turns about at once.
    """
    w, x, y, z = (q[..., i] for i in range(4))
    yaw = xp.arctan2(2 * (w * z - x * y), 1 - 2 * (x * x + z * z))
    cosine, sine, zero, one = xp.cos(yaw), xp.sin(yaw), xp.zeros_like(yaw), xp.ones_like(yaw)
    entries = [cosine, -sine, zero, sine, cosine, zero, zero, zero, one]
    return xp.stack(entries, axis=-1).reshape(*q.shape[:-1], 3, 3)


def angle(xp: ModuleType, a: Array, b: Array) -> Array:
    """Geodesic angle between two orientations, rad, (...)."""
    relative = multiply(xp, conjugate(xp, a), b)
    return 2 * xp.arctan2(xp.linalg.norm(relative[..., 1:], axis=-1), xp.abs(relative[..., 0]))


def rotation_vector(xp: ModuleType, a: Array, b: Array) -> Array:
    """Axis times angle of the rotation from one orientation to another, in the frame of the first, rad, (..., 3)."""
    relative = multiply(xp, conjugate(xp, a), b)
    relative = xp.where(relative[..., :1] < 0, -relative, relative)
    sine = xp.linalg.norm(relative[..., 1:], axis=-1, keepdims=True)
    ratio = 2 * xp.arctan2(sine, relative[..., :1]) / xp.where(sine > 0, sine, 1.0)
    return relative[..., 1:] * xp.where(sine > 0, ratio, 2.0)


def matrix(xp: ModuleType, q: Array) -> Array:
    """Rotation matrices, (..., 3, 3); row vectors are turned into the rotated frame by ``vector @ matrix``."""
    twice = 2 * q[..., 1:]
    wx, wy, wz = (twice[..., i] * q[..., 0] for i in range(3))
    xx, yy, zz = (twice[..., i] * q[..., 1 + i] for i in range(3))
    xy, yz, xz = (twice[..., i] * q[..., 1 + j] for i, j in ((0, 1), (1, 2), (0, 2)))
    entries = [1 - yy - zz, xy - wz, xz + wy, xy + wz, 1 - xx - zz, yz - wx, xz - wy, yz + wx, 1 - xx - yy]
    return xp.stack(entries, axis=-1).reshape(*q.shape[:-1], 3, 3)


def tangent_normal(xp: ModuleType, rotation: Array) -> Array:
    """First and third columns of rotation matrices, (..., 6): a continuous code of the orientation."""
    return xp.concatenate([rotation[..., 0], rotation[..., 2]], axis=-1)


def slerp(xp: ModuleType, a: Array, b: Array, fraction: Array) -> Array:
    """Shortest-arc interpolation from ``a`` to ``b``, (..., 4), at fractions in [0, 1], (...)."""
    cosine = xp.sum(a * b, axis=-1, keepdims=True)
    b = xp.where(cosine < 0, -b, b)
    theta = xp.arccos(xp.clip(xp.abs(cosine), 0.0, 1.0))
    sine = xp.sin(theta)
    close = sine < 1e-6
    safe = xp.where(close, 1.0, sine)
    f = fraction[..., None]
    weight_a = xp.where(close, 1 - f, xp.sin((1 - f) * theta) / safe)
    weight_b = xp.where(close, f, xp.sin(f * theta) / safe)
    mixed = weight_a * a + weight_b * b
    return mixed / xp.linalg.norm(mixed, axis=-1, keepdims=True)


def _cross(xp: ModuleType, a: Array, b: Array) -> Array:
    """Cross product, (..., 3); several times faster than the general one of numpy."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return xp.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)
