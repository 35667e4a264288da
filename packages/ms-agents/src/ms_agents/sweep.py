"""The same training over seeds and settings, each run a process of its own."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ms_envs.report_table import terminal_table
from rich.console import Console
from rich.live import Live
from rich.table import Table

from ms_agents.curve import STEP, read_curve
from ms_agents.runs import LAST, TrainingConfig, write_text
from ms_agents.settings import differences, train_arguments, with_setting
from ms_agents.versions import package_versions

COMMAND = (sys.executable, "-m", "ms_agents")
"""What runs ``ms-agents``."""
REPORT = "report-trained.json"
"""What a run has once it is scored."""
POLL_SECONDS = 1.0
"""Time between two looks at the processes."""


@dataclass(frozen=True)
class Sweep:
    """Runs to make: every combination of the values below.

    Attributes:
        base: What all of them share.
        seeds: Seeds.
        aggregators: Where the reward comes from.
        explorers: How base samples become actions.
        varied: Constant of the learner or argument of the environment to the values it takes.
    """

    base: TrainingConfig
    seeds: Sequence[int]
    aggregators: Sequence[str]
    explorers: Sequence[str]
    varied: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def runs(self) -> dict[str, TrainingConfig]:
        """Name of each run to its configuration.

        The name is ``<aggregator>-<explorer>[-<varied>-<value> …]-seed-<seed>``, after ``qflex-`` if that is trained.

        Raises:
            ValueError: If there is nothing to run, a value is not valid, or two runs have the same name.
        """
        runs: dict[str, TrainingConfig] = {}
        choices = (self.seeds, self.aggregators, self.explorers, *self.varied.values())
        for seed, aggregator, explorer, *values in itertools.product(*choices):
            config = replace(self.base, seed=seed, aggregator=aggregator, explorer=explorer)
            parts = [*([] if config.algorithm == "ppo" else [config.algorithm]), aggregator, explorer]
            for name, value in zip(self.varied, values, strict=True):
                config = with_setting(config, name, value)
                parts += [name, _in_a_name(value)]
            run = "-".join([*parts, "seed", str(seed)])
            if run in runs:
                raise ValueError(f"two runs of the sweep would be called {run}; give each value once")
            runs[run] = config
        if not runs:
            raise ValueError("a sweep needs at least one value of each list")
        return runs


def sweep(
    asked: Sweep, folder: Path, *, jobs: int = 1, console: Console | None = None, command: Sequence[str] = COMMAND
) -> list[str]:
    """Make the runs that are missing, finish the unfinished ones and leave the complete ones as they are.

    The folder holds ``sweep.json``, an ordinary run directory for each run, and its log beside it. The first
    interrupt lets all runs save and end, a second one ends them at once; the same call continues.

    Args:
        asked: What to run.
        folder: Where runs are kept; runs that are there already are adopted.
        jobs: Processes at once.
        console: Where to show progress.
        command: What runs ``ms-agents``.

    Returns:
        Names of the runs that failed.

    Raises:
        ValueError: If a run in the folder has other settings than it should, or an argument is not valid.
        KeyboardInterrupt: After an interrupt, once all runs have ended.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    console = console or Console()
    runs = [_Run(folder / name, config) for name, config in asked.runs().items()]
    for run in runs:
        run.check()
    write_text(
        folder / "sweep.json",
        json.dumps(asdict(asked) | {"versions": package_versions()}, indent=1, default=str) + "\n",
    )
    with _interrupts() as interrupts, Live(_table(runs), console=console, auto_refresh=False) as live:
        try:
            while _goes_on(runs, bool(interrupts)):
                if not interrupts:
                    for run in [run for run in runs if run.state == "waiting"][: jobs - _running(runs)]:
                        run.start(command)
                for run in runs:
                    run.poll(len(interrupts))
                live.update(_table(runs), refresh=True)
                time.sleep(POLL_SECONDS)
        finally:
            for run in runs:
                run.interrupt()
    failed = [run for run in runs if run.state == "failed"]
    for run in failed:
        console.print(f"{run.path.name} failed: {run.reason} ({run.log})", highlight=False)
    if interrupts:
        console.print("stopped; the same command continues")
        raise KeyboardInterrupt
    return [run.path.name for run in failed]


