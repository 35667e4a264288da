from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rliable import metrics

from benchmarks.intervals import bounds, interval, iqm, iqm_difference, probability_of_improvement, true_coverage

SCORES = st.integers(2, 12).flatmap(lambda seeds: arrays(float, seeds, elements=st.integers(-5, 5).map(float)))


@given(SCORES, SCORES)
def test_statistics_are_those_of_rliable(a: np.ndarray, b: np.ndarray) -> None:
    assert iqm(a) == pytest.approx(metrics.aggregate_iqm(a[:, None]))
    assert probability_of_improvement(a, b) == pytest.approx(metrics.probability_of_improvement(a[:, None], b[:, None]))


def test_interval_of_three_seeds_is_their_range_and_the_same_every_time() -> None:
    found = interval(iqm, [1.0, 2.0, 6.0])
    assert (found.value, found.low, found.high) == (3.0, 1.0, 6.0)
    assert found == interval(iqm, [1.0, 2.0, 6.0])


def test_interval_of_a_difference_contains_zero_only_where_samples_overlap() -> None:
    assert not interval(iqm_difference, [5.0, 6.0, 7.0], [1.0, 2.0, 3.0]).contains_zero
    assert interval(iqm_difference, [1.0, 3.0, 8.0], [1.0, 2.0, 9.0]).contains_zero


def test_curves_are_resampled_run_by_run() -> None:
    values = np.array([[0.0, 10.0], [1.0, 11.0], [2.0, 12.0]])
    low, high = bounds(iqm, values, axis=0)
    assert (low - [0, 10] == 0).all() and (high - [2, 12] == 0).all()


def test_intervals_of_few_seeds_claim_too_much_and_those_of_many_do_not() -> None:
    assert true_coverage(3) < 0.85
    assert true_coverage(20, repeats=200) == pytest.approx(0.95, abs=0.03)
