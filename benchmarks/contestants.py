"""What is scored: controllers that need no training, trained policies, and plans."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from gymnasium.vector import VectorEnv
from ms_agents.controllers import CONTROLLERS, Policy, controller
from ms_agents.evaluation import make_evaluation_env
from ms_agents.exported_policy import MANIFEST, WEIGHTS
from ms_agents.planning import Plan, PlanPolicy, score
from ms_agents.planning.stage import stage_arguments
from ms_agents.runs import BEST, load_run
from ms_envs.bodies import DEFAULT_BODY
from ms_envs.envs import TrackingVectorEnv
from ms_envs.motions import MOTIONS, motions_of

HERE = Path(__file__).parent
FOLDERS = (HERE / "results", HERE / "policies", Path("runs/plans"))
"""Where trained policies and plans are looked for."""
SET_BY_PROTOCOL = ("root_termination", "key_body_termination", "horizon", "engine", "impl", "buffers")
"""Arguments of an environment that the protocol sets."""


class Contestant(Protocol):
    """A controller of one body on one motion.

    Attributes:
        name: What tables call it.
        body: Name of the body.
        motion: Name of the motion.
        duration: Length that it was made for, s; ``None`` for any.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def body(self) -> str: ...  # noqa: D102
    @property
    def motion(self) -> str: ...  # noqa: D102
    @property
    def duration(self) -> float | None: ...  # noqa: D102

    def arguments(self) -> dict[str, Any]:
        """Arguments of its environment."""
        ...

    def policy(self, env: VectorEnv[Any, Any, Any]) -> Policy:
        """What acts."""
        ...

    def digest(self) -> str:
        """Hash of what was learnt or planned."""
        ...


@dataclass(frozen=True)
class TrainingFree:
    """One of :data:`ms_agents.controllers.CONTROLLERS`."""

    name: str
    body: str
    motion: str
    duration: None = None

    def arguments(self) -> dict[str, Any]:
        """Body and control."""
        return controller(self.name).arguments({"body": self.body})

    def policy(self, env: VectorEnv[Any, Any, Any]) -> Policy:
        """The controller."""
        return controller(self.name).make(env)

    def digest(self) -> str:
        """Nothing was learnt."""
        return ""


@dataclass(frozen=True)
class Trained:
    """A run directory with its best checkpoint, or the folder of an exported policy.

    Attributes:
        path: The folder.
        trained_in: Arguments of the environment it was trained in.
    """

    name: str
    body: str
    motion: str
    path: Path
    trained_in: Mapping[str, Any]
    duration: None = None

    @classmethod
    def at(cls, path: Path, folder: Path) -> Trained | None:
        """The policy at a path below a folder; ``None`` if it is not one of the suite's own motions."""
        exported = (path / MANIFEST).is_file()
        content = json.loads((path / (MANIFEST if exported else "config.json")).read_text())
        env_id, arguments = (
            content[name]
            for name in (("environment_id", "environment_arguments") if exported else ("id", "env_kwargs"))
        )
        motion = _motion_of(env_id)
        if motion is None or "clip" in arguments:
            return None
        name = path.relative_to(folder).as_posix() if path != folder else path.name
        return cls(name, arguments.get("body", DEFAULT_BODY), motion, path, arguments)

    def arguments(self) -> dict[str, Any]:
        """Those of training, without its limits."""
        return {name: value for name, value in self.trained_in.items() if name not in SET_BY_PROTOCOL}

    def policy(self, env: VectorEnv[Any, Any, Any]) -> Policy:
        """The policy, checked against the environment it was made for."""
        policy, _, _ = load_run(self.path)
        return policy

    def digest(self) -> str:
        """Hash of the weights."""
        weights = WEIGHTS if (self.path / WEIGHTS).is_file() else BEST
        return hashlib.sha256((self.path / weights).read_bytes()).hexdigest()


