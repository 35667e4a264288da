"""How well controllers that need no training follow the motions, on their own and with the root supported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ms_agents.evaluation import evaluate
from ms_agents.report import TrackingReport
from ms_envs.motions import MOTIONS, motions_of
from ms_envs.report_table import markdown_table, terminal_table
from rich.console import Console
from rich.progress import track

from benchmarks.results_file import machine, write

POLICIES = ("untrained", "reflex", "inverse")
SUPPORT = 40.0
"""Natural frequency of the spring on the root where it is supported, rad/s."""


@dataclass(frozen=True)
class Score:
    """One controller on one motion; means over evenly spaced start phases.

    Attributes:
        body: Name of the body.
        motion: Name of the motion.
        policy: Name of the controller.
        survival: Unsupported, time until the protocol ends the episode, s.
        survival_from_start: The same of the episode that starts with the motion, s.
        coverage: Unsupported, share of frames tracked, %.
        joint_angle_error: Unsupported, over tracked frames, degrees.
        supported_joint_angle_error: With the root supported, degrees.
        supported_body_position_error: With the root supported, relative to the root, mm.
        supported_coverage: With the root supported, share of frames tracked, %.
    """

    body: str
    motion: str
    policy: str
    survival: float
    survival_from_start: float
    coverage: float
    joint_angle_error: float
    supported_joint_angle_error: float
    supported_body_position_error: float
    supported_coverage: float


def run(bodies: Sequence[str], motions: Sequence[str], phases: int, threads: int) -> None:
    """Score every controller on motions and bodies, print the table and keep it.

    Args:
        bodies: Names of bodies.
        motions: Names of motions; all that each body can do if empty.
        phases: Start phases, evenly spaced.
        threads: Threads that step physics.

    Raises:
        ValueError: If a body or motion is unknown.
    """
    if unknown := sorted(set(motions) - set(MOTIONS)):
        raise ValueError(f"unknown motions {unknown}; choose from {list(MOTIONS)}")
    chosen = [(body, motion) for body in bodies for motion in (motions or motions_of(body))]
    scores = []
    for body, motion in track(chosen, description="training-free control"):
        scores += [_score(body, motion, policy, phases, threads) for policy in POLICIES]
    settings = {"phases": phases, "support": SUPPORT}
    Console().print(terminal_table(_COLUMNS, scores, title="Controllers that need no training", text=_TEXT))
    results = {"machine": machine(), "settings": settings, "scores": [asdict(score) for score in scores]}
    write("training-free", results, _markdown(scores, results))


def _score(body: str, motion: str, policy: str, phases: int, threads: int) -> Score:
    def report(support: float) -> TrackingReport:
        return evaluate(
            policy,
            f"ms_envs:{MOTIONS[motion].env_id}",
            phases=[phase / phases for phase in range(phases)],
            body=body,
            threads=threads,
            root_support=support,
        )

    free, supported = report(0.0), report(SUPPORT)
    return Score(
        body=body,
        motion=motion,
        policy=policy,
        survival=free.survival,
        survival_from_start=free.per_episode["survival"][0],
        coverage=free.coverage,
        joint_angle_error=free.errors["joint_angle_error"],
        supported_joint_angle_error=supported.errors["joint_angle_error"],
        supported_body_position_error=supported.errors["body_position_error"],
        supported_coverage=supported.coverage,
    )


_TEXT: dict[str, Callable[[Score], str]] = {
    "body": lambda s: s.body,
    "motion": lambda s: s.motion,
    "policy": lambda s: s.policy,
}
_COLUMNS = _TEXT | {
    "survival (s)": lambda s: f"{s.survival:.2f}",
    "from the start (s)": lambda s: f"{s.survival_from_start:.2f}",
    "coverage (%)": lambda s: f"{s.coverage:.0f}",
    "joints (deg)": lambda s: f"{s.joint_angle_error:.1f}",
    "supported: joints (deg)": lambda s: f"{s.supported_joint_angle_error:.1f}",
    "supported: bodies (mm)": lambda s: f"{s.supported_body_position_error:.0f}",
    "supported: coverage (%)": lambda s: f"{s.supported_coverage:.0f}",
}


def _markdown(scores: Sequence[Score], results: dict[str, Any]) -> str:
    measured = ", ".join(f"{key} {value}" for key, value in (results["settings"] | results["machine"]).items())
    return f"""# Controllers that need no training

`untrained` leaves the muscles relaxed, `reflex` is the stretch reflex around the reference with the activations of
static optimisation fed forward, `inverse` is computed muscle control, which sees the whole state and solves for
excitations at 50 Hz. Constants are the same for every motion and body. Means over evenly spaced start phases; the first
four numbers are unsupported, under the limits of the protocol (0.5 m), the others with a spring on the root
({SUPPORT:g} rad/s). Made by `python -m benchmarks training-free`.

{markdown_table(_COLUMNS, scores, text=_TEXT)}
{measured}.
"""
