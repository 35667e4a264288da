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
NEIGHBOURS, NEAR = 32, 1e-3
"""Poses around one whose length is doubted, and how far their joint angles are from it, rad."""
DOUBTED = 3e-3
"""Error of length beyond which it is asked whether the exact length itself is that of its neighbourhood, m."""


@dataclass(frozen=True, eq=False)
class PathError:
    """Errors on one set of poses; of muscles with exact paths they are zero.

    Attributes:
        length: Root mean square of every muscle's length error, m, (M,).
        greatest: Greatest, m, (M,).
        moment_arm: Root mean square over poses and spanned joints of the moment-arm error, m/rad, (M,).
        leaps: Poses of every muscle that errors leave out, (M,): there MuJoCo leads the path around the wrong side
            of a wrapping surface, and its length is more than :data:`DOUBTED` off that at most poses within 0.001 rad.
    """

    length: Array
    greatest: Array
    moment_arm: Array
    leaps: NDArray[np.intp]


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
    sets = uniform_poses(body, POSES, 4), clip_poses(body)
    uniform, clips = (path_error(body, paths, sample_paths(body, qpos, spans)) for qpos in sets)
    low, high = body.joint_range.T
    ends = np.random.default_rng(5).uniform(low, high, (LINES, 2, len(low)))
    fraction = np.linspace(0, 1, STEPS + 1)[:, None]
    angles = ends[:, None, 0] * (1 - fraction) + ends[:, None, 1] * fraction
    along = sample_paths(body, poses_of(body, angles.reshape(-1, angles.shape[-1])), spans)
    return PathQuality(body, paths, uniform, clips, _greatest_jump(along))


def path_error(body: Body, paths: MusclePaths, samples: PathSamples) -> PathError:
    """Errors of fitted paths on the poses of some samples."""
    no_deviation = np.zeros((len(samples.angle), len(body.coupled_joint_ids)))
    fitted = np.isin(np.arange(samples.length.shape[1]), paths.fitted)
    length = np.where(fitted, paths.length(samples.angle, no_deviation) - samples.length, 0.0)
    leap = _leap(body, samples, np.abs(length) > DOUBTED)
    muscle, joint = samples.pairs.T
    arm = np.where(fitted[muscle], paths.moment_arm(samples.angle)[:, muscle, joint] - samples.moment_arm, 0.0)
    length[leap], arm[leap[:, muscle]] = 0.0, 0.0
    spanned = np.maximum(np.bincount(muscle, minlength=len(fitted)), 1)
    square_arm = np.bincount(muscle, (arm**2).mean(axis=0), minlength=len(fitted)) / spanned
    return PathError(
        np.sqrt((length**2).mean(axis=0)), np.abs(length).max(axis=0), np.sqrt(square_arm), leap.sum(axis=0)
    )


def _leap(body: Body, samples: PathSamples, doubted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the doubted exact lengths are not those of the poses around, (P, M)."""
    leap, spans = np.zeros_like(doubted), path_spans(body)
    generator = np.random.default_rng(6)
    for pose in np.flatnonzero(doubted.any(axis=1)):
        angles = samples.angle[pose] + NEAR * generator.standard_normal((NEIGHBOURS, samples.angle.shape[1]))
        usual = np.median(sample_paths(body, poses_of(body, angles), spans).length, axis=0)
        leap[pose] = doubted[pose] & (np.abs(samples.length[pose] - usual) > DOUBTED)
    return leap


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
