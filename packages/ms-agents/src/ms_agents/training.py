"""Training runs that can be stopped, killed and continued."""

from __future__ import annotations

import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import safe_mean

from ms_agents.algorithms import ALGORITHMS
from ms_agents.checkpoint import read_checkpoint, write_checkpoint
from ms_agents.curriculum import TerminationCurriculum
from ms_agents.curve import make_logger
from ms_agents.distributed import from_first, gathered, process_group, rank, share, world_size
from ms_agents.evaluation import DEFAULT_HORIZON, evaluate, make_evaluation_env
from ms_agents.identity import check_identity
from ms_agents.learner import TrackingLearner
from ms_agents.report import TrackingReport, comparison_markdown, comparison_table
from ms_agents.run_lock import run_lock
from ms_agents.runs import BEST, LAST, TrainingConfig, new_run_directory, write_text
from ms_agents.video import film


def train(
    config: TrainingConfig, run: Path | None = None, *, resume: bool = False, console: Console | None = None
) -> Path:
    """Train, score and film a policy.

    A run directory holds ``config.json``, ``progress.csv``, TensorBoard files in ``tb/``, ``checkpoints/last.pt`` and
    ``best.pt``, and at the end ``report.json``, ``report.md`` and ``video.mp4``. Interrupted at any moment and resumed,
    it ends with the weights it would have had.

    Started by ``torchrun`` in several processes, each takes its share of the environments and the first keeps the run.

    Args:
        config: What to train.
        run: The run directory; by default a new one under ``runs/``.
        resume: Whether to continue from its last checkpoint.
        console: Where to show progress.

    Returns:
        The run directory.

    Raises:
        ValueError: If the run exists and is not to be resumed, another process trains it, its checkpoint does not fit
            the environment or the number of processes, or the environments cannot be shared evenly.
    """
    with process_group():
        run = from_first(run or new_run_directory(config.id))
        with run_lock(run) if rank() == 0 else nullcontext():
            _train(config, run, resume, console or Console() if rank() == 0 else Console(quiet=True))
    return run


def _train(config: TrainingConfig, run: Path, resume: bool, console: Console) -> None:
    if not resume and (run / LAST).exists():
        raise ValueError(f"{run} already holds a run; resume it, or choose another directory")
    curriculum = [TerminationCurriculum(*config.curriculum)] if config.curriculum else []
    torch.set_num_threads(1)  # physics has the other cores
    algorithm: type[Any] = ALGORITHMS[config.algorithm].load()
    first, environments = rank() == 0, share(config.hyperparameters.environments, "environments")
    env = replace(config, hyperparameters=config.hyperparameters.with_environments(environments)).make_env()
    try:
        if resume:
            state, progress = _own_state(run)
            model = algorithm.from_state_dict(state, env, device="auto")
        else:
            model = algorithm(
                env=env,
                hyperparameters=config.hyperparameters,
                aggregator=config.aggregator,
                explorer=config.explorer,
                seed=config.seed + rank() * environments,
            )
            progress = {"elapsed": 0.0, "best": None, "next_evaluation": 0}
            if first:
                config.save(run, model.identity)
        logger = make_logger(run, model.num_timesteps if resume else None) if first else Logger(None, [])
        model.set_logger(logger)
        choices = f"{config.algorithm}  {config.aggregator}  {config.explorer}"
        console.print(f"[bold]{run}[/bold]  {config.id}  {choices}  seed {config.seed}")
        console.print(config.hyperparameters, highlight=False)
        keeper = RunKeeper(config, run, progress, console)
        with keeper, _stop_on_interrupt(keeper):
            steps = max(config.steps - model.num_timesteps, 0)
            model.learn(steps, callback=[keeper, *curriculum], reset_num_timesteps=not resume)
        model.logger.close()
        if keeper.stopped:
            console.print(f"stopped at {keeper.saved_steps:,} steps; continue with: ms-agents train --resume {run}")
        if first and not keeper.interrupted:
            finish(config, run, model, console)
    finally:
        env.close()


