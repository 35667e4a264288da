"""Steps per second of the vector environment, beside bare MuJoCo and process-based vector environments.

Every contestant starts each repetition on the same poses and gets the same excitations for the same number of control
steps; terminations are off, so that the bodies go through the same states. Repetitions are interleaved, since the load
of a machine changes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import gymnasium
import mujoco
import numpy as np
from gymnasium.vector import AsyncVectorEnv
from ms_envs import MOTIONS, TrackingVectorEnv
from ms_envs.report_table import table_console
from numpy.typing import NDArray
from rich.progress import track
from rich.table import Table
from stable_baselines3.common.vec_env import SubprocVecEnv

from benchmarks import results_file

ENDLESS: dict[str, Any] = {"root_termination": 1e6, "key_body_termination": 1e6, "horizon": 1e3}
"""Options of an environment that never ends an episode."""
STEPS, REPEATS = 20, 15
"""Control steps of a repetition, and repetitions."""
EXCITATION = 0.2
"""Largest excitation; with more, bodies jump off the floor."""


class Contestant(Protocol):
    """Something that steps bodies."""

    name: str
    num_envs: int

    def reset(self) -> None:
        """Put the bodies on the motion."""

    def advance(self, actions: NDArray[np.float32]) -> None:
        """Take control steps with actions (T, N, M)."""

    def close(self) -> None:
        """Stop threads and processes."""


class BareMujoco:
    """``mj_step`` alone: every thread takes its bodies through all steps, nothing is observed."""

    def __init__(self, env: TrackingVectorEnv, threads: int) -> None:
        self.name, self.num_envs = f"bare mj_step, {threads} threads", env.num_envs
        self._env, self._model, self._substeps = env, env.body.model, env.options.substeps
        self._data = [mujoco.MjData(self._model) for _ in range(self.num_envs)]
        self._threads, self._pool = threads, ThreadPoolExecutor(threads)

    def reset(self) -> None:
        """Take over the states of the environment after its reset."""
        self._env.reset(options={"phase": phases(self.num_envs)})
        states = self._env.get_state()["physics"]
        for data, state in zip(self._data, states, strict=True):
            mujoco.mj_setState(self._model, data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
            mujoco.mj_forward(self._model, data)

    def advance(self, actions: NDArray[np.float32]) -> None:
        """Take control steps with actions (T, N, M)."""

        def work(first: int) -> None:
            for step in actions:
                for env in range(first, self.num_envs, self._threads):
                    self._data[env].ctrl[:] = step[env]
                    mujoco.mj_step(self._model, self._data[env], self._substeps)

        list(self._pool.map(work, range(self._threads)))

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown()


class ThreadedEnv:
    """The vector environment of this package."""

    def __init__(self, env: TrackingVectorEnv, threads: int) -> None:
        paths = "" if env.options.muscle_paths == "exact" else ", fitted muscle paths"
        self.name = f"ms_envs vector env, {env.options.control} control{paths}, {threads} threads"
        self.num_envs, self._env = env.num_envs, env

    def reset(self) -> None:
        """Put the bodies on the motion."""
        self._env.reset(options={"phase": phases(self.num_envs)})

    def advance(self, actions: NDArray[np.float32]) -> None:
        """Take control steps with actions (T, N, M)."""
        for step in actions:
            self._env.step(step)

    def close(self) -> None:
        """Stop the threads."""
        self._env.close()


class GymnasiumProcesses:
    """Gymnasium's ``AsyncVectorEnv``, one single environment a process."""

    def __init__(self, make: Callable[[], gymnasium.Env[Any, Any]], processes: int) -> None:
        self.name, self.num_envs = f"Gymnasium AsyncVectorEnv, {processes} processes", processes
        self._env = AsyncVectorEnv([make] * processes)

    def reset(self) -> None:
        """Put the bodies on the motion."""
        self._env.reset(options={"phase": 0.5})

    def advance(self, actions: NDArray[np.float32]) -> None:
        """Take control steps with actions (T, N, M)."""
        for step in actions:
            self._env.step(step)

    def close(self) -> None:
        """Stop the processes."""
        self._env.close()


class StableBaselinesProcesses:
    """Stable-Baselines3's ``SubprocVecEnv``, one single environment a process."""

    def __init__(self, make: Callable[[], gymnasium.Env[Any, Any]], processes: int) -> None:
        self.name, self.num_envs = f"SB3 SubprocVecEnv, {processes} processes", processes
        self._env = SubprocVecEnv([make] * processes)

    def reset(self) -> None:
        """Put the bodies on the motion."""
        self._env.set_options({"phase": 0.5})
        self._env.reset()

    def advance(self, actions: NDArray[np.float32]) -> None:
        """Take control steps with actions (T, N, M)."""
        for step in actions:
            self._env.step(step)

    def close(self) -> None:
        """Stop the processes."""
        self._env.close()


