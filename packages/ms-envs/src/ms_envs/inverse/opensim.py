"""A clip and its inverse solution as OpenSim's tables.

MuJoCo's world has z up; OpenSim's ground has y up. Vectors (x, y, z) become (x, z, −y): x stays forward, y is up, z is
to the right. The pelvis has its axes forward, up and right in ``qpos0``, as ``body.root_frame`` tells. As in OpenSim's
gait models its orientation in ground is a body-fixed rotation by ``pelvis_tilt`` about z, then ``pelvis_list`` about x,
then ``pelvis_rotation`` about y, and ``pelvis_tx``, ``_ty``, ``_tz`` are the position of the root body's origin in
ground. Joints and muscles keep the names and signs of the MuJoCo model.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.inverse.static_optimization import InverseSolution
from ms_envs.inverse.storage import Storage, write_storage
from ms_envs.motions.clip import MotionClip
from ms_envs.task import rotations

Array = NDArray[np.float64]

GROUND = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""Rotation from MuJoCo's world to OpenSim's ground."""

ROTATIONS = ("pelvis_tilt", "pelvis_list", "pelvis_rotation")
TRANSLATIONS = ("pelvis_tx", "pelvis_ty", "pelvis_tz")

LOADED = 10.0
"""Vertical force, N, below which a centre of pressure means nothing."""


def write_opensim(folder: Path, name: str, body: Body, clip: MotionClip, solution: InverseSolution) -> None:
    """Write coordinates, activations, net joint moments and ground reaction.

    Args:
        folder: Where to, created if needed.
        name: Beginning of the names: ``NAME.mot``, ``NAME_activations.sto``, ``NAME_moments.sto``, ``NAME_grf.mot``.
        body: The body.
        clip: A motion made for it.
        solution: Its static optimisation.
    """
    write_storage(folder / f"{name}.mot", coordinates(body, clip))
    write_storage(folder / f"{name}_activations.sto", activations(body, clip, solution))
    write_storage(folder / f"{name}_moments.sto", joint_moments(body, clip, solution))
    write_storage(folder / f"{name}_grf.mot", ground_reactions(body, clip, solution))


def coordinates(body: Body, clip: MotionClip) -> Storage:
    """Root and all joints, coupled ones included: angles in degrees, lengths in m."""
    model = body.model
    joints = range(1, model.njnt)
    values = clip.qpos[:, model.jnt_qposadr[1:]]
    hinges = [model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_HINGE for joint in joints]
    return Storage(
        "Coordinates",
        _time(clip),
        (*ROTATIONS, *TRANSLATIONS, *(model.joint(joint).name for joint in joints)),
        np.column_stack(
            [
                np.degrees(pelvis_angles(pelvis_orientation(body, clip.qpos))),
                clip.qpos[:, :3] @ GROUND.T,
                np.where(hinges, np.degrees(values), values),
            ]
        ),
        in_degrees=True,
    )


def activations(body: Body, clip: MotionClip, solution: InverseSolution) -> Storage:
    """Muscle activations, as OpenSim's static optimisation names them: by the muscles."""
    return Storage("Static Optimization", _time(clip), body.muscle_names, solution.activation)


def joint_moments(body: Body, clip: MotionClip, solution: InverseSolution) -> Storage:
    """Generalised forces of root and independent joints, as OpenSim's inverse dynamics names them, N and N·m.

    They are what muscles and the passive forces of the muscles must give; ligaments and other passive joint forces of
    the model are taken off. Those of the pelvis are the residuals.
    """
    angles = pelvis_angles(pelvis_orientation(body, clip.qpos))
    to_pelvis = GROUND @ rotations.matrix(np, body.root_frame).T
    moment = solution.joint_moment[:, 3:ROOT_DOF] @ to_pelvis.T
    return Storage(
        "Inverse Dynamics Generalized Forces",
        _time(clip),
        (
            *(f"{name}_moment" for name in ROTATIONS),
            *(f"{name}_force" for name in TRANSLATIONS),
            *(f"{name}_moment" for name in body.joint_names),
        ),
        np.column_stack(
            [
                np.einsum("tai,ti->ta", pelvis_axes(angles), moment),
                solution.joint_moment[:, :3] @ GROUND.T,
                solution.joint_moment[:, ROOT_DOF:],
            ]
        ),
    )