def _own_state(run: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What this process continues from, and how far the run is."""
    state = read_checkpoint(run / LAST)
    states = [state, *state.get("other_processes", ())]
    if len(states) != world_size():
        raise ValueError(
            f"{run} was trained by {len(states)} processes, not {world_size()}: each continues its own environments; "
            f"resume it with torchrun --nproc-per-node {len(states)}"
        )
    return states[rank()], state["run"]


def finish(config: TrainingConfig, run: Path, model: TrackingLearner, console: Console) -> list[TrackingReport]:
    """Score the trained against the untrained policy, and film it."""
    if config.final_episodes == 0:
        return []
    best = type(model).load(run / BEST) if (run / BEST).is_file() else model
    horizon = config.env_kwargs.get("horizon")
    env = make_evaluation_env(config.id, episodes=config.final_episodes, **config.all_env_kwargs)
    try:
        check_identity(best.identity, env)  # clips are files, and may have changed meanwhile
        reports = [
            evaluate("untrained", env, seed=config.seed, horizon=horizon),
            evaluate(best, env, seed=config.seed, horizon=horizon, name="trained"),
        ]
    finally:
        env.close()
    console.print(comparison_table(reports))
    for report in reports:
        write_text(run / f"report-{report.policy}.json", report.to_json() + "\n")
    write_text(run / "report.md", comparison_markdown(reports))
    if config.video:
        film_best(config, run, best, console)
    return reports


def film_best(config: TrainingConfig, run: Path, best: TrackingLearner, console: Console) -> None:
    """Film a policy into ``video.mp4`` of its run, where graphics work."""
    try:
        path = film(best, config.id, run / "video.mp4", **config.all_env_kwargs)
    except Exception as error:  # a machine without graphics should still have its result
        warnings.warn(f"no video: {error}", stacklevel=2)
    else:
        console.print(f"video: {path}")


class RunKeeper(BaseCallback):
    """Saves, evaluates, shows and stops a run between iterations, where the learner's state is whole.

    Args:
        config: The run's configuration.
        run: Its directory.
        progress: ``elapsed`` seconds, ``best`` score so far and ``next_evaluation`` step, as saved with it.
        console: Where to show progress.
    """

    def __init__(self, config: TrainingConfig, run: Path, progress: dict[str, Any], console: Console) -> None:
        super().__init__()
        self.config, self.run, self.progress = config, run, dict(progress)
        self._console = console
        self.stopped = self.interrupted = False
        self.saved_steps = 0
        self._iteration = 0
        self._evaluation_env: Any = None
        self._bar = Progress(
            TextColumn("{task.completed:>9,}/{task.total:,} steps"),
            BarColumn(),
            TextColumn("{task.fields[status]}"),
            TimeRemainingColumn(),
            console=console,
            disable=console.quiet,
        )
        self._task = self._bar.add_task("", total=config.steps, status="")

    def __enter__(self) -> RunKeeper:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        if self._evaluation_env is not None:
            self._evaluation_env.close()

    def stop(self) -> None:
        """Ask for a clean end after this iteration."""
        self.interrupted = True

    def _on_training_start(self) -> None:
        self._begun, self._elapsed_before = time.monotonic(), float(self.progress["elapsed"])
        self._first_step = self.num_timesteps

    def _on_rollout_start(self) -> None:
        self._between_iterations()
        self._iteration += 1

    def _on_training_end(self) -> None:
        if not self.stopped:
            self._between_iterations(last=True)

    def _on_step(self) -> bool:
        return not self.stopped

    def _on_rollout_end(self) -> None:
        self.logger.record("time/minutes", self._seconds() / 60)

    def _seconds(self) -> float:
        return self._elapsed_before + time.monotonic() - self._begun

    def _between_iterations(self, last: bool = False) -> None:
        minutes = self.config.minutes
        out_of_time = minutes is not None and time.monotonic() - self._begun > 60 * minutes
        self.stopped = from_first(self.interrupted or out_of_time)
        if rank() == 0 and (self.num_timesteps >= self.progress["next_evaluation"] or last or out_of_time):
            self._evaluate()
        if last or out_of_time:
            self.logger.dump(self.num_timesteps)
        self.progress["elapsed"] = self._seconds()
        if last or self.stopped or self._iteration % self.config.checkpoint_interval == 0:
            self.saved_steps = self.num_timesteps
            self._save(gathered(self._learner.state_dict()))
        self._show()

    def _save(self, states: list[dict[str, Any]]) -> None:
        """Write one file with the states of all processes, in the first of them."""
        for state in states[:1]:
            write_checkpoint(self.run / LAST, {**state, "other_processes": states[1:], "run": self.progress})

    def _evaluate(self) -> None:
        config = self.config
        if not config.evaluation_interval:
            return
        horizon = min(config.evaluation_horizon, config.env_kwargs.get("horizon") or DEFAULT_HORIZON)
        if self._evaluation_env is None:
            self._evaluation_env = make_evaluation_env(
                config.id, episodes=config.evaluation_episodes, **config.all_env_kwargs | {"horizon": horizon}
            )
        report = evaluate(self._learner, self._evaluation_env, seed=config.seed, horizon=horizon)
        for name in ("coverage", "completion", "survival"):
            self.logger.record(f"eval/{name}", getattr(report, name))
        for name, value in report.errors.items():
            self.logger.record(f"eval/{name}", value)
        for name, value in report.penalised.items():
            self.logger.record(f"eval/penalised_{name}", value)
        self._console.print(
            f"{self.num_timesteps:>9,} steps  {self._seconds() / 60:6.1f} min  survival {report.survival:.2f} of "
            f"{horizon:g} s  coverage {report.coverage:.0f} %  completion {report.completion:.0f} %",
            highlight=False,
        )
        self.progress["next_evaluation"] = (
            self.num_timesteps // config.evaluation_interval + 1
        ) * config.evaluation_interval
        score = [report.coverage, report.reward]
        if self.progress["best"] is None or score > self.progress["best"]:
            self.progress["best"] = score
            write_checkpoint(self.run / BEST, self._learner.policy_state_dict())

    def _show(self) -> None:
        steps = self.num_timesteps
        rate = (steps - self._first_step) / max(time.monotonic() - self._begun, 1e-9)
        parts = [f"{rate:,.0f} steps/s"]
        if self._learner.ep_info_buffer:
            timestep = getattr(self._learner.env.env.unwrapped, "control_timestep", 1.0)
            parts.append(f"survival {safe_mean([e['l'] for e in self._learner.ep_info_buffer]) * timestep:.2f} s")
        metrics = getattr(self._learner.env, "metrics", {})
        for name, unit in (("joint_angle_error", "°"), ("body_position_error", " mm")):
            if name in metrics:
                parts.append(f"{name.partition('_')[0]} {float(metrics[name].mean()):.1f}{unit}")
        self._bar.update(self._task, completed=min(steps, self.config.steps), status="  ".join(parts))

    @property
    def _learner(self) -> TrackingLearner:
        assert isinstance(self.model, TrackingLearner)
        return self.model


@contextmanager
def _stop_on_interrupt(keeper: RunKeeper) -> Iterator[None]:
    """Let the first Ctrl-C end the run after the iteration, a second one at once."""

    def handle(signal_number: int, frame: FrameType | None) -> None:
        keeper.stop()
        signal.signal(signal.SIGINT, previous)

    previous = signal.getsignal(signal.SIGINT)
    try:
        signal.signal(signal.SIGINT, handle)
    except ValueError:  # not in the main thread, which then handles the interrupt itself
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