def is_complete(run: Path, steps: int) -> bool:
    """Whether a run has made its steps and has its final report."""
    rows = read_curve(run)
    return (run / REPORT).is_file() and bool(rows) and _steps(rows) >= steps


class _Run:
    """One run of a sweep, and its process while there is one.

    Attributes:
        path: Run directory.
        log: What its process printed.
        state: ``waiting``, ``running``, ``complete``, ``stopped`` or ``failed``.
        steps: Environment steps made.
        survival: That of the last evaluation, s.
        reason: Why it failed.
    """

    def __init__(self, path: Path, config: TrainingConfig) -> None:
        self.path, self.config = path, config
        self.log = path.with_name(f"{path.name}.log")
        self.state = "complete" if is_complete(path, config.steps) else "waiting"
        self.steps, self.survival, self.reason = 0, "–", ""
        self._process: subprocess.Popen[bytes] | None = None
        self._interrupts = 0
        self._look()

    def check(self) -> None:
        """Refuse a directory that holds a run with other settings."""
        if not (self.path / "config.json").exists():
            return
        other = differences(TrainingConfig.load(self.path), self.config)
        if other:
            named = ", ".join(f"{name} {found!r} instead of {wanted!r}" for name, (found, wanted) in other.items())
            raise ValueError(f"{self.path} was made with {named}; choose another folder")

    def start(self, command: Sequence[str]) -> None:
        """Start or resume it."""
        if (self.path / LAST).exists():
            (self.path / REPORT).unlink(missing_ok=True)  # that of fewer steps
            arguments = ["train", "--resume", str(self.path), "--steps", str(self.config.steps), "--threads", "1"]
        else:
            arguments = [*train_arguments(replace(self.config, threads=1)), "--run-dir", str(self.path)]
        with open(self.log, "ab") as log:
            try:
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the process holds it on as long as it lives
            except BlockingIOError:
                self.state, self.reason = "failed", "another process is at it"
                return
            self._process = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
                start_new_session=True,  # so that Ctrl-C reaches it once, through the sweep
            )
        self.state = "running"

    def poll(self, interrupts: int) -> None:
        """Pass interrupts on, and see how far it is."""
        while self._interrupts < interrupts:
            self.interrupt()
            self._interrupts += 1
        if self._process is None or self.state != "running":
            return
        code = self._process.poll()
        self._look()
        if code is None:
            return
        if is_complete(self.path, self.config.steps):
            self.state = "complete"
        elif interrupts:
            self.state = "stopped"
        else:
            self.state, self.reason = "failed", f"exit code {code}: {self._last_words()}"

    def interrupt(self) -> None:
        """Let it save and end, or end at once if it was asked before."""
        if self._process is not None and self.state == "running":
            self._process.send_signal(signal.SIGINT)

    def _look(self) -> None:
        rows = read_curve(self.path)
        if rows:
            self.steps = _steps(rows)
        for row in rows:
            if row.get("eval/survival"):
                self.survival = f"{float(row['eval/survival']):.2f}"

    def _last_words(self) -> str:
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else "it printed nothing"


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Collects SIGINT and SIGTERM instead of dying of them."""
    caught: list[int] = []
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in previous:
        signal.signal(number, lambda received, frame: caught.append(received))
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _goes_on(runs: Sequence[_Run], interrupted: bool) -> bool:
    return _running(runs) > 0 or (not interrupted and any(run.state == "waiting" for run in runs))


def _running(runs: Sequence[_Run]) -> int:
    return sum(run.state == "running" for run in runs)


def _steps(rows: Sequence[Mapping[str, str]]) -> int:
    return int(float(rows[-1][STEP]))


def _table(runs: Sequence[_Run]) -> Table:
    columns: dict[str, Callable[[_Run], str]] = {
        "run": lambda run: run.path.name,
        "steps": lambda run: f"{run.steps:,} of {run.config.steps:,}",
        "survival (s)": lambda run: run.survival,
        "state": lambda run: run.state,
    }
    return terminal_table(columns, runs, title=runs[0].config.id, text=("run", "state"))


def _in_a_name(value: Any) -> str:
    """A value as part of the name of a file."""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return re.sub(r"[^\w.+-]+", "_", text).strip("_")
