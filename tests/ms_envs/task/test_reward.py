from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ms_envs.task.reward import DEFAULT_REWARD, checked_weights, reward_terms
from ms_envs.task.state import Pose

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.floats(1e-3, 1.0))
def test_terms_lie_between_zero_and_one(random_state, seed: int, closeness: float) -> None:
    state, other = random_state(seed), random_state(seed + 1)
    near = Pose(*(a + closeness * (b - a) for a, b in zip(state.pose, other.pose, strict=True)))
    terms = reward_terms(np, state, near)
    assert set(terms) == set(DEFAULT_REWARD)
    for name, values in terms.items():
        assert ((values >= 0) & (values <= 1)).all(), name


@given(seeds)
def test_imitation_terms_are_one_exactly_on_the_reference(random_state, seed: int) -> None:
    state, other = random_state(seed), random_state(seed + 1)
    on, off = reward_terms(np, state, state.pose), reward_terms(np, state, other.pose)
    for name in set(DEFAULT_REWARD) - {"effort"}:
        np.testing.assert_array_equal(on[name], 1.0)
        assert (off[name] < 1).all()


def test_default_reward_is_at_most_one() -> None:
    assert sum(weight for weight in DEFAULT_REWARD.values() if weight > 0) == pytest.approx(1.0)
    assert DEFAULT_REWARD["effort"] < 0


def test_unknown_term_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="joint_angle") as error:
        checked_weights({"joint_angle": 1.0, "effort": 0.1})
    assert all(term in str(error.value) for term in DEFAULT_REWARD)


@pytest.mark.parametrize("weight", [np.nan, np.inf, -np.inf])
def test_weight_that_is_not_finite_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="effort.*finite"):
        checked_weights({"effort": weight})


def test_terms_left_out_do_not_count() -> None:
    assert checked_weights({"key_position": 1}) == {"key_position": 1.0}
    assert checked_weights(None) == DEFAULT_REWARD
