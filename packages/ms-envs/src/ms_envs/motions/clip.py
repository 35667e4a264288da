"""A reference motion of one body."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import Body
from ms_envs.motions.lookup import Timeline, coordinates_at, interpolate, locate, pose_rows, reference_at
from ms_envs.task.state import Reference, pose_from_coordinates

FORMAT_VERSION = 1


@dataclass(frozen=True, eq=False)
class MotionClip:
    """Generalised coordinates of one body over time.

    A looping clip ends where it begins but for the horizontal place of its root: its last frame is the first one of
    the next round.

    Attributes:
        motion: Name of the motion.
        body_name: Name of the body it was made for.
        body_hash: ``Body.hash`` of that body.
        fps: Frames per second.
        loop: Whether the motion repeats.
        qpos: Generalised positions, (T, nq).
        qvel: Generalised velocities, (T, nv).
        key_position: World positions of the body's key bodies, m, (T, K, 3).
        activation: Muscle activations that balance the motion, or ``None`` where unknown, (T, M).
        contact: Whether the right and the left foot bear load, bool, (T, 2).
        provenance: Source, licence, and the numbers of the quality report.
    """

    motion: str
    body_name: str
    body_hash: str
    fps: float
    loop: bool
    qpos: NDArray[np.float64]
    qvel: NDArray[np.float64]
    key_position: NDArray[np.float64]
    activation: NDArray[np.float64] | None
    contact: NDArray[np.bool_]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        frames = len(self.qpos)
        if frames < 2:
            raise ValueError(f"clip {self.motion!r} has {frames} frame(s); a motion needs at least 2")
        if not (np.isfinite(self.fps) and 10 <= self.fps <= 1000):
            raise ValueError(f"clip {self.motion!r} has a rate of {self.fps!r} frames/s; expected 10 to 1000")
        for name in ("qpos", "qvel", "key_position", "activation", "contact"):
            values = getattr(self, name)
            if values is None:
                continue
            if len(values) != frames:
                raise ValueError(f"clip {self.motion!r}: {name} has {len(values)} frames, qpos has {frames}")
            if not np.isfinite(values).all():
                raise ValueError(f"clip {self.motion!r}: {name} holds values that are not finite numbers")

    @classmethod
    def through(
        cls,
        motion: str,
        body: Body,
        qpos: NDArray[np.float64],
        fps: float,
        *,
        loop: bool,
        contact: NDArray[np.bool_] | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> MotionClip:
        """A clip of your own: the motion of a body through given postures, without activations.

        Args:
            motion: Name of the motion.
            body: The body.
            qpos: Generalised positions, (T, nq).
            fps: Frames per second.
            loop: Whether the last frame equals the first but for the horizontal place of the root.
            contact: Whether the right and the left foot bear load, bool, (T, 2); always, by default.
            provenance: Source and licence.

        Returns:
            The clip, with velocities and key-body positions that follow from the postures.

        Raises:
            ValueError: If the postures are too few, not finite, or not those of the body.
        """
        if qpos.ndim != 2 or qpos.shape[1] != body.model.nq:
            raise ValueError(f"qpos has shape {qpos.shape}, body {body.name!r} needs (T, {body.model.nq})")
        data = mujoco.MjData(body.model)
        key_position = np.empty((len(qpos), len(body.key_bodies), 3))
        for frame, coordinates in enumerate(qpos):
            data.qpos[:] = coordinates
            mujoco.mj_kinematics(body.model, data)
            key_position[frame] = data.xpos[body.key_body_ids]
        return cls(
            motion=motion,
            body_name=body.name,
            body_hash=body.hash,
            fps=fps,
            loop=loop,
            qpos=qpos,
            qvel=velocities(qpos, fps, body, loop=loop),
            key_position=key_position,
            activation=None,
            contact=np.ones((len(qpos), 2), dtype=np.bool_) if contact is None else contact,
            provenance=provenance or {},
        )

    @property
    def duration(self) -> float:
        """Seconds from the first to the last frame."""
        return (len(self.qpos) - 1) / self.fps

    @cached_property
    def cycle_offset(self) -> NDArray[np.float64]:
        """Horizontal displacement of the root over one round, zero unless the clip loops, m, (3,)."""
        offset = (self.qpos[-1, :3] - self.qpos[0, :3]) if self.loop else np.zeros(3)
        return offset * [1.0, 1.0, 0.0]

    def check_fits(self, body: Body) -> None:
        """Refuse a body the clip was not made for.

        Raises:
            ValueError: If name, hash or array sizes differ.
        """
        if self.body_hash != body.hash:
            raise ValueError(
                f"clip {self.motion!r} was made for body {self.body_name!r} ({self.body_hash}), not for "
                f"{body.name!r} ({body.hash}); regenerate it with `ms-envs retarget {self.motion} --body {body.name}`"
            )
        model = body.model
        for name, expected in (
            ("qpos", (model.nq,)),
            ("qvel", (model.nv,)),
            ("key_position", (len(body.key_bodies), 3)),
            ("activation", (model.nu,)),
            ("contact", (2,)),
        ):
            values = getattr(self, name)
            shape = expected if values is None else values.shape[1:]
            if shape != expected:
                raise ValueError(f"clip {self.motion!r}: {name} has frames of shape {shape}, the body needs {expected}")

    @cached_property
    def timeline(self) -> Timeline:
        """When the frames are."""
        return Timeline(len(self.qpos) - 1, self.fps, self.loop, self.cycle_offset)

    def locate(self, time: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
        """Frame index, fraction and root displacement at times in s; see :func:`ms_envs.motions.lookup.locate`."""
        return locate(np, self.timeline, time)

    def coordinates(self, time: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Interpolated ``qpos`` (N, nq) and ``qvel`` (N, nv) at times in s, (N,)."""
        return coordinates_at(np, self.timeline, self.qpos, self.qvel, time)

    def interpolate(self, time: NDArray[np.float64], *frames: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Quantities given at every frame, each (T, D), linearly interpolated at times in s, (N,)."""
        return interpolate(np, self.timeline, time, *frames)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the clip as ``.npz``, atomically and without timestamps: equal clips give equal bytes."""
        path = Path(path)
        header = {
            "format": FORMAT_VERSION,
            "motion": self.motion,
            "body_name": self.body_name,
            "body_hash": self.body_hash,
            "fps": self.fps,
            "loop": self.loop,
            "provenance": dict(self.provenance),
        }
        arrays = {
            "header": np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8),
            "qpos": self.qpos.astype(np.float32),
            "qvel": self.qvel.astype(np.float32),
            "key_position": self.key_position.astype(np.float32),
            "contact": self.contact.astype(np.bool_),
        }
        if self.activation is not None:
            arrays["activation"] = np.round(self.activation * 255).astype(np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, values in arrays.items():
                entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(entry, "w") as stream:
                    np.lib.format.write_array(stream, np.ascontiguousarray(values), allow_pickle=False)
        os.replace(temporary, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> MotionClip:
        """Read a clip.

        Args:
            path: File written by :meth:`save`.

        Returns:
            The clip.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged, not a clip, or its values are unusable.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"there is no clip at {path}")
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            header = json.loads(arrays.pop("header").tobytes())
            activation = arrays.get("activation")
            if header["format"] != FORMAT_VERSION:
                raise ValueError(f"its format is version {header['format']}, this package reads {FORMAT_VERSION}")
            qpos = arrays["qpos"].astype(np.float64)
            with np.errstate(invalid="ignore"):  # what has no direction becomes NaN and is refused
                qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
            return cls(
                motion=header["motion"],
                body_name=header["body_name"],
                body_hash=header["body_hash"],
                fps=float(header["fps"]),
                loop=bool(header["loop"]),
                qpos=qpos,
                qvel=arrays["qvel"].astype(np.float64),
                key_position=arrays["key_position"].astype(np.float64),
                activation=None if activation is None else activation / 255.0,
                contact=arrays["contact"].astype(np.bool_),
                provenance=header["provenance"],
            )
        except (OSError, KeyError, EOFError, IndexError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} is not a usable motion clip: {error}") from error


class ReferenceTable:
    """The clip as poses that can be looked up for many times at once.

    Args:
        clip: The motion.
        body: The body it was made for.

    Attributes:
        rows: The pose at every frame, (T, 16 + 2 J + 3 K); see :func:`ms_envs.motions.lookup.pose_rows`.

    Raises:
        ValueError: If the clip does not fit the body.
    """

    def __init__(self, clip: MotionClip, body: Body) -> None:
        clip.check_fits(body)
        self.clip = clip
        frames = pose_from_coordinates(np, clip.qpos, clip.qvel, clip.key_position, **body.coordinate_layout)
        self.rows = pose_rows(np, frames)
        self._joints = len(body.joint_ids)

    def at(self, time: NDArray[np.float64]) -> Reference:
        """Reference poses at times in s since the first frame, (N,); orientations by slerp, the rest linearly."""
        return reference_at(np, self.clip.timeline, self.rows, self._joints, time)


def velocities(qpos: NDArray[np.float64], fps: float, body: Body, *, loop: bool) -> NDArray[np.float64]:
    """Central-difference velocities of a motion, one-sided at the ends of one that does not loop.

    Args:
        qpos: Generalised positions, (T, nq).
        fps: Frames per second.
        body: The body.
        loop: Whether the last frame equals the first but for the place of the root.

    Returns:
        Generalised velocities consistent with the couplings, (T, nv).
    """
    count, model = len(qpos), body.model
    result = np.zeros((count, model.nv))
    for frame in range(count):
        if loop and frame in (0, count - 1):
            before, after = qpos[-2].copy(), qpos[1].copy()
            before[:3] -= qpos[-1, :3] - qpos[0, :3]
            steps = 2
        else:
            first, last = max(frame - 1, 0), min(frame + 1, count - 1)
            before, after, steps = qpos[first], qpos[last], last - first
        mujoco.mj_differentiatePos(model, result[frame], steps / fps, before, after)
    independent = np.concatenate([result[:, :6], result[:, body.dof_index]], axis=1)
    return np.einsum("tij,tj->ti", body.coordinate_map(qpos), independent)
