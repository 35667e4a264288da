from __future__ import annotations

import numpy as np
import pytest
from ms_envs.task.action import half_ranges, smoothed


def test_without_a_time_constant_the_action_is_in_effect_at_once() -> None:
    action = np.array([[0.2, -0.4]])
    assert smoothed(action, np.zeros((1, 2)), 0.02, 0.0) is action


@pytest.mark.parametrize("timestep", [0.01, 0.02, 0.05])
def test_a_step_reaches_63_percent_after_the_time_constant_at_any_control_rate(timestep: float) -> None:
    effect = np.zeros((1, 1))
    for _ in range(round(0.1 / timestep)):
        effect = smoothed(np.ones((1, 1)), effect, timestep, 0.1)
    assert effect.item() == pytest.approx(1 - np.exp(-1))


def test_changes_count_in_half_ranges_of_the_box() -> None:
    change = half_ranges(np.array([[0.5, 0.5]]), np.array([0.0, -1.0]), np.array([1.0, 1.0]))
    np.testing.assert_allclose(change, [[1.0, 0.5]])
