"""Where the bones of a body are: kinematics for MJX in JAX that XLA compiles and runs quickly."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from ms_envs.task.rotations import matrix

NONE = -1
"""Index of the resting joint that stands in where a bone has no more joints."""


def kinematics(model: Any, data: Any) -> Any:
    """What ``mjx.kinematics`` does, of one body, but for ``xquat``, which only welds and sensors need.

    XLA fuses the bones of ``mjx.kinematics`` into one another and computes each anew for every use, which multiplies
    the work with every joint of a chain. Here all bones are placed relative to their parents at once, then the levels
    of the tree, kept apart by barriers, in the world.

    Args:
        model: ``mjx.Model`` of hinges and slides, and of free joints on the world.
        data: ``mjx.Data``.

    Returns:
        The data.
    """
    qpos = _normalised(model, data.qpos)
    position, rotation, anchor, axis = _relative_to_parents(model, qpos)
    parents = np.asarray(model.body_parentid)
    above = np.zeros(1, dtype=np.intp)
    while True:
        bones = np.flatnonzero(np.isin(parents, above) & (np.arange(len(parents)) > 0))
        if not len(bones):
            break
        parent = parents[bones]
        placed = position[parent] + _turned(rotation[parent], position[bones])
        turned = rotation[parent] @ rotation[bones]
        position, rotation = position.at[bones].set(placed), rotation.at[bones].set(turned)
        position, rotation = jax.lax.optimization_barrier((position, rotation))
        above = bones

    def attached(bone: Any, local: jax.Array, orientation: jax.Array) -> tuple[jax.Array, jax.Array]:
        frame = rotation[bone]
        return position[bone] + _turned(frame, local), frame @ matrix(jnp, orientation)

    xipos, ximat = attached(np.arange(len(parents)), model.body_ipos, model.body_iquat)
    geom_xpos, geom_xmat = attached(model.geom_bodyid, model.geom_pos, model.geom_quat)
    site_xpos, site_xmat = attached(model.site_bodyid, model.site_pos, model.site_quat)
    joint_parent = parents[model.jnt_bodyid]
    return data.replace(
        qpos=qpos,
        xpos=position,
        xmat=rotation,
        xanchor=position[joint_parent] + _turned(rotation[joint_parent], anchor),
        xaxis=_turned(rotation[joint_parent], axis),
        xipos=xipos,
        ximat=ximat,
        geom_xpos=geom_xpos,
        geom_xmat=geom_xmat,
        site_xpos=site_xpos,
        site_xmat=site_xmat,
    )


def _normalised(model: Any, qpos: jax.Array) -> jax.Array:
    for address in model.jnt_qposadr[model.jnt_type == mujoco.mjtJoint.mjJNT_FREE]:
        quaternion = qpos[address + 3 : address + 7]
        qpos = qpos.at[address + 3 : address + 7].set(quaternion / jnp.linalg.norm(quaternion))
    return qpos


def _relative_to_parents(model: Any, qpos: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Positions (bones, 3) and rotations (bones, 3, 3), and anchors and axes of joints (joints, 3), by the parent."""
    angle = qpos[model.jnt_qposadr] - model.qpos0[model.jnt_qposadr]
    turn = _with_resting(_rotation_about(model.jnt_axis, jnp.where(_is(model, "HINGE"), angle, 0.0)), jnp.eye(3))
    shift = _with_resting(jnp.where(_is(model, "SLIDE"), angle, 0.0), 0.0)
    centre, direction = _with_resting(model.jnt_pos, 0.0), _with_resting(model.jnt_axis, 0.0)
    position, rotation = model.body_pos, matrix(jnp, model.body_quat)
    anchor = axis = jnp.zeros((len(model.jnt_type), 3))
    for slot in range(int(model.body_jntnum.max())):
        joint = np.where(slot < model.body_jntnum, model.body_jntadr + slot, NONE)
        own = np.flatnonzero(joint != NONE)
        pivot, towards = position + _turned(rotation, centre[joint]), _turned(rotation, direction[joint])
        anchor, axis = anchor.at[joint[own]].set(pivot[own]), axis.at[joint[own]].set(towards[own])
        rotation = rotation @ turn[joint]
        position = pivot - _turned(rotation, centre[joint]) + shift[joint, None] * towards
    for free in np.flatnonzero(_is(model, "FREE")):
        address, bone = model.jnt_qposadr[free], model.jnt_bodyid[free]
        position = position.at[bone].set(qpos[address : address + 3])
        rotation = rotation.at[bone].set(matrix(jnp, qpos[address + 3 : address + 7]))
        anchor = anchor.at[free].set(qpos[address : address + 3])
    return position, rotation, anchor, axis


def _is(model: Any, name: str) -> Any:
    return model.jnt_type == getattr(mujoco.mjtJoint, f"mjJNT_{name}")


def _rotation_about(axis: jax.Array, angle: jax.Array) -> jax.Array:
    """Rotation matrices (..., 3, 3) about unit axes (..., 3) by angles in rad (...)."""
    half = 0.5 * angle[..., None]
    return matrix(jnp, jnp.concatenate([jnp.cos(half), jnp.sin(half) * axis], axis=-1))


def _turned(rotation: jax.Array, vector: jax.Array) -> jax.Array:
    return jnp.einsum("...ij,...j->...i", rotation, vector)


def _with_resting(values: jax.Array, rest: Any) -> jax.Array:
    """Values of the joints, and of one more that does nothing."""
    return jnp.concatenate([values, jnp.broadcast_to(rest, (1, *values.shape[1:]))])
