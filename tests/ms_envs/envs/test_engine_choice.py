from __future__ import annotations

import builtins
import importlib.util
import subprocess
import sys

import gymnasium
import ms_envs
import pytest
from ms_envs.envs import engine_choice

WALK = {"id": "MSEmu/Walk-v0", "num_envs": 1, "body": "myo-legs"}


def test_auto_takes_the_cpu_where_there_is_no_accelerator(monkeypatch) -> None:
    monkeypatch.setattr(engine_choice, "has_accelerator", lambda: False)
    env = gymnasium.make_vec(**WALK)
    assert isinstance(env, ms_envs.TrackingVectorEnv)
    assert env.metadata["engine"] == "cpu"
    env.close()


def test_auto_takes_mjx_where_there_is_one_unless_threads_are_asked_for(monkeypatch) -> None:
    mjx = pytest.importorskip("ms_envs.envs.mjx_vector_env")
    monkeypatch.setattr(engine_choice, "has_accelerator", lambda: True)
    monkeypatch.setattr(mjx, "MjxTrackingVectorEnv", lambda motion, num_envs, **kwargs: (motion, num_envs, kwargs))
    made = engine_choice.make_tracking_vector_env("walk", 5, horizon=1.0)
    assert made == ("walk", 5, {"impl": "warp", "horizon": 1.0})
    env = gymnasium.make_vec(**WALK, threads=1)
    assert env.metadata["engine"] == "cpu"
    env.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": "gpu"}, "'gpu'.*'auto', 'cpu', 'mjx'"),
        ({"impl": "cuda"}, "'cuda'.*'warp', 'jax'"),
        ({"engine": "mjx", "threads": 2}, "threads"),
        ({"engine": "cpu", "impl": "warp"}, "impl"),
    ],
)
def test_unusable_choice_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gymnasium.make_vec(**WALK, **arguments)


def test_missing_jax_is_named_with_its_remedy(monkeypatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("ms_envs.envs.mjx", "ms_envs.physics.mjx"))]:
        monkeypatch.delitem(sys.modules, name)
    imported = builtins.__import__

    def without_jax(name: str, *args, **kwargs):
        if name.split(".")[0] == "jax":
            raise ModuleNotFoundError("No module named 'jax'")
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_jax)
    with pytest.raises(ImportError, match=r"ms-envs\[mjx\]"):
        gymnasium.make_vec(**WALK, engine="mjx")


def test_accelerator_needs_an_installed_plugin(monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if "jax" in name else object())
    assert not engine_choice.has_accelerator()


def test_choosing_the_cpu_imports_no_jax() -> None:
    program = (
        "import sys, gymnasium; gymnasium.make_vec('ms_envs:MSEmu/Walk-v0', num_envs=1, body='myo-legs', "
        "engine='cpu').close(); print('jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "False", done.stderr
