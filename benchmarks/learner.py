"""Where the time of a training iteration goes: physics, the rest of the environment, and each part of the learner.

Clocks on the wall are unreliable on a machine that does other work as well, so that processor time, of all threads of
the process, is measured beside them. Physics keeps its threads busy and everything else runs on one: processor time
over threads is the time that a part takes on an idle machine. Shares are shares of that time.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import gymnasium
import torch
from gymnasium.vector import AutoresetMode
from ms_agents import AggregatedPPO
from ms_agents.hyperparameters import Hyperparameters
from ms_envs import MOTIONS
from ms_envs.report_table import table_console
from stable_baselines3.common.callbacks import BaseCallback

from benchmarks import results_file
from benchmarks.learner_figure import draw

PHYSICS = "physics"
PARTS = (
    PHYSICS,
    "rest of the environment",
    "policy in the rollout",
    "transport in the rollout",
    "reward",
    "advantages",
    "policy update",
    "explorer update",
    "aggregator update",
    "other",
)
"""Parts of an iteration in the order they are shown."""


class Stopwatch:
    """Time of parts, none of which counts what lies within another."""

    def __init__(self) -> None:
        self._inside = ["other"]
        self.start()

    def start(self) -> None:
        """Forget everything measured."""
        self.wall: dict[str, float] = defaultdict(float)
        self.processor: dict[str, float] = defaultdict(float)
        self._mark = time.perf_counter(), time.process_time()

    def lap(self) -> None:
        """Book the time since the last lap on the part that is running."""
        now = time.perf_counter(), time.process_time()
        for booked, begin, end in zip((self.wall, self.processor), self._mark, now, strict=True):
            booked[self._inside[-1]] += end - begin
        self._mark = now

    def watch(self, owner: Any, method: str, part: str) -> None:
        """Book every call of a method of an object on a part."""
        original: Callable[..., Any] = getattr(owner, method)

        def watched(*args: Any, **kwargs: Any) -> Any:
            self.lap()
            self._inside.append(part)
            try:
                return original(*args, **kwargs)
            finally:
                self.lap()
                self._inside.pop()

        setattr(owner, method, watched)


class Iterations(BaseCallback):
    """Collects the stopwatch after every iteration."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        super().__init__()
        self.wall: list[dict[str, float]] = []
        self.processor: list[dict[str, float]] = []
        self._stopwatch = stopwatch

    def _on_training_start(self) -> None:
        self._stopwatch.start()

    def _on_rollout_start(self) -> None:
        if self.num_timesteps:
            self._collect()

    def _on_training_end(self) -> None:
        self._collect()

    def _on_step(self) -> bool:
        return True

    def _collect(self) -> None:
        self._stopwatch.lap()
        self.wall.append(self._stopwatch.wall)
        self.processor.append(self._stopwatch.processor)
        self._stopwatch.start()


@dataclass(frozen=True)
class Cost:
    """What a part of an iteration takes with one explorer, medians over iterations.

    Attributes:
        explorer: Name of the explorer.
        part: One of :data:`PARTS`.
        wall: Time on this machine, s.
        processor: Processor time of all threads, s.
        idle: Time on an idle machine: processor time over threads, s.
        share: Part of the iteration's time on an idle machine.
    """

    explorer: str
    part: str
    wall: float
    processor: float
    idle: float
    share: float


def run(body: str, motion: str, control: str, explorers: Sequence[str], threads: int, iterations: int) -> None:
    """Measure, print and write ``learner.{md,json,png}`` into ``results/``."""
    torch.set_num_threads(1)
    machine = results_file.machine()
    costs = [cost for name in explorers for cost in measure(body, motion, control, name, threads, iterations)]
    settings = {"body": body, "motion": motion, "control": control, "threads": threads, "iterations": iterations}
    settings |= {"environments": Hyperparameters().environments, "rollout_steps": Hyperparameters().rollout_steps}
    table = _markdown(costs, settings | machine)
    table_console().print(table)
    content = {"machine": machine, "settings": settings, "results": [asdict(cost) for cost in costs]}
    results_file.write("learner", content, table)
    draw([asdict(cost) for cost in costs], PARTS, results_file.FOLDER / "learner.png")


def measure(body: str, motion: str, control: str, explorer: str, threads: int, iterations: int) -> list[Cost]:
    """Cost of every part of an iteration with one explorer."""
    constants = Hyperparameters()
    env: Any = gymnasium.make_vec(
        f"ms_envs:{MOTIONS[motion].env_id}",
        num_envs=constants.environments,
        body=body,
        control=control,
        threads=threads,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    model = AggregatedPPO(env=env, hyperparameters=constants, explorer=explorer, seed=0, device="cpu")
    stopwatch = Stopwatch()
    for owner, method, part in (
        (env.unwrapped._engine, "step", PHYSICS),
        (model.env, "step", "rest of the environment"),
        (model, "collect_rollouts", "policy in the rollout"),
        (model.explorer, "transport", "transport in the rollout"),
        (model.aggregator, "reward", "reward"),
        (model.rollout_buffer, "compute_returns", "advantages"),
        (model, "_update_policy", "policy update"),
        (model.explorer, "update", "explorer update"),
        (model.aggregator, "update", "aggregator update"),
    ):
        stopwatch.watch(owner, method, part)
    collected = Iterations(stopwatch)
    model.learn(iterations * constants.environments * constants.rollout_steps, callback=collected)
    env.close()
    return _costs(explorer, collected.wall, collected.processor, threads)


def _costs(
    explorer: str, wall: Sequence[dict[str, float]], processor: Sequence[dict[str, float]], threads: int
) -> list[Cost]:
    walls, used = ({part: statistics.median(i[part] for i in times) for part in PARTS} for times in (wall, processor))
    idle = {part: seconds / (threads if part == PHYSICS else 1) for part, seconds in used.items()}
    total = sum(idle.values())
    return [Cost(explorer, part, walls[part], used[part], idle[part], idle[part] / total) for part in PARTS]


def _markdown(costs: Sequence[Cost], settings: dict[str, Any]) -> str:
    explorers = list(dict.fromkeys(cost.explorer for cost in costs))
    by_place = {(cost.part, cost.explorer): cost for cost in costs}
    cells = {
        part: [f"{1e3 * c.idle:,.0f} ({c.share:.1%})" for c in (by_place[part, name] for name in explorers)]
        for part in PARTS
    }
    outside = [sum(c.idle for c in costs if c.explorer == e and c.part != PHYSICS) for e in explorers]
    shares = [sum(c.share for c in costs if c.explorer == e and c.part != PHYSICS) for e in explorers]
    walls = [sum(c.wall for c in costs if c.explorer == e) for e in explorers]
    cells["**all outside physics**"] = [f"**{1e3 * t:,.0f} ({s:.1%})**" for t, s in zip(outside, shares, strict=True)]
    cells["whole iteration, as the clock on the wall had it"] = [f"{1e3 * wall:,.0f}" for wall in walls]
    lines = [
        "# Cost of a training iteration",
        "",
        "Milliseconds that an idle machine would take, and their share, estimated from processor time: that of physics",
        "is divided by its threads. Medians over iterations. Made by `python -m benchmarks learner`.",
        "",
        "| part | " + " | ".join(explorers) + " |",
        "|---|" + "---:|" * len(explorers),
        *(f"| {part} | " + " | ".join(row) + " |" for part, row in cells.items()),
        "",
        results_file.described(settings) + ".",
        "",
    ]
    return "\n".join(lines)
