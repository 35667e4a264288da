"""From recorded and made-up motions to the clips of the package."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from ms_envs.bodies import BODIES, load_body
from ms_envs.bodies.body import Body
from ms_envs.inverse import static_optimization
from ms_envs.motions import MOTIONS, clip_path, load_clip, motions_of
from ms_envs.motions.clip import MotionClip
from ms_envs.report_table import table_console
from ms_envs.retarget import deepmimic, ground, skeleton, synthetic
from ms_envs.retarget.consistency import Tolerances, make_consistent
from ms_envs.retarget.fit import Retargeted, retarget
from ms_envs.retarget.quality import QualityReport, judged, print_table
from ms_envs.retarget.repair import repair
from ms_envs.retarget.source import SourceMotion
from ms_envs.retarget.targets import KeyPointTargets, point_positions

TOLERANCES = (
    Tolerances(),
    Tolerances(position=0.002, joint=0.02),
    Tolerances(position=0.0014, joint=0.014),
    Tolerances(position=0.001, joint=0.01),
)
"""How far a motion may be changed to obey physics, from much to little: the first within the budget is taken."""
ERROR_BUDGET = dict.fromkeys(("walk", "run", "dance_b", "jump", "backflip"), 0.010)
"""Mean key-point error that a motion may have after that, m; the others may have :data:`DEFAULT_ERROR_BUDGET`."""
DEFAULT_ERROR_BUDGET = 0.015
PENETRATION_BUDGET = 0.015
"""Depth in the floor that a motion may have after that, m."""
BALANCE_ROUNDS = 5
"""Most corrections of the centre of mass of standing and squatting."""
BALANCE_TOLERANCE = 0.002
"""Distance of the centre of mass from the middle of the feet that needs no correction, m."""


def retarget_command(
    motions: Iterable[str] = (),
    bodies: Iterable[str] = (),
    output: Path | None = None,
    check: bool = False,
    repaired: bool = False,
) -> None:
    """Regenerate clips and print their quality.

    Args:
        motions: Names of motions; by default all that a body can do.
        bodies: Names of bodies; all by default.
        output: Folder to write to, one subfolder per body; the package by default.
        check: Write nothing, and compare with the clips that are there byte for byte.
        repaired: Make the repaired variants instead, from the recorded motions of the package.

    Raises:
        ValueError: If a motion or body is unknown, a body named alone cannot do a motion, or the check finds a
            difference.
    """
    console = table_console()
    reports: list[QualityReport] = []
    differing: list[str] = []
    jobs = _jobs(tuple(motions), tuple(bodies), repaired)
    with Progress(console=console) as progress, tempfile.TemporaryDirectory() as scratch:
        task = progress.add_task("retargeting", total=sum(len(names) for names in jobs.values()))
        for body_name, names in jobs.items():
            body = load_body(body_name)
            for name in names:
                progress.update(task, description=f"{body_name} {name}")
                clip, report = repair(body, load_clip(name, body)) if repaired else produce(name, body)
                reports.append(report)
                path = clip_path(name, body_name, repaired=repaired)
                if output is not None:
                    path = output / body_name / f"{name}.npz"
                if check:
                    fresh = Path(scratch) / "clip.npz"
                    clip.save(fresh)
                    if not path.is_file() or path.read_bytes() != fresh.read_bytes():
                        differing.append(str(path))
                else:
                    clip.save(path)
                progress.advance(task)
    print_table(reports, console)
    if differing:
        raise ValueError(f"{len(differing)} clip(s) differ from what is generated here: {', '.join(differing)}")
    if check:
        console.print(f"{len(reports)} clip(s) are byte for byte what is generated here")


def produce(name: str, body: Body) -> tuple[MotionClip, QualityReport]:
    """Make a clip of the package: fit the motion, make it dynamically consistent, find activations, judge it.

    Args:
        name: Name of the motion.
        body: The body.

    Returns:
        The clip, with its quality in its provenance, and the report.

    Raises:
        ValueError: As :func:`make` does.
        ModuleNotFoundError: As :func:`make` does.
    """
    fitted = make(name, body)
    clip, targets = fitted.clip, fitted.targets
    if MOTIONS[name].recorded:
        clip, targets = _consistent(body, fitted)
    solution = static_optimization(body, clip)
    return judged(body, clip, solution, targets)


def _consistent(body: Body, fitted: Retargeted) -> tuple[MotionClip, KeyPointTargets]:
    """As much physics as the key points allow; their targets go along where the body rises, sinks or drifts."""
    budget = ERROR_BUDGET.get(fitted.clip.motion, DEFAULT_ERROR_BUDGET)
    before = point_positions(body, fitted.clip.qpos, fitted.targets)
    geoms = ground.colliding_geoms(body)
    for tolerances in TOLERANCES:
        clip = make_consistent(body, fitted.clip, tolerances=tolerances)
        shift = (point_positions(body, clip.qpos, fitted.targets) - before).mean(axis=1, keepdims=True)
        targets = fitted.targets.moved(fitted.targets.position + shift)
        sunk = -ground.lowest_heights(body, clip.qpos, geoms).min()
        if np.nanmean(targets.error(body, clip.qpos)) <= budget and sunk <= PENETRATION_BUDGET:
            break
    return clip, targets


def make(name: str, body: Body) -> Retargeted:
    """Fit a motion of the suite to a body.

    Args:
        name: Name of the motion.
        body: The body.

    Returns:
        The clip and its targets.

    Raises:
        ValueError: If the body has no such motion; the message lists those it has.
        ModuleNotFoundError: If the recording is not installed; the message says how to get it.
    """
    if name not in motions_of(body.name):
        raise ValueError(f"body {body.name!r} has no motion {name!r}; choose one of {', '.join(motions_of(body.name))}")
    if name in synthetic.SYNTHETIC:
        return _balanced(synthetic.SYNTHETIC[name], body)
    return retarget(deepmimic.read_clip(name), body)


def centre_of_mass(body: Body, qpos: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre of mass of the body in every frame, m, (T, 3)."""
    data = mujoco.MjData(body.model)
    places = np.empty((len(qpos), 3))
    for frame, coordinates in enumerate(qpos):
        data.qpos[:] = coordinates
        mujoco.mj_kinematics(body.model, data)
        mujoco.mj_comPos(body.model, data)
        places[frame] = data.subtree_com[0]
    return places


