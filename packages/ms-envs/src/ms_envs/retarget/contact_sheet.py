"""A clip at a glance: evenly spaced frames side by side."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ms_envs.atomic_file import atomic_file
from ms_envs.bodies.body import Body
from ms_envs.envs.rendering import Renderer
from ms_envs.motions.clip import MotionClip

_CAPTION_HEIGHT = 28


def contact_sheet(
    body: Body, clip: MotionClip, path: str | os.PathLike[str], frames: int = 8, *, width: int = 240, height: int = 320
) -> None:
    """Draw frames of a clip in a row, the time under each, and write them as a picture.

    The body stands in the middle of each picture. Muscles have the activations of the clip where it knows them.

    Args:
        body: The body.
        clip: A motion of it.
        path: File whose suffix, such as ``.png`` or ``.webp``, says the format; it appears only once it is complete.
        frames: Number of pictures, from the first to the last frame of the clip.
        width: Width of one picture, pixels.
        height: Height of one picture, pixels.

    Raises:
        ValueError: If the clip is not one of the body, or fewer than two frames are asked for.
    """
    from PIL import Image, ImageDraw

    clip.check_fits(body)
    if frames < 2:
        raise ValueError(f"a contact sheet needs at least 2 frames, got {frames}")
    chosen = np.linspace(0, len(clip.qpos) - 1, frames).round().astype(int)
    sheet = Image.new("RGB", (width * frames, height + _CAPTION_HEIGHT), "white")
    pen = ImageDraw.Draw(sheet)
    renderer = Renderer(body, width=width, height=height, ghost=None)
    try:
        for column, frame in enumerate(chosen):
            picture: Any = renderer.render(clip.qpos[frame], _activation(body, clip, frame))
            sheet.paste(Image.fromarray(picture), (width * column, 0))
            place = (width * (column + 0.5), height + _CAPTION_HEIGHT / 2)
            pen.text(place, f"{frame / clip.fps:.2f} s", fill=(40, 40, 40), anchor="mm", font_size=15)
    finally:
        renderer.close()
    with atomic_file(Path(path)) as temporary:
        sheet.save(temporary, optimize=True, quality=80)


def _activation(body: Body, clip: MotionClip, frame: int) -> NDArray[np.float64]:
    return np.zeros(body.model.nu) if clip.activation is None else clip.activation[frame]
