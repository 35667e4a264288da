"""MJX against MuJoCo C: the same task, the same actions, the same results.

MJX computes in single precision, MuJoCo C in double. What they differ by grows with time, faster while feet strike the
floor; the tolerances hold for 0.4 s from every start.
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
PHASES = np.array([0.1, 0.6])
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


def excess(blocks: dict[str, slice], ours: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    """Largest difference of each block in units of its tolerance."""
    return {
        name: np.abs(ours[:, block] - theirs[:, block]).max()
        / next((value for part, value in BLOCK_TOLERANCE.items() if part in name), TOLERANCE)
        for name, block in blocks.items()
    }


def assert_close(cpu: VectorEnv, mjx: tuple, reference: tuple, when: str) -> None:
    """Observation and tracking error agree within tolerance."""
    for blocks, ours, theirs in (
        (cpu.unwrapped.observation_slices, mjx[0], reference[0]),
        (cpu.unwrapped.error_slices, mjx[-1]["tracking_error"], reference[-1]["tracking_error"]),
    ):
        differences = excess(blocks, ours, theirs)
        worst = max(differences, key=differences.__getitem__)
        assert differences[worst] < 1, f"{when}: {worst} differs by {differences[worst]:.2g} tolerances"


def compare(cpu: VectorEnv, mjx: VectorEnv, seed: int) -> None:
    """One episode of both, and the start of the next."""
    start = {"phase": PHASES}
    assert_close(cpu, jax.device_get(mjx.reset(options=start)), cpu.reset(options=start), "reset")
    cpu.action_space.seed(seed)
    for step in range(STEPS):
        action = 0.3 * cpu.action_space.sample()
        ours, theirs = jax.device_get(mjx.step(action)), cpu.step(action)
        assert_close(cpu, ours, theirs, f"step {step}")
        np.testing.assert_allclose(ours[1], theirs[1], atol=REWARD_TOLERANCE)
        np.testing.assert_array_equal(ours[2], theirs[2])
        np.testing.assert_array_equal(ours[3], theirs[3])
        assert not ours[-1]["buffer_overflow"].any()
    assert ours[3].all()
    for i, final in enumerate(theirs[-1]["final_obs"]):
        differences = excess(cpu.unwrapped.observation_slices, ours[-1]["final_obs"][i : i + 1], final[None])
        assert max(differences.values()) < 1


@pytest.mark.slow
@pytest.mark.parametrize("motion", ["Walk", "Dance", "Jump"])
@pytest.mark.parametrize("body", ["myo-legs", "myo-fullbody", "ms-human-700"])
def test_warp_does_as_mujoco(body_named, pair, body: str, motion: str) -> None:
    body_named(body)
    compare(*pair(f"MSEmu/{motion}-v0", body=body), seed=0)


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
    compare(*pair("MSEmu/Walk-v0", body="myo-legs", **options), seed=1)


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
        assert_close(cpu, ours, theirs, "after a termination")
        ended += theirs[2].sum()
    assert ended > 1


@pytest.mark.slow
def test_jax_does_as_mujoco(pair) -> None:
    compare(*pair("MSEmu/Walk-v0", impl="jax", body="myo-legs"), seed=2)
