"""MJX against MuJoCo C: the same task, the same actions, the same results.

MJX computes in single precision, MuJoCo C in double. Where a foot strikes the floor at a slightly other time, or a
muscle slips over a bone, both leave the path that they shared, as MuJoCo C alone does from slightly different starts.
Results are therefore compared for the starts from which MuJoCo C keeps its path when it is moved by a little more than
single precision can tell apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import VectorEnv

pytest.importorskip("mujoco.mjx")

import jax

STEPS = 20
PHASES = np.array([0.1, 0.4, 0.7, 0.9])
TWINS = 3
"""Copies of every start in MuJoCo C, each moved by a little."""
SHIFT = 2e-6
"""Of positions, m and rad; ten times that per second of velocities."""
COMMON = {
    "control": "posture",
    "horizon": STEPS * 0.02,
    "reset_distribution": "start",
    "autoreset_mode": "SameStep",
}
BLOCK_TOLERANCE = {"velocity": 0.05, "orientation": 2e-3, "muscle": 5e-3}
"""Largest difference of an observation or an error, in its own unit, by what its name contains."""
TOLERANCE = 1e-3
"""Of all other blocks: m, rad."""
REWARD_TOLERANCE = 1e-3


@pytest.fixture
def pair() -> Iterator[Callable[..., tuple[VectorEnv, VectorEnv]]]:
    """The same environments on both engines."""
    opened: list[VectorEnv] = []

    def build(name: str, impl: str = "warp", **options) -> tuple[VectorEnv, VectorEnv]:
        arguments = {"num_envs": len(PHASES), **COMMON, **options}
        cpu = gymnasium.make_vec(f"ms_envs:{name}", engine="cpu", **arguments)
        mjx = gymnasium.make_vec(f"ms_envs:{name}", engine="mjx", impl=impl, **arguments)
        opened.extend((cpu, mjx))
        return cpu, mjx

    yield build
    for env in opened:
        env.close()


def excess(blocks: dict[str, slice], ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Largest difference of each environment in units of the tolerance of its block."""
    return np.max(
        [
            np.abs(ours[:, block] - theirs[:, block]).max(axis=1)
            / next((value for part, value in BLOCK_TOLERANCE.items() if part in name), TOLERANCE)
            for name, block in blocks.items()
        ],
        axis=0,
    )


def differences(env: VectorEnv, ours: tuple, theirs: tuple) -> np.ndarray:
    """Largest difference of observation and tracking error of each environment, in units of the tolerances."""
    errors = (result[-1]["tracking_error"] for result in (ours, theirs))
    return np.maximum(excess(env.observation_slices, ours[0], theirs[0]), excess(env.error_slices, *errors))


def keeps_its_path(cpu: VectorEnv, actions: list[np.ndarray], results: list[tuple]) -> np.ndarray:
    """From which starts MuJoCo C does nearly the same when it starts nearby."""
    kept = np.ones(len(PHASES), dtype=bool)
    coordinates = cpu.body.model.nq + cpu.body.model.nv
    for seed in range(TWINS):
        cpu.reset(options={"phase": PHASES})
        state = cpu.get_state()
        scale = np.repeat([SHIFT, 10 * SHIFT], [cpu.body.model.nq, cpu.body.model.nv])
        noise = np.random.default_rng(seed).normal(size=(len(PHASES), coordinates))
        state["physics"][:, 1 : 1 + coordinates] += scale * noise  # after the time
        cpu.set_state(state)
        for action, result in zip(actions[:-1], results[:-1], strict=True):
            kept &= differences(cpu, cpu.step(action), result) < 0.5
    return kept


def compare(cpu: VectorEnv, mjx: VectorEnv) -> None:
    """One episode of both, and the start of the next."""
    start = {"phase": PHASES}
    assert (differences(cpu, jax.device_get(mjx.reset(options=start)), cpu.reset(options=start)) < 1).all()
    cpu.action_space.seed(0)
    actions = [0.3 * cpu.action_space.sample() for _ in range(STEPS)]
    results = [cpu.step(action) for action in actions]
    kept = keeps_its_path(cpu, actions, results)
    assert kept.any()
    for step, (action, theirs) in enumerate(zip(actions, results, strict=True)):
        ours = jax.device_get(mjx.step(action))
        difference = differences(cpu, ours, theirs)
        assert (difference[kept] < 1).all(), f"step {step}: {difference} tolerances, {kept}"
        np.testing.assert_allclose(ours[1][kept], theirs[1][kept], atol=REWARD_TOLERANCE)
        np.testing.assert_array_equal(ours[2][kept], theirs[2][kept])
        np.testing.assert_array_equal(ours[3][kept], theirs[3][kept])
        assert not ours[-1]["buffer_overflow"].any()
        for i in np.flatnonzero(kept & (theirs[2] | theirs[3])):
            final = ours[-1]["final_obs"][i : i + 1], theirs[-1]["final_obs"][i][None]
            assert excess(cpu.observation_slices, *final) < 1


@pytest.mark.slow
@pytest.mark.parametrize("motion", ["Walk", "Dance", "Jump"])
@pytest.mark.parametrize("body", ["myo-legs", "myo-fullbody", "ms-human-700"])
def test_warp_does_as_mujoco(body_named, pair, body: str, motion: str) -> None:
    body_named(body)
    compare(*pair(f"MSEmu/{motion}-v0", body=body))


@pytest.mark.slow
def test_every_option_does_as_with_mujoco(pair) -> None:
    options = {
        "muscle_signals": ("activation", "length", "velocity", "force"),
        "objectives": ("effort", "action_rate"),
        "action_smoothing": 0.04,
        "reflex": {"delay": 0.03},
        "root_support": 20.0,
        "control": "reflex",
    }
    compare(*pair("MSEmu/Walk-v0", body="myo-legs", **options))


@pytest.mark.slow
def test_episodes_end_at_the_same_step(pair) -> None:
    cpu, mjx = pair("MSEmu/Walk-v0", body="myo-legs", control="excitation", key_body_termination=0.1)
    for env in (cpu, mjx):
        env.reset(options={"phase": PHASES})
    ended = 0
    for _ in range(STEPS):
        action = np.full(cpu.action_space.shape, 0.1, dtype=np.float32)
        ours, theirs = jax.device_get(mjx.step(action)), cpu.step(action)
        np.testing.assert_array_equal(ours[2], theirs[2])
        assert (differences(cpu, ours, theirs) < 1).all()
        ended += theirs[2].sum()
    assert ended > 1


@pytest.mark.slow
@pytest.mark.parametrize("muscle_paths", ["exact", "fitted"])
def test_jax_does_as_mujoco(pair, muscle_paths: str) -> None:
    compare(*pair("MSEmu/Walk-v0", impl="jax", body="myo-legs", muscle_paths=muscle_paths))


@pytest.mark.slow
def test_jax_moves_a_whole_body_with_fitted_paths(body_named, pair) -> None:
    body_named("ms-human-700")
    compare(*pair("MSEmu/Dance-v0", impl="jax", body="ms-human-700", muscle_paths="fitted"))


@pytest.mark.slow
def test_warp_takes_fitted_paths(pair) -> None:
    compare(*pair("MSEmu/Walk-v0", body="myo-legs", muscle_paths="fitted"))
