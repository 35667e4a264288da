"""``python -m benchmarks``."""

from __future__ import annotations

import os

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
) -> None:
    """Steps per second of the vector environment beside bare MuJoCo and process-based vector environments.

    Args:
        bodies: Bodies to measure.
        motion: Motion to start on.
        num_envs: Environments stepped on threads.
        threads: Threads, and processes of the others.
        steps: Control steps from each reset.
        repeats: Interleaved repetitions; the table shows medians.
    """
    from benchmarks.throughput import run

    run(bodies, motion, num_envs, threads, steps, repeats)


if __name__ == "__main__":
    app.cli(prog="python -m benchmarks")
