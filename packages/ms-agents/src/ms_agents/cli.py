"""The ``ms-agents`` command."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from ms_envs.command_line import refuse_repeated

from ms_agents.cli_arguments import environment_arguments, importing, plain_value
from ms_agents.cli_planning import Plan, Replay
from ms_agents.cli_reproduction import Reproduce


@dataclass
class Train:
    """Train a policy, score it against the untrained one and film it."""

    id: Annotated[str | None, tyro.conf.Positional] = None
    """Id of the environment, such as MSEmu/Walk-v0."""
    body: str | None = None
    """Body to train, such as myo-legs; by default that of the environment."""
    control: str | None = None
    """excitation, reflex or posture; by default that of the environment."""
    env: tuple[tuple[str, str], ...] = ()
    """Further arguments of the environment, as name and value: --env strength 1.5."""
    steps: int | None = None
    """Environment steps in all; 1.5 million by default, or what the run was started with."""
    minutes: float | None = None
    """Time limit of this call."""
    envs: int | None = None
    """Environments stepped together; by default that of the preset."""
    threads: int | None = None
    """Threads that step physics; by default one per core."""
    seed: int = 0
    """Of everything."""
    algorithm: Literal["ppo", "qflex"] = "ppo"
    """On-policy, or off-policy with a replay."""
    aggregator: Literal["adversarial", "hand-tuned"] = "adversarial"
    """Where the reward comes from."""
    explorer: Literal["gaussian", "gsde", "correlated", "flow"] | None = None
    """How base samples become actions: as they are (the default of ppo), by noise that depends on the state or is
    correlated at the joints, along the critic's gradient (the default of qflex)."""
    preset: Literal["cpu", "gpu"] = "cpu"
    """Constants of the learner."""
    set: tuple[tuple[str, str], ...] = ()
    """Constants that differ from the preset, as name and value: --set gamma 0.97 discriminator.updates 16."""
    curriculum: tuple[float, int] | None = None
    """Factor on the limits of termination at first, and the steps after which it is 1: --curriculum 2 500000."""
    run_dir: Path | None = None
    """Where the run is kept; by default runs/<id>-<time>."""
    resume: Path | None = None
    """Run directory to continue; --steps, --minutes and --threads may be given anew."""
    video: bool = True
    """Whether to film the result."""

    def __call__(self) -> None:
        """Train."""
        from ms_agents.algorithms import ALGORITHMS
        from ms_agents.runs import TrainingConfig
        from ms_agents.training import train

        if self.resume is not None:
            config = TrainingConfig.load(self.resume)
            given: dict[str, Any] = {"steps": self.steps, "minutes": self.minutes, "threads": self.threads}
            config = replace(config, **{name: value for name, value in given.items() if value is not None})
            train(config, self.resume, resume=True)
            return
        if self.id is None:
            raise ValueError("give the id of an environment, such as MSEmu/Walk-v0, or --resume RUN")
        config = TrainingConfig(
            id=importing(self.id),
            env_kwargs=environment_arguments(self.env, body=self.body, control=self.control),
            minutes=self.minutes,
            threads=self.threads,
            seed=self.seed,
            algorithm=self.algorithm,
            aggregator=self.aggregator,
            explorer=self.explorer or "",
            curriculum=self.curriculum,
            hyperparameters=ALGORITHMS[self.algorithm]
            .hyperparameters.preset(self.preset)
            .changed({name: plain_value(text) for name, text in self.set})
            .with_environments(self.envs),
            video=self.video,
            **({} if self.steps is None else {"steps": self.steps}),
        )
        train(config, self.run_dir)


