"""What ``ms-envs inverse`` does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.progress import Progress

from ms_envs.atomic_file import atomic_file
from ms_envs.bodies import BODIES, load_body
from ms_envs.inverse.box_least_squares import ConvergenceError
from ms_envs.inverse.cache import inverse_solution
from ms_envs.inverse.figure import inverse_figure, require_matplotlib
from ms_envs.inverse.opensim import write_opensim
from ms_envs.inverse.report import CAPTION, InverseReport, inverse_report, markdown_table, print_table
from ms_envs.motions import MOTIONS, load_clip, motions_of
from ms_envs.motions.clip import MotionClip
from ms_envs.report_table import table_console

_PAGE = f"""# Inverse solutions

Which muscles would produce each motion, by static optimisation. `ms-envs inverse --output FOLDER` writes this page and,
beside it, a figure and OpenSim files of every clip.

{CAPTION[0].upper()}{CAPTION[1:]}.

"""


def inverse_command(motions: Iterable[str] = (), bodies: Iterable[str] = (), output: Path | None = None) -> None:
    """Find the muscle activations of clips and print how well they explain them.

    Args:
        motions: Ids or names of motions, or paths of ``.npz`` clips; by default all that a body can do.
        bodies: Names of bodies; by default all that can do a motion, and the one that a clip of your own was made for.
        output: Folder for a page with the table and, in one subfolder per body, figures and OpenSim files.

    Raises:
        ValueError: If a motion or body is unknown, none of the bodies named can do a motion, or a solution did not
            converge.
        FileNotFoundError: If a clip or body is not there.
        ImportError: If figures are asked for and matplotlib is not installed.
    """
    if output is not None:
        require_matplotlib()
    console = table_console()
    jobs = _jobs([motion_name(motion) for motion in motions], tuple(bodies))
    reports = []
    with Progress(console=console) as progress:
        task = progress.add_task("solving", total=sum(len(names) for names in jobs.values()))
        for body_name, names in jobs.items():
            body = load_body(body_name)
            for name in names:
                progress.update(task, description=f"{body_name} {name}")
                clip = load_clip(name, body)
                try:
                    solution = inverse_solution(body, clip)
                    reports.append(inverse_report(body, clip, solution))
                except ConvergenceError as error:
                    raise ValueError(f"{name} on {body_name} was not solved: {error}") from error
                if output is not None:
                    folder, stem = output / body_name, Path(name).stem
                    inverse_figure(body, clip, solution, folder / f"{stem}.png")
                    write_opensim(folder, stem, body, clip, solution)
                progress.advance(task)
    print_table(reports, console)
    if output is not None:
        _write_page(output / "README.md", reports)


def motion_name(motion: str) -> str:
    """``walk`` out of ``walk``, ``MSEmu/Walk-v0`` or ``ms_envs:MSEmu/Walk-v0``; the path of a clip stays as it is.

    Raises:
        ValueError: If there is no such motion.
    """
    if motion.endswith(".npz"):
        return motion
    names = {known.env_id: name for name, known in MOTIONS.items()}
    name = names.get(motion.removeprefix("ms_envs:"), motion)
    if name not in MOTIONS:
        choices = ", ".join(MOTIONS)
        raise ValueError(
            f"unknown motion {motion!r}; choose one of {choices}, an id like MSEmu/Walk-v0, or an .npz clip"
        )
    return name


def _jobs(motions: list[str], bodies: tuple[str, ...]) -> dict[str, list[str]]:
    """Motions and paths of clips to solve for each body."""
    for body in bodies:
        if body not in BODIES:
            raise ValueError(f"unknown body {body!r}; choose one of {', '.join(map(repr, BODIES))}")
    jobs: dict[str, list[str]] = {}
    for motion in dict.fromkeys(motions or MOTIONS):
        able = _bodies_of(motion)
        chosen = [body for body in bodies or BODIES if body in able]
        if not chosen and motions:
            raise ValueError(f"{motion} is a motion of {', '.join(able)}, not of {', '.join(bodies)}")
        for body in chosen:
            jobs.setdefault(body, []).append(motion)
    return jobs


def _bodies_of(motion: str) -> list[str]:
    """Bodies that a motion of the suite, or a clip, is made for."""
    if not motion.endswith(".npz"):
        return [body for body in BODIES if motion in motions_of(body)]
    return [MotionClip.load(motion).body_name]


def _write_page(path: Path, reports: list[InverseReport]) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(_PAGE + markdown_table(reports), encoding="utf-8")
