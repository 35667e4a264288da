"""The ``ms-envs`` command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import tyro

from ms_envs.bodies import DEFAULT_BODY
from ms_envs.command_line import refuse_repeated

app = tyro.extras.SubcommandApp()


@app.command
def bodies() -> None:
    """Print the bodies: muscles, degrees of freedom, mass, licence, origin."""
    from ms_envs.bodies.table import print_table

    print_table()


@app.command
def retarget(
    motions: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    body: tuple[str, ...] = (),
    output: Path | None = None,
    check: bool = False,
    repaired: bool = False,
) -> None:
    """Regenerate clips from motion capture and print their quality report.

    Args:
        motions: Names of motions; all by default.
        body: Names of bodies; all by default.
        output: Folder to write to, instead of the package.
        check: Write nothing; compare with the clips of the package, byte for byte.
        repaired: Make the variants for clip="repaired" instead, from the clips of the package.
    """
    from ms_envs.retarget.pipeline import retarget_command

    retarget_command(motions, body, output, check, repaired)


@app.command
def repair(
    motion: Annotated[str, tyro.conf.Positional],
    output: Path,
    body: str = DEFAULT_BODY,
    tolerance: float = 0.03,
) -> None:
    """Change a motion until gravity and floor nearly explain it, and write it as a clip of your own.

    Args:
        motion: Id or name of a motion, or path of an .npz clip.
        output: Clip to write, an .npz file.
        body: Name of the body.
        tolerance: Distance from the given motion that costs as much as 2 % of body weight from nowhere, m.
    """
    from ms_envs.retarget.repair import repair_command

    repair_command(motion, output, body, tolerance)


@app.command
def gallery(output: Path = Path("docs/motions"), body: tuple[str, ...] = ()) -> None:
    """Draw a contact sheet of every clip, a banner, and write a page with them and their quality.

    Args:
        output: Folder of the page and its pictures.
        body: Names of bodies; all by default.
    """
    from ms_envs.retarget.gallery import write_banner, write_gallery

    write_gallery(output, body)
    write_banner(output / "banner.png")


@app.command
def inverse(
    motions: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    body: tuple[str, ...] = (),
    output: Path | None = None,
) -> None:
    """Find the muscle activations that would produce motions, and print how well they explain them.

    Args:
        motions: Ids or names of motions, or paths of .npz clips; all motions by default.
        body: Names of bodies; all by default.
        output: Folder for the table, a figure of every clip, and OpenSim files.
    """
    from ms_envs.inverse.command import inverse_command

    inverse_command(motions, body, output)


@app.command
def paths(body: tuple[str, ...] = (), output: Path | None = None, check: bool = False) -> None:
    """Fit muscle paths as functions of joint angles, write them into the package and print their errors.

    Args:
        body: Names of bodies; all by default.
        output: Folder for a page with the errors and figures.
        check: Fit nothing; measure the fits of the package.
    """
    from ms_envs.paths.command import paths_command

    paths_command(body, output, check)


def main() -> None:
    """Run the command; mistakes of the user end in one line, not a traceback."""
    try:
        refuse_repeated(sys.argv[1:])
        app.cli(prog="ms-envs")
    except (ValueError, FileNotFoundError, ImportError) as error:
        sys.exit(f"ms-envs: {error}")
