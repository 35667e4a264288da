"""How many samples exploration needs to find good excitations where many muscles move few joints."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from math import isfinite
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from ms_agents import AggregatedPPO
from ms_agents.hyperparameters import Hyperparameters
from ms_envs.atomic_file import atomic_file
from ms_envs.report_table import markdown_table, table_console, terminal_table
from rich.progress import track

from benchmarks.redundant_arm import JOINTS, RedundantArm, error_left
from benchmarks.results_file import FOLDER, described, machine, write

EXPLORERS = ("gaussian", "flow")
SOLVED = 0.1
"""Share of the squared torque left at which the task counts as solved."""
CONSTANTS = Hyperparameters(
    environments=64,
    rollout_steps=16,
    epochs=4,
    minibatch=256,
    learning_rate=1e-3,
    target_kl=None,
    gamma=0.0,
    hidden=(64, 64),
).changed(
    {
        "flow.hidden": (128,),
        "flow.minibatch": 256,
        "flow.epochs": 32,
        "flow.reach": 3.0,
        "flow.ascent_steps": 20,
        "flow.step_size": 0.2,
    }
)
"""Of every run; both explorers share those of PPO."""


@dataclass(frozen=True)
class Search:
    """One run.

    Attributes:
        muscles: A.
        explorer: Name of the explorer.
        seed: Of everything but the moment arms.
        samples: Episodes until the task was solved; ``None`` if it was not.
        diverged: Whether it ended by weights that were not finite.
        seconds: Processor time.
        curve: Episodes and the error left after each iteration.
    """

    muscles: int
    explorer: str
    seed: int
    samples: int | None
    diverged: bool
    seconds: float
    curve: list[tuple[int, float]]


def run(muscles: Sequence[int], seeds: int, samples: int, jobs: int) -> None:
    """Learn with each explorer, print the table and keep it with a figure.

    Args:
        muscles: Numbers of muscles.
        seeds: Runs of each.
        samples: Episodes after which a run is given up.
        jobs: Processes at once.
    """
    tasks = [(count, explorer, seed) for count in muscles for explorer in EXPLORERS for seed in range(seeds)]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        started = [pool.submit(search, *task, samples) for task in reversed(tasks)]  # the longest first
        searches = [one.result() for one in track(reversed(started), description="exploring", total=len(tasks))]
    rows = [Row.of(count, searches) for count in muscles]
    table_console().print(terminal_table(_COLUMNS, rows, title="Samples until solved", text=()))
    draw(searches, FOLDER / "redundancy.png")
    measured_on = machine()
    results = {
        "machine": measured_on,
        "constants": CONSTANTS.to_dict(),
        "solved": SOLVED,
        "searches": [asdict(one) for one in searches],
    }
    write("redundancy", results, _markdown(rows, searches, samples, measured_on))


def search(muscles: int, explorer: str, seed: int, samples: int) -> Search:
    """Learn until the task is solved or the samples are used up."""
    torch.set_num_threads(1)
    start = time.process_time()
    env = RedundantArm(CONSTANTS.environments, muscles)
    model = AggregatedPPO(env=env, hyperparameters=CONSTANTS, aggregator="hand-tuned", explorer=explorer, seed=seed)
    curve = [(0, error_left(model, env))]
    while isfinite(curve[-1][1]) and curve[-1][1] > SOLVED and curve[-1][0] < samples:
        model.learn(CONSTANTS.environments * CONSTANTS.rollout_steps, reset_num_timesteps=False)
        curve.append((model.num_timesteps, error_left(model, env)))
    diverged = not isfinite(curve[-1][1])
    if diverged:
        curve.pop()
    solved = curve[-1][0] if curve[-1][1] <= SOLVED else None
    return Search(muscles, explorer, seed, solved, diverged, time.process_time() - start, curve)


@dataclass(frozen=True)
class Row:
    """Medians over seeds for one number of muscles.

    Attributes:
        muscles: A.
        samples: Explorer to episodes until solved; infinite if most runs did not get there.
        seconds: Explorer to processor time.
    """

    muscles: int
    samples: dict[str, float]
    seconds: dict[str, float]

    @classmethod
    def of(cls, muscles: int, searches: Sequence[Search]) -> Row:
        """Medians of the runs with as many muscles."""
        runs = {name: [s for s in searches if s.muscles == muscles and s.explorer == name] for name in EXPLORERS}
        return cls(
            muscles,
            {name: median(one.samples or float("inf") for one in group) for name, group in runs.items()},
            {name: median(one.seconds for one in group) for name, group in runs.items()},
        )

    @property
    def ratio(self) -> float:
        """Samples of the Gaussian explorer per sample of the flow."""
        return self.samples["gaussian"] / self.samples["flow"]


_COLUMNS = {
    "muscles": lambda r: str(r.muscles),
    "gaussian (samples)": lambda r: f"{r.samples['gaussian']:,.0f}",
    "flow (samples)": lambda r: f"{r.samples['flow']:,.0f}",
    "ratio": lambda r: f"{r.ratio:.1f}",
    "gaussian (CPU s)": lambda r: f"{r.seconds['gaussian']:.0f}",
    "flow (CPU s)": lambda r: f"{r.seconds['flow']:.0f}",
}


def draw(searches: Sequence[Search], path: Path) -> None:
    """Error against samples for the fewest and the most muscles, and samples against the number of muscles."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    muscles = sorted({one.muscles for one in searches})
    figure, axes = pyplot.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
    colors = dict(zip(EXPLORERS, ("tab:gray", "tab:red"), strict=True))
    for axis, count in zip(axes, (muscles[0], muscles[-1]), strict=False):
        for one in searches:
            if one.muscles == count:
                axis.plot(*np.transpose(one.curve) * [[1e-3], [1]], color=colors[one.explorer], alpha=0.8)
        axis.axhline(SOLVED, color="black", linewidth=0.6, linestyle=":")
        axis.set(
            title=f"{count} muscles", xlabel="samples (thousands)", ylabel="squared torque error left", yscale="log"
        )
    for name, color in colors.items():
        found = [(one.muscles, one.samples / 1e3) for one in searches if one.explorer == name and one.samples]
        axes[2].plot(*np.transpose(found), "o", color=color, alpha=0.5)
        axes[2].plot(
            muscles, [Row.of(count, searches).samples[name] / 1e3 for count in muscles], color=color, label=name
        )
    axes[2].set(title="until solved", xlabel="muscles", ylabel="samples (thousands)", ylim=(0, None))
    axes[2].legend(frameon=False)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=100)
    pyplot.close(figure)


def _markdown(rows: Sequence[Row], searches: Sequence[Search], samples: int, measured_on: dict[str, Any]) -> str:
    seeds = len({one.seed for one in searches})
    diverged = [one for one in searches if one.diverged]
    lost = ", ".join(f"{one.explorer} with {one.muscles} muscles (seed {one.seed})" for one in diverged)
    return f"""# Exploration where many muscles move few joints

![Error left against samples, and samples until solved against muscles](redundancy.png)

{JOINTS} joints are moved by A muscles with random moment arms; all together are as strong, however many there are. In
each episode of one step torques are asked for, the reward is the negative squared error, and its optimum, zero, is
known (`benchmarks/redundant_arm.py`). Solved means that {SOLVED:.0%} of the squared torque is left without noise; runs
are given up after {samples:,} samples. Medians over {seeds} seeds. Both explorers have the same PPO and the same noise.
Made by `python -m benchmarks redundancy`.

{markdown_table(_COLUMNS, rows, text=())}
{f"Ended by weights that were not finite, which counts as not solved: {lost}. " if lost else ""}
"inf": not solved by most.

{described(measured_on)}.
"""
