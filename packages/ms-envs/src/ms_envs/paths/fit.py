"""Fit polynomials to the muscle paths of a body."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import Body
from ms_envs.paths.equations import PathEquations
from ms_envs.paths.muscle_paths import MusclePaths, PathComponent, path_hash
from ms_envs.paths.polynomial import DEVIATION_DEGREE, monomials
from ms_envs.paths.samples import (
    PathSamples,
    clip_poses,
    poses_around_clips,
    sample_paths,
    uniform_poses,
)
from ms_envs.paths.spans import Span, path_spans

Array = NDArray[np.float64]

MARGIN = 0.1
"""How far the domain reaches beyond the joint limits, which are soft, rad."""
DEVIATION = 0.15
"""Standard deviation of joint angles around the clips, rad."""
POSES = 4000
"""Fitted poses: so many uniform over the domain and as many around the clips."""
CHECKED_POSES = 2000
"""Uniform poses, besides frames of the clips, on which degrees are chosen."""
RIDGE = 1e-12
"""Of the mean diagonal of the normal equations."""
CHUNK = 500
"""Poses whose equations are held in memory at a time."""


@dataclass(frozen=True)
class Tolerance:
    """Greatest errors of a muscle.

    Attributes:
        length: Root mean square of the length, m.
        greatest_length: Greatest of the length, m.
        moment_arm: Root mean square over poses and joints of the moment arm, m/rad.
    """

    length: float
    greatest_length: float
    moment_arm: float


WANTED = Tolerance(0.1e-3, 1.0e-3, 0.2e-3)
"""The lowest degree that reaches this is taken."""
ACCEPTED = Tolerance(0.45e-3, 2.0e-3, 0.45e-3)
"""Where none does, the highest degree is taken if it reaches this; else the muscle keeps its exact path."""


def fit_paths(body: Body) -> MusclePaths:
    """Fit the lengths of all muscles as polynomials of the joint angles.

    Lengths and moment arms of MuJoCo are fitted together by least squares, each pose giving one equation for the length
    and one for every moment arm. The degree of each muscle is the lowest that reaches :data:`WANTED` on poses that
    were not fitted. Muscles that no degree brings below :data:`ACCEPTED`, because their path jumps from one side of a
    wrapping surface to the other or bends too sharply, keep their exact path.

    Args:
        body: A body that the package has clips of.

    Returns:
        The fitted paths.
    """
    low, high = body.joint_range.T
    low, high = low - MARGIN, high + MARGIN
    spans = path_spans(body)
    fitted = [
        sample_paths(body, uniform_poses(body, POSES, 1, margin=MARGIN), spans),
        sample_paths(body, poses_around_clips(body, POSES, 2, DEVIATION), spans),
    ]
    checked = [
        sample_paths(body, uniform_poses(body, CHECKED_POSES, 3), spans),
        sample_paths(body, clip_poses(body)[::2], spans),
    ]
    constant = np.zeros(body.model.nu)
    sharing: dict[tuple[tuple[int, ...], ...], list[int]] = defaultdict(list)
    for muscle, own in enumerate(spans):
        if own:
            sharing[tuple(span.joints for span in own)].append(muscle)
        else:
            constant[muscle] = checked[0].length[0, muscle]
    exact: list[int] = []
    rows: dict[Span, list[_Row]] = defaultdict(list)
    for joints, muscles in sharing.items():
        equations = PathEquations(joints, low, high)
        for muscle, solution in zip(muscles, _solve(equations, muscles, fitted, checked), strict=True):
            if solution is None:
                exact.append(muscle)
                continue
            for span, (degree, coefficients) in zip(spans[muscle], equations.split(*solution), strict=True):
                deviations = _deviations(equations, span, muscle, fitted)
                rows[span].append(_Row(muscle, degree, _row(span, degree, coefficients, deviations)))
    return MusclePaths(
        body_name=body.name,
        body_hash=path_hash(body),
        low=low,
        high=high,
        constant=constant,
        exact=np.sort(np.array(exact, dtype=np.intp)),
        components=tuple(_component(span, own) for span, own in sorted(rows.items())),
    )


@dataclass(frozen=True)
class _Row:
    muscle: int
    degree: int
    coefficients: Array


def _solve(
    equations: PathEquations, muscles: list[int], fitted: Sequence[PathSamples], checked: Sequence[PathSamples]
) -> list[tuple[int, Array] | None]:
    """Degree and coefficients of each muscle, none for those that keep their exact path."""
    columns = len(equations.degree)
    gram, right = np.zeros((columns, columns)), np.zeros((columns, len(muscles)))
    for samples in fitted:
        wanted = _targets(samples, muscles)
        for first in range(0, len(wanted), CHUNK):
            rows = equations.rows(samples.angle[first : first + CHUNK]).reshape(-1, columns)
            gram += rows.T @ rows
            right += rows.T @ wanted[first : first + CHUNK].reshape(-1, len(muscles))
    gram += RIDGE * np.trace(gram) / columns * np.eye(columns)
    check = [(equations.rows(samples.angle), _targets(samples, muscles)) for samples in checked]
    result: list[tuple[int, Array] | None] = [None] * len(muscles)
    waiting = np.arange(len(muscles))
    highest = int(equations.degree.max())
    for degree in range(DEVIATION_DEGREE, highest + 1):
        used = np.flatnonzero(equations.degree <= degree)
        coefficients = np.zeros((columns, len(waiting)))
        coefficients[used] = np.linalg.solve(gram[np.ix_(used, used)], right[np.ix_(used, waiting)])
        reached = _within(WANTED if degree < highest else ACCEPTED, check, waiting, coefficients)
        for position, own in zip(waiting[reached], coefficients.T[reached], strict=True):
            result[position] = (degree, own)
        waiting = waiting[~reached]
    return result


def _targets(samples: PathSamples, muscles: list[int]) -> Array:
    """Lengths and moment arms that the equations should give, (P, 1 + s, muscles)."""
    columns = [
        np.concatenate([samples.length[:, muscle, None], samples.moment_arms_of(muscle)], axis=1) for muscle in muscles
    ]
    return np.stack(columns, axis=-1)


def _within(
    tolerance: Tolerance, check: list[tuple[Array, Array]], muscles: NDArray[np.intp], coefficients: Array
) -> NDArray[np.bool_]:
    """Which muscles are within a tolerance on all samples."""
    good = np.ones(len(muscles), dtype=np.bool_)
    for rows, wanted in check:
        error = rows @ coefficients - wanted[:, :, muscles]
        good &= np.sqrt((error[:, 0] ** 2).mean(axis=0)) <= tolerance.length
        good &= np.abs(error[:, 0]).max(axis=0) <= tolerance.greatest_length
        good &= np.sqrt((error[:, 1:] ** 2).mean(axis=(0, 1))) <= tolerance.moment_arm
    return good


def _deviations(equations: PathEquations, span: Span, muscle: int, fitted: Sequence[PathSamples]) -> Array:
    """Change of length per deviation of each coupled joint, as a polynomial of the angles, (k, T)."""
    basis = monomials(len(span.joints), DEVIATION_DEGREE)
    values = np.concatenate([basis.values(equations.normalised(s.angle)[:, span.joints]) for s in fitted])
    arms = np.concatenate([s.coupled_arms_of(muscle, span.coupled) for s in fitted])
    return np.linalg.solve(values.T @ values, values.T @ arms).T


def _row(span: Span, degree: int, coefficients: Array, deviations: Array) -> Array:
    """Coefficients of all monomials of a span, out of those without and those with deviations."""
    exponents = monomials(len(span.joints), degree, len(span.coupled)).exponents
    deviating = exponents[:, len(span.joints) :].any(axis=1)
    row = np.zeros(len(exponents))
    row[~deviating], row[deviating] = coefficients, deviations.ravel()
    return row


def _component(span: Span, rows: list[_Row]) -> PathComponent:
    coefficients = np.zeros((len(rows), max(len(row.coefficients) for row in rows)))
    for values, row in zip(coefficients, rows, strict=True):
        values[: len(row.coefficients)] = row.coefficients
    return PathComponent(
        span,
        np.array([row.muscle for row in rows], dtype=np.intp),
        np.array([row.degree for row in rows], dtype=np.intp),
        coefficients,
    )
