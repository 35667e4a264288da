"""Films of a policy at work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from ms_agents.evaluation import Policy


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

    env_kwargs.pop("threads", None)
    env = gymnasium.make(env_id, render_mode="rgb_array", **env_kwargs)
    try:
        rate = int(env.metadata.get("render_fps", 50))
        frames = [frame for frame in _frames(policy, env, round(seconds * rate), seed) if frame is not None]
    finally:
        env.close()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, frames, fps=rate)
    return path


def show(policy: Policy, env_id: str, *, seed: int = 0, episodes: int = 1, **env_kwargs: Any) -> None:
    """Show episodes from the beginning of the clip in a window."""
    env_kwargs.pop("threads", None)
    env = gymnasium.make(env_id, render_mode="human", **env_kwargs)
    try:
        for episode in range(episodes):
            for _ in _frames(policy, env, None, seed + episode):
                pass
    finally:
        env.close()


def _frames(policy: Policy, env: gymnasium.Env[Any, Any], limit: int | None, seed: int) -> Any:
    observation, _ = env.reset(seed=seed, options={"phase": 0.0})
    count = 0
    yield env.render()
    while limit is None or count < limit:
        action, _ = policy.predict(np.asarray(observation)[None], deterministic=True)
        observation, _, terminated, truncated, _ = env.step(action[0])
        count += 1
        yield env.render()
        if terminated or truncated:
            return
