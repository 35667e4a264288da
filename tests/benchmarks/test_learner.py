from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from benchmarks.learner import PARTS, PHYSICS, Stopwatch, _costs


def test_no_part_counts_what_lies_within_it():
    inner = SimpleNamespace(step=lambda: time.sleep(0.1))
    outer = SimpleNamespace(step=lambda: (time.sleep(0.02), inner.step()))
    stopwatch = Stopwatch()
    stopwatch.watch(inner, "step", "inside")
    stopwatch.watch(outer, "step", "around")
    outer.step()
    inner.step()
    stopwatch.lap()
    assert stopwatch.wall["inside"] >= 0.2
    assert 0.02 <= stopwatch.wall["around"] < 0.1
    assert sum(stopwatch.processor.values()) < 0.1  # sleeping takes none


def test_physics_is_shared_out_over_its_threads_and_medians_count():
    iterations = [dict.fromkeys(PARTS, 0.0) | {PHYSICS: seconds, "policy update": 1.0} for seconds in (6.0, 4.0, 90.0)]
    costs = {cost.part: cost for cost in _costs("gaussian", iterations, iterations, threads=2)}
    assert (costs[PHYSICS].wall, costs[PHYSICS].processor, costs[PHYSICS].idle) == (6.0, 6.0, 3.0)
    assert costs["policy update"].share == pytest.approx(0.25)
    assert sum(cost.share for cost in costs.values()) == pytest.approx(1)
