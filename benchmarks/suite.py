"""All benchmarks one after another, each in a process of its own, and the report of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import report, results_file
from benchmarks.outcomes import Outcome, keep

LAST_LINES = 5
"""Of what a part that failed said, kept in the report."""


@dataclass(frozen=True)
class Part:
    """One benchmark.

    Attributes:
        name: Its name, and that of its page.
        full: Arguments of ``python -m benchmarks``; ``{output}`` is the folder of the results.
        quick: The same at small size; ``None`` if there is no small one.
    """

    name: str
    full: str
    quick: str | None


PARTS = {
    part.name: part
    for part in (
        Part(
            "plans",
            "plans runs/plans",
            "plans {output}/plans --bodies myo-legs --motions walk --core-minutes 0.3 --seeds 1",
        ),
        Part("accuracy", "accuracy", "accuracy --bodies myo-legs --motions walk --phases 2"),
        Part("films", "films", "films --seconds 1 --size 160"),
        Part("curves", "curves", "curves"),
        Part("kinetics", "kinetics", "kinetics --motions walk --bodies myo-legs"),
        Part("throughput", "throughput", "throughput --bodies myo-legs --num-envs 8 --steps 5 --repeats 3"),
        Part(
            "throughput-mjx",
            "throughput --engine mjx",
            "throughput --engine mjx --bodies myo-legs --sizes 2 --steps 1 --repeats 2",
        ),
        Part("peers", "peers", None),
        Part("learner", "learner", "learner --body myo-legs --explorers gaussian --iterations 1"),
        Part("coverage", "coverage", "coverage --bodies myo-legs --phases 1 --repeats 2"),
        Part("redundancy", "redundancy", "redundancy --muscles 50 100 --seeds 1 --samples 30000"),
        Part("emg", "emg", "emg --bodies myo-legs"),
    )
}
"""Every benchmark that can be run without files of others, in order; results of earlier ones are used by later ones."""


def run(parts: Sequence[str], quick: bool, output: Path | None, report_only: bool) -> bool:
    """Run benchmarks and write the report; a part that fails does not keep the others from running.

    Args:
        parts: Names of parts; all if empty.
        quick: Whether everything is done at small size.
        output: Folder of the results; by default the committed one, or ``runs/benchmarks-quick``.
        report_only: Runs nothing.

    Returns:
        Whether all parts succeeded.

    Raises:
        ValueError: If a part is unknown.
    """
    if unknown := sorted(set(parts) - set(PARTS)):
        raise ValueError(f"unknown parts {unknown}; choose from {list(PARTS)}")
    folder = output or (Path("runs/benchmarks-quick") if quick else results_file.FOLDER)
    chosen = [] if report_only else [(name, PARTS[name]) for name in parts or PARTS]
    commands = {name: command for name, part in chosen if (command := part.quick if quick else part.full)}
    failed, console = [], Console(stderr=True)
    for number, (name, command) in enumerate(commands.items(), 1):
        console.rule(f"{number} of {len(commands)}: {name}")
        outcome = _perform(command, folder)
        keep(folder, name, outcome)
        failed += [name] if outcome.error else []
        console.print(f"{name}: {'failed' if outcome.error else 'done'} after {outcome.seconds:.0f} s")
    for path in report.write(folder, list(PARTS)):
        console.print(str(path))
    if failed:
        console.print(f"failed: {', '.join(failed)}; the report says why", style="red")
    return not failed


def _perform(command: str, folder: Path) -> Outcome:
    """Run one part in a process of its own, whose messages are passed on."""
    arguments = [argument.format(output=folder) for argument in command.split()]
    environment: dict[str, Any] = os.environ | {results_file.OUTPUT: str(folder.absolute())}
    started, said = time.perf_counter(), list[str]()
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *arguments], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            sys.stderr.write(line)
            said.append(line.strip())
    lines = [line for line in said if line][-LAST_LINES:]
    return Outcome(
        command=" ".join(["python -m benchmarks", *arguments]),
        finished=time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        seconds=round(time.perf_counter() - started, 1),
        error=None if process.returncode == 0 else "\n".join(lines) or f"exit status {process.returncode}",
    )