@dataclass
class Sweep:
    """Train over seeds and settings, each run a process; the same command continues what is there."""

    id: Annotated[str, tyro.conf.Positional]
    """Id of the environment, such as MSEmu/Walk-v0."""
    folder: Path
    """Where the runs are kept, one run directory each."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """One run each."""
    algorithm: Literal["ppo", "qflex"] = "ppo"
    """On-policy, or off-policy with a replay."""
    aggregators: tuple[Literal["adversarial", "hand-tuned"], ...] = ("adversarial",)
    """Where the reward comes from."""
    explorers: tuple[Literal["gaussian", "gsde", "correlated", "flow"], ...] = ("gaussian",)
    """How base samples become actions."""
    vary: Annotated[tuple[tuple[str, ...], ...], tyro.conf.UseAppendAction] = ()
    """A constant or an argument of the environment, and its values: --vary action_std 0.05 0.1; may be repeated."""
    jobs: int = 1
    """Processes at once, of one thread each."""
    body: str | None = None
    """Body to train, such as myo-legs; by default that of the environment."""
    control: str | None = None
    """excitation, reflex or posture; by default that of the environment."""
    env: tuple[tuple[str, str], ...] = ()
    """Further arguments of the environment, as name and value: --env strength 1.5."""
    steps: int = 1_500_000
    """Environment steps of each run."""
    envs: int | None = None
    """Environments stepped together; by default that of the preset."""
    preset: Literal["cpu", "gpu"] = "cpu"
    """Constants of the learner."""
    set: tuple[tuple[str, str], ...] = ()
    """Constants that differ from the preset, as name and value: --set gamma 0.97 discriminator.updates 16."""
    curriculum: tuple[float, int] | None = None
    """Factor on the limits of termination at first, and the steps after which it is 1: --curriculum 2 500000."""
    video: bool = False
    """Whether to film the results."""

    def __call__(self) -> None:
        """Sweep; exit status 1 if a run failed."""
        from ms_agents import sweep
        from ms_agents.algorithms import ALGORITHMS
        from ms_agents.runs import TrainingConfig

        base = TrainingConfig(
            id=importing(self.id),
            env_kwargs=environment_arguments(self.env, body=self.body, control=self.control),
            steps=self.steps,
            algorithm=self.algorithm,
            curriculum=self.curriculum,
            hyperparameters=ALGORITHMS[self.algorithm]
            .hyperparameters.preset(self.preset)
            .changed({name: plain_value(text) for name, text in self.set})
            .with_environments(self.envs),
            video=self.video,
        )
        varied = {name: tuple(map(plain_value, values)) for name, *values in filter(None, self.vary)}
        asked = sweep.Sweep(base, self.seeds, self.aggregators, self.explorers, varied)
        if sweep.sweep(asked, self.folder, jobs=self.jobs):
            raise SystemExit(1)


@dataclass
class Evaluate:
    """Score policies under the tracking protocol: a trained one beside the untrained, or some that need no training."""

    run: Annotated[str, tyro.conf.Positional]
    """Run directory or exported folder; with --policy the id of an environment, such as MSEmu/Walk-v0."""
    policy: tuple[Literal["untrained", "reflex", "inverse"], ...] = ()
    """Policies that need no training: the control at rest, the stretch reflex, computed muscle control."""
    body: str | None = None
    """Body of --policy; by default that of the environment."""
    env: tuple[tuple[str, str], ...] = ()
    """Further arguments of the environment of --policy, as name and value."""
    checkpoint: Path | None = None
    """Checkpoint to score; by default the best of the run."""
    episodes: int = 32
    """Episodes, half of them from the beginning of the clip."""
    horizon: float | None = None
    """Longest episode in s; by default 10 s of a looping clip, or the whole of another."""
    seed: int = 0
    """Of the environment."""
    threads: int | None = None
    """Threads that step physics."""
    json: Path | None = None
    """Where to write the last report as JSON."""

    def __call__(self) -> None:
        """Evaluate."""
        from rich.console import Console

        from ms_agents.evaluation import evaluate
        from ms_agents.report import comparison_table
        from ms_agents.runs import load_run, write_text

        contestants: dict[str, Any]
        if self.policy:
            env_id = importing(self.run)
            kwargs = environment_arguments(self.env, body=self.body)
            contestants = {name: name for name in self.policy}
        else:
            trained, env_id, kwargs = load_run(Path(self.run), self.checkpoint)
            contestants = {"untrained": "untrained", "trained": trained}
        kwargs |= {"episodes": self.episodes, "seed": self.seed}
        kwargs |= {name: value for name in ("horizon", "threads") if (value := getattr(self, name)) is not None}
        reports = [evaluate(policy, env_id, name=name, **kwargs) for name, policy in contestants.items()]
        Console().print(comparison_table(reports))
        if self.json is not None:
            write_text(self.json, reports[-1].to_json() + "\n")


@dataclass
class Play:
    """Film a trained policy, or show it in a window."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory or exported folder."""
    checkpoint: Path | None = None
    """Checkpoint to play; by default the best of the run."""
    video: Path = Path("play.mp4")
    """Film to write."""
    window: bool = False
    """Show a window instead."""
    seconds: float = 10.0
    """Longest film."""
    seed: int = 0
    """Of the environment."""

    def __call__(self) -> None:
        """Play."""
        from ms_agents.runs import load_run
        from ms_agents.video import film, show

        policy, env_id, kwargs = load_run(self.run, self.checkpoint)
        if self.window:
            show(policy, env_id, seed=self.seed, **kwargs)
        else:
            path = film(policy, env_id, self.video, seconds=self.seconds, seed=self.seed, **kwargs)
            sys.stdout.write(f"{path}\n")


@dataclass
class Export:
    """Write the best policy of a run as plain files, with a manifest of what it was made for."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    output: Path
    """Folder to write."""
    format: tuple[Literal["safetensors", "onnx"], ...] = ("safetensors",)
    """safetensors, which evaluate and play read too, and onnx, for other programs."""

    def __call__(self) -> None:
        """Export."""
        from ms_agents.export import export_run

        sys.stdout.write(f"{export_run(self.run, self.output, self.format)}\n")


def main() -> None:
    """Entry point; errors of use become one line and exit status 2."""
    from gymnasium.error import Error as GymnasiumError

    commands: dict[str, Any] = {
        "train": Train,
        "sweep": Sweep,
        "evaluate": Evaluate,
        "play": Play,
        "export": Export,
        "plan": Plan,
        "replay": Replay,
        "reproduce": Reproduce,
    }
    try:
        refuse_repeated(sys.argv[1:])
        command: Any = tyro.extras.subcommand_cli_from_dict(commands, prog="ms-agents", description=__doc__)
        command()
    except (ValueError, FileNotFoundError, ImportError, GymnasiumError) as error:
        sys.stderr.write(f"ms-agents: {error}\n")
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