def _balanced(build: Callable[[NDArray[np.float64] | None], SourceMotion], body: Body) -> Retargeted:
    """Fit a motion on still feet, its hips placed so that the centre of mass stays over the middle of the feet."""
    offset, guess = None, None
    for _ in range(BALANCE_ROUNDS):
        result = retarget(build(offset), body, guess=guess)
        guess = result.clip.qpos
        feet = [result.targets.index(f"{point}_{side}") for point in ("heel", "ball") for side in skeleton.SIDES]
        middle = result.targets.position[:, feet].mean(axis=1)
        ahead = (centre_of_mass(body, result.clip.qpos) - middle)[:, 0]
        if np.abs(ahead).max() < BALANCE_TOLERANCE:
            break
        offset = (np.zeros(len(ahead)) if offset is None else offset) - ahead
    return result


def _jobs(motions: tuple[str, ...], bodies: tuple[str, ...], recorded: bool) -> dict[str, list[str]]:
    """Motions to make for each body; perhaps only those that were recorded."""
    unknown = [body for body in bodies if body not in BODIES]
    if unknown:
        raise ValueError(f"unknown body {unknown[0]!r}; choose one of {', '.join(map(repr, BODIES))}")
    unknown = [motion for motion in motions if motion not in MOTIONS]
    if unknown:
        raise ValueError(f"unknown motion {unknown[0]!r}; choose one of {', '.join(MOTIONS)}")
    jobs = {}
    for body in bodies or tuple(BODIES):
        possible = [motion for motion in motions_of(body) if MOTIONS[motion].recorded or not recorded]
        jobs[body] = [motion for motion in motions or possible if motion in possible]
        if not jobs[body] and bodies:
            raise ValueError(f"body {body!r} can do none of {', '.join(motions)}; it can do {', '.join(possible)}")
    return jobs
