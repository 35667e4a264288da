"""What a control step costs beside its physics, here and in MyoSuite, which runs in an environment of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from ms_envs.report_table import markdown_table, table_console, terminal_table
from rich.progress import track

from benchmarks.results_file import described, machine, write

SCRIPT = Path(__file__).with_name("step_cost.py")
MYOSUITE = "myosuite==3.0.0"
LEGS, WHOLE = json.dumps({"body": "myo-legs"}), json.dumps({"body": "myo-fullbody", "muscle_paths": "exact"})
OURS, THEIRS = ("--no-sync",), ("--no-project", "--isolated", "--with", MYOSUITE)
CONTESTANTS = (
    (THEIRS, "myosuite", "myoLegWalk-v0", 1, "{}"),
    (OURS, "ms_envs", "MSEmu/Walk-v0", 1, LEGS),
    (OURS, "ms_envs", "MSEmu/Walk-v0", 32, LEGS),
    (THEIRS, "myosuite", "myoMuscleMimicFullbody-v0", 1, "{}"),
    (OURS, "ms_envs", "MSEmu/Walk-v0", 1, WHOLE),
    (OURS, "ms_envs", "MSEmu/Walk-v0", 32, WHOLE),
)
"""How `uv run` finds the package, the package, the environment, how many, its arguments."""


def run(steps: int, repeats: int) -> None:
    """Measure, print the table and keep it.

    Args:
        steps: Control steps of a single environment; vectors take as many altogether.
        repeats: Interleaved repetitions; the table shows medians.

    Raises:
        RuntimeError: If an environment could not be measured.
    """
    measured: list[list[dict[str, Any]]] = [[] for _ in CONTESTANTS]
    for _ in track(range(repeats), description="peers"):
        for results, contestant in zip(measured, CONTESTANTS, strict=True):
            results.append(_measure(*contestant, steps))
    rows = [_typical(results) for results in measured]
    table_console().print(terminal_table(_COLUMNS, rows, title="Cost of a control step", text=_TEXT))
    content = {"machine": machine(), "steps": steps, "repeats": repeats, "rows": rows}
    write("peers", content, _markdown(rows, content))


def _measure(found: Sequence[str], package: str, env_id: str, num_envs: int, arguments: str, steps: int) -> Any:
    share = str(max(steps // num_envs, 1))
    command = ["uv", "run", *found, "python", str(SCRIPT), package, env_id, str(num_envs), share, arguments]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {finished.stderr.strip().splitlines()[-1]}")
    return json.loads(finished.stdout[finished.stdout.index("{") :])


def _typical(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One result with the median times."""
    times = {name: median(r["milliseconds"][name] for r in results) for name in ("environment", "physics")}
    return results[0] | {"milliseconds": times}


def _beside(row: dict[str, Any]) -> float:
    return float(row["milliseconds"]["environment"] - row["milliseconds"]["physics"])


_TEXT: dict[str, Callable[[dict[str, Any]], str]] = {
    "package": lambda r: str(r["package"]),
    "environment": lambda r: str(r["environment"]),
}
_COLUMNS: dict[str, Callable[[dict[str, Any]], str]] = _TEXT | {
    "environments": lambda r: str(r["num_envs"]),
    "muscles": lambda r: str(r["muscles"]),
    "observation": lambda r: str(r["observation"]),
    "physics steps": lambda r: f"{r['substeps']} of {1e3 * r['timestep']:g} ms",
    "physics (ms)": lambda r: f"{r['milliseconds']['physics']:.2f}",
    "all else (ms)": lambda r: f"{_beside(r):.2f}",
    "all else (%)": lambda r: f"{100 * _beside(r) / r['milliseconds']['environment']:.0f}",
}


def _markdown(rows: Sequence[dict[str, Any]], content: dict[str, Any]) -> str:
    return f"""# Cost of a control step beside its physics

Processor time of one control step of one body, random excitations, medians of {content["repeats"]} repetitions.
*Physics* is `mj_step` alone, from the same states with the same excitations; *all else* is what the environment adds:
observation, reward, reference, termination, info. Models, tasks and observations differ between the packages, so only
the last two columns compare them. Made by `python -m benchmarks peers`, which runs MyoSuite by `uv run --with
{MYOSUITE}`.

{markdown_table(_COLUMNS, rows, text=_TEXT)}
{described(content["machine"])}; MuJoCo of MyoSuite {rows[0]["mujoco"]}.
"""
