"""``ms-envs paths``: fit the muscle paths of bodies and tell how good the fits are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from ms_envs.atomic_file import atomic_file
from ms_envs.bodies import BODIES, load_body
from ms_envs.inverse.figure import require_matplotlib
from ms_envs.paths import fit_path, load_paths
from ms_envs.paths.figure import error_figure, muscle_figure
from ms_envs.paths.fit import fit_paths
from ms_envs.paths.quality import PathError, PathQuality, path_quality
from ms_envs.report_table import markdown_table, table_console, terminal_table

_PAGE = """# Fitted muscle paths: errors

Written by `ms-envs paths --check --output FOLDER`. Errors of length in mm and of moment arm in mm/rad, on poses that
were not fitted, first uniform in the joint ranges, then every frame of every clip of the package. RMS and greatest are
over all fitted muscles and poses, "worst" is the RMS of the worst muscle. Leaps are pairs of a muscle and a pose at
which MuJoCo leads the path around the wrong side of a wrapping surface, so that its length is more than 3 mm off that
at most poses within 0.001 rad; errors leave them out.

"""


def paths_command(bodies: Iterable[str] = (), output: Path | None = None, check: bool = False) -> None:
    """Fit the muscle paths of bodies anew, write them into the package, and print their errors.

    Args:
        bodies: Names of bodies; all by default.
        output: Folder for a page with the errors and figures.
        check: Fit nothing; measure the fits that the package has.

    Raises:
        ValueError: If a body is unknown, or a fit of the package was made for another body.
        ImportError: If figures are asked for and matplotlib is not installed.
    """
    if output is not None:
        require_matplotlib()
    console = table_console()
    qualities = []
    for name in tuple(bodies) or BODIES:
        body = load_body(name)
        if not check:
            with console.status(f"fitting {name}"):
                fit_paths(body).save(fit_path(name))
        with console.status(f"measuring {name}"):
            qualities.append(path_quality(body, load_paths(body)))
    console.print(terminal_table(_COLUMNS, qualities, title="Fitted muscle paths", text=["body"], caption=_CAPTION))
    if output is not None:
        _write_page(output, qualities)


_CAPTION = (
    "lengths in mm, moment arms in mm/rad; uniform in the joint ranges / along the clips of the package; "
    "leaps of MuJoCo's own lengths are left out of errors"
)


def _both(value: Callable[[PathError], float]) -> Callable[[PathQuality], str]:
    return lambda quality: f"{1e3 * value(quality.uniform):.2f} / {1e3 * value(quality.clips):.2f}"


def _rms(values: np.ndarray, quality: PathQuality) -> float:
    return float(np.sqrt((values[quality.paths.fitted] ** 2).mean()))


_COLUMNS: dict[str, Callable[[PathQuality], str]] = {
    "body": lambda quality: quality.body.name,
    "muscles": lambda quality: str(quality.body.model.nu),
    "constant": lambda quality: str(int((quality.paths.constant > 0).sum())),
    "exact": lambda quality: str(len(quality.paths.exact)),
    "of them jump": lambda quality: str(len(quality.jumping)),
    "coefficients": lambda quality: str(sum(int(c.term_counts.sum()) for c in quality.paths.components)),
    "length RMS": lambda quality: (
        f"{1e3 * _rms(quality.uniform.length, quality):.3f} / {1e3 * _rms(quality.clips.length, quality):.3f}"
    ),
    "worst": _both(lambda error: float(error.length.max())),
    "greatest": _both(lambda error: float(error.greatest.max())),
    "leaps": lambda quality: f"{quality.uniform.leaps.sum()} / {quality.clips.leaps.sum()}",
    "moment arm RMS": lambda quality: (
        f"{1e3 * _rms(quality.uniform.moment_arm, quality):.3f} / {1e3 * _rms(quality.clips.moment_arm, quality):.3f}"
    ),
    "worst arm": _both(lambda error: float(error.moment_arm.max())),
}


def _write_page(folder: Path, qualities: list[PathQuality]) -> None:
    page = _PAGE + markdown_table(_COLUMNS, qualities, text=["body"])
    for quality in qualities:
        name = quality.body.name
        error_figure(quality, folder / f"{name}.png")
        muscle_figure(quality.body, folder / f"{name}-muscles.png")
        page += f"\n## {name}\n\n![Errors by region]({name}.png)\n\nThe ten worst fitted muscles:\n\n"
        page += markdown_table(_worst_columns(quality), quality.worst().tolist(), text=["muscle"])
        page += f"\nExact, because they jump (greatest jump found, mm): {_jumps(quality)}.\n"
        bending = [quality.body.muscle_names[i] for i in np.setdiff1d(quality.paths.exact, quality.jumping)]
        page += f"\nExact, no jump found, but bent too sharply for a polynomial: {', '.join(bending) or 'none'}.\n"
        page += f"\n![Muscle model]({name}-muscles.png)\n"
    with atomic_file(folder / "README.md") as temporary:
        temporary.write_text(page, encoding="utf-8")


def _worst_columns(quality: PathQuality) -> dict[str, Callable[[int], str]]:
    def cell(value: Callable[[PathError], np.ndarray]) -> Callable[[int], str]:
        return lambda i: f"{1e3 * value(quality.uniform)[i]:.2f} / {1e3 * value(quality.clips)[i]:.2f}"

    return {
        "muscle": lambda i: quality.body.muscle_names[i],
        "length RMS": cell(lambda error: error.length),
        "greatest": cell(lambda error: error.greatest),
        "moment arm RMS": cell(lambda error: error.moment_arm),
    }


def _jumps(quality: PathQuality) -> str:
    listed = [f"{quality.body.muscle_names[i]} {1e3 * quality.jump[i]:.0f}" for i in quality.jumping]
    return ", ".join(listed) or "none"
