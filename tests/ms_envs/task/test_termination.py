from __future__ import annotations

import numpy as np
import pytest
from ms_envs.task.termination import Termination, terminated


@pytest.mark.parametrize(("distance", "over"), [(0.49, False), (0.51, True)])
@pytest.mark.parametrize("field", ["root_position", "key_position"])
def test_ends_past_the_limit(random_state, field: str, distance: float, over: bool) -> None:
    state = random_state(0)
    shift = np.array([distance, 0.0, 0.0])
    reference = state.pose._replace(**{field: getattr(state.pose, field) + shift})
    assert (terminated(np, state, reference, Termination(root=0.5, key_body=0.5)) == over).all()


def test_bodies_that_move_with_the_root_do_not_end_it(random_state) -> None:
    state = random_state(0)
    reference = state.pose._replace(
        root_position=state.pose.root_position + [0.4, 0, 0], key_position=state.pose.key_position + [0.4, 0, 0]
    )
    assert not terminated(np, state, reference, Termination(root=0.5, key_body=0.1)).any()


def test_divergence_ends_it(random_state) -> None:
    state = random_state(0)._replace(diverged=np.array([False, True, False]))
    assert terminated(np, state, state.pose, Termination()).tolist() == [False, True, False]
