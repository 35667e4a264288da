"""A page that shows every clip of the package."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from rich.progress import Progress

from ms_envs.bodies import BODIES, load_body
from ms_envs.motions import load_clip, motions_of
from ms_envs.retarget.contact_sheet import contact_sheet
from ms_envs.retarget.quality import CAPTION, QualityReport, markdown_table

_INTRODUCTION = f"""# Motions

Every clip at evenly spaced moments, muscles coloured by the activations that balance it, and its quality.
`ms-envs gallery` writes this page; [retargeting](../retargeting.md) tells how clips are made.

{CAPTION[0].upper()}{CAPTION[1:]}.
"""


def write_gallery(folder: Path, bodies: Iterable[str] = ()) -> None:
    """Write ``README.md`` and one contact sheet per clip.

    Args:
        folder: Where to, created if needed.
        bodies: Names of bodies; all by default.

    Raises:
        ValueError: If a body is unknown.
    """
    names = tuple(bodies) or tuple(BODIES)
    page = [_INTRODUCTION]
    with Progress() as progress:
        task = progress.add_task("drawing", total=sum(len(motions_of(name)) for name in names))
        for name in names:
            body = load_body(name)
            reports, pictures = [], []
            for motion in motions_of(name):
                progress.update(task, description=f"{name} {motion}")
                clip = load_clip(motion, body)
                sheet = Path(name) / f"{motion}.webp"
                contact_sheet(body, clip, folder / sheet, width=160, height=220)
                reports.append(QualityReport.from_dict(clip.provenance["quality"]))
                pictures.append(f"### {motion}\n\n![{motion} on {name}]({sheet.as_posix()})\n")
                progress.advance(task)
            page += [f"## {name}\n", markdown_table(reports), *pictures]
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".README.{os.getpid()}.md"
    temporary.write_text("\n".join(page))
    os.replace(temporary, folder / "README.md")
