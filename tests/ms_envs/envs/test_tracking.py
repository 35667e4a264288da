from __future__ import annotations

import dataclasses

import gymnasium
import numpy as np
import pytest
from ms_envs.task.reward import DEFAULT_REWARD


def zeros(env) -> np.ndarray:
    return np.zeros(env.action_space.shape, dtype=np.float32)


@pytest.fixture(scope="module")
def once_path(squat_clip, tmp_path_factory):
    """The squat as a motion that does not loop."""
    path = tmp_path_factory.mktemp("clips") / "once.npz"
    dataclasses.replace(squat_clip, loop=False).save(path)
    return path


@pytest.mark.parametrize("phase", [0.0, 0.1, 0.377, 0.999])
def test_reset_puts_the_body_on_the_reference_at_the_phase(make_env, phase: float) -> None:
    env = make_env()
    _, info = env.reset(options={"phase": phase})
    assert info["phase"] == pytest.approx(phase)
    np.testing.assert_allclose(info["tracking_error"], 0, atol=2e-3)  # bodies between frames are interpolated
    np.testing.assert_allclose(info["tracking_error"][env.error_slices["joint_position"]], 0, atol=1e-6)


@pytest.mark.parametrize("phase", [-0.1, 1.0, np.nan])
def test_phase_outside_the_motion_is_refused(make_env, phase: float) -> None:
    with pytest.raises(ValueError, match=r"phase must be in \[0, 1\)"):
        make_env().reset(options={"phase": phase})


def test_unknown_reset_option_is_refused(make_env) -> None:
    with pytest.raises(ValueError, match="'time'.*'phase', 'reset_mask'"):
        make_env().reset(options={"time": 0.3})


def test_vector_takes_a_phase_per_environment(make_vector_env) -> None:
    _, info = make_vector_env(3).reset(options={"phase": np.array([0.1, 0.5, 0.9])})
    np.testing.assert_allclose(info["phase"], [0.1, 0.5, 0.9])


def test_uniform_resets_cover_the_motion_and_start_resets_do_not(make_vector_env) -> None:
    _, anywhere = make_vector_env(40).reset(seed=0)
    assert np.ptp(anywhere["phase"]) > 0.8
    _, start = make_vector_env(4, reset_distribution="start").reset(seed=0)
    assert not start["phase"].any()


def test_motion_that_ends_is_not_started_at_its_end(make_vector_env, once_path) -> None:
    _, info = make_vector_env(40, clip=once_path).reset(seed=0)
    assert info["phase"].max() <= 0.75


def test_reset_noise_perturbs_joints_within_their_limits(make_vector_env) -> None:
    env = make_vector_env(20, reset_noise=0.05)
    _, info = env.reset(seed=1, options={"phase": 0.3})
    joints = info["tracking_error"][:, env.error_slices["joint_position"]]
    assert 0.02 < joints.std() < 0.08
    _, again = env.reset(seed=1, options={"phase": 0.3})
    np.testing.assert_array_equal(again["tracking_error"], info["tracking_error"])


def test_body_is_compared_with_the_reference_of_the_same_instant(make_env) -> None:
    env = make_env(control="posture", lookahead=(0.02,))
    observation, _ = env.reset(options={"phase": 0.13})
    blocks, error = env.observation_slices, env.error_slices
    for _ in range(10):
        aim = observation[blocks["joint_position"]] + observation[blocks["reference_0_joint_position"]]
        observation, _, _, _, info = env.step(zeros(env))
        reached = observation[blocks["joint_position"]] + info["tracking_error"][error["joint_position"]]
        np.testing.assert_allclose(reached, aim, atol=1e-5)


def test_phase_advances_by_one_control_step(make_env) -> None:
    env = make_env(control="posture")
    env.reset(options={"phase": 0.98})
    phases = [env.step(zeros(env))[4]["phase"] for _ in range(4)]
    np.testing.assert_allclose(phases, [0.99, 0.0, 0.01, 0.02], atol=1e-9)


