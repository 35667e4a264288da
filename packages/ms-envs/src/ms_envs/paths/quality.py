"""How far fitted muscle paths are from exact ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import Body
from ms_envs.paths.muscle_paths import MusclePaths
from ms_envs.paths.samples import PathSamples, clip_poses, poses_of, sample_paths, uniform_poses
from ms_envs.paths.spans import path_spans

Array = NDArray[np.float64]

POSES = 3000
"""Uniform poses, other ones than those of the fit."""
LINES, STEPS = 60, 50
"""Straight lines between random poses, and steps along each, on which jumps are looked for."""
JUMP = 1e-3
"""Change of length that moment arms do not explain, m, which counts as a jump."""


@dataclass(frozen=True, eq=False)
class PathError:
    """Errors on one set of poses; of muscles with exact paths they are zero.

    Attributes:
        length: Root mean square of every muscle's length error, m, (M,).
        greatest: Greatest, m, (M,).
        moment_arm: Root mean square over poses and spanned joints of the moment-arm error, m/rad, (M,).
    """

    length: Array
    greatest: Array
    moment_arm: Array


@dataclass(frozen=True, eq=False)
class PathQuality:
    """Quality of the fitted paths of one body.

    Attributes:
        body: The body.
        paths: Its paths.
        uniform: Errors on poses uniform in the joint ranges.
        clips: Errors on every frame of every clip.
        jump: Greatest jump found along the exact path of every muscle, m, (M,).
    """

    body: Body
    paths: MusclePaths
    uniform: PathError
    clips: PathError
    jump: Array

    @property
    def jumping(self) -> NDArray[np.intp]:
        """Muscles with exact paths whose length jumps, by falling size of the jump."""
        exact = self.paths.exact
        order = exact[np.argsort(-self.jump[exact], kind="stable")]
        return order[self.jump[order] > JUMP]

    def worst(self, count: int = 10) -> NDArray[np.intp]:
        """Fitted muscles with the greatest errors of length on uniform poses, worst first."""
        return np.argsort(-self.uniform.length, kind="stable")[:count]


def path_quality(body: Body, paths: MusclePaths) -> PathQuality:
    """Compare fitted with exact paths on poses that were not fitted."""
    spans = path_spans(body)
    samples = [sample_paths(body, qpos, spans) for qpos in (uniform_poses(body, POSES, 4), clip_poses(body))]
    uniform, clips = (_error(body, paths, own) for own in samples)
    low, high = body.joint_range.T
    ends = np.random.default_rng(5).uniform(low, high, (LINES, 2, len(low)))
    fraction = np.linspace(0, 1, STEPS + 1)[:, None]
    angles = ends[:, None, 0] * (1 - fraction) + ends[:, None, 1] * fraction
    along = sample_paths(body, poses_of(body, angles.reshape(-1, angles.shape[-1])), spans)
    return PathQuality(body, paths, uniform, clips, _greatest_jump(along))


def _error(body: Body, paths: MusclePaths, samples: PathSamples) -> PathError:
    no_deviation = np.zeros((len(samples.angle), len(body.coupled_joint_ids)))
    length = paths.length(samples.angle, no_deviation) - samples.length
    arm = paths.moment_arm(samples.angle)[:, samples.pairs[:, 0], samples.pairs[:, 1]] - samples.moment_arm
    muscles = length.shape[1]
    spanned = np.maximum(np.bincount(samples.pairs[:, 0], minlength=muscles), 1)
    square_arm = np.bincount(samples.pairs[:, 0], (arm**2).mean(axis=0), minlength=muscles) / spanned
    errors = np.sqrt((length**2).mean(axis=0)), np.abs(length).max(axis=0), np.sqrt(square_arm)
    fitted = np.isin(np.arange(muscles), paths.fitted)
    return PathError(*(np.where(fitted, values, 0.0) for values in errors))


def _greatest_jump(samples: PathSamples) -> Array:
    """Greatest change of every muscle's length between neighbouring poses that its moment arms do not explain, (M,)."""

    def lines(values: Array) -> Array:
        return values.reshape(LINES, STEPS + 1, -1)

    step = np.diff(lines(samples.angle), axis=1)[..., samples.pairs[:, 1]]
    arm = lines(samples.moment_arm)
    of_muscle = np.equal.outer(samples.pairs[:, 0], np.arange(samples.length.shape[1])).astype(np.float64)
    explained = (step * (arm[:, :-1] + arm[:, 1:]) / 2) @ of_muscle
    greatest: Array = np.abs(np.diff(lines(samples.length), axis=1) - explained).max(axis=(0, 1))
    return greatest
