from __future__ import annotations

import mujoco
import numpy as np
import pytest
from ms_envs.bodies import Body
from ms_envs.motions.clip import MotionClip
from ms_envs.physics import CpuEngine, ReflexCommand, RootSupport
from ms_envs.task.state import BodyState

SUBSTEPS = 10


@pytest.fixture
def make_engine(legs: Body, squat_clip: MotionClip):
    """Builds engines whose bodies are spread over the squat, and stops their threads afterwards."""
    engines = []

    def build(num_envs: int = 3, threads: int = 1, **options) -> CpuEngine:
        engine = CpuEngine(legs, num_envs, SUBSTEPS, threads, **options)
        engines.append(engine)
        qpos, qvel = squat_clip.coordinates(np.linspace(0, 1.5, num_envs))
        engine.reset(np.arange(num_envs), qpos, qvel, np.full((num_envs, legs.model.nu), 0.05))
        return engine

    yield build
    for engine in engines:
        engine.close()


def excitations(seed: int, steps: int, num_envs: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 0.5, (steps, num_envs, 80))


def all_active(engine: CpuEngine) -> np.ndarray:
    return np.ones(engine.num_envs, dtype=bool)


def arrays_of(state: BodyState) -> list[np.ndarray]:
    return [*state.pose, *state.muscles, state.diverged]


def assert_same(a: CpuEngine, b: CpuEngine) -> None:
    for left, right in zip(arrays_of(a.state()), arrays_of(b.state()), strict=True):
        np.testing.assert_array_equal(left, right)


def test_engine_moves_as_plain_mujoco_does(legs: Body, squat_clip: MotionClip, make_engine) -> None:
    engine, plain = make_engine(), mujoco.MjData(legs.model)
    qpos, qvel = squat_clip.coordinates(np.linspace(0, 1.5, 3))
    plain.qpos[:], plain.qvel[:], plain.act[:] = qpos[1], qvel[1], 0.05
    mujoco.mj_forward(legs.model, plain)
    for command in excitations(0, 20):
        engine.step(command, all_active(engine))
        plain.ctrl[:] = command[1]
        for _ in range(SUBSTEPS):
            mujoco.mj_step(legs.model, plain)
    pose, muscles = engine.state().pose, engine.state().muscles
    np.testing.assert_array_equal(pose.joint_position[1], plain.qpos[legs.qpos_index])
    np.testing.assert_array_equal(pose.joint_velocity[1], plain.qvel[legs.dof_index])
    np.testing.assert_array_equal(muscles.activation[1], plain.act)


def test_positions_and_lengths_belong_to_the_end_of_the_step(legs: Body, make_engine) -> None:
    engine, fresh = make_engine(1), mujoco.MjData(legs.model)
    engine.step(excitations(0, 1, 1)[0], all_active(engine))
    fresh.qpos[:] = engine.coordinates()[0][0]
    fresh.qvel[:] = engine.data[0].qvel
    mujoco.mj_forward(legs.model, fresh)
    state = engine.state()
    np.testing.assert_allclose(state.pose.key_position[0], fresh.xpos[legs.key_body_ids], atol=1e-12)
    np.testing.assert_allclose(state.muscles.length[0], fresh.actuator_length, atol=1e-12)
    np.testing.assert_allclose(state.muscles.velocity[0], fresh.actuator_velocity, atol=1e-12)


def test_angular_velocity_is_in_the_world_frame(legs: Body, make_engine) -> None:
    engine = make_engine(1)
    qpos, qvel = legs.model.qpos0[None].copy(), np.zeros((1, legs.model.nv))
    qpos[0, 3:7] = [np.cos(np.pi / 4), np.sin(np.pi / 4), 0, 0]  # a quarter turn about x: the body's z is world −y
    qvel[0, 5] = 1.0
    engine.reset(np.array([0]), qpos, qvel, np.zeros((1, 80)))
    np.testing.assert_allclose(engine.state().pose.root_angular_velocity[0], [0, -1, 0], atol=1e-12)


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_do_not_change_results(make_engine, threads: int) -> None:
    alone, threaded = make_engine(7, 1), make_engine(7, threads)
    for command in excitations(1, 5, 7):
        for engine in (alone, threaded):
            engine.step(command, all_active(engine))
    assert_same(alone, threaded)


def test_bodies_do_not_influence_each_other(make_engine) -> None:
    engine, other = make_engine(), make_engine()
    for command in excitations(2, 5):
        engine.step(command, all_active(engine))
        disturbed = command.copy()
        disturbed[0] = 1.0
        other.step(disturbed, all_active(other))
    for left, right in zip(arrays_of(engine.state()), arrays_of(other.state()), strict=True):
        np.testing.assert_array_equal(left[1:], right[1:])
    assert (engine.state().muscles.activation[0] != other.state().muscles.activation[0]).any()


def test_inactive_bodies_stand_still(make_engine) -> None:
    engine = make_engine()
    before = arrays_of(engine.state())
    engine.step(excitations(3, 1)[0], np.array([True, False, True]))
    after = arrays_of(engine.state())
    for left, right in zip(before, after, strict=True):
        np.testing.assert_array_equal(left[1], right[1])
    assert (before[4][0] != after[4][0]).any()


def test_saved_state_continues_bit_for_bit(make_engine) -> None:
    engine, continued = make_engine(), make_engine()
    commands = excitations(4, 12)
    for command in commands[:6]:
        engine.step(command, all_active(engine))
    saved = {name: values.copy() for name, values in engine.get_state().items()}
    continued.set_state(saved)
    assert_same(engine, continued)
    for command in commands[6:]:
        for e in (engine, continued):
            e.step(command, all_active(e))
        assert_same(engine, continued)


