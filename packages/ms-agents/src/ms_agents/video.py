"""Films of a policy at work."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from ms_agents.controllers import Policy

FRAMES_PER_SECOND = 25
"""Rate of films, approximately."""


def film(policy: Policy, env_id: str, path: Path, *, seconds: float = 10.0, seed: int = 0, **env_kwargs: Any) -> Path:
    """Film one episode from the beginning of the clip.

    Args:
        policy: The policy.
        env_id: Id of the environment.
        path: The ``.mp4`` to write.
        seconds: Longest film, s.
        seed: Of the environment.
        **env_kwargs: Arguments of the environment.

    Returns:
        The path.
    """
    from ms_envs.recording import write_video

    env = gymnasium.make(env_id, render_mode="rgb_array", **_of_one(env_kwargs))
    try:
        rate = float(env.metadata.get("render_fps", 50))
        stride = max(round(rate / FRAMES_PER_SECOND), 1)
        write_video(path, _frames(policy, env, seed, round(seconds * rate), stride), fps=rate / stride)
    finally:
        env.close()
    return path


def show(policy: Policy, env_id: str, *, seed: int = 0, episodes: int = 1, **env_kwargs: Any) -> None:
    """Show episodes from the beginning of the clip in a window."""
    env = gymnasium.make(env_id, render_mode="human", **_of_one(env_kwargs))
    try:
        for episode in range(episodes):
            for _ in _frames(policy, env, seed + episode):
                pass
    finally:
        env.close()


def _of_one(env_kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments that a single environment has too, which runs on the CPU."""
    return {name: value for name, value in env_kwargs.items() if name not in ("threads", "engine", "impl", "buffers")}


def _frames(
    policy: Policy, env: gymnasium.Env[Any, Any], seed: int, limit: int | None = None, stride: int = 1
) -> Iterator[Any]:
    """Pictures of one episode, every ``stride`` steps, for at most ``limit`` steps."""
    observation, _ = env.reset(seed=seed, options={"phase": 0.0})
    yield env.render()
    for step in count(1) if limit is None else range(1, limit + 1):
        action, _ = policy.predict(np.asarray(observation)[None], deterministic=True)
        observation, _, terminated, truncated, _ = env.step(action[0])
        if step % stride == 0:
            yield env.render()
        if terminated or truncated:
            return
