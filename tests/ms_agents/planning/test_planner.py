from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from ms_agents.planning import Plan, Planner, PlannerHyperparameters, PlanRequest, evaluate_plan, replay, score
from ms_agents.planning.export import plan_clip, write_opensim
from ms_agents.planning.plan import rounded
from ms_agents.planning.rollouts import Rollouts
from ms_agents.planning.stage import make_stage, reflex_gains
from ms_envs.inverse import read_storage

HP = PlannerHyperparameters(segment=0.04, horizon=2, samples=3, iterations=2)
REQUEST = PlanRequest("ms_envs:MSEmu/Walk-v0", {"body": "myo-legs"}, seconds=0.1, seed=5, hyperparameters=HP)
NARROW = replace(REQUEST, seconds=0.4, hyperparameters=replace(HP, root_limit=0.002, retreats=2))


@pytest.fixture(scope="module")
def planned(tmp_path_factory) -> Plan:
    planner = Planner(REQUEST, threads=1)
    path = tmp_path_factory.mktemp("plan") / "plan.npz"
    planner.run(path)
    planner.close()
    return Plan.load(path)


def test_a_plan_covers_its_time_with_a_shorter_last_segment(planned):
    assert planned.status == "complete"
    np.testing.assert_allclose(planned.rows["time"], 0.02 * np.arange(1, 6))
    assert planned.actions.shape == (5, 14)
    assert np.abs(planned.actions).max() > 0.01
    assert score(planned).completed


def test_an_interrupted_search_continues_to_the_same_plan(planned, tmp_path):
    path = tmp_path / "plan.npz"
    for _ in range(3):
        planner = Planner(REQUEST, threads=1)
        if path.is_file():
            planner.resume(Plan.load(path))
        spent = planner.core_seconds
        planner.run(path, core_minutes=(spent + 1e-3) / 60)  # one segment and no more
        planner.close()
    assert Plan.load(path).status == "complete"
    np.testing.assert_array_equal(Plan.load(path).actions, planned.actions)
    np.testing.assert_array_equal(Plan.load(path).rows["qpos"], planned.rows["qpos"])


@pytest.fixture(scope="module")
def fallen(tmp_path_factory) -> tuple[Plan, list[Plan]]:
    """A plan that had to be given up, and all the plans on the way to it."""
    planner, history = Planner(NARROW, threads=1), list[Plan]()
    path = tmp_path_factory.mktemp("plan") / "plan.npz"
    planner.run(path, report=lambda plan, _: history.append(plan))
    planner.close()
    return Plan.load(path), history


def test_a_search_goes_back_after_a_fall_keeps_the_farthest_and_gives_up(fallen):
    plan, history = fallen
    assert (plan.status, plan.search.retreat.attempts) == ("failed", 3)
    assert any(entry.search.actions is not None and len(entry.search.actions) < len(entry.actions) for entry in history)
    assert len(plan.actions) == max(len(entry.actions) for entry in history) == plan.search.retreat.obstacle
    assert plan.rows["metric_root_position_error"][-1] > 2 >= plan.rows["metric_root_position_error"][-2]
    np.testing.assert_array_equal(replay(plan)["qpos"], plan.rows["qpos"])


def test_a_search_interrupted_after_it_went_back_gives_up_at_the_same_plan(fallen, tmp_path):
    def interrupt(plan: Plan, _: dict[str, float]) -> None:
        if plan.search.actions is not None:
            raise KeyboardInterrupt

    path = tmp_path / "plan.npz"
    first, second = Planner(NARROW, threads=1), Planner(NARROW, threads=1)
    with pytest.raises(KeyboardInterrupt):
        first.run(path, report=interrupt)
    second.resume(Plan.load(path))
    second.run(path)
    first.close()
    second.close()
    np.testing.assert_array_equal(Plan.load(path).actions, fallen[0].actions)
    assert Plan.load(path).search.generator == fallen[0].search.generator


def test_a_replay_is_bit_exact_and_a_changed_plan_is_not(planned):
    rows = replay(planned)
    for name in ("qpos", "qvel", "activation", "excitation"):
        np.testing.assert_array_equal(rounded(name, rows[name]), planned.rows[name])
    actions = planned.actions.copy()
    actions[0, 0] += 1e-3
    assert not np.array_equal(replay(replace(planned, rows={"action": actions}))["qpos"], planned.rows["qpos"])


def test_the_protocol_sees_the_errors_of_the_plan(planned):
    report = evaluate_plan(planned)
    assert (report.policy, report.coverage, report.horizon) == ("plan", 100.0, pytest.approx(0.1))
    assert report.errors["joint_angle_error"] == pytest.approx(score(planned).joint_angle_error, rel=1e-6)


