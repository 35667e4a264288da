from __future__ import annotations

import numpy as np
import pytest


def test_the_action_in_effect_is_observed_and_follows_the_action(make_env) -> None:
    env = make_env(control="posture", action_smoothing=0.06)
    observation, _ = env.reset(seed=0)
    block = env.observation_slices["action"]
    assert not observation[block].any()
    for step in range(1, 4):
        observation = env.step(np.full(14, 0.5, np.float32))[0]
        np.testing.assert_allclose(observation[block], 0.5 * (1 - np.exp(-step * 0.02 / 0.06)), rtol=1e-6)


def test_excitations_begin_where_the_muscles_are(make_env) -> None:
    env = make_env(action_smoothing=0.1)
    observation, _ = env.reset(seed=0)
    blocks = env.observation_slices
    np.testing.assert_array_equal(observation[blocks["action"]], observation[blocks["muscle_activation"]])


@pytest.mark.parametrize("control", ["excitation", "reflex", "posture"])
def test_muscles_see_the_smoothed_action(make_env, control: str) -> None:
    smooth, plain = make_env(control=control, action_smoothing=0.05), make_env(control=control)
    observation, _ = smooth.reset(options={"phase": 0.2})
    plain.reset(options={"phase": 0.2})
    action = smooth.action_space.high
    for _ in range(3):
        observation = smooth.step(action)[0]
        expected = plain.step(observation[smooth.observation_slices["action"]])[0]
    keep = np.delete(np.arange(len(observation)), np.r_[smooth.observation_slices["action"]])
    np.testing.assert_array_equal(observation[keep], expected)


def test_actions_outside_the_box_do_not_wind_up_the_filter(make_env) -> None:
    env = make_env(control="posture", action_smoothing=0.02)
    env.reset(seed=0)
    for _ in range(3):
        observation = env.step(np.full(14, 50.0, np.float32))[0]
    assert observation[env.observation_slices["action"]].max() <= 1


@pytest.mark.parametrize(("options", "observed"), [({}, False), ({"objectives": ("action_rate",)}, True)])
def test_the_action_is_observed_where_the_future_depends_on_it(make_env, options, observed: bool) -> None:
    assert ("action" in make_env(**options).observation_slices) == observed
