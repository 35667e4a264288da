from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ms_envs.task.reset import (
    LEAD,
    UNIFORM_SHARE,
    bin_count,
    bin_of,
    renewed_failure_rate,
    start_probability,
    start_time,
)


@pytest.mark.parametrize("loop", [True, False])
@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_bins_that_are_equally_hard_are_equally_likely(rate: float, loop: bool) -> None:
    np.testing.assert_allclose(start_probability(np, np.full(12, rate), loop), 1 / 12)


@pytest.mark.parametrize("loop", [True, False])
def test_starts_gather_at_a_hard_bin_and_before_it(loop: bool) -> None:
    rate = np.zeros(20)
    rate[10] = 0.5
    probability = start_probability(np, rate, loop)
    practised = np.arange(11 - LEAD, 11)
    assert probability[practised].sum() == pytest.approx(1 - UNIFORM_SHARE * (1 - LEAD / 20))
    assert (np.diff(probability[practised]) > 0).all()
    np.testing.assert_allclose(np.delete(probability, practised), UNIFORM_SHARE / 20)


def test_only_in_a_loop_is_the_end_practised_for_the_beginning() -> None:
    rate = np.zeros(20)
    rate[0] = 0.5
    last = {loop: start_probability(np, rate, loop)[-1] for loop in (True, False)}
    assert last[True] > 10 * last[False]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.booleans())
def test_probabilities_sum_to_one_and_leave_no_bin_out(rates: list[float], loop: bool) -> None:
    probability = start_probability(np, np.array(rates), loop)
    assert probability.sum() == pytest.approx(1)
    assert (probability >= UNIFORM_SHARE / len(rates) * (1 - 1e-9)).all()


def test_failure_rate_settles_at_the_share_of_passes_that_fail() -> None:
    rng, rate = np.random.default_rng(0), np.ones(3)
    bins = np.repeat([0, 1, 2], 4)
    left = bins < 2
    for _ in range(1000):
        failed = left & (rng.random(12) < np.array([0.2, 0.8, 1.0])[bins])
        rate = renewed_failure_rate(np, rate, bins, left, failed)
    np.testing.assert_allclose(rate, [0.2, 0.8, 1.0], atol=0.1)  # the last bin was never left


def test_one_pass_counts_the_same_in_whatever_company() -> None:
    left, failed = np.array([True, True]), np.array([True, True])
    together = renewed_failure_rate(np, np.zeros(2), np.array([1, 1]), left, failed)
    apart = np.zeros(2)
    for _ in range(2):
        apart = renewed_failure_rate(np, apart, np.array([1, 1]), np.array([True, False]), failed)
    np.testing.assert_allclose(together, apart)


def test_start_times_follow_the_probabilities_and_stay_before_the_latest() -> None:
    uniform = (np.arange(10_000) + 0.5) / 10_000
    times = start_time(np, uniform, np.array([0.1, 0.6, 0.2, 0.1]), 2.0, 1.5)
    assert 0 <= times.min() < times.max() <= 1.5
    np.testing.assert_allclose(np.histogram(times, [0, 0.5, 1.0, 1.5])[0] / 10_000, [1 / 9, 6 / 9, 2 / 9], atol=1e-3)


def test_bins_wrap_around_in_a_loop_only() -> None:
    times = np.array([0.0, 0.99, 1.0, 1.3])
    assert bin_of(np, times, 1.0, bin_count(1.0), True).tolist() == [0, 9, 0, 3]
    assert bin_of(np, times, 1.0, bin_count(1.0), False).tolist() == [0, 9, 9, 9]
