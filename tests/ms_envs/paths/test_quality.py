from __future__ import annotations

from dataclasses import replace

import numpy as np
from ms_envs.bodies import Body
from ms_envs.paths import MusclePaths
from ms_envs.paths.quality import path_error
from ms_envs.paths.samples import sample_paths, uniform_poses
from ms_envs.paths.spans import path_spans


def test_an_exact_length_unlike_those_around_is_a_leap_and_no_error(legs: Body, paths: MusclePaths) -> None:
    samples = sample_paths(legs, uniform_poses(legs, 20, 12), path_spans(legs))
    muscle = int(paths.fitted[3])
    length = samples.length.copy()
    length[7, muscle] += 0.1
    leaping = path_error(legs, paths, replace(samples, length=length))
    usual = path_error(legs, paths, samples)
    assert leaping.leaps.sum() == leaping.leaps[muscle] == 1
    assert usual.leaps.sum() == 0
    assert leaping.greatest[muscle] <= usual.greatest[muscle] < 3e-3


def test_a_wrong_fit_is_an_error_at_every_pose(legs: Body, paths: MusclePaths) -> None:
    samples = sample_paths(legs, uniform_poses(legs, 20, 12), path_spans(legs))
    muscle = int(paths.fitted[3])
    constant = paths.constant.copy()
    constant[muscle] += 0.1
    error = path_error(legs, replace(paths, constant=constant), samples)
    assert error.leaps.sum() == 0
    np.testing.assert_allclose(error.length[muscle], 0.1, atol=1e-3)
