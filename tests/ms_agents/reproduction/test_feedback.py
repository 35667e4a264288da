from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ms_agents.evaluation import make_evaluation_env
from ms_agents.identity import environment_identity
from ms_agents.planning import PlannerHyperparameters, PlanRequest
from ms_agents.planning.plan import Plan, SearchState
from ms_agents.planning.stage import Performance, make_stage
from ms_agents.reproduction.config import FeedbackHyperparameters, Perturbation
from ms_agents.reproduction.coordinates import Coordinates
from ms_agents.reproduction.dynamics import Samples, linear_models
from ms_agents.reproduction.feedback import Feedback, FeedbackPolicy, regulator_gains
from ms_agents.reproduction.identification import Identification
from ms_agents.reproduction.lessons import take_lessons
from ms_agents.reproduction.middle import Middle
from ms_agents.reproduction.nominal import Nominal

HP = PlannerHyperparameters(rollout_paths="fitted")
REQUEST = PlanRequest(
    "ms_envs:MSEmu/Walk-v0", {"body": "myo-legs", "muscle_paths": "fitted", "root_support": 40.0}, hyperparameters=HP
)
ROUND = 63
"""Control steps of a round of walking."""


@pytest.fixture(scope="module")
def env():
    made = make_stage(REQUEST, 4, 1)
    yield made
    made.close()


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Three rounds of walking on a support, with actions that differ from round to round."""
    env = make_stage(REQUEST, 1)
    performance = Performance(env)
    for step in range(3 * ROUND):
        performance.act(np.full(env.single_action_space.shape, 0.05 * (step // ROUND), np.float32))
    env.close()
    state = SearchState(np.zeros((1, 1)), {})
    return Plan(REQUEST, {}, {}, "complete", 3.78, 1.0, performance.rows(), state)


def test_states_displaced_by_a_deviation_deviate_by_it(env):
    env.reset(options={"phase": 0.3})
    qpos, qvel, _ = env.coordinates()
    coordinates = Coordinates(env.body)
    deviation = coordinates.scale(Perturbation()) * np.random.default_rng(0).standard_normal((4, coordinates.size))
    moved = coordinates.displaced(qpos, qvel, deviation)
    np.testing.assert_allclose(coordinates.between(*moved, qpos, qvel), deviation, atol=1e-9)
    np.testing.assert_array_equal(env.body.complete(moved[0].copy()), moved[0])


def test_the_nominal_trajectory_is_the_mean_of_later_rounds_on_the_motion(env, plan):
    nominal = Nominal.of_plan(plan, env.clip, env.body, env.control_timestep)
    assert len(nominal) == ROUND
    np.testing.assert_allclose(nominal.action, 0.075, atol=1e-6)
    early, late = nominal.at(np.array([0.5])), nominal.at(np.array([0.5 + env.clip.duration]))
    np.testing.assert_allclose(late["qpos"][0, :3] - early["qpos"][0, :3], env.clip.cycle_offset, atol=1e-12)
    np.testing.assert_array_equal(late["qvel"], early["qvel"])
    reference, _ = env.clip.coordinates(env.control_timestep * np.arange(ROUND))
    np.testing.assert_allclose((nominal.qpos - reference)[:, :2].mean(axis=0), 0.0, atol=1e-9)


def test_the_nominal_trajectory_of_a_single_round_is_refused(env, plan):
    short = replace(plan, rows={name: values[:ROUND] for name, values in plan.rows.items()})
    with pytest.raises(ValueError, match="at least two rounds"):
        Nominal.of_plan(short, env.clip, env.body, env.control_timestep)


def test_models_of_a_linear_system_are_the_system():
    generator, count, segments = np.random.default_rng(0), 3000, 3
    truth = generator.normal(size=(segments, 4, 9))
    state, before, offset = generator.normal(size=(count, 4)), *generator.normal(size=(2, count, 2))
    segment = generator.integers(0, segments, count)
    known = np.concatenate([state, before, offset, np.ones((count, 1))], axis=1)
    following = np.einsum("nij,nj->ni", truth[segment], known)
    samples = Samples(state, before, offset, following, segment)
    middle, units = np.zeros((segments, 4)), (np.ones(4), np.ones(2))
    alone = [linear_models(_only(samples, s), middle, False, 0.1, *units, 1e-6)[s] for s in range(segments)]
    np.testing.assert_allclose(alone, truth, atol=1e-6)


def _only(samples: Samples, segment: int) -> Samples:
    kept = samples.segment == segment
    return Samples(*(getattr(samples, name)[kept] for name in Samples.__dataclass_fields__))


def test_gains_keep_up_what_falls_and_is_pushed():
    """A pendulum upside down, pushed aside, whose motor remembers what it did last."""
    model = np.array([[1.0, 0.1, 0.0, 0.0, 0.0], [1.0, 1.0, 0.05, 0.1, 0.02]])
    models, cost, effort = np.tile(model, (4, 1, 1)), np.tile(np.eye(2), (4, 1, 1)), 0.05 * np.eye(1)
    mean = np.zeros((4, 1))
    for _ in range(40):  # the mean comes to what the push needs, however costly a difference from it is
        gains = regulator_gains(models, cost, effort, 1e-6 * np.eye(1), mean, loop=True)
        known = np.array([0.1, 0.0, 0.0, 1.0])
        for step in range(100):
            offset = gains[step % 4] @ known
            known = np.concatenate([model @ np.concatenate([known[:3], offset, [1.0]]), offset, [1.0]])
        mean = np.full((4, 1), offset[0])
    assert np.abs(known[:2]).max() < 1e-2
    assert known[2] == pytest.approx(-0.02 / 0.15, rel=0.05)
    assert np.abs(np.linalg.eigvals(model[:, :2])).max() > 1.2


def test_feedback_does_what_the_plan_did_where_the_plan_was(env, plan, tmp_path):
    nominal, coordinates = Nominal.of_plan(plan, env.clip, env.body, env.control_timestep), Coordinates(env.body)
    gains = np.random.default_rng(0).normal(size=(21, 3, coordinates.size + 4))
    gains[..., -1] = 0.0
    path = tmp_path / "feedback.npz"
    Feedback(nominal, coordinates, gains, 3, np.arange(3), 0.2).save(path, environment_identity(env))
    feedback = Feedback.load(path, env)
    time = env.control_timestep * np.array([0.0, 10.0, 70.0, 200.0])
    there = nominal.at(time)
    env.place(there["qpos"], there["qvel"], there["activation"], time)
    policy = FeedbackPolicy(feedback, env)
    np.testing.assert_allclose(policy.predict(np.zeros((4, 1), np.float32))[0], there["action"], atol=1e-6)
    env.place(
        *coordinates.displaced(there["qpos"], there["qvel"], np.full((4, coordinates.size), 0.05)),
        there["activation"],
        time,
    )
    action, _ = policy.predict(np.zeros((4, 1), np.float32))
    changed = np.abs(action - there["action"]) * 0.4
    assert (changed[:, :3].max(axis=1) > 0.01).all()
    assert changed[:, :3].max() <= 0.2 + 1e-6
    assert not changed[:, 3:].max() > 1e-6


def test_the_motion_itself_is_what_bodies_begin_at(env):
    nominal = Nominal.of_motion(env)
    assert len(nominal) == ROUND
    time = env.control_timestep * np.array([0.0, 17.0, 62.0, 63.0])
    env.reset(options={"phase": time / env.clip.duration % 1.0})
    there = nominal.at(time)
    for values, name in zip(env.coordinates()[1:], ("qvel", "activation"), strict=True):
        np.testing.assert_allclose(there[name], values, atol=1e-6)
    np.testing.assert_array_equal(there["action"], 0.0)


def test_the_middle_of_roll_outs_is_that_of_each_segment():
    state = np.array([[1.0], [3.0]] * 4 + [[9.0]])
    offset, segment = -state, np.array([0] * 8 + [1])
    middle = Middle(np.full((2, 1), 5.0), np.zeros((2, 1))).of(
        Samples(state, offset, offset, state, segment), scale=np.full(1, 1e6)
    )
    np.testing.assert_allclose(middle.state[:, 0], [2.0, 5.0])  # a single sample says too little
    np.testing.assert_allclose(middle.smooth_offset(loop=False)[:, 0], [-1.5, -0.5])
    np.testing.assert_allclose(middle.smooth_offset(loop=True)[:, 0], [-1.0, -1.0])


@pytest.mark.slow
def test_costlier_offsets_make_for_smaller_gains(plan):
    sizes = []
    for effort in (1e3, 1e6):
        constants = FeedbackHyperparameters(bodies=12, rounds=1, first_seconds=0.24, effort=effort)
        found = Identification(REQUEST, plan, constants, Perturbation(), seed=0, threads=1)
        gains = found.run(lambda number, upright: None).gains
        found.close()
        assert gains.shape[0] == ROUND // 3
        sizes.append(np.abs(gains).mean())
    assert 0.0 < 2 * sizes[1] < sizes[0]


@pytest.fixture
def fitted(monkeypatch) -> list[Samples]:
    """All samples that models were fitted to, one entry per fit."""
    seen: list[Samples] = []

    def watched(samples, *others):
        seen.append(samples)
        return linear_models(samples, *others)

    monkeypatch.setattr("ms_agents.reproduction.identification.linear_models", watched)
    return seen


def test_a_motion_that_ends_is_learnt_to_its_end_and_begun_anew(fitted):
    request = replace(REQUEST, id="ms_envs:MSEmu/Jump-v0")
    constants = FeedbackHyperparameters(bodies=4, rounds=2, first_seconds=0.1, seconds=3.0)
    with closing(Identification(request, None, constants, Perturbation(), seed=0, threads=1)) as identification:
        feedback = identification.run(lambda *_: None)
    assert not feedback.nominal.loop
    assert np.isfinite(feedback.gains).all()
    assert fitted[-1].segment.max() == len(feedback.nominal) // feedback.segment_steps - 1
    assert len(fitted[-1].segment) == 4 * (2 + 50)  # 0.1 s and 3 s of segments of 0.06 s


def test_bodies_that_fall_begin_anew(fitted):
    request = replace(REQUEST, env_kwargs={"body": "myo-legs", "muscle_paths": "fitted"})
    constants = FeedbackHyperparameters(bodies=4, rounds=2, first_seconds=0.1, seconds=3.0, limit=1e-3)
    reported: list[float] = []
    with closing(Identification(request, None, constants, Perturbation(), seed=0, threads=1)) as identification:
        identification.run(lambda _, endurance: reported.append(endurance))
    assert 0.3 < reported[1] < 2.5
    assert 0.9 * 4 * 52 < len(fitted[-1].segment) < 4 * 52


def test_the_feedback_is_that_under_which_bodies_fell_least_often(monkeypatch):
    constants = FeedbackHyperparameters(bodies=4, rounds=3, first_seconds=0.1, seconds=0.1)
    used: list[Feedback] = []
    with closing(Identification(REQUEST, None, constants, Perturbation(), seed=0, threads=1)) as identification:
        roll_out, endurances = identification._roll_out, iter([9.0, 1.0, 3.0, 2.0])

        def timed(feedback, seconds):
            used.append(feedback)
            return roll_out(feedback, seconds)[0], next(endurances)

        monkeypatch.setattr(identification, "_roll_out", timed)
        assert identification.run(lambda *_: None) is used[2]


def test_around_a_plan_half_of_the_bodies_begin_near_the_motion(plan):
    constants = FeedbackHyperparameters(bodies=8)
    little = Perturbation(1e-6, 1e-6, 1e-6, 1e-6, 1e-6, 1e-6)
    with closing(Identification(REQUEST, plan, constants, little, seed=0, threads=1)) as identification:
        identification._begin(np.ones(8, dtype=np.bool_))
        env = identification._env
        qpos, _, _ = env.coordinates()
        from_motion = np.abs(qpos - env.clip.coordinates(env.time)[0]).max(axis=1)
        from_plan = np.abs(qpos - identification._nominal.at(env.time)["qpos"]).max(axis=1)
    np.testing.assert_array_equal(from_plan < 1e-4, np.arange(8) % 2 == 0)
    np.testing.assert_array_equal(from_motion < 1e-4, np.arange(8) % 2 == 1)


def test_lessons_say_what_the_feedback_would_do_not_what_was_done(env, plan):
    nominal, coordinates = Nominal.of_plan(plan, env.clip, env.body, env.control_timestep), Coordinates(env.body)
    idle = Feedback(nominal, coordinates, np.zeros((21, 3, coordinates.size + 4)), 3, np.arange(3), 0.2)
    lessons = take_lessons(env, idle, None, Perturbation(), 0.3, 0.1, np.random.default_rng(0))
    assert [lesson.action.shape for lesson in lessons] == [(5, env.single_action_space.shape[0])] * 4
    for lesson in lessons:
        np.testing.assert_allclose(lesson.action, 0.075, atol=1e-6)
        assert lesson.observation.shape == (5, env.single_observation_space.shape[0])


def test_bodies_that_fall_begin_new_lessons():
    arguments = {"body": "myo-legs", "muscle_paths": "fitted", "control": "posture", "threads": 1}
    env: Any = make_evaluation_env(REQUEST.id, episodes=4, **arguments).unwrapped
    with closing(env):
        nominal, coordinates = Nominal.of_motion(env), Coordinates(env.body)
        idle = Feedback(nominal, coordinates, np.zeros((21, 3, coordinates.size + 4)), 3, np.arange(3), 0.2)
        lessons = take_lessons(env, idle, None, Perturbation(), 0.3, 4.0, np.random.default_rng(0))
        heights = [lesson.observation[:, env.observation_slices["root_height"]] for lesson in lessons]
    lengths = [len(lesson.action) for lesson in lessons]
    assert len(lessons) > 4
    assert 0.95 * 800 < sum(lengths) <= 800  # all of 4 s at 50 Hz, but for what fell at once
    assert max(np.abs(np.diff(height, axis=0)).max() for height in heights) < 0.05  # nobody is lifted within a lesson
    assert all(abs(height[0, 0] - 0.93) < 0.15 for height in heights)
