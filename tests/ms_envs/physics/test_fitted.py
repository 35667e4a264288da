from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ms_envs.bodies import Body, load_body
from ms_envs.envs import TrackingVectorEnv
from ms_envs.envs.control import CONTROLS
from ms_envs.motions.clip import MotionClip
from ms_envs.paths import load_paths
from ms_envs.physics import CpuEngine, FittedEngine, ReflexCommand, RootSupport
from ms_envs.physics.fitted_model import without_muscles

SUBSTEPS = 10


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory):
    """A cache folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MS_ENVS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def make_engine(legs: Body, squat_clip: MotionClip):
    """Builds engines, fitted unless told otherwise, whose bodies are spread over the squat."""

    def build(fitted: bool = True, num_envs: int = 2, **options) -> CpuEngine:
        if fitted:
            options["paths"] = load_paths(legs)
        engine = (FittedEngine if fitted else CpuEngine)(legs, num_envs, SUBSTEPS, 1, **options)
        qpos, qvel = squat_clip.coordinates(np.linspace(0, 1.5, num_envs))
        engine.reset(np.arange(num_envs), qpos, qvel, np.full((num_envs, 80), 0.05))
        return engine

    return build


def reflex(legs: Body, engine: CpuEngine) -> ReflexCommand:
    length_gain, velocity_gain = 5 / legs.optimal_fiber_length, 0.2 / legs.optimal_fiber_length
    return ReflexCommand(0.05 - length_gain * engine.state().muscles.length, length_gain, velocity_gain)


def run(engine: CpuEngine, command, steps: int) -> None:
    for _ in range(steps):
        engine.step(command, np.ones(engine.num_envs, dtype=bool))


@pytest.mark.parametrize("options", [{}, {"reflex_delay": 7}, {"support": 40.0}])
def test_bodies_move_as_with_exact_paths(legs: Body, squat_clip: MotionClip, make_engine, options: dict) -> None:
    exact, fitted = (make_engine(kind, **options) for kind in (False, True))
    law, support = reflex(legs, exact), None
    if "support" in options:
        qpos, qvel = squat_clip.coordinates(np.linspace(0, 1.5, 2))
        support = RootSupport(*(np.repeat(v[:, None], SUBSTEPS, 1) for v in (qpos[:, :7], qvel[:, :6])))
    for _ in range(10):
        for engine in (exact, fitted):
            engine.step(law, np.ones(2, dtype=bool), support)
    (a, muscles_a, _), (b, muscles_b, _) = exact.state(), fitted.state()
    assert np.rad2deg(np.sqrt(((a.joint_position - b.joint_position) ** 2).mean())) < 1.0
    np.testing.assert_allclose(muscles_a.length, muscles_b.length, atol=3e-3)
    np.testing.assert_allclose(muscles_a.activation, muscles_b.activation, atol=0.05)
    np.testing.assert_allclose(exact.excitation(), fitted.excitation(), atol=0.1)
    np.testing.assert_allclose(exact.balance().center_of_mass, fitted.balance().center_of_mass, atol=5e-3)
    moved = np.abs(a.joint_position - squat_clip.coordinates(np.linspace(0, 1.5, 2))[0][:, legs.qpos_index])
    assert moved.max() > 0.02


def test_muscle_signals_at_reset_are_those_of_exact_paths(make_engine) -> None:
    exact, fitted = make_engine(False).state().muscles, make_engine(True).state().muscles
    np.testing.assert_allclose(fitted.length, exact.length, atol=1e-3)
    np.testing.assert_allclose(fitted.force, exact.force, atol=20)
    np.testing.assert_array_equal(fitted.activation, exact.activation)
    assert np.sqrt(((fitted.velocity - exact.velocity) ** 2).mean()) < 0.02


@pytest.mark.parametrize("law", [True, False])
def test_saved_state_continues_bit_for_bit(legs: Body, make_engine, law: bool) -> None:
    engine, continued = (make_engine(reflex_delay=7) for _ in range(2))
    command = reflex(legs, engine) if law else np.full((2, 80), 0.2)
    run(engine, command, 4)
    continued.set_state({name: values.copy() for name, values in engine.get_state().items()})
    for _ in range(4):
        for left, right in zip(engine.state().muscles, continued.state().muscles, strict=True):
            np.testing.assert_array_equal(left, right)
        np.testing.assert_array_equal(engine.coordinates()[0], continued.coordinates()[0])
        run(engine, command, 1)
        run(continued, command, 1)


def test_reset_forgets_everything(squat_clip: MotionClip, make_engine) -> None:
    fresh, used = make_engine(), make_engine()
    run(used, np.full((2, 80), 0.5), 5)
    qpos, qvel = squat_clip.coordinates(np.linspace(0, 1.5, 2))
    used.reset(np.arange(2), qpos, qvel, np.full((2, 80), 0.05))
    run(fresh, np.full((2, 80), 0.2), 3)
    run(used, np.full((2, 80), 0.2), 3)
    np.testing.assert_array_equal(fresh.coordinates()[0], used.coordinates()[0])


@pytest.mark.parametrize("fault", ["position", "velocity"])
def test_divergence_is_flagged_and_leaves_no_bad_numbers(make_engine, fault: str) -> None:
    engine = make_engine()
    run(engine, np.full((2, 80), 0.2), 1)
    before = [values[1].copy() for values in engine.coordinates()]
    if fault == "position":
        engine.data[1].qpos[8] = np.nan
    else:
        engine.data[1].qvel[8] = 1e8
    run(engine, np.full((2, 80), 0.2), 1)
    assert engine.state().diverged.tolist() == [False, True]
    for values, kept in zip(engine.coordinates(), before, strict=True):
        np.testing.assert_array_equal(values[1], kept)
    assert all(np.isfinite(values).all() for values in engine.state().muscles)
    run(engine, np.full((2, 80), 0.2), 1)
    assert not engine.state().diverged.any()


def test_only_muscles_with_exact_paths_stay_in_the_model(legs: Body) -> None:
    keep = load_paths(legs).exact
    model = without_muscles(legs, keep)
    assert [model.actuator(i).name for i in range(model.nu)] == [legs.muscle_names[i] for i in keep]
    assert model.na == 0
    np.testing.assert_array_equal(model.body_inertia, legs.model.body_inertia)
    np.testing.assert_array_equal(model.eq_data, legs.model.eq_data)


def test_model_comes_out_of_the_cache(legs: Body, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MS_ENVS_CACHE", str(tmp_path))
    keep = load_paths(legs).exact
    first, second = without_muscles(legs, keep), without_muscles(legs, keep)
    assert len(list((tmp_path / "models").iterdir())) == 1
    np.testing.assert_array_equal(first.site_pos, second.site_pos)


@pytest.mark.parametrize("control", CONTROLS)
def test_every_control_works_and_states_can_be_kept(control: str) -> None:
    env = TrackingVectorEnv("walk", 2, threads=1, body="myo-legs", control=control, muscle_paths="fitted")
    env.reset(seed=0)
    action = np.full(env.action_space.shape, 0.1, dtype=np.float32)
    env.step(action)
    saved = env.get_state()
    observations = []
    for _ in range(2):
        observations.append(env.step(action)[0])
        env.set_state(saved)
    np.testing.assert_array_equal(*observations)
    env.close()


def test_bodies_that_were_not_fitted_are_refused() -> None:
    with pytest.raises(ValueError, match="muscle_paths='exact'"):
        load_paths(load_body("myo-fullbody", free_fingers=True))
