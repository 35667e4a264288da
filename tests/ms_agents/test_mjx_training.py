"""A policy learnt on MJX is the same policy on MuJoCo C."""

from __future__ import annotations

import gymnasium
import pytest
from ms_agents import AggregatedPPO, evaluate

pytest.importorskip("mujoco.mjx")

WALK = {"body": "myo-legs", "control": "posture", "horizon": 0.3, "reset_noise": 0.0}


@pytest.mark.slow
def test_a_policy_of_mjx_scores_the_same_on_both_engines(small) -> None:
    def make(engine: str, mode: str):
        return gymnasium.make_vec("ms_envs:MSEmu/Walk-v0", num_envs=8, autoreset_mode=mode, engine=engine, **WALK)

    learning = make("mjx", "SameStep")
    fast = small.changed({"learning_rate": 1e-2, "target_kl": None})
    policy = AggregatedPPO(env=learning, hyperparameters=fast, seed=0)
    policy.learn(3 * 128)
    learning.close()
    environments = make("cpu", "NextStep"), make("mjx", "NextStep")
    untrained = evaluate("untrained", environments[0], horizon=0.3)
    cpu, mjx = (evaluate(policy, env, horizon=0.3) for env in environments)
    for env in environments:
        env.close()
    assert abs(cpu.reward - untrained.reward) > 4e-3
    assert mjx.reward == pytest.approx(cpu.reward, abs=2e-3)
    for metric, error in cpu.errors.items():
        assert mjx.errors[metric] == pytest.approx(error, rel=0.05)
