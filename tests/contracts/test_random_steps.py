"""Ten thousand random steps in every environment."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.mark.slow
@pytest.mark.every_pair
def test_ten_thousand_random_steps_stay_finite(make_vec) -> None:
    num_envs = 8
    env = make_vec(num_envs)
    env.action_space.seed(0)
    env.reset(seed=0)
    diverged = 0
    for _ in range(10_000 // num_envs):
        observations, rewards, _, _, info = env.step(env.action_space.sample())
        assert np.isfinite(observations).all()
        assert np.isfinite(rewards).all()
        assert np.isfinite(info["tracking_error"]).all()
        diverged += int(info["diverged"].sum())
    assert diverged <= 10
    env.close()
