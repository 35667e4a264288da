"""Which motion, body and engine each contract is checked on: a few by default, all with ``--run-slow``."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import VectorEnv, VectorWrapper
from ms_envs.bodies import BODIES
from ms_envs.motions import MOTIONS, motions_of

DEFAULT = (("myo-legs", "walk"),)
"""Where the contracts that cannot depend on the motion are checked."""
LIGHT = (*DEFAULT, ("myo-fullbody", "dance_b"), ("ms-human-700", "cartwheel"))
"""Where those marked ``every_pair`` are checked unless slow tests run."""


ENGINES = ("cpu", pytest.param("mjx", marks=pytest.mark.slow))
"""Where those marked ``every_engine`` are checked."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("every_engine") is not None:
        metafunc.parametrize("engine", ENGINES)
    if "suite_env" not in metafunc.fixturenames:
        return
    everywhere = metafunc.definition.get_closest_marker("every_pair") is not None
    pairs = [(body, motion) for body in BODIES for motion in motions_of(body)] if everywhere else DEFAULT
    params = [pytest.param(*pair, marks=() if pair in LIGHT else pytest.mark.slow, id="-".join(pair)) for pair in pairs]
    metafunc.parametrize(("body_name", "motion"), params)


def env_id(motion: str) -> str:
    """Gymnasium id of a motion."""
    return f"MSEmu/{MOTIONS[motion].env_name}-v0"


@pytest.fixture
def suite_env(body_named, body_name: str, motion: str) -> tuple[str, str]:
    """Gymnasium id and body of one pair of the suite."""
    body_named(body_name)
    return env_id(motion), body_name


@pytest.fixture
def make(suite_env: tuple[str, str]) -> Callable[..., gymnasium.Env]:
    """Builds the single environment of the pair."""
    name, body = suite_env
    return lambda **options: gymnasium.make(name, body=body, **options)


class OnHost(VectorWrapper):
    """Gives NumPy arrays instead of those of a device."""

    def reset(self, **kwargs: Any) -> Any:
        return fetched(self.env.reset(**kwargs))

    def step(self, actions: np.ndarray) -> Any:
        return fetched(self.env.step(actions))


def fetched(tree: Any) -> Any:
    """A copy of arrays on the host."""
    import jax

    return jax.device_get(tree)


@pytest.fixture
def engine() -> str:
    """What moves the bodies of vector environments."""
    return "cpu"


@pytest.fixture
def make_vec(suite_env: tuple[str, str], engine: str) -> Callable[..., VectorEnv]:
    """Builds the vector environment of the pair.

    MJX is slow on the CPU: there every control step is one physics step, and episodes have as many steps as else.
    """
    name, body = suite_env

    def on_threads(num_envs: int = 3, **options: Any) -> VectorEnv:
        threads = min(num_envs, os.cpu_count())
        return gymnasium.make_vec(name, num_envs=num_envs, engine="cpu", body=body, threads=threads, **options)

    def on_mjx(num_envs: int = 3, **options: Any) -> VectorEnv:
        pytest.importorskip("mujoco.mjx")
        if "horizon" in options:
            options["horizon"] /= 10
        env = gymnasium.make_vec(name, num_envs=num_envs, engine="mjx", body=body, control_rate=500.0, **options)
        return OnHost(env)

    return on_mjx if engine == "mjx" else on_threads
