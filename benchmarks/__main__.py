"""``python -m benchmarks``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

os.environ.setdefault("OMP_NUM_THREADS", "1")  # idle threads of numpy would spin on the cores that step physics

import tyro

app = tyro.extras.SubcommandApp()


@app.command
def throughput(
    bodies: tuple[str, ...] = ("myo-legs", "myo-fullbody", "ms-human-700"),
    motion: str = "walk",
    num_envs: int = 64,
    threads: int = 2,
    steps: int = 20,
    repeats: int = 15,
    engine: Literal["cpu", "mjx"] = "cpu",
    sizes: tuple[int, ...] = (),
    impl: Literal["warp", "jax"] = "warp",
) -> None:
    """Steps per second of the vector environment beside bare MuJoCo and process-based vector environments.

    Args:
        bodies: Bodies to measure.
        motion: Motion to start on.
        num_envs: Environments stepped on threads.
        threads: Threads, and processes of the others.
        steps: Control steps from each reset.
        repeats: Interleaved repetitions; the table shows medians.
        engine: What moves the bodies; "mjx" is compared with bare `mjx.step` alone.
        sizes: Numbers of environments on MJX; by default thousands on a GPU, a few on the CPU.
        impl: Implementation of MJX.
    """
    if engine == "mjx":
        from benchmarks import throughput_mjx

        throughput_mjx.run(bodies, motion, sizes, impl, steps, repeats)
        return
    from benchmarks.throughput import run

    run(bodies, motion, num_envs, threads, steps, repeats)


@app.command
def tracking(
    name: Annotated[str, tyro.conf.Positional],
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional],
    horizons: tuple[float, ...] = (5.0, 10.0),
    episodes: int = 32,
    threads: int = 2,
) -> None:
    """Accuracy of trained policies beside the untrained one, with their curves and checkpoints.

    Args:
        name: Name of the comparison and its folder.
        runs: Run directories of one environment.
        horizons: Longest episodes to score with, s.
        episodes: Episodes of each score.
        threads: Threads that step physics.
    """
    from benchmarks.tracking import run

    run(name, runs, horizons, episodes, threads)


@app.command
def ablation(
    name: Annotated[str, tyro.conf.Positional],
    folder: Annotated[Path, tyro.conf.Positional],
) -> None:
    """Scores of the settings of a sweep over seeds, their differences with intervals, and what they cost.

    Args:
        name: Name of the ablation and its folder.
        folder: Folder of ``ms-agents sweep``.
    """
    from benchmarks.ablation import run

    run(name, folder)


@app.command
def emg(bodies: tuple[str, ...] = ("ms-human-700", "myo-fullbody", "myo-legs")) -> None:
    """Muscle timing that static optimisation predicts for walking, beside published electromyography.

    Args:
        bodies: Bodies to predict it for; the first one is drawn and shown muscle by muscle.
    """
    from benchmarks.emg import run

    run(bodies)


@app.command
def learner(
    body: str = "myo-fullbody",
    motion: str = "walk",
    control: str = "excitation",
    explorers: tuple[str, ...] = ("gaussian", "gsde", "flow"),
    threads: int = 2,
    iterations: int = 5,
) -> None:
    """Where the time of a training iteration goes, with each explorer.

    Args:
        body: Body to train.
        motion: Motion to train on.
        control: What actions are.
        explorers: Explorers to measure.
        threads: Threads that step physics.
        iterations: Iterations with each explorer; medians are shown.
    """
    from benchmarks.learner import run

    run(body, motion, control, explorers, threads, iterations)


@app.command(name="training-free")
def training_free(
    bodies: tuple[str, ...] = ("myo-fullbody",),
    motions: tuple[str, ...] = (),
    phases: int = 6,
    threads: int = 2,
) -> None:
    """Stretch reflex and computed muscle control on every motion, on their own and with the root supported.

    Args:
        bodies: Bodies to control.
        motions: Motions to follow; all that each body can do by default.
        phases: Evenly spaced start phases.
        threads: Threads that step physics.
    """
    from benchmarks.training_free import run

    run(bodies, motions, phases, threads)


@app.command
def coverage(
    bodies: tuple[str, ...] = ("myo-legs", "myo-fullbody", "ms-human-700"),
    phases: int = 6,
    repeats: int = 6,
    threads: int = 2,
) -> None:
    """How far noise of the muscles moves the joints, by explorer and number of muscles.

    Args:
        bodies: Bodies to measure.
        phases: Evenly spaced starts of roll-outs.
        repeats: Roll-outs from each start.
        threads: Threads that step physics.
    """
    from benchmarks.coverage import run

    run(bodies, phases, repeats, threads)


@app.command
def redundancy(
    muscles: tuple[int, ...] = (100, 200, 400, 700), seeds: int = 3, samples: int = 150_000, jobs: int = 2
) -> None:
    """Samples that exploration needs where many muscles move few joints, on a task with a known optimum.

    Args:
        muscles: Numbers of muscles.
        seeds: Runs of each explorer and number.
        samples: Episodes after which a run is given up.
        jobs: Processes at once.
    """
    from benchmarks.redundancy import run

    run(muscles, seeds, samples, jobs)


@app.command
def plans(
    folder: Annotated[Path, tyro.conf.Positional],
    bodies: tuple[str, ...] = ("ms-human-700", "myo-fullbody"),
    motions: tuple[str, ...] = (),
    core_minutes: float = 4.0,
    seeds: int = 3,
    threads: int = 2,
) -> None:
    """Every recorded motion planned on every whole body; run it again with a larger budget to go on.

    Args:
        folder: Where plans are kept; those that are there are continued.
        bodies: Bodies to plan for.
        motions: Motions to plan; all that were recorded by default.
        core_minutes: Budget of processor time of a motion on a body, over all calls.
        seeds: Searches to begin at most, each after the one before has given up.
        threads: Threads that step physics.
    """
    from benchmarks.plans import run

    run(folder, bodies, motions, core_minutes, seeds, threads)


if __name__ == "__main__":
    app.cli(prog="python -m benchmarks")
