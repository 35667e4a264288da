"""The model of a body on the device, and the room that its physics needs there."""

from __future__ import annotations

import copy
import functools
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from mujoco import mjx
from numpy.typing import NDArray

from ms_envs.bodies.body import Body
from ms_envs.physics.fitted_model import without_muscles

IMPLEMENTATIONS = ("warp", "jax")
"""Implementations of MJX: kernels written in Warp (CUDA and CPU), or in JAX (any device)."""

PLANES_ONLY = 1 << 30
"""Collision bit that no body of the package uses."""


class Buffers(NamedTuple):
    """Room that the Warp implementation allocates; the defaults are about twice what clips and falls were seen to need.

    Attributes:
        contacts: Pairs of geometries near each other, per body on average over all bodies.
        constraints: Rows of the constraint Jacobian, per body.
    """

    contacts: int = 64
    constraints: int = 192

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, int]) -> Self:
        """Buffers from keyword arguments.

        Raises:
            ValueError: If a name is unknown or a size not positive.
        """
        if unknown := sorted(set(arguments) - set(cls._fields)):
            raise ValueError(f"unknown buffers {unknown}; choose from {list(cls._fields)}")
        for name, size in arguments.items():
            if size < 1:
                raise ValueError(f"buffer {name!r} must be at least 1, got {size!r}")
        return cls(**arguments)


class _Structure:
    """Shape of a model's tree, compared by identity where it can be."""

    def __init__(self, treedef: Any) -> None:
        self.treedef, self._hash = treedef, hash(treedef)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, _Structure) and self.treedef == other.treedef)


@functools.cache
def _the_same(structure: Hashable) -> Any:
    """One object for all equal structures."""
    return structure


@functools.partial(jax.tree_util.register_dataclass, data_fields=["leaves"], meta_fields=["structure"])
@dataclass(frozen=True)
class DeviceModel:
    """An ``mjx.Model`` whose arrays outside JAX are hashed once instead of at every call."""

    leaves: list[jax.Array]
    structure: _Structure

    @classmethod
    def of(cls, model: mujoco.MjModel, impl: str) -> Self:
        """Put a model onto the device."""
        if impl == "warp":
            import warp

            warp.config.log_level = max(warp.config.log_level, warp.LOG_WARNING)  # not a line for every kernel
        on_device = mjx.put_model(model, impl=impl)
        if impl == "warp":
            on_device = on_device.tree_replace({"opt._impl.warn_overflow": 0})  # reported by the engine instead
        leaves, treedef = jax.tree.flatten(on_device)
        return cls(leaves, _the_same(_Structure(treedef)))

    @property
    def mjx(self) -> Any:
        """The ``mjx.Model``."""
        return jax.tree.unflatten(self.structure.treedef, self.leaves)


def with_few_muscles(body: Body, kept: NDArray[np.intp]) -> mujoco.MjModel:
    """The model of a body with some of its muscles only.

    They pull as in the whole model, but their activation is not a state: it is what ``ctrl`` says.

    Args:
        body: The body.
        kept: Indices of the muscles, rising, (K,).
    """
    model = without_muscles(body, kept)
    for name in ("gaintype", "gainprm", "biastype", "biasprm", "lengthrange", "acc0"):
        getattr(model, f"actuator_{name}")[:] = getattr(body.model, f"actuator_{name}")[kept]
    return model


def simplified_for_jax(model: mujoco.MjModel) -> mujoco.MjModel:
    """A copy whose solid meshes are ellipsoids as large that meet planes only.

    MJX in JAX compares all faces of two meshes, of which there may be thousands, and knows no margin around one.
    """
    model = copy.copy(model)
    collides = (model.geom_contype | model.geom_conaffinity) != 0
    solid = collides & (model.geom_type == mujoco.mjtGeom.mjGEOM_MESH)
    model.geom_type[solid], model.geom_dataid[solid] = mujoco.mjtGeom.mjGEOM_ELLIPSOID, -1
    model.geom_size[solid] = model.geom_aabb[solid, 3:]
    model.geom_contype[solid], model.geom_conaffinity[solid] = PLANES_ONLY, 0
    model.geom_conaffinity[model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE] |= PLANES_ONLY
    return model


def overflow_cleared(data: Any) -> Any:
    """The data with the flags of full buffers taken down."""
    flags = getattr(data._impl, "overflow", None)
    return data if flags is None else data.tree_replace({"_impl.overflow": jnp.zeros_like(flags)})


def overflowed(data: Any) -> jax.Array:
    """Whether a buffer was too small for each body since the flags were cleared, (N,)."""
    flags = getattr(data._impl, "overflow", None)
    if flags is None:
        return jnp.zeros(len(data.qpos), dtype=bool)
    from mujoco.mjx.third_party.mujoco_warp import OverflowType

    buffers = OverflowType.NEFC | OverflowType.NJMAX_NNZ | OverflowType.BROADPHASE | OverflowType.NARROWPHASE
    return (flags & int(buffers | OverflowType.CCD | OverflowType.EPA_HORIZON)) != 0
