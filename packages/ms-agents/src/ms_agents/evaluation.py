"""The tracking protocol: the one way a policy is scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from ms_agents.controllers import Policy, controller
from ms_agents.report import TrackingReport

DEFAULT_HORIZON = 10.0
"""Length of an episode of a looping clip, s."""
ROOT_LIMIT = 0.5
"""Distance of the root from the reference that ends an episode, m."""
KEY_BODY_LIMIT = 0.5
"""Distance of a key body from the reference, relative to the root, that ends an episode, m."""


def evaluate(
    policy: Policy | str,
    env: str | VectorEnv[Any, Any, Any],
    *,
    episodes: int = 32,
    seed: int = 0,
    horizon: float | None = None,
    phases: Sequence[float] | None = None,
    name: str | None = None,
    **env_kwargs: Any,
) -> TrackingReport:
    """Score a policy.

    It acts deterministically. Half the episodes start at the beginning of the clip, half at evenly spaced phases. An
    episode ends where the root is more than 0.5 m from the reference or a key body more than 0.5 m, relative to the
    root; what it lost by that is charged, see :class:`TrackingReport`.

    Args:
        policy: A policy, or the name of one that needs no training: ``"untrained"`` takes the resting action,
            ``"reflex"`` does so with reflex control, ``"inverse"`` is computed muscle control.
        env: Id of an environment, or a vector environment with one episode per environment, which then has to be made
            with the limits of the protocol and is left open.
        episodes: Number of episodes, if an id is given.
        seed: Of the environment.
        horizon: Longest episode, s; by default 10 s of a looping clip, or the whole of another.
        phases: Where in the clip each episode starts, in [0, 1), instead of what the protocol says; then there are as
            many episodes as phases.
        name: What the report calls the policy.
        **env_kwargs: Further arguments of the environment, such as ``body`` or ``threads``.

    Returns:
        The report.

    Raises:
        ValueError: If an argument is not valid.
    """
    if isinstance(env, str):
        if episodes < 1:
            raise ValueError(f"episodes must be at least 1, got {episodes}")
        if isinstance(policy, str):
            env_kwargs = controller(policy).arguments(env_kwargs)
        count = episodes if phases is None else len(phases)
        made = make_evaluation_env(env, episodes=count, horizon=horizon, **env_kwargs)
        try:
            return evaluate(policy, made, seed=seed, horizon=horizon, phases=phases, name=name)
        finally:
            made.close()
    name = name or (policy if isinstance(policy, str) else "policy")
    actor = controller(policy).make(env) if isinstance(policy, str) else policy
    starts = protocol_phases(env.num_envs) if phases is None else np.array(phases, dtype=np.float64)
    if len(starts) != env.num_envs:
        raise ValueError(f"{len(starts)} phases for {env.num_envs} environments")
    trace = _run(actor, env, seed, horizon, starts)
    return _report(trace, env, name, seed, horizon)


def make_evaluation_env(
    env_id: str, *, episodes: int, horizon: float | None = None, **env_kwargs: Any
) -> VectorEnv[Any, Any, Any]:
    """Environment with the limits of the protocol and exact muscle paths, one environment per episode."""
    if "muscle_paths" in env_kwargs:
        env_kwargs["muscle_paths"] = "exact"
    limits = {"root_termination": ROOT_LIMIT, "key_body_termination": KEY_BODY_LIMIT, "reset_noise": 0.0}
    arguments: dict[str, Any] = {"horizon": horizon} | env_kwargs | limits
    return gymnasium.make_vec(env_id, num_envs=episodes, autoreset_mode=AutoresetMode.NEXT_STEP, **arguments)


def protocol_phases(episodes: int) -> NDArray[np.float64]:
    """Where in the clip each episode starts: half at its beginning, half evenly spaced, (N,)."""
    spaced = episodes // 2
    return np.concatenate([np.zeros(episodes - spaced), (np.arange(spaced) + 0.5) / max(spaced, 1)])


@dataclass
class _Trace:
    """What happened to N episodes of at most T frames.

    Attributes:
        phases: (N,).
        frames: Frames each episode would have, (N,).
        tracked: Frames before termination, (N,).
        cause: How each ended: ``completed``, ``root``, ``key_body`` or ``diverged``, (N,).
        reward: Sum over tracked frames, (N,).
        total: Metric to its sum over tracked frames, (N,).
        last: Metric to what each lost frame is charged, (N,).
    """

    phases: NDArray[np.float64]
    frames: NDArray[np.int64]
    tracked: NDArray[np.int64]
    cause: NDArray[np.str_]
    reward: NDArray[np.float64]
    total: dict[str, NDArray[np.float64]]
    last: dict[str, NDArray[np.float64]]


def _run(
    policy: Policy, env: VectorEnv[Any, Any, Any], seed: int, horizon: float | None, phases: NDArray[np.float64]
) -> _Trace:
    count = env.num_envs
    observation, _ = _on_host(env.reset(seed=seed, options={"phase": phases}))
    frames = _episode_frames(env, phases, horizon)
    trace = _Trace(
        phases, frames, np.zeros(count, np.int64), np.full(count, "completed", "<U9"), np.zeros(count), {}, {}
    )
    running = np.ones(count, np.bool_)
    for _ in range(int(frames.max())):
        action, _ = policy.predict(observation, deterministic=True)
        observation, reward, terminated, truncated, info = _on_host(env.step(action))
        failed = running & terminated
        kept = running & ~terminated
        trace.tracked += kept
        trace.reward += np.where(kept, reward, 0.0)
        metrics = {name: values for name, values in info["metrics"].items() if not name.startswith("_")}
        for metric, values in metrics.items():
            finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
            trace.total[metric] = trace.total.get(metric, 0.0) + np.where(kept, finite, 0.0)
            worst = np.maximum(trace.last.get(metric, finite), finite)
            diverged = info.get("diverged", np.zeros(count, np.bool_))
            charged = np.where(failed & ~diverged, finite, worst)  # a diverged frame has no error of its own
            trace.last[metric] = np.where(running, charged, trace.last.get(metric, finite))
        for i in np.flatnonzero(failed).tolist():
            trace.cause[i] = _cause(i, info, metrics)
        running &= ~(terminated | truncated)
        if not running.any():
            break
    return trace


def _on_host(tree: Any) -> Any:
    """The same tuples and mappings with numpy arrays, whatever device their arrays are on."""
    if isinstance(tree, Mapping):
        return {name: _on_host(value) for name, value in tree.items()}
    return tuple(map(_on_host, tree)) if isinstance(tree, tuple) else np.asarray(tree)


def _cause(i: int, info: dict[str, Any], metrics: dict[str, NDArray[np.float64]]) -> str:
    if "diverged" in info and info["diverged"][i]:
        return "diverged"
    return "root" if metrics["root_position_error"][i] > 1e3 * ROOT_LIMIT else "key_body"


def _episode_frames(
    env: VectorEnv[Any, Any, Any], phases: NDArray[np.float64], horizon: float | None
) -> NDArray[np.int64]:
    base: Any = env.unwrapped
    length = (
        np.full(len(phases), horizon or DEFAULT_HORIZON)
        if base.clip.loop
        else np.minimum(base.clip.duration * (1 - phases), horizon or np.inf)
    )
    frames: NDArray[np.int64] = np.floor(length / base.control_timestep + 1e-6).astype(np.int64)
    return np.maximum(frames, 1)


def _report(
    trace: _Trace, env: VectorEnv[Any, Any, Any], name: str, seed: int, horizon: float | None
) -> TrackingReport:
    timestep, loop = env.unwrapped.control_timestep, env.unwrapped.clip.loop  # type: ignore[attr-defined]
    completed = trace.cause == "completed"
    tracked = np.where(completed, trace.frames, trace.tracked)
    seen = np.maximum(trace.tracked, 1)
    # An episode that failed at once tracked no frame; it is charged, not averaged as if it had been perfect.
    mean = {
        metric: np.where(trace.tracked > 0, total / seen, trace.last[metric]) for metric, total in trace.total.items()
    }
    penalised = {
        metric: (trace.total[metric] + (trace.frames - tracked) * trace.last[metric]) / trace.frames
        for metric in trace.total
        if metric.endswith("_error")
    }
    per_episode: dict[str, NDArray[Any]] = {
        "phase": trace.phases,
        "coverage": 100.0 * tracked / trace.frames,
        "completed": completed.astype(float),
        "survival": tracked * timestep,
        "reward": trace.reward / seen,
    }
    per_episode |= mean | {f"penalised_{metric}": values for metric, values in penalised.items()}
    return TrackingReport(
        environment=env.spec.id if env.spec is not None else type(env.unwrapped).__name__,
        policy=name,
        episodes=env.num_envs,
        seed=seed,
        horizon=horizon or (DEFAULT_HORIZON if loop else None),
        coverage=float(per_episode["coverage"].mean()),
        completion=100.0 * float(completed.mean()),
        survival=float(per_episode["survival"].mean()),
        reward=float(per_episode["reward"].mean()),
        errors={metric: float(values.mean()) for metric, values in mean.items()},
        penalised={metric: float(values.mean()) for metric, values in penalised.items()},
        failures={cause: 100.0 * float((trace.cause == cause).mean()) for cause in ("root", "key_body", "diverged")},
        per_episode={metric: values.tolist() for metric, values in per_episode.items()},
    )
