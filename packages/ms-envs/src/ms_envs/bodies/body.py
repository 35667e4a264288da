"""The one description of a simulated body that the rest of the package works with."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

ROOT_DOF = 6
"""Velocity coordinates of the free root joint, which come first in ``qvel``."""


@dataclass(frozen=True, eq=False)
class Body:
    """A compiled musculoskeletal model with every index the imitation task needs.

    The root is a free joint whose coordinates come first in ``qpos`` and ``qvel``. The other joints are either
    *independent* (J of them) or *coupled*: a quartic polynomial of one independent joint, held by a MuJoCo equality
    constraint (the sliding knee and the shoulder rhythm, for example).

    Attributes:
        name: Name that :func:`ms_envs.load_body` knows.
        spec: The edited specification the model was compiled from.
        model: The compiled model; ``nu`` is the number of muscles M.
        segments: Anatomical segment (``"thigh_r"``, ``"foot_l"``, …) to body id.
        joint_ids: Independent joints, (J,).
        joint_roles: Anatomical role (``"ankle_r"``, ``"toes_l"``, …) to positions among the independent joints.
        coupled_joint_ids: Coupled joints, (C,).
        coupling_parent: Position of each coupled joint's driver among the independent joints, −1 if it is fixed, (C,).
        coupling_polynomial: Coefficients, constant term first, of the coupled offset from ``qpos0``, (C, 5).
        key_bodies: Name to body id of the K bodies whose positions are tracked.
        muscle_groups: Region and side (``"leg_right"``) to muscle indices; every muscle is in exactly one group.
        licence: SPDX identifier and restrictions of the model.
        source: Where the model comes from.
        strength: Factor on every muscle's peak isometric force.
    """

    name: str
    spec: mujoco.MjSpec
    model: mujoco.MjModel
    segments: Mapping[str, int]
    joint_ids: NDArray[np.intp]
    joint_roles: Mapping[str, NDArray[np.intp]]
    coupled_joint_ids: NDArray[np.intp]
    coupling_parent: NDArray[np.intp]
    coupling_polynomial: NDArray[np.float64]
    key_bodies: Mapping[str, int]
    muscle_groups: Mapping[str, NDArray[np.intp]]
    licence: str
    source: str
    strength: float

    @cached_property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the independent joints, J of them."""
        return tuple(self.model.joint(j).name for j in self.joint_ids)

    @cached_property
    def muscle_names(self) -> tuple[str, ...]:
        """Names of the muscles, M of them, in actuator order."""
        return tuple(self.model.actuator(i).name for i in range(self.model.nu))

    @cached_property
    def key_body_ids(self) -> NDArray[np.intp]:
        """Body ids of the key bodies, (K,)."""
        return np.array(list(self.key_bodies.values()), dtype=np.intp)

    @cached_property
    def qpos_index(self) -> NDArray[np.intp]:
        """Addresses of the independent joints in ``qpos``, (J,)."""
        return self.model.jnt_qposadr[self.joint_ids].astype(np.intp)

    @cached_property
    def dof_index(self) -> NDArray[np.intp]:
        """Addresses of the independent joints in ``qvel``, (J,)."""
        return self.model.jnt_dofadr[self.joint_ids].astype(np.intp)

    @property
    def coordinate_layout(self) -> dict[str, NDArray[Any]]:
        """What :func:`ms_envs.task.state.pose_from_coordinates` must know of the body."""
        return {"root_frame": self.root_frame, "qpos_index": self.qpos_index, "dof_index": self.dof_index}

    @cached_property
    def joint_range(self) -> NDArray[np.float64]:
        """Lower and upper limits of the independent joints, rad, (J, 2)."""
        return self.model.jnt_range[self.joint_ids].copy()

    @cached_property
    def root_frame(self) -> NDArray[np.float64]:
        """Orientation of the anatomical axes (x forward, y left, z up) in the root's own frame, quaternion (4,).

        Models differ in how they turn their root; the posture ``qpos0``, which stands upright, tells.
        """
        data = mujoco.MjData(self.model)
        mujoco.mj_kinematics(self.model, data)
        left = data.xpos[self.segments["thigh_l"]] - data.xpos[self.segments["thigh_r"]]
        yaw = np.arctan2(-left[0], left[1])
        anatomical = np.array([np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)])
        root, result = self.model.qpos0[3:7] * [1, -1, -1, -1], np.zeros(4)
        mujoco.mju_mulQuat(result, root, anatomical)
        return result

    @cached_property
    def optimal_fiber_length(self) -> NDArray[np.float64]:
        """Optimal fibre length of each muscle, m, (M,)."""
        length = self.model.actuator_lengthrange
        normalised = self.model.actuator_gainprm
        return (length[:, 1] - length[:, 0]) / (normalised[:, 1] - normalised[:, 0])

    @cached_property
    def peak_force(self) -> NDArray[np.float64]:
        """Peak isometric force of each muscle, N, (M,)."""
        given, scale = self.model.actuator_gainprm[:, 2], self.model.actuator_gainprm[:, 3]
        return np.where(given > 0, given, scale / np.maximum(self.model.actuator_acc0, 1e-12))

    @cached_property
    def mass(self) -> float:
        """Mass in kg."""
        return float(self.model.body_mass.sum())

    def complete(self, qpos: NDArray[np.float64]) -> NDArray[np.float64]:
        """Set the coupled coordinates from the independent ones, in place.

        Args:
            qpos: Generalised positions, (..., nq).

        Returns:
            The same array.
        """
        coupled = self.model.jnt_qposadr[self.coupled_joint_ids]
        offset = self._driver_offset(qpos)
        coefficients = self.coupling_polynomial
        value = coefficients[:, 4] * offset
        for power in (3, 2, 1):
            value = (value + coefficients[:, power]) * offset
        qpos[..., coupled] = self.model.qpos0[coupled] + coefficients[:, 0] + value
        return qpos

    def coordinate_map(self, qpos: NDArray[np.float64]) -> NDArray[np.float64]:
        """Jacobian from independent velocities to ``qvel``: ``qvel = G @ [root velocity, joint velocity]``.

        Args:
            qpos: Generalised positions, (..., nq).

        Returns:
            G, (..., nv, 6 + J).
        """
        model = self.model
        jacobian = np.zeros((*qpos.shape[:-1], model.nv, ROOT_DOF + len(self.joint_ids)))
        jacobian[..., np.arange(ROOT_DOF), np.arange(ROOT_DOF)] = 1.0
        jacobian[..., self.dof_index, ROOT_DOF + np.arange(len(self.joint_ids))] = 1.0
        offset, c = self._driver_offset(qpos), self.coupling_polynomial
        slope = c[:, 1] + offset * (2 * c[:, 2] + offset * (3 * c[:, 3] + offset * 4 * c[:, 4]))
        driven = self.coupling_parent >= 0
        rows = model.jnt_dofadr[self.coupled_joint_ids[driven]]
        jacobian[..., rows, ROOT_DOF + self.coupling_parent[driven]] = slope[..., driven]
        return jacobian

    @cached_property
    def hash(self) -> str:
        """Fingerprint of skeleton, couplings, masses and contact shapes; a motion fits the body it was made for.

        Muscle strength and appearance do not enter, and values are rounded so that platforms agree.
        """
        model = self.model
        colliding = (model.geom_contype != 0) | (model.geom_conaffinity != 0)
        digest = hashlib.sha256()
        for names in ([model.body(b).name for b in range(model.nbody)], self.joint_names, self.key_bodies):
            digest.update("\n".join(names).encode())
        digest.update(model.body_parentid.astype(np.int32).tobytes())
        for values in (
            model.body_pos,
            model.body_quat,
            model.body_mass,
            model.jnt_pos,
            model.jnt_axis,
            model.jnt_range,
            self.coupling_polynomial,
            model.geom_pos[colliding],
            model.geom_size[colliding],
        ):
            # The offset keeps decimal constants away from the rounding boundary.
            digest.update(np.floor(values * 1e5 + 1 / np.pi).astype(np.int64).tobytes())
        return digest.hexdigest()[:16]

    def _driver_offset(self, qpos: NDArray[np.float64]) -> NDArray[np.float64]:
        """Displacement of every coupled joint's driver from its zero, zero where there is none, (..., C)."""
        driver = self.qpos_index[self.coupling_parent]
        return (qpos[..., driver] - self.model.qpos0[driver]) * (self.coupling_parent >= 0)


