"""Which motion and body each contract is checked on: a few by default, every pair with ``--run-slow``."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import gymnasium
import ms_envs
import pytest
from ms_envs.bodies import BODIES
from ms_envs.motions import MOTIONS, motions_of

DEFAULT = (("myo-legs", "walk"),)
"""Where the contracts that cannot depend on the motion are checked."""
LIGHT = (*DEFAULT, ("myo-fullbody", "dance_b"), ("ms-human-700", "cartwheel"))
"""Where those marked ``every_pair`` are checked unless slow tests run."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
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


@pytest.fixture
def make_vec(suite_env: tuple[str, str]) -> Callable[..., ms_envs.TrackingVectorEnv]:
    """Builds the vector environment of the pair."""
    name, body = suite_env

    def build(num_envs: int = 3, **options: Any) -> ms_envs.TrackingVectorEnv:
        return gymnasium.make_vec(name, num_envs=num_envs, body=body, threads=min(num_envs, os.cpu_count()), **options)

    return build
