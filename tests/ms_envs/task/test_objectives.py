from __future__ import annotations

import numpy as np
import pytest
from ms_envs.task.objectives import OBJECTIVES, objective_values
from ms_envs.task.state import Muscles

MUSCLES = Muscles(
    activation=np.array([[0.0, 0.6], [0.0, 0.0]]),
    length=np.full((2, 2), 0.2),
    velocity=np.array([[0.1, -0.2], [0.0, 0.0]]),
    force=np.array([[-100.0, -300.0], [-100.0, 0.0]]),
)
CHANGE = np.array([[1.0, 0.0, -0.5], [0.0, 0.0, 0.0]])


@pytest.mark.parametrize(("name", "value"), [("effort", 0.18), ("power", 7.0), ("action_rate", 1.25 / 3)])
def test_objectives_have_their_definition_and_vanish_at_rest(name: str, value: float) -> None:
    (found,) = objective_values(np, [name], MUSCLES, 10.0, CHANGE)
    np.testing.assert_allclose(found, [value, 0.0])


def test_unknown_objective_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'speed'") as error:
        objective_values(np, ["speed"], MUSCLES, 10.0, CHANGE)
    assert all(name in str(error.value) for name in OBJECTIVES)
