from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from ms_envs.bodies import Body, load_body
from ms_envs.envs.control import ExcitationControl, PostureControl, ReflexControl, ReflexGains
from ms_envs.envs.reflex_law import SHORTENING
from ms_envs.motions.clip import MotionClip
from ms_envs.motions.muscle_table import MuscleTable
from ms_envs.physics import ReflexCommand

TIME = np.array([0.3, 1.1])
GAINS = ReflexGains()


@pytest.fixture(scope="module")
def reflex(legs: Body, squat_clip: MotionClip) -> ReflexControl:
    return ReflexControl(legs, squat_clip, GAINS)


@pytest.fixture(scope="module")
def posture(legs: Body, squat_clip: MotionClip) -> PostureControl:
    return PostureControl(legs, squat_clip, GAINS)


@pytest.fixture(scope="module")
def on_reference(legs: Body, squat_clip: MotionClip) -> tuple[np.ndarray, np.ndarray]:
    """Muscle lengths and velocities of a body exactly on the squat."""
    length, velocity, _ = MuscleTable(squat_clip, legs, moment_arms=False).at(TIME)
    return length, velocity


def excitation(command: ReflexCommand, length: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    return command.bias + command.length_gain * length + command.velocity_gain * velocity


def test_excitation_is_the_action_clipped_into_the_box(legs: Body) -> None:
    control = ExcitationControl(legs)
    action = np.linspace(-1, 2, 160).reshape(2, 80)
    np.testing.assert_allclose(control.command(action, TIME), np.clip(action, 0, 1))
    assert control.action_space.shape == (80,)
    assert (control.action_space.low.min(), control.action_space.high.max()) == (0, 1)


def test_body_on_the_reference_gets_the_tone(reflex: ReflexControl, on_reference) -> None:
    command = reflex.command(np.zeros((2, 80)), TIME)
    np.testing.assert_allclose(excitation(command, *on_reference), GAINS.tone, atol=1e-9)


def test_stretch_and_stretch_rate_excite(legs: Body, reflex: ReflexControl, on_reference) -> None:
    length, velocity = on_reference
    command = reflex.command(np.zeros((2, 80)), TIME)
    l0 = legs.optimal_fiber_length
    np.testing.assert_allclose(
        excitation(command, length + 0.01 * l0, velocity) - GAINS.tone, 0.01 * GAINS.stiffness, atol=1e-9
    )
    np.testing.assert_allclose(
        excitation(command, length, velocity + 0.1 * l0) - GAINS.tone, 0.1 * GAINS.damping, atol=1e-9
    )


@pytest.mark.parametrize(("feedforward", "strength"), [(0.0, 1.0), (0.5, 1.0), (1.0, 2.0)])
def test_activations_of_the_clip_are_fed_forward(
    squat_clip: MotionClip, on_reference, feedforward: float, strength: float
) -> None:
    active = dataclasses.replace(squat_clip, activation=np.full((101, 80), 0.4))
    control = ReflexControl(load_body("myo-legs", strength=strength), active, ReflexGains(feedforward=feedforward))
    reached = excitation(control.command(np.zeros((2, 80)), TIME), *on_reference)
    np.testing.assert_allclose(reached, GAINS.tone + feedforward * 0.4 / strength, atol=1e-9)


def test_delayed_reflex_compares_with_the_reference_of_that_time(legs: Body, squat_clip: MotionClip) -> None:
    control = ReflexControl(legs, squat_clip, ReflexGains(delay=0.1))
    earlier = MuscleTable(squat_clip, legs, moment_arms=False).at(TIME - 0.1)[:2]
    np.testing.assert_allclose(excitation(control.command(np.zeros((2, 80)), TIME), *earlier), GAINS.tone, atol=1e-9)


@pytest.mark.parametrize("muscle", [0, 17, 79])
def test_positive_reflex_action_excites_that_muscle_alone(reflex: ReflexControl, on_reference, muscle: int) -> None:
    action = np.zeros((2, 80))
    action[:, muscle] = 0.5
    raised = excitation(reflex.command(action, TIME), *on_reference) - GAINS.tone
    np.testing.assert_allclose(raised[:, muscle], GAINS.stiffness * SHORTENING * 0.5, atol=1e-9)
    np.testing.assert_allclose(np.delete(raised, muscle, axis=1), 0, atol=1e-9)


def test_no_posture_action_is_no_reflex_action(reflex: ReflexControl, posture: PostureControl) -> None:
    a, b = reflex.command(np.zeros((2, 80)), TIME), posture.command(np.zeros((2, 14)), TIME)
    for left, right in zip(a, b, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-12)


def test_asking_for_more_knee_flexion_excites_flexors_and_relaxes_extensors(
    legs: Body, posture: PostureControl, on_reference
) -> None:
    knee = legs.joint_roles["knee_r"][0]
    action = np.zeros((2, 14))
    action[:, knee] = 0.25
    raised = (excitation(posture.command(action, TIME), *on_reference) - GAINS.tone)[0]
    by_name = dict(zip(legs.muscle_names, raised, strict=True))
    assert by_name["bfsh_r"] > 0.01
    assert by_name["vaslat_r"] < -0.01
    assert abs(by_name["bfsh_l"]) < 1e-9


@pytest.mark.parametrize("name", ["reflex", "posture"])
def test_actions_outside_the_box_count_as_its_edge(request: pytest.FixtureRequest, name: str) -> None:
    control = request.getfixturevalue(name)
    ones = np.ones((2, *control.action_space.shape))
    for left, right in zip(control.command(7 * ones, TIME), control.command(ones, TIME), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(("control", "size"), [("excitation", 80), ("reflex", 80), ("posture", 14)])
def test_observations_do_not_depend_on_the_control(make_env, control: str, size: int) -> None:
    env, other = make_env(control=control), make_env()
    assert env.action_space.shape == (size,)
    assert env.observation_space == other.observation_space
    np.testing.assert_array_equal(env.reset(seed=4)[0], other.reset(seed=4)[0])


def test_reflex_action_raises_the_activation_of_its_muscle(make_env) -> None:
    env = make_env(control="reflex")
    activations = []
    for level in (0.0, 1.0):
        env.reset(options={"phase": 0.2})
        action = np.zeros(80, dtype=np.float32)
        action[5] = level
        activations.append(env.step(action)[0][env.observation_slices["muscle_activation"]])
    raised = activations[1] - activations[0]
    assert raised[5] > 0.1
    assert np.abs(np.delete(raised, 5)).max() < 0.1 * raised[5]


def test_reflex_keeps_the_body_on_the_reference_longer_than_no_excitation(make_env) -> None:
    steps = {}
    for control in ("excitation", "reflex"):
        env = make_env(control=control, root_termination=0.2)
        env.reset(options={"phase": 0.0})
        steps[control] = 1
        while not any(env.step(np.zeros(env.action_space.shape))[2:4]):
            steps[control] += 1
    assert steps["reflex"] > 1.2 * steps["excitation"]


def test_support_keeps_an_inert_body_on_the_reference(make_env) -> None:
    errors = {}
    for support in (0.0, 40.0):
        env = make_env(root_support=support, root_termination=10.0, key_body_termination=10.0)
        env.reset(options={"phase": 0.0})
        for _ in range(40):
            info = env.step(np.zeros(env.action_space.shape))[4]
        errors[support] = info["metrics"]["root_position_error"]
    assert errors[40.0] < 30 < 100 < errors[0.0]
