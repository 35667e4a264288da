"""``python -m benchmarks``."""

from __future__ import annotations

import os
import sys
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
    steps: int | None = None,
    repeats: int | None = None,
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
        steps: Control steps from each reset; by default 20, and 2 for MJX on a CPU.
        repeats: Interleaved repetitions; the table shows medians. By default 15, and 4 for MJX on a CPU.
        engine: What moves the bodies; "mjx" is compared with bare `mjx.step` alone.
        sizes: Numbers of environments on MJX; by default thousands on a GPU, a few on the CPU.
        impl: Implementation of MJX.
    """
    if engine == "mjx":
        from benchmarks import throughput_mjx

        throughput_mjx.run(bodies, motion, sizes, impl, steps, repeats)
        return
    from benchmarks.throughput import REPEATS, STEPS, run

    run(bodies, motion, num_envs, threads, steps or STEPS, repeats or REPEATS)


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


@app.command
def accuracy(
    bodies: tuple[str, ...] = ("myo-legs", "myo-fullbody", "ms-human-700"),
    motions: tuple[str, ...] = (),
    phases: int = 6,
    supported: bool = False,
    threads: int = 2,
) -> None:
    """Every motion, body and controller by the tracking protocol; measures only what is missing or has changed.

    Args:
        bodies: Bodies to control.
        motions: Motions to follow; all that each body can do by default.
        phases: Evenly spaced start phases; as many episodes more start with the motion.
        supported: Measure controllers that need no training with the root held by a spring, instead of all without.
        threads: Threads that step physics.
    """
    from benchmarks.accuracy import run

    run(bodies, motions, phases, supported, threads)


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


@app.command
def reproduction(
    name: Annotated[str, tyro.conf.Positional],
    folders: Annotated[tuple[Path, ...], tyro.conf.Positional],
) -> None:
    """What policies of `ms-agents reproduce` can do against what they cost, with a teacher and without.

    Args:
        name: Of the results.
        folders: Run directories.
    """
    from benchmarks.reproduction import run

    run(name, folders)


@app.command
def peers(steps: int = 300, repeats: int = 3) -> None:
    """What a control step costs beside its physics, here and in MyoSuite, which uv installs apart from the project.

    Args:
        steps: Control steps of a single environment; vectors take as many altogether.
        repeats: Interleaved repetitions; the table shows medians.
    """
    from benchmarks.peers import run

    run(steps, repeats)


@app.command
def films(motions: tuple[str, ...] = (), seconds: float = 5.0, size: int = 320) -> None:
    """Films of the best controller of each motion by the accuracy table.

    Args:
        motions: Motions to film; all in the table by default.
        seconds: Longest film.
        size: Width and height, pixels.
    """
    from benchmarks.films import run

    run(motions, seconds, size)


@app.command
def curves() -> None:
    """Learning curves of the runs that are kept, against steps and against core-hours."""
    from benchmarks.curves import run

    run()


@app.command
def kinetics(
    motions: tuple[str, ...] = ("walk", "run"),
    bodies: tuple[str, ...] = ("myo-legs", "myo-fullbody", "ms-human-700"),
    controllers: tuple[str, ...] = (),
) -> None:
    """Ground reaction and joint moments beside the inverse dynamics of the clip.

    Args:
        motions: Motions that loop.
        bodies: Bodies.
        controllers: Controllers; by default the best of each motion and body by the accuracy table.
    """
    from benchmarks.kinetics import run

    run(motions, bodies, controllers)


@app.command(name="suite")
def suite_(
    parts: tuple[str, ...] = (), quick: bool = False, output: Path | None = None, report_only: bool = False
) -> None:
    """Run all benchmarks, or some, and write the report; what happens without a subcommand.

    Args:
        parts: Benchmarks to run; all by default.
        quick: Do everything at small size, in ten minutes.
        output: Folder of the results; by default benchmarks/results, or runs/benchmarks-quick.
        report_only: Run nothing, write the report of what is there.
    """
    from benchmarks.suite import run

    if not run(parts, quick, output, report_only):
        raise SystemExit(1)


def main(arguments: list[str]) -> None:
    """Run a benchmark, or all of them where none is named; errors of use become one line and exit status 2."""
    if not arguments or (arguments[0].startswith("--") and arguments[0] != "--help"):
        arguments = ["suite", *arguments]
    try:
        app.cli(prog="python -m benchmarks", args=arguments)
    except (ValueError, FileNotFoundError) as error:
        sys.stderr.write(f"benchmarks: {error}\n")
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main(sys.argv[1:])
