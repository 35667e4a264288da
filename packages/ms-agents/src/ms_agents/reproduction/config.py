"""What to reproduce, and every constant of the way there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ms_agents.hyperparameter_set import HyperparameterSet, require_positive
from ms_agents.hyperparameters import Hyperparameters
from ms_agents.planning import PlannerHyperparameters, PlanRequest
from ms_agents.planning.stage import reflex_gains
from ms_agents.runs import TrainingConfig, write_text
from ms_agents.versions import package_versions

REFLEX = {"stiffness": 20.0, "damping": 1.2}
"""Gains under the offsets by default; of stiffer muscles, which chatter, linear models say little."""
LEARNER = Hyperparameters(action_std=0.02, learning_rate=1e-5, learning_rate_range=(2e-6, 1e-3))
"""Constants of fine-tuning by default; a policy that is trained with much more noise falls without it."""
TEACHERS = ("motion", "plan", "none")
"""What lessons are taken from."""
FILE = "reproduction.json"
"""Where a run directory says what it reproduces."""


@dataclass(frozen=True)
class Perturbation(HyperparameterSet):
    """How far roll-outs begin from the motion, and with it the scale of deviations; standard deviations.

    Attributes:
        joint_angle: Of every independent joint, rad; ten times that per second for velocities.
        root_displacement: Of the root along each horizontal axis, m.
        root_height: Of the root, m.
        root_rotation: Of the root about each axis, rad.
        root_velocity: Of the root along each axis, m/s.
        root_angular_velocity: Of the root about each axis, rad/s.
    """

    joint_angle: float = 0.025
    root_displacement: float = 0.04
    root_height: float = 0.03
    root_rotation: float = 0.025
    root_velocity: float = 0.1
    root_angular_velocity: float = 0.2

    def __post_init__(self) -> None:
        require_positive(self, "perturbation")


@dataclass(frozen=True)
class FeedbackHyperparameters(HyperparameterSet):
    """Constants of the feedback around the motion, or a plan of it.

    Attributes:
        bodies: Roll-outs of a round, which run side by side.
        rounds: How often bodies are rolled out, under the feedback found so far, and models fitted anew.
        first_seconds: Length of the roll-outs of the first round, in which nothing catches a falling body, s.
        seconds: Of the later ones, s.
        segment_steps: Control steps of a segment, at most; a looping motion is a whole number of segments.
        noise: Of the offsets, in deviations of the search's noise.
        ridge: Weight of the prior of the models, in samples.
        effort: Factor on the cost of the offsets where they differ from their mean in the last roll-outs; without it
            gains are as high as roll-outs without noise would allow, and the mean runs away.
        limit: Largest change of an offset, rad.
    """

    bodies: int = 128
    rounds: int = 10
    first_seconds: float = 0.5
    seconds: float = 2.1
    segment_steps: int = 3
    noise: float = 0.2
    ridge: float = 10.0
    effort: float = 1e4
    limit: float = 0.4

    def __post_init__(self) -> None:
        require_positive(self, "feedback")


@dataclass(frozen=True)
class CloningHyperparameters(HyperparameterSet):
    """Constants of behaviour cloning.

    Attributes:
        learning_rate: Of Adam at the start; it falls to zero along half a cosine.
        minibatch: Frames per gradient step.
        epochs: Most passes over the lessons.
        patience: Passes without improvement on the held-out lessons after which it stops.
        held_out: Share of the lessons that are held out.
        weight_decay: Of Adam with decoupled weight decay.
        observation_noise: Standard deviation of what is added to normalised observations.
    """

    learning_rate: float = 2e-3
    minibatch: int = 512
    epochs: int = 60
    patience: int = 12
    held_out: float = 0.1
    weight_decay: float = 1e-2
    observation_noise: float = 0.02

    def __post_init__(self) -> None:
        for name in ("minibatch", "epochs", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)!r}")
        if not 0 < self.held_out < 1:
            raise ValueError(f"held_out must be a share in (0, 1), got {self.held_out!r}")


PARTS: dict[str, type[HyperparameterSet]] = {
    "perturbation": Perturbation,
    "feedback": FeedbackHyperparameters,
    "cloning": CloningHyperparameters,
    "planner": PlannerHyperparameters,
    "learner": Hyperparameters,
}
"""Fields of a configuration that hold constants of their own, and of which kind."""


@dataclass(frozen=True)
class ReproductionConfig:
    """What to reproduce, and within which budget.

    Attributes:
        id: Id of the environment.
        env_kwargs: Arguments of the environment, such as ``body``.
        core_hours: Budget of processor time; scoring is not counted.
        seed: Of everything.
        teacher: What the feedback keeps bodies on: the ``"motion"`` itself, or a ``"plan"`` of it; ``"none"`` leaves
            everything to PPO.
        plan_rounds: Rounds of a looping motion that are planned.
        plan_minutes: Budget of the plan, processor time in min.
        lessons: Bodies that are led side by side for lessons; who falls begins anew.
        lesson_noise: Standard deviation of what disturbs the actions of the first lessons.
        episode: How long each of them is led, s.
        rounds: How often clones are taught where they go, and cloned anew.
        warm_up: Share of the budget in which critic and discriminator learn from the best clone before it may change.
        episodes: Episodes of a score.
        perturbation: Of the starts of roll-outs and lessons, around the motion.
        feedback: Constants of the teacher.
        cloning: Constants of cloning.
        planner: Constants of the search.
        learner: Constants of fine-tuning.
    """

    id: str
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    core_hours: float = 10.0
    seed: int = 0
    teacher: str = TEACHERS[0]
    plan_rounds: int = 9
    plan_minutes: float = 30.0
    lessons: int = 32
    lesson_noise: float = 0.05
    episode: float = 10.0
    rounds: int = 1
    warm_up: float = 0.03
    episodes: int = 32
    perturbation: Perturbation = field(default_factory=Perturbation)
    feedback: FeedbackHyperparameters = field(default_factory=FeedbackHyperparameters)
    cloning: CloningHyperparameters = field(default_factory=CloningHyperparameters)
    planner: PlannerHyperparameters = field(default_factory=lambda: PlannerHyperparameters.preset("walk"))
    learner: Hyperparameters = LEARNER

    def __post_init__(self) -> None:
        if not self.core_hours > 0:
            raise ValueError(f"core_hours must be a positive number, got {self.core_hours!r}")
        if not 0 <= self.warm_up <= 1:
            raise ValueError(f"warm_up must be a share of the budget in [0, 1], got {self.warm_up!r}")
        if self.teacher not in TEACHERS:
            raise ValueError(f"unknown teacher {self.teacher!r}; choose one of {', '.join(TEACHERS)}")
        for name, least in (("plan_rounds", 2), ("rounds", 0), ("lessons", 2), ("episodes", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)!r}")

    @property
    def request(self) -> PlanRequest:
        """What to plan; with fitted muscle paths, as the policy will be trained."""
        arguments = {"muscle_paths": "fitted", **self.env_kwargs, "reflex": self._reflex}
        return PlanRequest(self.id, arguments, seed=self.seed, hyperparameters=self.planner)

    @property
    def _reflex(self) -> dict[str, float]:
        return reflex_gains({**self.env_kwargs, "reflex": REFLEX | dict(self.env_kwargs.get("reflex", {}))})

    def changed(self, changes: Mapping[str, Any]) -> ReproductionConfig:
        """The same but for some constants.

        Args:
            changes: Name to value; those of a part as ``<part>.<name>``, such as ``cloning.patience``.

        Raises:
            ValueError: If a name is unknown.
        """
        config = self
        for name, value in changes.items():
            part, _, inner = name.partition(".")
            known = [entry.name for entry in fields(self)]
            if part not in known or bool(inner) != (part in PARTS):
                plain = ", ".join(entry for entry in known if entry not in (*PARTS, "id", "env_kwargs"))
                raise ValueError(
                    f"unknown constant {name!r}; choose one of {plain}, or PART.NAME of {', '.join(PARTS)}"
                )
            new: dict[str, Any] = {part: getattr(config, part).changed({inner: value}) if inner else value}
            config = replace(config, **new)
        return config

    def training(self, steps: int, threads: int | None) -> TrainingConfig:
        """Configuration of fine-tuning, of so many environment steps."""
        own = {"control": "posture", "muscle_paths": "fitted", "key_body_termination": 1.0}
        return TrainingConfig(
            id=self.id,
            env_kwargs={**own, **self.env_kwargs, "reflex": self._reflex},
            steps=steps,
            threads=threads,
            seed=self.seed,
            hyperparameters=self.learner,
            evaluation_horizon=10.0,
            final_episodes=self.episodes,
        )

    def save(self, run: Path) -> None:
        """Write ``reproduction.json`` into a run directory."""
        write_text(run / FILE, json.dumps(asdict(self) | {"versions": package_versions()}, indent=1) + "\n")

    @classmethod
    def load(cls, run: Path) -> ReproductionConfig:
        """Read the ``reproduction.json`` of a run directory.

        Raises:
            ValueError: If there is none, or it is damaged.
        """
        path = run / FILE
        if not path.is_file():
            raise ValueError(f"{run} reproduces nothing: it has no {FILE}")
        try:
            content = json.loads(path.read_text())
            values = {entry.name: content[entry.name] for entry in fields(cls)}
            values |= {name: kind.from_dict(values[name]) for name, kind in PARTS.items()}
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged: {error}") from error
