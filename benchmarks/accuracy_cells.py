"""Scores that are kept one by one, and measured again only when what they depend on has changed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

import mujoco
import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper
from ms_agents.evaluation import KEY_BODY_LIMIT, ROOT_LIMIT, evaluate, make_evaluation_env
from ms_envs.bodies import load_body
from ms_envs.bodies.body import Body
from ms_envs.envs.options import TrackingOptions
from ms_envs.motions import MOTIONS, load_clip
from ms_envs.task.errors import METRIC_UNITS
from numpy.typing import NDArray

from benchmarks.contestants import Contestant

SUPPORT = 40.0
"""Natural frequency of the spring on the root where it is supported, rad/s."""
PACKAGES = ("ms-envs", "ms-agents", "mujoco")
"""Packages whose version decides a score."""


@dataclass(frozen=True)
class Cell:
    """One controller of one body on one motion under the protocol.

    Attributes:
        body: Name of the body.
        motion: Name of the motion.
        controller: Name of the controller.
        supported: Whether a spring held the root.
        fingerprint: Hash of everything that the score depends on.
        loop: Whether the motion loops.
        horizon: Longest episode, s; ``None`` for the rest of the motion.
        coverage: Share of frames tracked, %.
        completion: Share of episodes that reached the end, %.
        survival: Mean time until the end of an episode, s.
        errors: Metric to its mean over tracked frames.
        penalised: Error to its mean with lost frames charged.
        phases: Where the episodes that were simulated start.
        phase_survival: Time until each ends, s.
        phase_error: Joint angle error of each over tracked frames, deg.
        joints: Joint to its mean absolute error over tracked frames, deg.
        core_seconds: Processor time of the measurement.
        measured: When, in UTC.
    """

    body: str
    motion: str
    controller: str
    supported: bool
    fingerprint: str
    loop: bool
    horizon: float | None
    coverage: float
    completion: float
    survival: float
    errors: Mapping[str, float]
    penalised: Mapping[str, float]
    phases: Sequence[float]
    phase_survival: Sequence[float]
    phase_error: Sequence[float]
    joints: Mapping[str, float]
    core_seconds: float
    measured: str

    @property
    def key(self) -> tuple[str, str, str, bool]:
        """What there is one cell of."""
        return self.body, self.motion, self.controller, self.supported

    def rounded(self) -> dict[str, Any]:
        """Plain values with four significant digits."""
        return {name: _rounded(value) for name, value in asdict(self).items()}


def fingerprint(contestant: Contestant, phases: int, supported: bool) -> str:
    """Hash of model, clip, options, weights, versions and protocol."""
    arguments = contestant.arguments() | _support(supported)
    options = TrackingOptions.from_arguments(arguments)
    content = {
        "model": _model_digest(contestant.body),
        "clip": _clip_digest(contestant.body, contestant.motion),
        "options": asdict(options),
        "source": contestant.digest(),
        "versions": {name: version(name) for name in PACKAGES},
        "protocol": [phases, ROOT_LIMIT, KEY_BODY_LIMIT, contestant.duration],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def measure(contestant: Contestant, phases: int, supported: bool, threads: int, mark: str) -> Cell:
    """Score a contestant under the protocol of ``2 * phases`` episodes.

    Half of those start with the motion. They are all the same, since nothing is random, and so are simulated once and
    counted ``phases`` times. A plan is scored in one episode from the beginning, over its own length.

    Args:
        contestant: Who acts.
        phases: Evenly spaced start phases.
        supported: Whether a spring holds the root.
        threads: Threads that step physics.
        mark: Fingerprint to keep with the score.
    """
    started = time.process_time()
    starts = [0.0] if contestant.duration else [0.0, *((k + 0.5) / phases for k in range(phases))]
    arguments = contestant.arguments() | _support(supported) | {"threads": threads}
    env_id = f"ms_envs:{MOTIONS[contestant.motion].env_id}"
    env = JointErrors(make_evaluation_env(env_id, episodes=len(starts), horizon=contestant.duration, **arguments))
    try:
        policy = contestant.policy(env)
        report = evaluate(policy, env, horizon=contestant.duration, phases=starts, name=contestant.name)
        joints = dict(zip(env.body.joint_names, env.mean().tolist(), strict=True))
    finally:
        env.close()
    values = {name: np.array(each) for name, each in report.per_episode.items()}
    weights = np.array([max(len(starts) - 1, 1), *np.ones(len(starts) - 1)])
    mean = {name: float(np.average(each, weights=weights)) for name, each in values.items()}
    return Cell(
        body=contestant.body,
        motion=contestant.motion,
        controller=contestant.name,
        supported=supported,
        fingerprint=mark,
        loop=env.loop,
        horizon=report.horizon,
        coverage=mean["coverage"],
        completion=100 * mean["completed"],
        survival=mean["survival"],
        errors={name: mean[name] for name in METRIC_UNITS},
        penalised={name: mean[f"penalised_{name}"] for name in METRIC_UNITS if name.endswith("_error")},
        phases=starts,
        phase_survival=values["survival"].tolist(),
        phase_error=values["joint_angle_error"].tolist(),
        joints=joints,
        core_seconds=time.process_time() - started,
        measured=time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
    )


class JointErrors(VectorWrapper[Any, Any, Any, Any, Any]):
    """Adds up the error of every joint over the tracked frames of first episodes.

    Args:
        env: Vector environment of ``ms_envs``.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        base: Any = env.unwrapped
        self.body: Body = base.body
        self.loop: bool = base.clip.loop
        self._joints: slice = base.error_slices["joint_position"]
        self._total = np.zeros(len(self.body.joint_ids))
        self._frames = 0
        self._running = np.ones(env.num_envs, dtype=np.bool_)

    def step(self, actions: Any) -> Any:
        """Step, and add."""
        result = super().step(actions)
        _, _, terminated, truncated, info = result
        kept = self._running & ~terminated
        self._total += np.abs(info["tracking_error"][kept, self._joints]).sum(axis=0)
        self._frames += int(kept.sum())
        self._running &= ~(terminated | truncated)
        return result

    def mean(self) -> NDArray[np.float64]:
        """Mean absolute error of each joint, deg, (J,)."""
        mean: NDArray[np.float64] = np.degrees(self._total / max(self._frames, 1))
        return mean


def _support(supported: bool) -> dict[str, float]:
    return {"root_support": SUPPORT if supported else 0.0}


@cache
def _model_digest(body: str) -> str:
    model = load_body(body).model
    content = np.empty(mujoco.mj_sizeModel(model), dtype=np.uint8)
    mujoco.mj_saveModel(model, None, content)
    return hashlib.sha256(content.data).hexdigest()


@cache
def _clip_digest(body: str, motion: str) -> str:
    clip = load_clip(motion, load_body(body))
    digest = hashlib.sha256(f"{clip.fps} {clip.loop}".encode())
    for values in (clip.qpos, clip.qvel, clip.activation):
        if values is not None:
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value