@pytest.mark.slow
def test_a_replay_in_a_fresh_process_is_bit_exact(planned, tmp_path):
    planned.save(tmp_path / "plan.npz")
    command = "from ms_agents.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "replay", str(tmp_path / "plan.npz")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "bit-exact" in done.stdout


@pytest.mark.parametrize(("name", "value"), [("body_hash", "ffff"), ("clip_hash", "ffff"), ("strength", 2.0)])
def test_a_plan_of_another_body_clip_or_strength_is_refused_by_name(planned, name, value):
    other = replace(planned, identity={**planned.identity, name: value})
    with pytest.raises(ValueError, match=f"the plan was made for another environment: {name} {value!r}"):
        replay(other)


def test_another_request_does_not_continue_a_plan(planned):
    planner = Planner(replace(REQUEST, seed=6), threads=1)
    with pytest.raises(ValueError, match="other settings"):
        planner.resume(planned)
    planner.close()


def test_what_planning_sets_itself_is_refused():
    with pytest.raises(ValueError, match="planning sets horizon itself"):
        make_stage(replace(REQUEST, env_kwargs={"body": "myo-legs", "horizon": 1.0}), 1)


def test_gains_are_those_given_and_else_those_of_the_body():
    assert reflex_gains({"body": "myo-fullbody", "reflex": {"damping": 0.5}}) == {
        "tone": 0.0,
        "stiffness": 20.0,
        "damping": 0.5,
    }
    assert reflex_gains({"body": "ms-human-700"}) == {"tone": 0.0, "stiffness": 50.0, "damping": 3.0}


def test_equal_sequences_cost_the_same_and_what_they_come_to_when_done():
    one, several = make_stage(REQUEST, 1), make_stage(REQUEST, 3, threads=1)
    hp = replace(HP, final_weight=1.0, tolerances=replace(HP.tolerances, offset=float("inf")))
    rollouts = Rollouts(several, hp)
    sequence = np.random.default_rng(0).normal(0, 0.1, (2, len(rollouts.joints)))
    costs = rollouts.costs(one, np.stack([sequence, sequence, 2 * sequence]), [2, 2])
    assert costs[0] == costs[1] != costs[2]
    done = 0.0
    for offset in sequence:
        for _ in range(2):
            one.step(rollouts.actions(offset[None]))
        done += sum(rollouts.terms(one).values())
    assert costs[0] == pytest.approx(done, rel=1e-12)
    one.close()
    several.close()


def test_the_cost_is_the_activation_alone_on_the_reference_and_more_beside_it():
    env = make_stage(REQUEST, 1)
    rollouts = Rollouts(env, HP)
    on_it = rollouts.terms(env)
    assert sum(on_it.values()) - on_it["activation"] < 1e-3
    for _ in range(10):
        env.step(np.ones((1, 14), dtype=np.float32))
    beside = rollouts.terms(env)
    assert beside["joint_angle"] > 0.1
    assert beside["capture_point"] > 0.1
    env.close()


def test_a_fall_costs_more_than_any_tracking_error():
    env = make_stage(REQUEST, 2, threads=1)
    rollouts = Rollouts(env, replace(HP, height_limit=0.01))
    origin = make_stage(REQUEST, 1)
    sequences = np.zeros((2, 2, len(rollouts.joints)))
    sequences[1] = 0.4
    costs = rollouts.costs(origin, sequences, [5, 5])
    assert costs[0] < HP.failure_cost < costs[1]
    env.close()


def test_a_plan_becomes_a_clip_and_tables(planned, tmp_path, legs):
    clip = plan_clip(planned)
    clip.check_fits(legs)
    np.testing.assert_array_equal(clip.qpos[1:], planned.rows["qpos"])
    write_opensim(planned, tmp_path, "walk")
    table = read_storage(tmp_path / "walk_excitations.sto")
    assert table.labels == legs.muscle_names
    np.testing.assert_allclose(table.values, planned.rows["excitation"], rtol=1e-9)
    assert len(read_storage(tmp_path / "walk.mot").time) == 6


def test_rollouts_with_fitted_paths_foresee_the_exact_ones():
    origin = make_stage(REQUEST, 1)
    exact, fitted = make_stage(REQUEST, 1, threads=1), make_stage(REQUEST, 1, threads=1, muscle_paths="fitted")
    sequence = np.full((1, 2, len(Rollouts(exact, HP).joints)), 0.1)
    costs = [Rollouts(env, HP).costs(origin, sequence, [2, 2])[0] for env in (exact, fitted)]
    assert costs[0] != costs[1]
    assert costs[1] == pytest.approx(costs[0], rel=0.05)
    for env in (origin, exact, fitted):
        env.close()
