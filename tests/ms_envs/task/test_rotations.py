from __future__ import annotations

import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ms_envs.task import rotations

seeds = st.integers(0, 2**32 - 1)


def unit_quaternions(seed: int, count: int) -> np.ndarray:
    q = np.random.default_rng(seed).normal(size=(count, 4))
    return q / np.linalg.norm(q, axis=1, keepdims=True)


@given(seeds)
def test_product_of_a_quaternion_and_its_inverse_is_one(seed: int) -> None:
    q = unit_quaternions(seed, 5)
    np.testing.assert_allclose(
        rotations.multiply(np, q, rotations.conjugate(np, q)), np.tile([1.0, 0, 0, 0], (5, 1)), atol=1e-12
    )


@given(seeds)
def test_rotations_agree_with_mujoco(seed: int) -> None:
    a, b = unit_quaternions(seed, 2)
    v = np.random.default_rng(seed).normal(size=3)
    product, rotated, matrix = np.zeros(4), np.zeros(3), np.zeros(9)
    mujoco.mju_mulQuat(product, a, b)
    mujoco.mju_rotVecQuat(rotated, v, a)
    mujoco.mju_quat2Mat(matrix, a)
    np.testing.assert_allclose(rotations.multiply(np, a, b), product, atol=1e-12)
    np.testing.assert_allclose(rotations.rotate(np, a, v), rotated, atol=1e-12)
    np.testing.assert_allclose(rotations.matrix(np, a), matrix.reshape(3, 3), atol=1e-12)


@given(seeds)
def test_rotating_twice_is_rotating_by_the_product(seed: int) -> None:
    a, b = unit_quaternions(seed, 2)
    v = np.random.default_rng(seed).normal(size=3)
    twice = rotations.rotate(np, a, rotations.rotate(np, b, v))
    np.testing.assert_allclose(twice, rotations.rotate(np, rotations.multiply(np, a, b), v), atol=1e-12)


@given(seeds, st.floats(0.0, np.pi))
def test_angle_between_orientations_is_that_of_the_turn(seed: int, turn: float) -> None:
    q = unit_quaternions(seed, 1)
    axis = np.random.default_rng(seed).normal(size=3)
    axis /= np.linalg.norm(axis)
    turned = rotations.multiply(np, q, np.concatenate([[np.cos(turn / 2)], np.sin(turn / 2) * axis]))
    assert rotations.angle(np, q, turned)[0] == pytest.approx(turn, abs=1e-7)
    assert rotations.angle(np, q, -turned)[0] == pytest.approx(turn, abs=1e-7)


@given(seeds, st.floats(0.0, 3.1))
def test_rotation_vector_is_axis_times_angle(seed: int, turn: float) -> None:
    q = unit_quaternions(seed, 1)
    axis = np.random.default_rng(seed).normal(size=3)
    axis /= np.linalg.norm(axis)
    turned = rotations.multiply(np, q, np.concatenate([[np.cos(turn / 2)], np.sin(turn / 2) * axis]))
    np.testing.assert_allclose(rotations.rotation_vector(np, q, turned)[0], turn * axis, atol=1e-7)
    np.testing.assert_allclose(rotations.rotation_vector(np, q, -turned)[0], turn * axis, atol=1e-7)


@given(seeds, st.floats(0.0, 1.0))
def test_slerp_divides_the_shortest_arc(seed: int, fraction: float) -> None:
    a, b = unit_quaternions(seed, 2)
    f = np.array([fraction])
    mixed = rotations.slerp(np, a[None], b[None], f)
    arc = rotations.angle(np, a, b)
    assert np.linalg.norm(mixed) == pytest.approx(1.0)
    assert rotations.angle(np, a[None], mixed)[0] == pytest.approx(fraction * arc, abs=1e-6)
    assert rotations.angle(np, b[None], mixed)[0] == pytest.approx((1 - fraction) * arc, abs=1e-6)


@given(seeds)
def test_slerp_is_exact_at_its_ends(seed: int) -> None:
    a, b = unit_quaternions(seed, 4), unit_quaternions(seed + 1, 4)
    at_a, at_b = rotations.slerp(np, a, b, np.zeros(4)), rotations.slerp(np, a, b, np.ones(4))
    np.testing.assert_allclose(at_a, a, atol=1e-12)
    assert rotations.angle(np, at_b, b).max() < 1e-7


@given(st.floats(-np.pi, np.pi), st.floats(-1.5, 1.5), st.floats(-np.pi, np.pi))
def test_heading_is_the_yaw_however_far_the_body_pitches(yaw: float, roll: float, pitch: float) -> None:
    q = np.zeros(4)
    mujoco.mju_euler2Quat(q, np.array([yaw, roll, pitch]), "zxy")  # lower case: each turn about the turned axes
    cosine, sine = np.cos(yaw), np.sin(yaw)
    expected = [[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]
    np.testing.assert_allclose(rotations.heading_matrix(np, q), expected, atol=1e-6)


@given(seeds)
def test_tangent_normal_determines_the_orientation(seed: int) -> None:
    matrix = rotations.matrix(np, unit_quaternions(seed, 3))
    code = rotations.tangent_normal(np, matrix)
    np.testing.assert_allclose(np.cross(code[:, 3:], code[:, :3]), matrix[..., 1], atol=1e-12)
