from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from ms_agents import TrackingReport, evaluate
from ms_agents.evaluation import protocol_phases
from ms_agents.report import comparison_markdown


class Follower:
    """Holds the point mass on the circle by feedback, until a step at which it lets go."""

    def __init__(self, gain: float = 1.0, let_go_after: int = 10**9) -> None:
        self.gain, self.steps_left = gain, let_go_after

    def predict(self, observation, *, deterministic=False):
        assert deterministic
        self.steps_left -= 1
        error = observation[:, 4:]
        action = self.gain * (4 * error[:, :2] + 0.8 * error[:, 2:] + [0.0, 0.25])
        return (np.clip(action, -1, 1) if self.steps_left >= 0 else np.ones_like(action)).astype(np.float32), None


def test_half_the_episodes_start_at_the_beginning_and_half_evenly_spaced():
    assert protocol_phases(6).tolist() == pytest.approx([0, 0, 0, 1 / 6, 1 / 2, 5 / 6])
    assert protocol_phases(1).tolist() == [0]


def test_a_good_policy_completes_every_episode():
    report = evaluate(Follower(), "PointMass-v0", episodes=6, horizon=2.0)
    assert (report.coverage, report.completion, report.survival) == (100, 100, pytest.approx(2.0))
    assert report.penalised["root_position_error"] == pytest.approx(report.errors["root_position_error"])
    assert set(report.failures.values()) == {0}
    assert "effort" not in report.penalised


def test_lost_frames_are_charged_the_error_at_termination():
    horizon, step = 2.0, 0.05
    report = evaluate(Follower(let_go_after=20), "PointMass-v0", episodes=4, horizon=horizon)
    assert report.completion == 0 and report.failures["root"] == 100
    for i in range(4):
        tracked = round(report.per_episode["survival"][i] / step)
        assert 20 <= tracked < 39
        mean, penalised = (report.per_episode[f"{p}root_position_error"][i] for p in ("", "penalised_"))
        charged = (penalised * 40 - mean * tracked) / (40 - tracked)
        assert charged > 500  # beyond the limit that ended the episode
        assert report.per_episode["coverage"][i] == pytest.approx(100 * tracked / 40)


def test_coverage_of_a_clip_counts_only_the_frames_left_after_the_start():
    report = evaluate(Follower(), "PointMass-v0", episodes=4, loop=False)
    assert report.coverage == report.completion == 100
    assert report.horizon is None
    assert report.per_episode["survival"] == pytest.approx([2.0, 2.0, 1.5, 0.5])


def test_divergence_is_a_failure_of_its_own():
    report = evaluate(Follower(), "PointMass-v0", episodes=4, horizon=2.0, diverge_at=10)
    assert report.failures == {"root": 0, "key_body": 0, "diverged": 100}
    assert report.per_episode["coverage"] == pytest.approx([100 * 9 / 40] * 4)
    assert np.isfinite(list(report.penalised.values())).all()


def test_scoring_uses_the_limits_of_the_protocol_whatever_the_caller_says():
    loose = evaluate("untrained", "PointMass-v0", episodes=4, horizon=2.0, root_termination=50.0)
    assert loose == evaluate("untrained", "PointMass-v0", episodes=4, horizon=2.0)
    assert loose.completion == 0 and loose.policy == "untrained"


def test_a_report_survives_json_and_makes_a_table():
    report = evaluate("untrained", "PointMass-v0", episodes=2, horizon=1.0)
    assert TrackingReport.from_json(report.to_json()) == report
    table = comparison_markdown([report, report])
    assert "| | untrained | untrained |" in table and "root position error, penalised (mm)" in table


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="'untrained'"):
        evaluate("best", "PointMass-v0")


def test_a_policy_that_needs_another_control_is_refused():
    with pytest.raises(ValueError, match="needs control='reflex', got 'posture'"):
        evaluate("reflex", "ms_envs:MSEmu/Walk-v0", control="posture")


def test_the_inverse_policy_is_refused_by_an_environment_without_muscles():
    env = gymnasium.make_vec("PointMass-v0", num_envs=2)
    with pytest.raises(ValueError, match="ms_envs"):
        evaluate("inverse", env)


def test_episodes_start_at_the_phases_asked_for():
    report = evaluate("untrained", "PointMass-v0", phases=(0.25, 0.5), horizon=1.0)
    assert report.per_episode["phase"] == [0.25, 0.5]
    with pytest.raises(ValueError, match="3 phases for 2 environments"):
        evaluate("untrained", gymnasium.make_vec("PointMass-v0", num_envs=2), phases=(0.0, 0.1, 0.2))
