"""The commands ``ms-agents plan`` and ``ms-agents replay``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ms_agents.cli_arguments import environment_arguments, importing, plain_value


@dataclass
class Plan:
    """Reproduce a motion without training, by search; the same command continues what is there."""

    id: Annotated[str, tyro.conf.Positional]
    """Id of the environment, such as MSEmu/Walk-v0."""
    output: Path
    """Plan to write, an .npz file; what it holds already is continued."""
    body: str | None = None
    """Body, such as ms-human-700; by default that of the environment."""
    env: tuple[tuple[str, str], ...] = ()
    """Further arguments of the environment, as name and value: --env strength 1.5."""
    seconds: float | None = None
    """Length of the plan; by default the whole motion, or three rounds of one that loops."""
    core_minutes: float | None = 10.0
    """Budget of processor time over all calls."""
    seed: int = 0
    """Of the search."""
    preset: Literal["walk", "whole-body"] = "walk"
    """Constants of the search: legs and lumbar spine alone, or all joints with more samples."""
    set: tuple[tuple[str, str], ...] = ()
    """Constants that differ from the preset, as name and value: --set samples 48 tolerances.drift 0.1."""
    root_force: float = 0.5
    """Refuse clips with a greater mean force on the root from nowhere, body weights; inf for none."""
    unreachable_torque: float = 0.25
    """Refuse clips with a greater share of joint torque that muscles do not give; inf for none."""
    threads: int | None = None
    """Threads that step physics; by default one per core."""

    def __call__(self) -> None:
        """Plan; exit status 1 if the motion was not completed within the strict limits."""
        from rich.console import Console

        from ms_agents.planning import PlannerHyperparameters, PlanRequest
        from ms_agents.planning.command import search
        from ms_agents.planning.reference import ReferenceLimits
        from ms_agents.planning.score import score, score_table

        request = PlanRequest(
            id=importing(self.id),
            env_kwargs=environment_arguments(self.env, body=self.body),
            seconds=self.seconds,
            seed=self.seed,
            hyperparameters=PlannerHyperparameters.preset(self.preset).changed(
                {name: plain_value(text) for name, text in self.set}
            ),
        )
        limits = ReferenceLimits(self.root_force, self.unreachable_torque)
        plan = search(request, self.output, core_minutes=self.core_minutes, threads=self.threads, limits=limits)
        result = score(plan)
        Console().print(score_table(result))
        if not result.completed:
            raise SystemExit(1)


@dataclass
class Replay:
    """Simulate a plan anew, compare it with what was planned, score it, and write it in other formats."""

    plan: Annotated[Path, tyro.conf.Positional]
    """Plan to replay."""
    video: Path | None = None
    """Film to write."""
    clip: Path | None = None
    """Clip of the trajectory to write, an .npz file that environments take as clip=."""
    opensim: Path | None = None
    """Folder for the trajectory as .mot and .sto files."""
    json: Path | None = None
    """Where to write the score as JSON."""

    def __call__(self) -> None:
        """Replay; exit status 1 if the trajectory is not that of the plan to the last bit."""
        import json

        from ms_envs.atomic_file import atomic_file
        from rich.console import Console

        from ms_agents.planning import Plan as PlanFile
        from ms_agents.planning import PlanPolicy, replay, score
        from ms_agents.planning.export import plan_clip, write_opensim
        from ms_agents.planning.plan import rounded
        from ms_agents.planning.score import score_table
        from ms_agents.planning.stage import stage_arguments
        from ms_agents.video import film

        plan = PlanFile.load(self.plan)
        rows = replay(plan)
        result = score(plan, rows)
        compared = ("qpos", "qvel", "activation", "excitation")
        same = all((rounded(name, rows[name]) == plan.rows[name]).all() for name in compared)
        Console().print(score_table(result))
        sys.stdout.write("the replay is bit-exact\n" if same else "the replay differs from the plan\n")
        if self.json is not None:
            with atomic_file(self.json) as temporary:
                temporary.write_text(json.dumps(result.to_dict() | {"exact": same}, indent=1) + "\n")
        if self.clip is not None:
            plan_clip(plan).save(self.clip)
        if self.opensim is not None:
            write_opensim(plan, self.opensim, self.plan.stem)
        if self.video is not None:
            arguments = stage_arguments(plan.request)
            film(PlanPolicy(plan), plan.request.id, self.video, seconds=result.reached, **arguments)
        if not same:
            raise SystemExit(1)
