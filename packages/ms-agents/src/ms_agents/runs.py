"""Run directories: what was trained, with what, and how far it is."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
from gymnasium.vector import AutoresetMode, VectorEnv
from ms_envs.atomic_file import atomic_file

from ms_agents.aggregation import AGGREGATORS
from ms_agents.algorithms import ALGORITHMS
from ms_agents.hyperparameter_set import HyperparameterSet
from ms_agents.hyperparameters import Hyperparameters
from ms_agents.versions import package_versions

if TYPE_CHECKING:
    from ms_agents.exported_policy import ExportedPolicy
    from ms_agents.ppo.algorithm import AggregatedPPO
    from ms_agents.qflex.algorithm import QFlex

LAST = "checkpoints/last.pt"
"""Everything needed to continue."""
BEST = "checkpoints/best.pt"
"""The policy that did best in the evaluations during training."""


@dataclass(frozen=True)
class TrainingConfig:
    """What to train, and for how long.

    Attributes:
        id: Id of the environment.
        env_kwargs: Arguments of the environment, such as ``body`` and ``control``.
        steps: Environment steps in all.
        minutes: Time limit of this call; ``None`` for none.
        threads: Threads that step physics; by default one per core.
        seed: Of everything.
        algorithm: ``"ppo"`` or ``"qflex"``.
        aggregator: ``"adversarial"`` or ``"hand-tuned"``.
        explorer: ``"gaussian"``, ``"gsde"``, ``"correlated"`` or ``"flow"`` with PPO, ``"flow"`` or ``"gaussian"`` with
            Qflex; the first of them by default.
        hyperparameters: Constants of the learner, of the class that belongs to the algorithm.
        curriculum: Factor on the limits of termination at first, and the steps after which it is 1; see
            :class:`~ms_agents.curriculum.TerminationCurriculum`.
        checkpoint_interval: Iterations between checkpoints.
        evaluation_interval: Steps between short evaluations; 0 for none.
        evaluation_episodes: Episodes of a short evaluation.
        evaluation_horizon: Longest episode of a short evaluation, s.
        final_episodes: Episodes of the evaluation at the end; 0 for none.
        video: Whether to film the result.
    """

    id: str
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 1_500_000
    minutes: float | None = None
    threads: int | None = None
    seed: int = 0
    algorithm: str = "ppo"
    aggregator: str = "adversarial"
    explorer: str = ""
    hyperparameters: HyperparameterSet = field(default_factory=Hyperparameters)
    curriculum: tuple[float, int] | None = None
    checkpoint_interval: int = 10
    evaluation_interval: int = 100_000
    evaluation_episodes: int = 12
    evaluation_horizon: float = 5.0
    final_episodes: int = 32
    video: bool = True

    def __post_init__(self) -> None:
        _one_of("algorithm", self.algorithm, ALGORITHMS)
        algorithm = ALGORITHMS[self.algorithm]
        object.__setattr__(self, "explorer", self.explorer or algorithm.explorers[0])
        _one_of("aggregator", self.aggregator, AGGREGATORS)
        _one_of("explorer", self.explorer, algorithm.explorers)
        if not isinstance(self.hyperparameters, algorithm.hyperparameters):
            raise ValueError(
                f"the algorithm {self.algorithm!r} takes {algorithm.hyperparameters.__name__}, "
                f"got {type(self.hyperparameters).__name__}"
            )
        for name in ("steps", "checkpoint_interval"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

        if self.curriculum is not None:
            start, steps = self.curriculum
            object.__setattr__(self, "curriculum", (start, steps))  # a list, in files

    @property
    def all_env_kwargs(self) -> dict[str, Any]:
        """Arguments of the environment, threads among them."""
        return dict(self.env_kwargs) | ({} if self.threads is None else {"threads": self.threads})

    def make_env(self) -> VectorEnv[Any, Any, Any]:
        """The environments to train in."""
        return gymnasium.make_vec(
            self.id,
            num_envs=self.hyperparameters.environments,
            autoreset_mode=AutoresetMode.SAME_STEP,
            **self.all_env_kwargs,
        )

    def save(self, run: Path, identity: Mapping[str, Any]) -> None:
        """Write ``config.json`` into a run directory, with the versions of what it runs on."""
        content = asdict(self) | {"identity": dict(identity), "versions": package_versions()}
        write_text(run / "config.json", json.dumps(content, indent=1, default=str) + "\n")

    @classmethod
    def load(cls, run: Path) -> TrainingConfig:
        """Read the ``config.json`` of a run directory.

        Raises:
            ValueError: If there is none, or it is damaged.
        """
        path = run / "config.json"
        if not path.is_file():
            raise ValueError(f"{run} is not a run directory: it has no config.json")
        try:
            content = json.loads(path.read_text())
            content = {name: value for name, value in content.items() if name not in ("identity", "versions")}
            kind = ALGORITHMS[content.get("algorithm", "ppo")].hyperparameters
            return cls(**content | {"hyperparameters": kind.from_dict(content["hyperparameters"])})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged: {error}") from error


def new_run_directory(env_id: str, parent: Path = Path("runs")) -> Path:
    """A fresh directory ``parent/<id>-<time>``."""
    name = env_id.rpartition(":")[2].replace("/", "-")
    stem = parent / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    run, number = stem, 2
    while run.exists():
        run, number = stem.with_name(f"{stem.name}-{number}"), number + 1
    return run


def best_checkpoint(run: Path) -> Path:
    """The checkpoint to use a run by: the best one, or else the last; a checkpoint file stands for itself.

    Raises:
        ValueError: If there is none.
    """
    for path in (run, run / BEST, run / LAST):
        if path.is_file():
            return path
    raise ValueError(f"{run} has no checkpoint; expected {BEST} or {LAST} in it")


def load_run(
    run: Path, checkpoint: Path | None = None
) -> tuple[AggregatedPPO | QFlex | ExportedPolicy, str, dict[str, Any]]:
    """A trained policy and what it was trained in.

    Args:
        run: Run directory, or folder of an exported policy.
        checkpoint: Checkpoint to load; by default the best of the run.

    Returns:
        The policy, the id of its environment and the arguments to make that with.

    Raises:
        ValueError: If the run is damaged, or the environment made now is not the one it was trained in.
    """
    from ms_agents.exported_policy import MANIFEST, load_exported
    from ms_agents.identity import check_identity

    if (run / MANIFEST).is_file():
        if checkpoint is not None:
            raise ValueError(f"{run} is an exported policy; it has no other checkpoints")
        return load_exported(run)
    config = TrainingConfig.load(run)
    model = ALGORITHMS[config.algorithm].load().load(checkpoint or best_checkpoint(run))
    env = replace(config, hyperparameters=config.hyperparameters.with_environments(1)).make_env()
    check_identity(model.identity, env)
    env.close()
    return model, config.id, config.all_env_kwargs


def _one_of(name: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        raise ValueError(f"unknown {name} {value!r}; choose one of {', '.join(map(repr, choices))}")


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)