@dataclass(frozen=True)
class Throughput:
    """Result of one contestant on one body.

    Attributes:
        body: Name of the body.
        contestant: Name of the contestant.
        num_envs: Environments it steps.
        steps_per_second: Control steps per second of all environments together, median over repetitions.
        quartiles: Of the same.
        share_of_bare: Median over repetitions of its speed over that of bare MuJoCo in the same repetition.
    """

    body: str
    contestant: str
    num_envs: int
    steps_per_second: float
    quartiles: tuple[float, float]
    share_of_bare: float


def run(bodies: Sequence[str], motion: str, num_envs: int, threads: int, steps: int, repeats: int) -> None:
    """Measure, print a table and write it to ``results/``."""
    machine = results_file.machine()
    results = [r for body in bodies for r in measure(body, motion, num_envs, threads, steps, repeats)]
    settings = {"motion": motion, "steps": steps, "repeats": repeats, "control_rate": 50, "timestep": 0.002}
    table_console().print(table(results))
    results_file.write(
        "throughput",
        {"machine": machine, "settings": settings, "results": [asdict(result) for result in results]},
        markdown(results, machine, settings, "bare `mj_step`", "throughput"),
    )


def measure(body: str, motion: str, num_envs: int, threads: int, steps: int, repeats: int) -> list[Throughput]:
    """Throughput of every contestant on one body."""
    name = MOTIONS[motion].env_id

    def make() -> gymnasium.Env[Any, Any]:
        return gymnasium.make(f"ms_envs:{name}", body=body, disable_env_checker=True, **ENDLESS)

    def make_vec(control: str, muscle_paths: str = "exact") -> Any:
        options = {"control": control, "muscle_paths": muscle_paths, **ENDLESS}
        return gymnasium.make_vec(
            f"ms_envs:{name}", num_envs=num_envs, engine="cpu", body=body, threads=threads, **options
        )

    env = make_vec("excitation")
    contestants: list[Contestant] = [
        BareMujoco(env, threads),
        ThreadedEnv(env, threads),
        ThreadedEnv(make_vec("excitation", "fitted"), threads),
        ThreadedEnv(make_vec("reflex"), threads),
        ThreadedEnv(make_vec("reflex", "fitted"), threads),
        GymnasiumProcesses(make, threads),
        StableBaselinesProcesses(make, threads),
    ]
    muscles = env.single_action_space.shape[0]
    actions = np.random.default_rng(0).uniform(0, EXCITATION, (steps, num_envs, muscles)).astype(np.float32)
    speeds: list[list[float]] = [[] for _ in contestants]
    for repetition in track(range(repeats + 1), f"{body}"):
        for contestant, speed in zip(contestants, speeds, strict=True):
            contestant.reset()
            start = time.perf_counter()
            contestant.advance(actions[:, : contestant.num_envs])
            elapsed = time.perf_counter() - start
            if repetition > 0:  # the first one warms up
                speed.append(steps * contestant.num_envs / elapsed)
    for contestant in contestants:
        contestant.close()
    return [summary(body, c, s, speeds[0]) for c, s in zip(contestants, speeds, strict=True)]


def summary(body: str, contestant: Contestant, speeds: list[float], bare: list[float]) -> Throughput:
    """Quartiles of a contestant's speeds, and its share of the bare ones of the same repetitions."""
    lower, median, upper = (round(speed, 1) for speed in statistics.quantiles(speeds, n=4))
    share = statistics.median(speed / reference for speed, reference in zip(speeds, bare, strict=True))
    return Throughput(body, contestant.name, contestant.num_envs, median, (lower, upper), round(share, 3))


def phases(num_envs: int) -> NDArray[np.float64]:
    """Evenly spaced starts in the motion, (N,)."""
    return np.arange(num_envs) / num_envs


def table(results: Sequence[Throughput]) -> Table:
    """The results for the terminal."""
    rows = Table("body", "what steps it", "envs", "steps/s", "quartiles", "of bare", title="Control steps per second")
    previous = None
    for r in results:
        if previous not in (None, r.body):
            rows.add_section()
        previous = r.body
        rows.add_row(*_cells(r))
    return rows


def _cells(r: Throughput) -> tuple[str, ...]:
    low, high = r.quartiles
    speed, spread = f"{r.steps_per_second:,.0f}", f"{low:,.0f} – {high:,.0f}"
    return r.body, r.contestant, str(r.num_envs), speed, spread, f"{r.share_of_bare:.0%}"


def markdown(
    results: Sequence[Throughput], machine: dict[str, Any], settings: dict[str, Any], bare: str, command: str
) -> str:
    """The results as a Markdown page, with what they were compared with and the command that makes it."""
    lines = [
        "# Throughput",
        "",
        "Control steps per second of all environments together; median and quartiles over repetitions; share of the",
        f"speed of {bare} in the same repetition. Made by `python -m benchmarks {command}`.",
        "",
        "| body | what steps it | envs | steps/s | quartiles | of bare |",
        "|---|---|---:|---:|---:|---:|",
        *("| " + " | ".join(_cells(result)) + " |" for result in results),
        "",
        results_file.described(settings | machine) + ".",
        "",
    ]
    return "\n".join(lines)
