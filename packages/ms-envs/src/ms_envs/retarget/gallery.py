"""A page that shows every clip of the package."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from ms_envs.atomic_file import atomic_file
from ms_envs.bodies import BODIES, load_body
from ms_envs.envs.rendering import Renderer
from ms_envs.motions import MOTIONS, load_clip, motions_of
from ms_envs.retarget.contact_sheet import contact_sheet
from ms_envs.retarget.quality import CAPTION, QualityReport, markdown_table
from ms_envs.retarget.repair import Change, changes_table

_INTRODUCTION = f"""# Motions

Every clip at evenly spaced moments, muscles coloured by the activations that balance it, and its quality.
`ms-envs gallery` writes this page; [retargeting](../retargeting.md) tells how clips are made.

{CAPTION[0].upper()}{CAPTION[1:]}.
"""

_REPAIRED = """### Repaired

What `clip="repaired"` changes: mean and greatest distance between key bodies, force (share of body weight) and moment
from nowhere, share of joint torque out of reach, share of muscles saturated.
"""

BANNER = (
    ("myo-fullbody", "cartwheel", 0.45),
    ("ms-human-700", "run", 0.3),
    ("myo-fullbody", "backflip", 0.47),
    ("ms-human-700", "dance_b", 0.55),
    ("myo-legs", "walk", 0.25),
)
"""Body, motion and phase of each picture of the banner."""


def write_banner(path: Path, *, width: int = 300, height: int = 380) -> None:
    """Draw a few moments of a few motions side by side.

    Args:
        path: Picture file.
        width: Width of one picture, pixels.
        height: Height of the banner, pixels.
    """
    from PIL import Image

    bodies = {name: load_body(name) for name, _, _ in BANNER}
    pictures: list[Any] = []
    for name, motion, phase in BANNER:
        clip = load_clip(motion, bodies[name])
        frame = round(phase * (len(clip.qpos) - 1))
        activation = np.zeros(bodies[name].model.nu) if clip.activation is None else clip.activation[frame]
        renderer = Renderer(bodies[name], width=width, height=height, ghost=None)
        pictures.append(renderer.render(clip.qpos[frame], activation))
        renderer.close()
    with atomic_file(path) as temporary:
        Image.fromarray(np.concatenate(pictures, axis=1)).save(temporary, optimize=True)


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
            changes = [Change.of(body, motion) for motion in motions_of(name) if MOTIONS[motion].recorded]
            page += [f"## {name}\n", markdown_table(reports), _REPAIRED, changes_table(changes), *pictures]
    with atomic_file(folder / "README.md") as temporary:
        temporary.write_text("\n".join(page))
