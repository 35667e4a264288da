from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
import pytest
from ms_envs.bodies import BODIES, Body, load_body
from ms_envs.paths import MusclePaths, fit_path, load_paths
from ms_envs.paths.fit import fit_paths
from ms_envs.paths.samples import sample_paths, uniform_poses
from ms_envs.paths.spans import path_spans
from ms_envs.physics.path_kernel import add_path_torques, path_lengths, path_table, path_work


def _deviation(body: Body, qpos: np.ndarray) -> np.ndarray:
    coupled = body.model.jnt_qposadr[body.coupled_joint_ids]
    return qpos[:, coupled] - body.complete(qpos.copy())[:, coupled]


def test_lengths_and_moment_arms_are_those_of_mujoco(legs: Body, paths: MusclePaths) -> None:
    samples = sample_paths(legs, uniform_poses(legs, 200, 11), path_spans(legs))
    length = paths.length(samples.angle, np.zeros((200, 14)))[:, paths.fitted]
    assert np.abs(length - samples.length[:, paths.fitted]).max() < 3e-3
    fitted = np.isin(samples.pairs[:, 0], paths.fitted)
    arms = paths.moment_arm(samples.angle)[:, samples.pairs[:, 0], samples.pairs[:, 1]]
    error = (arms - samples.moment_arm)[:, fitted]
    assert np.sqrt((error**2).mean()) < 0.5e-3


def test_lengths_follow_coupled_joints_out_of_place(legs: Body, paths: MusclePaths, strained) -> None:
    qpos, _ = strained
    data, exact = mujoco.MjData(legs.model), []
    for pose in qpos:
        data.qpos[:] = pose
        mujoco.mj_fwdPosition(legs.model, data)
        exact.append(data.actuator_length.copy())
    angle, deviation = qpos[:, legs.qpos_index], _deviation(legs, qpos)

    def error(given: np.ndarray) -> float:
        return float(np.abs(paths.length(angle, given) - exact)[:, paths.fitted].max())

    assert error(deviation) < 1e-3 < error(np.zeros_like(deviation))


def test_kernel_and_arrays_agree(legs: Body, paths: MusclePaths, strained) -> None:
    table = path_table(paths, legs)
    work, length, velocity = path_work(table), np.zeros(80), np.zeros(80)
    expected = paths.length(strained[0][:, legs.qpos_index], _deviation(legs, strained[0]))
    for qpos, qvel, lengths in zip(*strained, expected, strict=True):
        path_lengths(table, work, qpos, qvel, length, velocity)
        np.testing.assert_allclose(length, lengths, atol=1e-12)


def test_velocities_are_derivatives_and_torques_do_the_work_of_muscles(
    legs: Body, paths: MusclePaths, strained
) -> None:
    table, step = path_table(paths, legs), 1e-6
    work, force = path_work(table), np.random.default_rng(1).normal(size=80)
    velocity, ignored, ends, torque = np.zeros(80), np.zeros(80), np.zeros((2, 80)), np.zeros(legs.model.nv)
    for qpos, qvel in zip(*strained, strict=True):
        for end, sign in zip(ends, (1, -1), strict=True):
            moved = qpos.copy()
            mujoco.mj_integratePos(legs.model, moved, qvel, sign * step)
            path_lengths(table, work, moved, qvel, end, ignored)
        path_lengths(table, work, qpos, qvel, ignored, velocity)
        np.testing.assert_allclose(velocity, (ends[0] - ends[1]) / (2 * step), atol=1e-7)
        torque[:] = 0.0
        add_path_torques(table, work, force, torque)
        assert torque @ qvel == pytest.approx(force @ velocity, abs=1e-10)


def test_beyond_the_domain_lengths_stay(paths: MusclePaths) -> None:
    edge = paths.length(paths.high, np.zeros(14))
    np.testing.assert_array_equal(paths.length(paths.high + 0.5, np.zeros(14)), edge)


def test_a_saved_file_gives_the_same_lengths(paths: MusclePaths, tmp_path: Path) -> None:
    paths.save(tmp_path / "paths.npz")
    loaded = MusclePaths.load(tmp_path / "paths.npz")
    angle = (paths.low + paths.high) / 2
    np.testing.assert_array_equal(loaded.length(angle, np.zeros(14)), paths.length(angle, np.zeros(14)))
    np.testing.assert_array_equal(loaded.exact, paths.exact)


def test_paths_of_another_body_are_refused(paths: MusclePaths) -> None:
    other = load_body("myo-legs")
    other.model.site_pos[:, 0] += 0.01
    with pytest.raises(ValueError, match="fitted to another body"):
        paths.check_fits(other)


@pytest.mark.parametrize("name", BODIES)
def test_every_body_has_its_fit(body_named: Callable[[str], Body], name: str) -> None:
    paths = load_paths(body_named(name))
    assert fit_path(name).stat().st_size < 2e6
    assert len(paths.exact) < 0.15 * len(paths.constant)


@pytest.mark.slow
def test_the_fit_of_the_package_can_be_made_again(legs: Body, paths: MusclePaths) -> None:
    again = fit_paths(legs)
    angle = np.random.default_rng(3).uniform(*legs.joint_range.T, (50, 14))
    np.testing.assert_array_equal(again.exact, paths.exact)
    difference = again.length(angle, np.zeros((50, 14))) - paths.length(angle, np.zeros((50, 14)))
    assert np.abs(difference).max() < 1e-5
