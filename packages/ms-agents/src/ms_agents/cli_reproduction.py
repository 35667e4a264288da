"""The command ``ms-agents reproduce``."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ms_agents.cli_arguments import environment_arguments, importing, plain_value


@dataclass
class Reproduce:
    """Find feedback around a motion, clone it and fine-tune the clone; the same command continues."""

    id: Annotated[str, tyro.conf.Positional]
    """Id of the environment, such as MSEmu/Walk-v0."""
    body: str | None = None
    """Body, such as ms-human-700; by default that of the environment."""
    env: tuple[tuple[str, str], ...] = ()
    """Further arguments of the environment, as name and value: --env strength 1.5."""
    core_hours: float = 10.0
    """Budget of processor time, scoring left out."""
    seed: int = 0
    """Of everything."""
    teacher: Literal["motion", "plan", "none"] = "motion"
    """What feedback keeps bodies on: the motion itself, or a plan of it, searched for first; none leaves all to PPO."""
    plan: Path | None = None
    """A plan that was made before, as by ms-agents plan, in place of the search; with --teacher plan."""
    preset: Literal["walk", "whole-body"] = "walk"
    """Joints that get offsets: legs and lumbar spine alone, or all, for which a plan is searched with more samples."""
    set: tuple[tuple[str, str], ...] = ()
    """Other constants, as name and value: --set rounds 6 feedback.rounds 20 learner.action_std 0.08."""
    run_dir: Path | None = None
    """Where the run is kept; by default runs/<id>-<time>."""
    threads: int | None = None
    """Threads that step physics; by default one per core."""

    def __call__(self) -> None:
        """Reproduce."""
        from ms_agents.planning import PlannerHyperparameters
        from ms_agents.reproduction.command import reproduce
        from ms_agents.reproduction.config import ReproductionConfig

        config = ReproductionConfig(
            id=importing(self.id),
            env_kwargs=environment_arguments(self.env, body=self.body),
            planner=PlannerHyperparameters.preset(self.preset),
        ).changed({name: plain_value(text) for name, text in self.set})
        config = replace(config, core_hours=self.core_hours, seed=self.seed, teacher=self.teacher)
        sys.stdout.write(f"{reproduce(config, self.run_dir, self.threads, self.plan)}\n")
