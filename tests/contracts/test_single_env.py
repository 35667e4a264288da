"""The single environment as Gymnasium and Stable-Baselines3 define one."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from ms_envs import TrackingEnv
from ms_envs.motions import MOTIONS


@pytest.fixture
def env(make):
    env = make(disable_env_checker=True)
    yield env
    env.close()


@pytest.mark.every_pair
def test_passes_gymnasiums_checker(env) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # An observation has no bounds and an excitation lies in [0, 1]: both are meant so.
        warnings.filterwarnings("ignore", message=".*Box observation space m.*imum value is.*infinity")
        warnings.filterwarnings("ignore", message=".*For Box action spaces, we recommend using a symmetric")
        check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.filterwarnings("ignore:.*Box observation space")
def test_passes_gymnasiums_checker_with_options_that_remember(make) -> None:
    env = make(action_smoothing=0.05, objectives=("action_rate",), reset_distribution="adaptive")
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


@pytest.mark.every_pair
def test_passes_the_checker_of_stable_baselines3(env) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    checker.check_env(env.unwrapped, warn=False)


@pytest.mark.every_pair
def test_same_seed_and_actions_give_the_same_episode(env) -> None:
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(20)]

    def episode():
        yield env.reset(seed=7)
        for action in actions:
            result = env.step(action)
            yield result
            if result[2] or result[3]:
                return

    for left, right in zip(list(episode()), list(episode()), strict=True):
        assert data_equivalence(left, right, exact=True)


@pytest.mark.every_pair
def test_outputs_are_in_their_spaces(env) -> None:
    observation, info = env.reset(seed=1)
    for _ in range(10):
        assert env.observation_space.contains(observation)
        assert np.isfinite(info["tracking_error"]).all()
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert isinstance(reward, float)
        assert -1 <= reward <= 1
        if terminated or truncated:
            observation, info = env.reset()


def test_spec_survives_pickling_and_makes_the_same_environment(env) -> None:
    again = gymnasium.make(pickle.loads(pickle.dumps(env.spec)))
    np.testing.assert_array_equal(again.reset(seed=2)[0], env.reset(seed=2)[0])
    assert again.unwrapped.body.name == env.unwrapped.body.name
    again.close()


def test_every_motion_has_an_id_and_a_specification() -> None:
    ids = {name for name in gymnasium.registry if name.startswith("MSEmu/")}
    assert ids == {f"MSEmu/{motion.env_name}-v0" for motion in MOTIONS.values()}
    for block in ("## Action space", "## Observation space", "## Reward", "## Episode end"):
        assert block in TrackingEnv.__doc__


def test_unknown_id_is_refused() -> None:
    with pytest.raises(gymnasium.error.NameNotFound, match="Moonwalk"):
        gymnasium.make("MSEmu/Moonwalk-v0")


def test_id_with_the_package_needs_no_import() -> None:
    program = (
        "import gymnasium; env = gymnasium.make('ms_envs:MSEmu/Walk-v0', body='myo-legs'); "
        "print(env.reset(seed=0)[0].dtype)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "float32", done.stderr


def test_importing_the_package_loads_neither_physics_nor_learning() -> None:
    heavy = "{'mujoco', 'torch', 'jax', 'scipy', 'mink', 'imageio', 'tyro', 'rich'}"
    program = f"import sys, ms_envs; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "[]", done.stderr