@dataclass(frozen=True)
class Planned:
    """A plan, replayed from the beginning of the motion.

    Attributes:
        path: Its file.
        plan: The plan.
    """

    body: str
    motion: str
    path: Path
    plan: Plan
    name: str = "plan"

    @property
    def duration(self) -> float:
        """Length that was to be planned, s."""
        return self.plan.duration

    def arguments(self) -> dict[str, Any]:
        """Those of planning, without its limits."""
        arguments = stage_arguments(self.plan.request)
        return {name: value for name, value in arguments.items() if name not in SET_BY_PROTOCOL}

    def policy(self, env: VectorEnv[Any, Any, Any]) -> Policy:
        """The actions one after another."""
        return PlanPolicy(self.plan)

    def digest(self) -> str:
        """Hash of the actions."""
        return hashlib.sha256(np.ascontiguousarray(self.plan.actions).data).hexdigest()


def contestants(
    bodies: Sequence[str], motions: Sequence[str], folders: Sequence[Path] = FOLDERS
) -> list[TrainingFree | Trained | Planned]:
    """Everything that can be scored: what was found in files first, then one controller after another.

    Args:
        bodies: Names of bodies.
        motions: Names of motions; all that each body can do if empty.
        folders: Where policies and plans are looked for.

    Raises:
        ValueError: If a motion is unknown.
    """
    if unknown := sorted(set(motions) - set(MOTIONS)):
        raise ValueError(f"unknown motions {unknown}; choose from {list(MOTIONS)}")
    pairs = [
        (body, motion)
        for motion in MOTIONS
        for body in bodies
        if motion in motions_of(body) and (not motions or motion in motions)
    ]
    found: list[TrainingFree | Trained | Planned] = [*trained(folders), *planned(folders)]
    free = [TrainingFree(name, *pair) for name in CONTROLLERS for pair in pairs]
    return [each for each in found if (each.body, each.motion) in pairs] + free


def trained(folders: Sequence[Path]) -> list[Trained]:
    """Exported policies and run directories with a checkpoint, by name."""
    paths = {
        (path.parent if path.name == MANIFEST else path.parents[1]): folder
        for folder in folders
        for pattern in (f"**/{MANIFEST}", f"**/{BEST}")
        for path in folder.glob(pattern)
    }
    policies = [Trained.at(path, folder) for path, folder in sorted(paths.items())]
    return [policy for policy in policies if policy is not None]


def planned(folders: Sequence[Path]) -> list[Planned]:
    """The farthest plan of each motion and body, from files in folders called ``plans``."""
    best: dict[tuple[str, str], Planned] = {}
    files = sorted(path for folder in folders for path in folder.glob("**/*.npz") if path.parent.name == "plans")
    for path in files:
        plan = Plan.load(path)
        motion = _motion_of(plan.request.id)
        body = plan.request.env_kwargs.get("body", DEFAULT_BODY)
        if motion is None or not len(plan.actions):
            continue
        if (body, motion) not in best or score(plan).strict > score(best[body, motion].plan).strict:
            best[body, motion] = Planned(body, motion, path, plan)
    return list(best.values())


def perform(contestant: Contestant, seconds: float | None, **env_kwargs: Any) -> Iterator[TrackingVectorEnv]:
    """One episode of the protocol from the beginning of the motion.

    Args:
        contestant: Who acts.
        seconds: Longest episode; by default that of the protocol.
        **env_kwargs: Further arguments of the environment.

    Yields:
        The environment after its reset and after every control step.
    """
    arguments: Mapping[str, Any] = contestant.arguments() | env_kwargs
    env = make_evaluation_env(
        f"ms_envs:{MOTIONS[contestant.motion].env_id}", episodes=1, horizon=seconds or contestant.duration, **arguments
    )
    base: Any = env.unwrapped
    try:
        policy = contestant.policy(env)
        observation, _ = env.reset(seed=0, options={"phase": 0.0})
        yield base
        ended = False
        while not ended:
            action, _ = policy.predict(observation, deterministic=True)
            observation, _, terminated, truncated, _ = env.step(action)
            ended = bool((terminated | truncated)[0])
            yield base
    finally:
        env.close()


def _motion_of(env_id: str) -> str | None:
    """Name of the motion of an environment's id, if it is one of the suite."""
    return {motion.env_id: name for name, motion in MOTIONS.items()}.get(env_id.rpartition(":")[2])