def test_reflex_law_equals_excitations_computed_outside(make_engine) -> None:
    reflex, held = make_engine(1), make_engine(1)
    reflex.substeps = held.substeps = 1
    reflex._control_step = held._control_step = held.model.opt.timestep
    bias, stiffness, damping = np.full((1, 80), -2.0), np.full(80, 15.0), np.full(80, 0.3)
    for _ in range(20):
        muscles = held.state().muscles
        held.step(bias + stiffness * muscles.length + damping * muscles.velocity, np.array([True]))
        reflex.step(ReflexCommand(bias, stiffness, damping), np.array([True]))
    np.testing.assert_allclose(reflex.coordinates()[0], held.coordinates()[0], atol=1e-12)


def test_delayed_reflex_answers_what_the_muscles_did_earlier(make_engine) -> None:
    delay = 3
    reflex, held = make_engine(1, reflex_delay=delay), make_engine(1)
    reflex.substeps = held.substeps = 1
    reflex._control_step = held._control_step = held.model.opt.timestep
    bias, stiffness, damping = np.full((1, 80), -2.0), np.full(80, 15.0), np.full(80, 0.3)
    muscles = held.state().muscles
    ages = held.model.opt.timestep * np.arange(delay, 0, -1)
    afferent = [(muscles.length - age * muscles.velocity, muscles.velocity) for age in ages]
    for _ in range(20):
        muscles = held.state().muscles
        afferent.append((muscles.length, muscles.velocity))
        length, velocity = afferent.pop(0)
        held.step(bias + stiffness * length + damping * velocity, np.array([True]))
        reflex.step(ReflexCommand(bias, stiffness, damping), np.array([True]))
    np.testing.assert_allclose(reflex.coordinates()[0], held.coordinates()[0], atol=1e-12)


def test_saved_state_of_a_delayed_reflex_continues_bit_for_bit(make_engine) -> None:
    engine, continued = make_engine(reflex_delay=7), make_engine(reflex_delay=7)
    command = ReflexCommand(np.full((3, 80), -2.0), np.full(80, 15.0), np.full(80, 0.3))
    for _ in range(3):
        engine.step(command, all_active(engine))
    continued.set_state(engine.get_state())
    for _ in range(3):
        for e in (engine, continued):
            e.step(command, all_active(e))
        assert_same(engine, continued)


@pytest.mark.parametrize("hold", [True, False])
def test_support_holds_the_root_on_the_reference(legs: Body, squat_clip: MotionClip, make_engine, hold: bool) -> None:
    engine = make_engine(1, support=40.0)
    idle = np.zeros((1, 80)) if hold else ReflexCommand(np.zeros((1, 80)), np.zeros(80), np.zeros(80))
    step = SUBSTEPS * legs.model.opt.timestep
    for i in range(40):
        times = i * step + np.arange(SUBSTEPS) * legs.model.opt.timestep
        qpos, qvel = squat_clip.coordinates(times)
        engine.step(idle, all_active(engine), RootSupport(qpos[None, :, :7], qvel[None, :, :6]))
    reached, (wanted, _) = engine.coordinates()[0][0], squat_clip.coordinates(np.array([40 * step]))
    np.testing.assert_allclose(reached[:3], wanted[0, :3], atol=0.03)
    assert abs(np.dot(reached[3:7], wanted[0, 3:7])) > np.cos(0.1)


@pytest.mark.parametrize("fault", ["position", "velocity"])
def test_divergence_is_flagged_and_leaves_no_bad_numbers(make_engine, fault: str) -> None:
    engine = make_engine()
    command = excitations(5, 1)[0]
    before = engine.coordinates()[0][1]
    if fault == "position":
        engine.data[1].qpos[8] = np.nan
    else:
        engine.data[1].qvel[8] = 1e8
    engine.step(command, all_active(engine))
    state = engine.state()
    assert state.diverged.tolist() == [False, True, False]
    assert all(np.isfinite(values).all() for values in arrays_of(state))
    np.testing.assert_array_equal(engine.coordinates()[0][1], before)
    engine.step(excitations(6, 1)[0], all_active(engine))
    assert not engine.state().diverged.any()


def test_divergence_does_not_disturb_the_others(make_engine) -> None:
    sound, broken = make_engine(), make_engine()
    broken.data[1].qvel[8] = 1e8
    for command in excitations(7, 3):
        for engine in (sound, broken):
            engine.step(command, all_active(engine))
    for left, right in zip(arrays_of(sound.state()), arrays_of(broken.state()), strict=True):
        np.testing.assert_array_equal(left[[0, 2]], right[[0, 2]])


def test_state_is_a_copy(make_engine) -> None:
    engine = make_engine()
    state = engine.state()
    kept = [values.copy() for values in arrays_of(state)]
    engine.step(excitations(8, 1)[0], all_active(engine))
    for values, copy in zip(arrays_of(state), kept, strict=True):
        np.testing.assert_array_equal(values, copy)


def test_reset_forgets_everything(legs: Body, squat_clip: MotionClip, make_engine) -> None:
    fresh, used = make_engine(), make_engine()
    for command in excitations(9, 10):
        used.step(command, all_active(used))
    qpos, qvel = squat_clip.coordinates(np.linspace(0, 1.5, 3))
    used.reset(np.arange(3), qpos, qvel, np.full((3, legs.model.nu), 0.05))
    for command in excitations(10, 5):
        for engine in (fresh, used):
            engine.step(command, all_active(engine))
    assert_same(fresh, used)


def test_close_can_be_called_twice(make_engine) -> None:
    engine = make_engine(4, 2)
    engine.close()
    engine.close()
