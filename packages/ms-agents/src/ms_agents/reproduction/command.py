"""The whole way from plans to a policy, in stages that can be interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ms_agents.checkpoint import read_checkpoint, write_checkpoint
from ms_agents.evaluation import evaluate, make_evaluation_env
from ms_agents.planning import Plan
from ms_agents.planning.command import search
from ms_agents.ppo.algorithm import AggregatedPPO
from ms_agents.reproduction.cloning import clone
from ms_agents.reproduction.config import FILE, ReproductionConfig
from ms_agents.reproduction.curve import table
from ms_agents.reproduction.dataset import load_folder, save_lessons
from ms_agents.reproduction.fine_tuning import prime
from ms_agents.reproduction.ledger import FINE_TUNING, UNTRAINED, WARM_UP, Ledger
from ms_agents.reproduction.refiner import Lesson, Refiner
from ms_agents.reproduction.states import Trajectory, roll_out
from ms_agents.run_lock import run_lock
from ms_agents.runs import BEST, LAST, new_run_directory, write_text
from ms_agents.training import train


def reproduce(
    config: ReproductionConfig, run: Path | None = None, threads: int | None = None, console: Console | None = None
) -> Path:
    """Plan a motion, clone the plans, teach the clone where it goes, and fine-tune it by PPO.

    The run directory is that of a training run, with ``reproduction.json``, ``plans/``, ``lessons/`` and ``clones/``
    of each round, ``stages.json`` and ``reproduction.md``. The same call continues what is there.

    Args:
        config: What to reproduce.
        run: The run directory; by default a new one under ``runs/``.
        threads: Threads that step physics; by default one per core.
        console: Where to show progress.

    Returns:
        The run directory.

    Raises:
        ValueError: If the run directory is that of something else, or an argument is not valid.
    """
    run = run or new_run_directory(config.id)
    if (run / FILE).is_file():
        if ReproductionConfig.load(run) != config:
            raise ValueError(f"{run} reproduces something else, or with other settings; choose another directory")
    elif (run / "config.json").exists():
        raise ValueError(f"{run} already holds a run; choose another directory")
    else:
        config.save(run)
    torch.set_num_threads(1)  # physics has the other cores
    with run_lock(run / "clones"):  # training locks the run itself
        Reproduction(config, run, threads, console or Console()).run()
    return run


class Reproduction:
    """The stages, each of which does nothing if it is done.

    Args:
        config: What to reproduce.
        folder: The run directory.
        threads: Threads that step physics; by default one per core.
        console: Where to show progress.
    """

    def __init__(self, config: ReproductionConfig, folder: Path, threads: int | None, console: Console) -> None:
        self.config, self.folder, self._threads, self._console = config, folder, threads, console
        self.ledger = Ledger(folder)
        self._training = config.training(1, threads)

    def run(self) -> None:
        """All stages."""
        config, budget = self.config, 3600 * self.config.core_hours
        self._score(UNTRAINED, None)
        self._plan()
        for number in range(config.rounds + 1 if config.plans else 0):
            share = config.revisits / config.rounds if number else config.demonstrations
            self._teach(number, share * budget)
            self._clone(number)
        self._warm_up(config.warm_up * budget)
        self._fine_tune(budget)
        write_text(self.folder / "reproduction.md", table(self.folder))
        self._console.print(Markdown(table(self.folder)))

    def _plan(self) -> None:
        """Plans of the motion, one for each seed."""
        for number in range(self.config.plans):
            with_seed = replace(self.config.request, seed=self.config.seed + number)
            path = self.folder / "plans" / f"{number}.npz"
            if not self.ledger[f"plan {number}"].done:
                with self.ledger.clocked(f"plan {number}") as stage:
                    stage.at_least(Plan.load(path).core_seconds if path.is_file() else 0.0)
                    search(with_seed, path, core_minutes=self.config.plan_minutes, threads=self._threads)

    def _teach(self, number: int, budget: float) -> None:
        """Lessons along plans, or else along what the last clone does, until the budget is spent."""
        name, folder = f"lessons {number}", self.folder / "lessons" / str(number)
        if self.ledger[name].done:
            return
        with (
            self.ledger.clocked(name) as stage,
            self._progress(f"lessons {number}", budget) as advance,
            closing(Refiner(self.config.request, self.config.neighbours, self._threads)) as refiner,
        ):
            groups, spent = load_folder(folder, refiner.identity)
            stage.at_least(spent)
            source = self._along_clone(number - 1) if number else self._along_plans(refiner.horizon_steps)
            attempt = len(groups)
            while spent < budget:
                begun, generator = process_time(), np.random.default_rng([self.config.seed, number, attempt])
                lessons = self._lessons(refiner, source(generator), generator)
                spent += (seconds := process_time() - begun)
                attempt += 1
                if lessons:
                    save_lessons(folder / f"{len(groups):05}.npz", lessons, refiner.identity, seconds)
                    groups.append(lessons)
                    advance(spent, _improvement(lessons))
            stage.notes = {"trajectories": len(groups), "states": sum(len(x.action) for g in groups for x in g)}

    def _lessons(self, refiner: Refiner, trajectory: Trajectory, generator: np.random.Generator) -> list[Lesson]:
        """Lessons at random steps of a trajectory."""
        steps = len(trajectory) - refiner.horizon_steps
        if steps <= 0:
            return []
        chosen = generator.choice(steps, min(self.config.lessons, steps), replace=False)
        taught = (refiner.teach(trajectory, int(step), self.config.perturbation, generator) for step in chosen)
        return [lesson for lesson in taught if lesson is not None]

    def _along_plans(self, steps: int) -> Callable[[np.random.Generator], Trajectory]:
        """The plans that are longer than some control steps."""
        folder = self.folder / "plans"
        plans = [Trajectory.of_plan(Plan.load(path)) for path in sorted(folder.glob("*.npz"))]
        plans = [plan for plan in plans if len(plan) > steps]
        if not plans:
            raise ValueError(f"no plan in {folder} got anywhere; give more plan_minutes")
        return lambda generator: plans[generator.integers(len(plans))]

    def _along_clone(self, number: int) -> Callable[[np.random.Generator], Trajectory]:
        """What a clone does from near the motion."""
        policy = self._model(read_checkpoint(self._checkpoint(number)))
        env: Any = make_evaluation_env(self._training.id, episodes=1, **self._training.all_env_kwargs).unwrapped
        seconds, perturbation = self.config.episode, self.config.perturbation
        return lambda generator: roll_out(env, policy, seconds, perturbation, generator)

    def _clone(self, number: int) -> None:
        """A policy from all lessons so far, scored."""
        name, path = f"clone {number}", self._checkpoint(number)
        if not self.ledger[name].done:
            model = self._model(None)  # from the weights of the last clone, held-out lessons would not be new
            folders = [self.folder / "lessons" / str(n) for n in range(number + 1)]
            groups = [group for folder in folders for group in load_folder(folder, model.identity)[0]]
            constants, seed = self.config.cloning, self.config.seed
            with self.ledger.clocked(name) as stage, self._progress(name, constants.epochs) as advance:
                result = clone(model.policy, groups, constants, seed, lambda n, loss: advance(n, f"loss {loss:.4f}"))
                stage.notes = {"epochs": result.epochs, "loss": result.loss, "explained": result.explained}
                self._training.save(self.folder, model.identity)
                write_checkpoint(path, model.policy_state_dict())
        if self.ledger[name].report is None:
            self._score(name, path)
            if self._best_clone() == path:
                write_checkpoint(self.folder / BEST, read_checkpoint(path))

    def _best_clone(self) -> Path:
        """The clone that covers most of the motion."""
        scores = {
            number: stage.report["coverage"]
            for number in range(self.config.rounds + 1)
            if (stage := self.ledger.stages.get(f"clone {number}")) and stage.report
        }
        return self._checkpoint(max(scores, key=lambda number: scores[number]))

    def _warm_up(self, budget: float) -> None:
        """The checkpoint that fine-tuning starts from."""
        if self.ledger[WARM_UP].done:
            return
        clone = read_checkpoint(self._best_clone())["policy"] if self.config.plans else None
        with self.ledger.clocked(WARM_UP) as stage, self._progress(WARM_UP, budget) as advance:
            steps = prime(self.config, self.folder, clone, budget, self._threads, lambda spent: advance(spent, ""))
            stage.notes = {"steps": steps}

    def _fine_tune(self, budget: float) -> None:
        """PPO with what is left of the budget, at the speed of the warm-up."""
        warm_up, stage = self.ledger[WARM_UP], self.ledger[FINE_TUNING]
        if not stage.done:
            if not stage.notes:
                left = budget - self.ledger.core_seconds
                more = max(left, 0.0) * warm_up.notes["steps"] / warm_up.core_seconds
                stage.notes = {"steps": warm_up.notes["steps"] + round(more)}
                self.ledger.save()
            training = replace(self.config.training(int(stage.notes["steps"]), self._threads), final_episodes=0)
            last = self.folder / LAST
            training.save(self.folder, read_checkpoint(last)["identity"])
            with self.ledger.clocked(FINE_TUNING):
                train(training, self.folder, resume=True, console=self._console)
                if read_checkpoint(last)["num_timesteps"] < training.steps:
                    raise KeyboardInterrupt
        self._score(FINE_TUNING, self.folder / BEST)

    def _score(self, name: str, checkpoint: Path | None) -> None:
        """What a policy, or no policy, can do under the protocol; not counted in the budget."""
        if self.ledger[name].report is not None:
            return
        config = self._training
        policy = UNTRAINED if checkpoint is None else self._model(read_checkpoint(checkpoint))
        env = make_evaluation_env(config.id, episodes=self.config.episodes, **config.all_env_kwargs)
        with closing(env):
            report = evaluate(policy, env, seed=config.seed, name=name)
        self.ledger.scored(name, report)
        self._console.print(
            f"{name}: {self.ledger.core_seconds / 60:.1f} core-min, survival {report.survival:.2f} s, "
            f"completion {report.completion:.0f} %, joints {report.errors['joint_angle_error']:.1f}°",
            highlight=False,
        )

    def _model(self, state: dict[str, Any] | None) -> AggregatedPPO:
        """A policy from a checkpoint, or a new one."""
        if state is not None:
            return AggregatedPPO.from_state_dict(state, device="cpu")
        with closing(self._training.make_env()) as env:
            return AggregatedPPO(env=env, hyperparameters=self.config.learner, seed=self.config.seed, device="cpu")

    def _checkpoint(self, number: int) -> Path:
        return self.folder / "clones" / f"{number}.pt"

    @contextmanager
    def _progress(self, name: str, total: float) -> Iterator[Callable[[float, str], None]]:
        """A progress bar for a budget of processor time or a number of passes."""
        columns = (TextColumn(name), BarColumn(), TextColumn("{task.fields[status]}"), TimeRemainingColumn())
        with Progress(*columns, console=self._console) as bar:
            task = bar.add_task(name, total=total, status="")

            def advance(done: float, status: str) -> None:
                bar.update(task, completed=min(done, total), status=status)

            yield advance


def _improvement(lessons: list[Lesson]) -> str:
    before, after = (np.mean([getattr(lesson, name) for lesson in lessons]) for name in ("before", "after"))
    return f"cost {before:.0f} to {after:.0f}"