def describe(
    spec: mujoco.MjSpec,
    *,
    name: str,
    segments: Mapping[str, str],
    joint_roles: Mapping[str, Iterable[str]],
    key_bodies: Iterable[str],
    muscle_groups: Mapping[str, ArrayLike],
    licence: str,
    source: str,
    strength: float,
) -> Body:
    """Compile an edited specification and resolve every name in it to an index.

    Args:
        spec: Specification with a free root joint as its first joint.
        name: Name of the body.
        segments: Segment to body name.
        joint_roles: Role to the names of independent joints.
        key_bodies: Segments whose positions are tracked.
        muscle_groups: Group to muscle indices.
        licence: Licence of the model.
        source: Origin of the model.
        strength: Factor on peak isometric muscle force, above zero.

    Returns:
        The body.

    Raises:
        ValueError: If ``strength`` is not a positive finite number.
    """
    if not (np.isfinite(strength) and strength > 0):
        raise ValueError(f"strength must be a positive number, got {strength!r}")
    with prefix_warning_silenced():
        model = spec.compile()
    _scale_muscle_force(model, strength)
    independent, coupled, parent, polynomial = _split_joints(model)
    position = {model.joint(j).name: i for i, j in enumerate(independent)}
    body_ids = {segment: model.body(body).id for segment, body in segments.items()}
    return Body(
        name=name,
        spec=spec,
        model=model,
        segments=body_ids,
        joint_ids=independent,
        joint_roles={
            role: np.array([position[n] for n in names], dtype=np.intp) for role, names in joint_roles.items()
        },
        coupled_joint_ids=coupled,
        coupling_parent=parent,
        coupling_polynomial=polynomial,
        key_bodies={segment: body_ids[segment] for segment in key_bodies},
        muscle_groups={group: np.asarray(index, dtype=np.intp) for group, index in muscle_groups.items()},
        licence=licence,
        source=source,
        strength=float(strength),
    )


