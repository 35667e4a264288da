"""The whole way from a motion to a policy, in stages that can be interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ms_agents.checkpoint import read_checkpoint, write_checkpoint
from ms_agents.controllers import Policy
from ms_agents.evaluation import evaluate, make_evaluation_env
from ms_agents.identity import check_identity, environment_identity
from ms_agents.planning import Plan, PlanRequest
from ms_agents.planning.command import search
from ms_agents.planning.stage import make_stage
from ms_agents.ppo.algorithm import AggregatedPPO
from ms_agents.reproduction.cloning import clone
from ms_agents.reproduction.config import FILE, ReproductionConfig
from ms_agents.reproduction.curve import table
from ms_agents.reproduction.dataset import load_lessons, save_lessons
from ms_agents.reproduction.feedback import Feedback, FeedbackPolicy
from ms_agents.reproduction.fine_tuning import prime
from ms_agents.reproduction.identification import Identification
from ms_agents.reproduction.ledger import FEEDBACK, FINE_TUNING, PLAN, UNTRAINED, WARM_UP, Ledger
from ms_agents.reproduction.lessons import take_lessons
from ms_agents.run_lock import run_lock
from ms_agents.runs import BEST, LAST, new_run_directory, write_text
from ms_agents.training import film_best, train


def reproduce(
    config: ReproductionConfig,
    run: Path | None = None,
    threads: int | None = None,
    plan: Path | None = None,
    console: Console | None = None,
) -> Path:
    """Find feedback that keeps a body on a motion, or on a plan of it, clone it, and fine-tune the clone by PPO.

    The run directory is that of a training run, with ``reproduction.json``, ``feedback.npz``, ``lessons/`` and
    ``clones/`` of each round, ``stages.json``, ``reproduction.md`` and perhaps ``plan.npz``. The same call continues
    what is there. The best policy of any stage is the run's, and filmed.

    Args:
        config: What to reproduce.
        run: The run directory; by default a new one under ``runs/``.
        threads: Threads that step physics; by default one per core.
        plan: File of a plan that was made before, for the teacher ``"plan"``; by default the run searches for one.
        console: Where to show progress.

    Returns:
        The run directory.

    Raises:
        FileNotFoundError: If there is no such plan.
        ValueError: If the run directory is that of something else, the plan was made for another environment or is not
            what the run goes by, or an argument is not valid.
    """
    given = None if plan is None else Plan.load(plan)
    if given is not None and config.teacher != "plan":
        raise ValueError(f"a plan is given, but the teacher is {config.teacher!r}; choose teacher 'plan'")
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
        Reproduction(config, run, threads, given, console or Console()).run()
    return run


class Reproduction:
    """The stages, each of which does nothing if it is done.

    Args:
        config: What to reproduce.
        folder: The run directory.
        threads: Threads that step physics; by default one per core.
        plan: One that was made before; by default it is searched for.
        console: Where to show progress.
    """

    def __init__(
        self, config: ReproductionConfig, folder: Path, threads: int | None, plan: Plan | None, console: Console
    ) -> None:
        self.config, self.folder, self._threads, self._given, self._console = config, folder, threads, plan, console
        self.ledger = Ledger(folder)
        self._training = config.training(1, threads)

    def run(self) -> None:
        """All stages."""
        config, budget = self.config, 3600 * self.config.core_hours
        self._score(UNTRAINED, lambda env: UNTRAINED)
        taught = config.teacher != "none"
        if config.teacher == "plan":
            self._plan()
        if taught:
            self._identify()
        for number in range(config.rounds + 1 if taught else 0):
            self._teach(number)
            self._clone(number)
        self._warm_up(config.warm_up * budget)
        self._fine_tune(budget)
        if not (self.folder / "video.mp4").is_file():
            film_best(self._training, self.folder, self._model(read_checkpoint(self.folder / BEST)), self._console)
        write_text(self.folder / "reproduction.md", table(self.folder))
        self._console.print(Markdown(table(self.folder)))

    def _plan(self) -> None:
        """The plan of the motion."""
        given, path = self._given, self._plan_path
        if self.ledger[PLAN].done:
            if given is not None and not np.array_equal(given.actions, Plan.load(path).actions):
                raise ValueError(f"{self.folder} goes by another plan than the one given; choose another directory")
            return
        with self.ledger.clocked(PLAN) as stage:
            if given is None:
                stage.at_least(Plan.load(path).core_seconds if path.is_file() else 0.0)
                search(self._request(), path, core_minutes=self.config.plan_minutes, threads=self._threads)
            else:
                with closing(make_stage(self.config.request, 1)) as env:
                    check_identity(given.identity, env, "plan")
                given.save(path)
                stage.at_least(given.core_seconds)

    def _request(self) -> PlanRequest:
        """What to plan: some rounds of a looping motion, or the whole of another."""
        with closing(make_stage(self.config.request, 1)) as env:
            seconds = self.config.plan_rounds * env.clip.duration if env.clip.loop else None
        return replace(self.config.request, seconds=seconds)

    def _identify(self) -> None:
        """The feedback, scored."""
        config, stage = self.config, self.ledger[FEEDBACK]
        if not stage.done:
            with self.ledger.clocked(FEEDBACK), self._progress(FEEDBACK, config.feedback.rounds) as advance:
                plan = Plan.load(self._plan_path) if config.teacher == "plan" else None
                found = Identification(
                    config.request, plan, config.feedback, config.perturbation, config.seed, self._threads
                )
                with closing(found):
                    feedback = found.run(lambda n, endurance: advance(n, f"falls every {endurance:.1f} s"))
                    feedback.save(self._feedback_path, found.identity)
        self._score(FEEDBACK, lambda env: FeedbackPolicy(self._feedback(env), env))

    def _teach(self, number: int) -> None:
        """Lessons along what the feedback does, or else the last clone."""
        config, path = self.config, self._lessons_path(number)
        if self.ledger[f"lessons {number}"].done:
            return
        arguments = self._training.all_env_kwargs
        env: Any = make_evaluation_env(self._training.id, episodes=config.lessons, **arguments).unwrapped
        with self.ledger.clocked(f"lessons {number}") as stage, closing(env):
            lessons = take_lessons(
                env,
                self._feedback(env),
                self._model(read_checkpoint(self._checkpoint(number - 1))) if number else None,
                config.perturbation,
                0.0 if number else config.lesson_noise,
                config.episode,
                np.random.default_rng([config.seed, number]),
            )
            save_lessons(path, lessons, environment_identity(env))
            stage.notes = {"trajectories": len(lessons), "states": sum(len(lesson.action) for lesson in lessons)}

    def _clone(self, number: int) -> None:
        """A policy from all lessons so far, scored."""
        name, path = f"clone {number}", self._checkpoint(number)
        if not self.ledger[name].done:
            model = self._model(None)  # from the weights of the last clone, held-out lessons would not be new
            files = (load_lessons(self._lessons_path(n), model.identity) for n in range(number + 1))
            lessons = [lesson for file in files for lesson in file]
            constants, seed = self.config.cloning, self.config.seed
            with self.ledger.clocked(name) as stage, self._progress(name, constants.epochs) as advance:
                result = clone(model.policy, lessons, constants, seed, lambda n, loss: advance(n, f"loss {loss:.4f}"))
                stage.notes = {"epochs": result.epochs, "loss": result.loss, "explained": result.explained}
                self._training.save(self.folder, model.identity)
                write_checkpoint(path, model.policy_state_dict())
        self._score(name, lambda env: self._model(read_checkpoint(path)))

    def _keep(self, name: str, coverage: float) -> None:
        """Make the best policy so far that of the run; called before the score of the newest is entered."""
        clone, best = self._best_clone()
        if name.startswith("clone") and coverage > best:
            write_checkpoint(self.folder / BEST, read_checkpoint(self._checkpoint(int(name.split()[1]))))
        if name == FINE_TUNING and clone is not None and coverage < best:
            write_checkpoint(self.folder / BEST, read_checkpoint(clone))

    def _best_clone(self) -> tuple[Path | None, float]:
        """The clone that covers most of the motion, and how much, %."""
        best: tuple[Path | None, float] = None, -1.0
        for number in range(self.config.rounds + 1):
            stage = self.ledger.stages.get(f"clone {number}")
            if stage and stage.report and stage.report["coverage"] > best[1]:
                best = self._checkpoint(number), stage.report["coverage"]
        return best

    def _warm_up(self, budget: float) -> None:
        """The checkpoint that fine-tuning starts from."""
        if self.ledger[WARM_UP].done:
            return
        path, _ = self._best_clone()
        clone = None if path is None else read_checkpoint(path)["policy"]
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
        self._score(FINE_TUNING, lambda env: self._model(read_checkpoint(self.folder / BEST)))

    def _score(self, name: str, policy: Callable[[Any], Policy | str]) -> None:
        """What a policy, made for an environment, can do under the protocol; not counted in the budget."""
        if self.ledger[name].report is not None:
            return
        config = self._training
        env = make_evaluation_env(config.id, episodes=self.config.episodes, **config.all_env_kwargs)
        with closing(env):
            report = evaluate(policy(env), env, seed=config.seed, name=name)
        self._keep(name, report.coverage)
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

    def _feedback(self, env: Any) -> Feedback:
        return Feedback.load(self._feedback_path, env.unwrapped)

    @property
    def _plan_path(self) -> Path:
        return self.folder / "plan.npz"

    @property
    def _feedback_path(self) -> Path:
        return self.folder / "feedback.npz"

    def _lessons_path(self, number: int) -> Path:
        return self.folder / "lessons" / f"{number}.npz"

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
