from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import mujoco
import numpy as np
import pytest
from ms_envs.bodies import Body
from ms_envs.envs.camera import Camera
from ms_envs.envs.rendering import Renderer
from ms_envs.motions.clip import MotionClip
from ms_envs.retarget.contact_sheet import contact_sheet


@pytest.fixture(params=["opengl", "lines"])
def backend(request: pytest.FixtureRequest, legs: Body) -> str:
    if request.param == "opengl":
        probe = Renderer(legs, width=32, height=32, backend="opengl")
        try:
            probe.render(legs.model.qpos0, np.zeros(legs.model.nu))
        except RuntimeError as error:
            pytest.skip(str(error))
        finally:
            probe.close()
    return str(request.param)


def picture(
    body: Body, backend: str, activation: float = 0.0, shift: float | None = None, **options: object
) -> np.ndarray:
    renderer = Renderer(body, width=160, height=160, backend=backend, **options)  # type: ignore[arg-type]
    reference = None
    if shift is not None:
        reference = body.model.qpos0.copy()
        reference[1] += shift
    try:
        pixels = renderer.render(body.model.qpos0, np.full(body.model.nu, activation), reference)
    finally:
        renderer.close()
    assert pixels is not None
    return pixels.astype(int)


def redness(pixels: np.ndarray) -> int:
    return int(((pixels[..., 0] > pixels[..., 1] + 70) & (pixels[..., 0] > pixels[..., 2] + 40)).sum())


def test_pictures_have_the_asked_size(legs: Body, backend: str) -> None:
    renderer = Renderer(legs, width=96, height=64, backend=backend)  # type: ignore[arg-type]
    pixels = renderer.render(legs.model.qpos0, np.zeros(legs.model.nu))
    renderer.close()
    assert pixels is not None
    assert (pixels.shape, pixels.dtype) == ((64, 96, 3), np.uint8)


def test_active_muscles_are_red_and_relaxed_ones_are_not(legs: Body, backend: str) -> None:
    assert redness(picture(legs, backend, activation=1.0)) > 100
    assert redness(picture(legs, backend, activation=0.0)) == 0


def test_ghost_appears_only_where_it_is_asked_for(legs: Body, backend: str) -> None:
    alone = picture(legs, backend)
    assert np.array_equal(alone, picture(legs, backend, shift=0.3, ghost=None))
    over = picture(legs, backend, shift=0.3)
    changed = (np.abs(over - alone).sum(axis=-1) > 15).mean()
    assert 0.005 < changed < 0.3
    beside = picture(legs, backend, shift=0.0, ghost="beside")
    left, right = (np.abs(half - half[0]).sum() for half in np.split(beside, 2, axis=1))
    assert min(left, right) > 0.2 * max(left, right)


def test_a_closed_renderer_opens_again_with_the_same_picture(legs: Body, backend: str) -> None:
    renderer = Renderer(legs, width=64, height=64, backend=backend)  # type: ignore[arg-type]
    renderer.close()
    pictures = []
    for _ in range(2):
        pictures.append(renderer.render(legs.model.qpos0, np.zeros(legs.model.nu)))
        renderer.close()
    assert np.array_equal(*pictures)


def test_rendering_leaves_the_model_of_the_body_alone(legs: Body, backend: str) -> None:
    before = [legs.model.tendon_rgba.copy(), legs.model.geom_rgba.copy(), legs.model.mesh_facenum.copy()]
    picture(legs, backend, activation=0.7, shift=0.2)
    after = [legs.model.tendon_rgba, legs.model.geom_rgba, legs.model.mesh_facenum]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("name", ["legs", "fullbody", "ms_human"])
def test_the_camera_sees_the_whole_body_from_the_front(name: str, request: pytest.FixtureRequest) -> None:
    body: Body = request.getfixturevalue(name)
    data, camera = mujoco.MjData(body.model), Camera()
    mujoco.mj_kinematics(body.model, data)
    camera.follow(body, data)
    local = (data.xpos[body.key_body_ids] - camera.target) @ camera.axes().T
    depth = local[:, 2] + camera.distance
    assert (np.abs(local[:, :2]) / depth[:, None] < 0.9 * np.tan(np.radians(45 / 2))).all()
    toes, heel = (data.xpos[body.segments[f"{segment}_r"]] for segment in ("toes", "foot"))
    assert (toes - heel) @ camera.axes()[2] < -0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [({"ghost": "under"}, "beside"), ({"backend": "vulkan"}, "opengl"), ({"width": 3}, "16")],
)
def test_wrong_options_name_the_choices(legs: Body, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Renderer(legs, **options)  # type: ignore[arg-type]


def test_without_opengl_a_warning_says_what_to_install_and_lines_are_drawn() -> None:
    program = """
import warnings
import numpy as np
from ms_envs.bodies import load_body
from ms_envs.envs.rendering import Renderer

body = load_body("myo-legs")
rest = body.model.qpos0, np.zeros(body.model.nu)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("default")
    for _ in range(2):
        assert Renderer(body, width=64, height=64).render(*rest).std() > 1
assert ["libegl1" in str(warning.message) for warning in caught] == [True], caught
try:
    Renderer(body, backend="opengl").render(*rest)
except RuntimeError as error:
    assert "libegl1" in str(error)
else:
    raise AssertionError("OpenGL was switched off")
try:
    Renderer(body, window=True).render(*rest)
except RuntimeError as error:
    assert "no screen" in str(error)
"""
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment | {"MUJOCO_GL": "disable"})


def test_contact_sheet_holds_the_frames_in_a_row(legs: Body, squat_clip: MotionClip, tmp_path: Path) -> None:
    path = tmp_path / "sheets" / "squat.png"
    contact_sheet(legs, squat_clip, path, frames=3, width=80, height=96)
    sheet = iio.imread(path).astype(int)
    assert sheet.shape == (96 + 28, 3 * 80, 3)
    first, middle, last = np.split(sheet[:96], 3, axis=1)
    assert np.abs(first - middle).mean() > 1
    assert np.abs(first - last).mean() < np.abs(first - middle).mean()
    assert list(path.parent.iterdir()) == [path]