@contextmanager
def prefix_warning_silenced() -> Iterator[None]:
    """Keep MuJoCo from warning that the parts of a body are joined without a name prefix, as their authors intend."""
    handler = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda _: None)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Attaching a spec with an empty prefix")
            yield
    finally:
        mujoco.set_mju_user_warning(handler)


def _scale_muscle_force(model: mujoco.MjModel, strength: float) -> None:
    """Multiply peak force (parameter 2) and, where it is derived from it, its scale (parameter 3)."""
    for parameters in (model.actuator_gainprm, model.actuator_biasprm):
        given = parameters[:, 2] > 0
        parameters[given, 2] *= strength
        parameters[~given, 3] *= strength


def _split_joints(
    model: mujoco.MjModel,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Independent joints, coupled joints, the driver of each coupled joint and its polynomial."""
    if model.njnt == 0 or model.jnt_type[0] != mujoco.mjtJoint.mjJNT_FREE:
        raise ValueError("the first joint of a body must be its free root joint")
    equalities = [e for e in range(model.neq) if model.eq_type[e] == mujoco.mjtEq.mjEQ_JOINT]
    coupled = np.array([model.eq_obj1id[e] for e in equalities], dtype=np.intp)
    independent = np.array(sorted(set(range(1, model.njnt)) - set(coupled.tolist())), dtype=np.intp)
    position = {int(j): i for i, j in enumerate(independent)}
    parent = np.array([position.get(int(model.eq_obj2id[e]), -1) for e in equalities], dtype=np.intp)
    polynomial = model.eq_data[equalities, :5].copy()
    return independent, coupled, parent, polynomial
