"""Which engine a vector environment runs on."""

from __future__ import annotations

import importlib.util
from importlib.metadata import entry_points
from typing import Any

from gymnasium.vector import VectorEnv

from ms_envs.envs.vector_env import TrackingVectorEnv

ENGINES = ("auto", "cpu", "mjx")
"""MuJoCo on threads, MJX on what JAX finds, or MJX only where JAX finds an accelerator."""
IMPLEMENTATIONS = ("warp", "jax")
"""Implementations of MJX."""


def make_tracking_vector_env(
    motion: str,
    num_envs: int = 1,
    *,
    engine: str = "auto",
    impl: str | None = None,
    threads: int | None = None,
    **arguments: Any,
) -> VectorEnv[Any, Any, Any]:
    """Vector environment on the engine of choice, which its ``metadata["engine"]`` names.

    Args:
        motion: Name of the motion.
        num_envs: Number of environments, N.
        engine: ``"cpu"`` for :class:`ms_envs.envs.TrackingVectorEnv`, ``"mjx"`` for
            :class:`ms_envs.envs.mjx_vector_env.MjxTrackingVectorEnv`; ``"auto"`` takes MJX where JAX finds an
            accelerator, unless threads are asked for.
        impl: Implementation of MJX, ``"warp"`` (default) or ``"jax"``.
        threads: Threads of the CPU engine.
        **arguments: Arguments of the environment.

    Raises:
        ValueError: If an argument is not valid; the message names the choices.
        ImportError: If MJX is asked for and not installed.
    """
    if engine not in ENGINES:
        raise ValueError(f"unknown engine {engine!r}; choose one of {', '.join(map(repr, ENGINES))}")
    if impl not in (None, *IMPLEMENTATIONS):
        raise ValueError(f"unknown impl {impl!r}; choose one of {', '.join(map(repr, IMPLEMENTATIONS))}")
    if engine == "mjx" and threads is not None:
        raise ValueError("threads are those of engine='cpu'; engine='mjx' has none")
    if engine == "cpu" and impl is not None:
        raise ValueError("impl is that of engine='mjx'; engine='cpu' has none")
    if engine == "mjx" or (engine == "auto" and threads is None and has_accelerator()):
        try:
            from ms_envs.envs.mjx_vector_env import MjxTrackingVectorEnv
        except ImportError as error:
            raise ImportError(f"engine 'mjx' needs `pip install 'ms-envs[mjx]'` ({error})") from error
        return MjxTrackingVectorEnv(motion, num_envs, impl=impl or "warp", **arguments)
    return TrackingVectorEnv(motion, num_envs, threads=threads, **arguments)


def has_accelerator() -> bool:
    """Whether JAX, MJX and a device other than the CPU are there.

    JAX, whose import takes a second, is only asked where a plugin for another device is installed.
    """
    if any(importlib.util.find_spec(name) is None for name in ("jax", "mujoco.mjx")):
        return False
    plugins = importlib.util.find_spec("jax_plugins") or importlib.util.find_spec("libtpu")
    if not plugins and not entry_points(group="jax_plugins"):
        return False
    import jax

    return jax.default_backend() != "cpu"
