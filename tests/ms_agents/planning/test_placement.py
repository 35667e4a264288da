from __future__ import annotations

import numpy as np
from ms_agents.planning.placement import REGULARISATION, foot_placement

JACOBIAN = np.concatenate([np.eye(3), np.zeros((3, 3))], axis=1)
JACOBIAN = np.stack([JACOBIAN, JACOBIAN[:, ::-1]])
ERROR = np.array([[0.05, 0.0], [0.1, -0.9]])


def test_the_swinging_foot_goes_where_the_standing_one_calls_it_no_farther_than_its_reach():
    offset = foot_placement(ERROR, np.array([True, False]), JACOBIAN, 1.0, 0.3)
    np.testing.assert_allclose(offset, np.array([0.1, -0.3, 0, 0, 0, 0]) / (1 + REGULARISATION))


def test_feet_that_stand_stay():
    assert not foot_placement(ERROR, np.array([False, False]), JACOBIAN, 1.0, 0.3).any()
