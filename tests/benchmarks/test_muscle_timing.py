from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from ms_envs.bodies import Body
from ms_envs.motions.clip import MotionClip

from benchmarks.muscle_timing import (
    Muscle,
    active,
    common_shifts,
    compare,
    initial_contacts,
    mean_activation,
    normative,
    over_gait_cycle,
)

PATTERNS = arrays(bool, 100)
PARTIAL = PATTERNS.filter(lambda pattern: 0 < pattern.sum() < 100)


def in_contact(clip: MotionClip, *stances: tuple[int, int]) -> MotionClip:
    """The clip with the left foot on the floor from each first frame up to each last one."""
    contact = np.zeros((len(clip.qpos), 2), dtype=bool)
    for first, last in stances:
        contact[first:last, 1] = True
    return replace(clip, contact=contact)


@given(PATTERNS, PARTIAL)
def test_chance_is_the_mean_agreement_over_all_shifts(predicted: np.ndarray, published: np.ndarray) -> None:
    shifted = np.array([np.roll(predicted, shift) for shift in range(100)])
    assert compare(predicted, published).chance == pytest.approx(compare(shifted, published).share.mean())


@given(PARTIAL)
def test_kappa_is_one_for_equal_patterns_and_zero_for_one_that_is_never_on(published: np.ndarray) -> None:
    assert compare(published, published).kappa == pytest.approx(1.0)
    assert compare(np.zeros(100, dtype=bool), published).kappa == pytest.approx(0.0)


def test_best_common_shift_undoes_a_lead() -> None:
    published = np.arange(100) < 30
    shifts = common_shifts(np.roll(published, -7)[None], published)
    assert max(shifts, key=lambda shift: shifts[shift]) == 7


def test_muscle_is_on_above_its_threshold_and_the_floor() -> None:
    activation = np.zeros((2, 100))
    activation[0, :3], activation[1, :3] = (0.5, 0.2, 0.04), (0.05, 0.03, 0.015)
    assert active(activation, 0.2)[:, :3].tolist() == [[True, True, False], [True, True, False]]


def test_cycle_starts_at_contact_and_wraps_around(squat_clip: MotionClip) -> None:
    clip = in_contact(squat_clip, (0, 20), (75, 101))
    assert initial_contacts(clip, 1).tolist() == [75]
    frames = np.sin(2 * np.pi * np.arange(101) / 100)
    expected = np.sin(2 * np.pi * (0.75 + (np.arange(100) + 0.5) / 100))
    np.testing.assert_allclose(over_gait_cycle(frames, clip, 1), expected, atol=1e-3)


def test_cycles_of_unequal_length_are_averaged(squat_clip: MotionClip) -> None:
    clip = in_contact(squat_clip, (10, 20), (50, 60))
    frames = np.where((np.arange(101) >= 10) & (np.arange(101) < 50), 1.0, 3.0)
    np.testing.assert_allclose(over_gait_cycle(frames, clip, 1)[5:95], 2.0)


def test_clip_without_gait_cycle_is_refused(squat_clip: MotionClip) -> None:
    with pytest.raises(ValueError, match="left foot never meets the floor"):
        initial_contacts(in_contact(squat_clip), 1)
    with pytest.raises(ValueError, match="does not loop"):
        initial_contacts(replace(squat_clip, loop=False), 1)


def test_compartments_are_weighted_by_peak_force(legs: Body) -> None:
    muscle = Muscle("Gastrocnemius", ("gaslat", "gasmed"), ((6, 48),))
    index = [legs.muscle_names.index(name) for name in ("gaslat_r", "gasmed_r")]
    activation = np.zeros((1, legs.model.nu))
    activation[0, index[0]] = 1.0
    lateral, medial = legs.peak_force[index]
    assert mean_activation(activation, legs, muscle, "r") == pytest.approx(lateral / (lateral + medial))


def test_published_muscles_are_muscles_of_the_body(legs: Body) -> None:
    _, muscles = normative()
    assert len(muscles) == 27
    for muscle in muscles:
        assert 0 < muscle.pattern.sum() < 100
        mean_activation(np.zeros((1, legs.model.nu)), legs, muscle, "l")


def test_missing_muscle_is_named(legs: Body) -> None:
    with pytest.raises(ValueError, match="no muscle wing_r, part of Wing"):
        mean_activation(np.zeros((1, legs.model.nu)), legs, Muscle("Wing", ("wing",), ((0, 50),)), "r")


@given(st.integers(0, 99), st.integers(0, 99))
def test_pattern_covers_its_intervals(first: int, length: int) -> None:
    last = min(first + length, 100)
    assert Muscle("any", (), ((first, last),)).pattern.sum() == last - first