def test_metrics_agree_with_the_tracking_error(make_env) -> None:
    env = make_env(control="posture")
    env.reset(seed=0)
    for _ in range(5):
        info = env.step(zeros(env))[4]
    error, blocks = info["tracking_error"], env.error_slices
    joints, root = error[blocks["joint_position"]], error[blocks["root_position"]]
    bodies = error[blocks["key_position"]].reshape(-1, 3)
    metrics = info["metrics"]
    assert metrics["joint_angle_error"] == pytest.approx(np.rad2deg(np.abs(joints).mean()), rel=1e-5)
    assert metrics["root_position_error"] == pytest.approx(1e3 * np.linalg.norm(root), rel=1e-5)
    assert metrics["body_position_error"] == pytest.approx(1e3 * np.linalg.norm(bodies, axis=1).mean(), rel=1e-5)
    assert metrics["joint_angle_error"] > 0.01


def test_looping_motion_is_truncated_at_the_horizon(make_env) -> None:
    env = make_env(control="posture", horizon=0.2, root_termination=9.0, key_body_termination=9.0)
    env.reset(options={"phase": 0.9})
    ends = [env.step(zeros(env))[2:4] for _ in range(10)]
    assert ends == [(False, False)] * 9 + [(False, True)]


def test_looping_motion_lasts_ten_seconds_by_default(make_vector_env) -> None:
    env = make_vector_env(2)
    env.reset()
    assert (env._last_step == 500).all()


@pytest.mark.parametrize(("phase", "steps"), [(0.9, 10), (0.99, 1), (0.999, 1)])
def test_other_motion_is_truncated_at_its_end(make_env, once_path, phase: float, steps: int) -> None:
    env = make_env(clip=once_path, control="posture", root_termination=9.0, key_body_termination=9.0)
    env.reset(options={"phase": phase})
    ends = [env.step(zeros(env))[2:4] for _ in range(steps)]
    assert ends == [(False, False)] * (steps - 1) + [(False, True)]


@pytest.mark.parametrize("limit", ["root_termination", "key_body_termination"])
def test_tight_limit_terminates_and_wide_limit_does_not(make_env, limit: str) -> None:
    other = {"root_termination": 9.0, "key_body_termination": 9.0}
    for value, expected in ((1e-4, True), (9.0, False)):
        env = make_env(**other | {limit: value})
        env.reset(options={"phase": 0.25})
        _, _, terminated, truncated, _ = env.step(zeros(env))
        assert (terminated, truncated) == (expected, False)


def test_divergence_ends_the_episode_with_a_flag_and_no_reward(make_vector_env) -> None:
    env = make_vector_env(2, autoreset_mode="Disabled")
    env.reset(seed=0)
    env._engine.data[1].qvel[8] = 1e8
    observations, rewards, terminated, truncated, info = env.step(env.action_space.sample())
    assert terminated.tolist() == info["diverged"].tolist() == [False, True]
    assert not truncated.any()
    assert rewards[1] == 0
    assert np.isfinite(observations).all()
    assert np.isfinite(info["tracking_error"]).all()


def test_reward_is_the_weighted_sum_of_its_terms(make_env) -> None:
    env = make_env(control="posture")
    env.reset(seed=0)
    _, reward, _, _, info = env.step(zeros(env))
    assert reward == pytest.approx(sum(w * info["reward_terms"][term] for term, w in DEFAULT_REWARD.items()))
    assert 0.5 < reward <= 1.0


def test_reward_weights_can_be_replaced(make_env) -> None:
    env = make_env(control="posture", reward_terms={"effort": -1.0})
    env.reset(seed=0)
    _, reward, _, _, info = env.step(zeros(env))
    assert reward == pytest.approx(-info["metrics"]["effort"])