def ground_reactions(body: Body, clip: MotionClip, solution: InverseSolution) -> Storage:
    """Force, point of application and torque of the floor on every body that it loads, in ground, N, m and N·m.

    ``ground_force_BODY_vx``, ``ground_force_BODY_px``, ``ground_torque_BODY_x`` and so on, to be applied to BODY in an
    ``ExternalForce`` that expresses force and point in ground. The point is the centre of pressure on the floor, and
    interpolated while the body bears less than :data:`LOADED`; the torque is what the force at that point leaves.
    """
    labels, columns = [], []
    for segment, wrench in _loaded(body, solution):
        force, moment = wrench[:, :3], wrench[:, 3:]
        point = _centre_of_pressure(force, moment)
        torque = moment - np.cross(point, force)
        for kind, vectors in (("force_{}_v", force), ("force_{}_p", point), ("torque_{}_", torque)):
            labels += [f"ground_{kind.format(segment)}{axis}" for axis in "xyz"]
            columns.append(vectors @ GROUND.T)
    values = np.column_stack(columns) if columns else np.empty((len(clip.qpos), 0))
    return Storage("Ground Reaction", _time(clip), tuple(labels), values)


def pelvis_orientation(body: Body, qpos: Array) -> Array:
    """Rotation matrices from the pelvis, x forward, y up, z right, to OpenSim's ground, (T, 3, 3)."""
    root = rotations.multiply(np, qpos[:, 3:7], np.broadcast_to(body.root_frame, (len(qpos), 4)))
    orientation: Array = GROUND @ rotations.matrix(np, root) @ GROUND.T
    return orientation


def pelvis_angles(orientation: Array) -> Array:
    """Tilt, list and rotation of the pelvis without jumps, rad, (T, 3).

    Every orientation has two triples of angles, one with the list beyond ±90°, each up to full turns; the one closest
    to the frame before is taken. Tilt and rotation change fast where the list is near ±90°, as on the side.

    Args:
        orientation: Rotation matrices, (T, 3, 3).
    """
    r = orientation
    tilt, rotation = np.arctan2(-r[:, 0, 1], r[:, 1, 1]), np.arctan2(-r[:, 2, 0], r[:, 2, 2])
    lean = np.arcsin(np.clip(r[:, 2, 1], -1.0, 1.0))
    first = np.stack([tilt, lean, rotation], axis=1)
    second = np.stack([tilt + np.pi, np.pi - lean, rotation + np.pi], axis=1)
    angles = np.empty_like(first)
    previous = np.zeros(3)
    for frame, choices in enumerate(np.stack([first, second], axis=1)):
        near = choices - 2 * np.pi * np.round((choices - previous) / (2 * np.pi))
        previous = near[np.abs(near - previous).sum(axis=1).argmin()]
        angles[frame] = previous
    return angles


def pelvis_axes(angles: Array) -> Array:
    """Axes of tilt, list and rotation in the pelvis, (T, 3 angles, 3).

    The angular velocity of the pelvis, in the pelvis, is the sum of the rates of the angles about them, and a moment on
    it has its projections on them as generalised forces.

    Args:
        angles: Tilt, list and rotation, rad, (T, 3).
    """
    _, lean, rotation = angles.T
    zero, one = np.zeros_like(lean), np.ones_like(lean)
    tilt_axis = [-np.cos(lean) * np.sin(rotation), np.sin(lean), np.cos(lean) * np.cos(rotation)]
    list_axis = [np.cos(rotation), zero, np.sin(rotation)]
    axes: Array = np.moveaxis(np.array([tilt_axis, list_axis, [zero, one, zero]]), -1, 0)
    return axes


def _time(clip: MotionClip) -> Array:
    time: Array = np.arange(len(clip.qpos)) / clip.fps
    return time


def _loaded(body: Body, solution: InverseSolution) -> Iterator[tuple[str, Array]]:
    """Name in the model and wrench (T, 6) of every segment that the floor ever loads."""
    for segment, body_id in enumerate(body.segments.values()):
        wrench = solution.floor_wrench[:, segment]
        if wrench.any():
            yield body.model.body(body_id).name, wrench


def _centre_of_pressure(force: Array, moment: Array) -> Array:
    """Point of the floor about which the moment has no horizontal part, in the world, m, (T, 3)."""
    up = force[:, 2]
    loaded = np.flatnonzero(up > min(LOADED, 0.5 * up.max()))
    frames = np.arange(len(up))
    x = np.interp(frames, loaded, -moment[loaded, 1] / up[loaded])
    y = np.interp(frames, loaded, moment[loaded, 0] / up[loaded])
    return np.column_stack([x, y, np.zeros(len(up))])
