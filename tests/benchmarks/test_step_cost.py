from __future__ import annotations

import pytest

from benchmarks.step_cost import measure


@pytest.mark.parametrize("num_envs", [1, 2])
def test_physics_is_a_part_of_the_cost_of_a_step(num_envs):
    cost = measure("ms_envs", "MSEmu/Walk-v0", num_envs, 3, {"body": "myo-legs", "key_body_termination": 0.1})
    assert 0 < cost["milliseconds"]["physics"] < cost["milliseconds"]["environment"]
    assert cost["muscles"] == 80 and cost["substeps"] == 10


def test_other_physics_are_not_taken_for_the_same(monkeypatch):
    monkeypatch.setattr("benchmarks.step_cost._states", shifted)
    with pytest.raises(RuntimeError, match="not the same physics"):
        measure("ms_envs", "MSEmu/Walk-v0", 1, 1, {"body": "myo-legs"})


def shifted(own, model):
    shifted.calls = getattr(shifted, "calls", 0) + 1
    states = own.vector.get_state()["physics"].copy()
    states[:, 1] += 1e-3 * shifted.calls
    return states
