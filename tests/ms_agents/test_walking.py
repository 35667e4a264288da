"""The agents on real muscles, as small as it gets."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from ms_agents import AggregatedPPO, evaluate
from ms_agents.hyperparameters import Hyperparameters

LEGS = {"body": "myo-legs", "control": "posture", "threads": 1}
TINY = Hyperparameters(environments=4, rollout_steps=12, epochs=2, minibatch=24, hidden=(16,))


def make_walk(**changes):
    arguments = LEGS | changes
    return gymnasium.make_vec("ms_envs:MSEmu/Walk-v0", num_envs=4, autoreset_mode="SameStep", **arguments)


@pytest.fixture(scope="module")
def trained():
    model = AggregatedPPO(env=make_walk(), hyperparameters=TINY, seed=0)
    return model.learn(48 * 3)


def test_training_on_muscles_continues_exactly_from_a_file(trained, tmp_path):
    trained.save(tmp_path / "model.zip")
    resumed = AggregatedPPO.load(tmp_path / "model.zip", make_walk())
    for model in (trained, resumed):
        model.learn(48 * 3, reset_num_timesteps=False)
    weights = [model.policy.state_dict() for model in (trained, resumed)]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_a_policy_of_muscles_is_scored_in_physical_units(trained):
    report = evaluate(trained, "ms_envs:MSEmu/Walk-v0", episodes=4, horizon=0.2, **LEGS)
    assert report.completion == 100
    assert 0 < report.errors["joint_angle_error"] < 30
    assert np.isfinite(list(report.penalised.values())).all()


@pytest.mark.parametrize(
    ("changes", "difference"), [({"strength": 1.5}, "strength 1.0, not 1.5"), ({"timestep": 0.0025}, "timestep")]
)
def test_a_policy_is_refused_by_a_body_it_was_not_made_for(trained, tmp_path, changes, difference):
    trained.save(tmp_path / "model.zip")
    with pytest.raises(ValueError, match=difference):
        AggregatedPPO.load(tmp_path / "model.zip", make_walk(**changes))


def test_another_control_is_refused_for_its_actions(trained, tmp_path):
    trained.save(tmp_path / "model.zip")
    with pytest.raises(ValueError, match="action space"):
        AggregatedPPO.load(tmp_path / "model.zip", make_walk(control="reflex"))


def test_policies_that_need_no_training_keep_a_supported_body_on_its_motion():
    arguments = {"body": "myo-legs", "threads": 1, "episodes": 2, "horizon": 0.3, "root_support": 40.0}
    errors = {}
    for policy in ("untrained", "reflex", "inverse"):
        report = evaluate(policy, "ms_envs:MSEmu/Walk-v0", **arguments)
        errors[policy] = report.errors["joint_angle_error"]
    assert max(errors["reflex"], errors["inverse"]) < 0.5 * errors["untrained"]