def test_activations_of_the_clip_are_those_of_the_start(make_env, squat_clip, tmp_path) -> None:
    activation = np.full((101, 80), 0.6)
    dataclasses.replace(squat_clip, activation=activation).save(tmp_path / "active.npz")
    for strength, expected in ((1.0, 0.6), (2.0, 0.3)):
        env = make_env(clip=tmp_path / "active.npz", strength=strength)
        observation, _ = env.reset(seed=0)
        np.testing.assert_allclose(observation[env.observation_slices["muscle_activation"]], expected, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_actions_that_are_not_finite_are_refused(make_env, value: float) -> None:
    env = make_env()
    env.reset()
    with pytest.raises(ValueError, match="finite"):
        env.step(np.full(env.action_space.shape, value))


def test_actions_of_the_wrong_shape_are_refused(make_vector_env) -> None:
    env = make_vector_env(3)
    env.reset()
    with pytest.raises(ValueError, match=r"shape \(3, 80\), got \(80,\)"):
        env.step(np.zeros(80))


@pytest.mark.parametrize("started", [True, False])
def test_stepping_past_the_end_is_refused(make_env, started: bool) -> None:
    env = make_env(horizon=0.02)
    if started:
        env.reset()
        env.step(zeros(env))
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(zeros(env))


def test_scale_widens_and_tightens_the_limits(make_env) -> None:
    env = make_env(root_termination=0.1, key_body_termination=0.1)
    ends = {}
    for scale in (1e-3, 1.0, 50.0):
        env.set_termination_scale(scale)
        env.reset(options={"phase": 0.25})
        ends[scale] = next(step for step in range(60) if env.step(zeros(env))[2] or step == 59)
    assert ends[1e-3] == 0 < ends[1.0] < ends[50.0] == 59


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_unusable_scale_of_termination_is_refused(make_env, scale: float) -> None:
    with pytest.raises(ValueError, match="scale of termination"):
        make_env().set_termination_scale(scale)


@pytest.mark.parametrize(
    "options", [{}, {"action_smoothing": 0.05}, {"objectives": ("action_rate",)}], ids=["plain", "smooth", "rate"]
)
def test_saved_state_continues_bit_for_bit(make_vector_env, options) -> None:
    options = {"horizon": 0.1, "reset_noise": 0.02} | options
    env, other = make_vector_env(3, **options), make_vector_env(3, **options)
    env.reset(seed=3)
    actions = np.random.default_rng(0).uniform(size=(15, 3, 80)).astype(np.float32)
    for action in actions[:7]:
        observations = env.step(action)[0]
    saved = {name: values.copy() for name, values in env.get_state().items()}
    np.testing.assert_array_equal(other.set_state(saved), observations)
    for action in actions[7:]:
        (*values, info), (*others, other_info) = env.step(action), other.step(action)
        for left, right in zip(values, others, strict=True):
            np.testing.assert_array_equal(left, right)
        np.testing.assert_array_equal(info["tracking_error"], other_info["tracking_error"])


def test_state_of_another_number_of_environments_is_refused(make_vector_env) -> None:
    with pytest.raises(ValueError, match="of 2 environments, this one has 3"):
        make_vector_env(3).set_state(make_vector_env(2).get_state())


@pytest.mark.parametrize("signals", [(), ("force",), ("activation", "length", "velocity", "force")])
def test_muscle_signals_are_observed_as_asked(make_env, signals: tuple[str, ...]) -> None:
    env = make_env(muscle_signals=signals)
    names = [name for name in env.observation_slices if name.startswith("muscle_")]
    assert names == [f"muscle_{signal}" for signal in signals]
    assert env.observation_space.contains(env.reset(seed=0)[0])


def test_strength_makes_muscles_stronger(make_env) -> None:
    forces = []
    for strength in (1.0, 2.0):
        env = make_env(strength=strength, muscle_signals=("force",))
        env.reset(options={"phase": 0.0})
        env.step(np.ones(80, dtype=np.float32))
        forces.append(np.abs(env.vector._engine.data[0].actuator_force).sum())
    assert 1.5 < forces[1] / forces[0] < 2.5


def test_render_without_a_mode_warns_and_gives_nothing(make_vector_env) -> None:
    env = make_vector_env(1)
    env.reset()
    with pytest.warns(UserWarning, match="render_mode"):
        assert env.render() is None
