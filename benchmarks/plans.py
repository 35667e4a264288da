"""Every motion planned on every whole body: how far, how well, for how much, and what stopped it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from ms_agents.planning import Plan, PlannerHyperparameters, PlanRequest
from ms_agents.planning.command import search
from ms_agents.planning.export import plan_clip
from ms_agents.planning.reference import ReferenceLimits, reference_quality
from ms_agents.planning.score import SATURATED, STRICT_BODY, STRICT_ROOT, PlanScore, score
from ms_agents.planning.stage import Performance, make_stage, plan_steps
from ms_envs.bodies import load_body
from ms_envs.bodies.body import Body
from ms_envs.motions import MOTIONS, REPAIRED
from ms_envs.report_table import markdown_table
from ms_envs.retarget.contact_sheet import contact_sheet
from rich.console import Console

from benchmarks.results_file import FOLDER, described, machine, write

ANY_CLIP = ReferenceLimits(float("inf"), float("inf"))
CONSTANTS: dict[str, dict[str, float]] = {
    "ms-human-700 dance_b": {"tolerances.drift": 0.08, "samples": 48, "retreats": 8},
    "myo-fullbody jump": {"samples": 64},
}
"""Constants other than those of the preset, where a search with these gave up."""
ARGUMENTS: dict[str, dict[str, Any]] = {"myo-fullbody jump": {"reflex": {"stiffness": 50, "damping": 1.5}}}
"""Likewise, arguments of the environment."""
LAST = 0.2
"""Time before the end in which saturation is counted, s."""


@dataclass(frozen=True)
class Row:
    """One motion on one body; the farthest of its seeds.

    Attributes:
        body: Name of the body.
        motion: Name of the motion.
        preset: Constants of the search.
        seed: Of the farthest search.
        seeds: Searches begun.
        core_minutes: Processor time of them all.
        status: Of the farthest search, ``"complete"``, ``"failed"`` or ``"searching"``, whose budget was spent.
        stopped_by: What was beyond its limit where the body came to its end; empty if nothing was.
        saturated_at_end: Share of muscles saturated in the last :data:`LAST` seconds, %.
        reflex: Time for which the reflex alone stays strict, s.
        root_force: Mean force on the root from nowhere that the clip needs, body weights.
        unreachable_torque: Share of the clip's joint torque out of reach.
        moved: Mean distance of the key bodies of a repaired clip from those of the recorded one, mm.
        score: Of the farthest search.
    """

    body: str
    motion: str
    preset: str
    seed: int
    seeds: int
    core_minutes: float
    status: str
    stopped_by: str
    saturated_at_end: float
    reflex: float
    root_force: float
    unreachable_torque: float
    moved: float
    score: PlanScore


def run(
    folder: Path, bodies: Sequence[str], motions: Sequence[str], core_minutes: float, seeds: int, threads: int
) -> None:
    """Plan one motion after another, and keep the table after each.

    Args:
        folder: Where plans are kept; those that are there are continued.
        bodies: Names of bodies.
        motions: Names of motions; all that were recorded if empty.
        core_minutes: Budget of a motion on a body, over all calls.
        seeds: Searches to begin at most, each after the one before has given up.
        threads: Threads that step physics.

    Raises:
        ValueError: If a body or motion is unknown.
    """
    recorded = [name for name, motion in MOTIONS.items() if motion.recorded]
    if unknown := sorted(set(motions) - set(MOTIONS)):
        raise ValueError(f"unknown motions {unknown}; choose from {list(MOTIONS)}")
    for body in bodies:
        for motion in motions or recorded:
            _plan(folder, body, motion, core_minutes, seeds, threads)
            _keep(folder, body, motion)
            row = _row(folder, body, motion)
            _write(_known_rows() | {f"{body} {motion}": row})
            Console().print(f"{body} {motion}: strict for {row.score.strict:.2f} of {row.score.duration:.2f} s")


def preset_of(motion: str) -> str:
    """Constants of the search for a motion."""
    return "walk" if motion == "walk" else "whole-body"


def _plan(folder: Path, body: str, motion: str, core_minutes: float, seeds: int, threads: int) -> None:
    """Search with one seed after another until one completes or the budget is spent."""
    if any(plan.status == "complete" for plan in _plans(folder, body, motion)):
        return
    spent = 0.0
    for seed in range(seeds):
        path = _path(folder, body, motion, seed)
        known = Plan.load(path) if path.is_file() else None
        if known is None or known.status == "searching":
            if spent >= core_minutes:
                return
            budget = core_minutes - spent
            known = search(_request(body, motion, seed), path, core_minutes=budget, threads=threads, limits=ANY_CLIP)
        if known.status == "complete":
            return
        spent += known.core_seconds / 60


def _request(body: str, motion: str, seed: int) -> PlanRequest:
    constants = PlannerHyperparameters.preset(preset_of(motion)).changed(CONSTANTS.get(f"{body} {motion}", {}))
    arguments = {"body": body} if motion == "walk" else {"body": body, "clip": REPAIRED}
    arguments |= ARGUMENTS.get(f"{body} {motion}", {})
    return PlanRequest(f"ms_envs:{MOTIONS[motion].env_id}", arguments, seed=seed, hyperparameters=constants)


def _path(folder: Path, body: str, motion: str, seed: int) -> Path:
    return folder / f"{body}-{motion}-seed-{seed}.npz"


def _keep(folder: Path, body: str, motion: str) -> None:
    """Keep a plan that is complete beside the results, with a picture of it."""
    plan = _farthest(folder, body, motion)
    kept = FOLDER / "plans" / f"{body}-{motion}"
    if plan.status == "complete" and not kept.with_suffix(".npz").is_file():
        contact_sheet(load_body(body), plan_clip(plan), kept.with_suffix(".png"), width=150, height=200)
        plan.save(kept.with_suffix(".npz"))


def _plans(folder: Path, body: str, motion: str) -> list[Plan]:
    return [Plan.load(path) for path in sorted(folder.glob(f"{body}-{motion}-seed-*.npz"))]


def _farthest(folder: Path, body: str, motion: str) -> Plan:
    return max(_plans(folder, body, motion), key=lambda plan: score(plan).strict)


def _row(folder: Path, body: str, motion: str) -> Row:
    plans, best = _plans(folder, body, motion), _farthest(folder, body, motion)
    env = make_stage(best.request, 1)
    quality = reference_quality(env.body, env.clip)
    end = best.rows["time"] > best.rows["time"][-1] - LAST
    row = Row(
        body=body,
        motion=motion,
        preset=preset_of(motion),
        seed=best.request.seed,
        seeds=len(plans),
        core_minutes=sum(plan.core_seconds for plan in plans) / 60,
        status=best.status,
        stopped_by=beyond(best, env.body),
        saturated_at_end=100 * float((best.rows["excitation"][end] > SATURATED).mean()),
        reflex=_reflex(Performance(env), plan_steps(best.request, env)),
        root_force=quality.root_force,
        unreachable_torque=quality.unreachable_torque,
        moved=env.clip.provenance.get("repaired", {}).get("moved_mean_mm", 0.0),
        score=score(best),
    )
    env.close()
    return row


def beyond(plan: Plan, body: Body) -> str:
    """What is beyond its limit in the last row."""
    last = {name: values[-1] for name, values in plan.rows.items()}
    if last["metric_diverged"]:
        return "simulation"
    if last["metric_root_position_error"] > 1e3 * STRICT_ROOT:
        height = last["qpos"][2] - last["reference_qpos"][2]
        return "root, fallen" if abs(height) > 0.5 * STRICT_ROOT else "root, drifted"
    if last["metric_largest_body_error"] > 1e3 * STRICT_BODY:
        data = mujoco.MjData(body.model)
        positions = []
        for name in ("qpos", "reference_qpos"):
            data.qpos[:] = last[name]
            mujoco.mj_kinematics(body.model, data)
            positions.append(data.xpos[list(body.key_bodies.values())])
        return list(body.key_bodies)[int(np.linalg.norm(positions[0] - positions[1], axis=1).argmax())]
    return ""


def _reflex(performance: Performance, steps: int) -> float:
    """Time for which the reflex alone stays strict, s."""
    rest = np.zeros(len(performance.env.body.joint_ids), dtype=np.float32)
    for step in range(steps):
        performance.act(rest)
        root, body = (performance.metrics[name] for name in ("root_position_error", "largest_body_error"))
        if root > 1e3 * STRICT_ROOT or body > 1e3 * STRICT_BODY:
            return step * performance.env.control_timestep
    return steps * performance.env.control_timestep


_TEXT: dict[str, Callable[[Row], str]] = {
    "body": lambda r: r.body,
    "motion": lambda r: r.motion,
    "end": lambda r: {"complete": "complete", "searching": "budget"}.get(r.status, "gave up"),
    "beyond its limit": lambda r: r.stopped_by or "–",
}
_COLUMNS: dict[str, Callable[[Row], str]] = {
    "body": _TEXT["body"],
    "motion": _TEXT["motion"],
    "strict (s)": lambda r: f"{r.score.strict:.2f} of {r.score.duration:.2f}",
    "reflex alone (s)": lambda r: f"{r.reflex:.2f}",
    "end": _TEXT["end"],
    "beyond its limit": _TEXT["beyond its limit"],
    "joints (deg)": lambda r: f"{r.score.joint_angle_error:.1f}",
    "bodies (mm)": lambda r: f"{r.score.root_frame_body_error:.0f}",
    "root (mm)": lambda r: f"{r.score.root_position_error:.0f}",
    "excitation": lambda r: f"{r.score.excitation:.2f}",
    "saturated (%)": lambda r: f"{100 * r.score.saturated:.0f}",
    "at the end (%)": lambda r: f"{r.saturated_at_end:.0f}",
    "root force (%)": lambda r: f"{100 * r.root_force:.0f}",
    "out of reach (%)": lambda r: f"{100 * r.unreachable_torque:.0f}",
    "repair (mm)": lambda r: f"{r.moved:.0f}",
    "seeds": lambda r: str(r.seeds),
    "core-min": lambda r: f"{r.core_minutes:.1f}",
}


def _known_rows() -> dict[str, Row]:
    path = FOLDER / "plans.json"
    if not path.is_file():
        return {}
    rows = json.loads(path.read_text())["rows"]
    return {f"{row['body']} {row['motion']}": Row(**row | {"score": PlanScore(**row["score"])}) for row in rows}


def _write(rows: dict[str, Row]) -> None:
    order = list(MOTIONS)
    listed = sorted(rows.values(), key=lambda row: (row.body, order.index(row.motion)))
    measured = machine()
    write("plans", {"machine": measured, "rows": [asdict(row) for row in listed]}, _markdown(listed, measured))


def _markdown(rows: Sequence[Row], measured: dict[str, Any]) -> str:
    return f"""# Plans

Every recorded motion on every whole body, from its beginning to its end (three rounds of one that loops), unsupported,
by `ms-agents plan` without training. *Repair*: mean distance of the key bodies of `clip="repaired"` from those of the
recorded motion; 0 where that itself was planned. *Strict*: root within {STRICT_ROOT:g} m and every key body within
{STRICT_BODY:g} m of the reference, in the world. A search goes back where the body exceeds that and gives up after too
many falls at one place; then the next seed begins, and the farthest is shown. Bodies: mean distance of all bodies in
the frame of the root. Saturated: share of muscles with an excitation above {SATURATED:g}, over the plan and in its last
{LAST:g} s. Root force and out of reach: force from nowhere that the clip needs, in body weights, and share of its joint
torque that the muscles do not give. Made by
`python -m benchmarks plans`.

{markdown_table(_COLUMNS, rows, text=_TEXT)}
{described(measured)}.
"""
