"""MuJoCo MJX: N bodies stepped together by pure functions of JAX arrays, on a GPU or, for tests, on the CPU."""

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

from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.physics.cpu import MAX_SPEED, RADIUS_OF_GYRATION, ReflexCommand, RootSupport
from ms_envs.task.rotations import conjugate, multiply
from ms_envs.task.state import BodyState, Muscles, pose_from_coordinates

IMPLEMENTATIONS = ("warp", "jax")
"""Implementations of MJX: kernels written in Warp (CUDA and CPU), or in JAX (any device, slow to compile)."""


MINIMUM = 1e-15
"""Smallest time constant and width that MuJoCo divides by."""


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


class MjxState(NamedTuple):
    """Physics of N bodies between two control steps.

    Attributes:
        data: MuJoCo's own state and work space.
        muscles: Signals of the muscles; lengths and velocities are those of the end of the step only in an engine
            with ``fresh_muscles``.
        diverged: Whether the physics of a body broke down in the last step, bool, (N,).
        overflow: Whether a buffer was too small for a body in the last step, bool, (N,).
        fresh: Whether a body has not moved since its reset, bool, (N,).
        afferent: Lengths and velocities of past physics steps, a ring, (delay, 2, N, M).
        oldest: Position of the oldest of them.
    """

    data: Any
    muscles: Muscles
    diverged: jax.Array
    overflow: jax.Array
    fresh: jax.Array
    afferent: jax.Array
    oldest: jax.Array


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
class _Model:
    """An ``mjx.Model`` whose arrays outside JAX are hashed once instead of at every call."""

    leaves: list[jax.Array]
    structure: _Structure

    @classmethod
    def of(cls, model: mujoco.MjModel, impl: str) -> Self:
        on_device = mjx.put_model(model, impl=impl)
        if impl == "warp":
            on_device = on_device.tree_replace({"opt._impl.warn_overflow": 0})  # reported by the engine instead
        leaves, treedef = jax.tree.flatten(on_device)
        return cls(leaves, _the_same(_Structure(treedef)))

    @property
    def mjx(self) -> Any:
        return jax.tree.unflatten(self.structure.treedef, self.leaves)


class Dynamics(NamedTuple):
    """Activation dynamics of the muscles: time constants of rise and fall, s, and width of the switch, each (M,)."""

    rise: jax.Array
    fall: jax.Array
    width: jax.Array


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["model", "template", "layout", "key_body_ids", "dynamics", "stiffness", "damping"],
    meta_fields=["num_envs", "substeps", "delay", "supported", "fresh_muscles"],
)
@dataclass(frozen=True)
class MjxEngine:
    """N copies of one body; a tree of JAX arrays with pure methods, all of which can be jitted and scanned.

    Muscles receive their force from the activation, not from the excitation. An excitation that follows the stretch
    of the muscles can therefore be integrated after each physics step, from the lengths that the step itself has
    computed, and costs nothing.
    """

    model: _Model
    template: Any
    layout: dict[str, jax.Array]
    key_body_ids: jax.Array
    dynamics: Dynamics
    stiffness: jax.Array
    damping: jax.Array
    num_envs: int
    substeps: int
    delay: int
    supported: bool
    fresh_muscles: bool

    @classmethod
    def make(
        cls,
        body: Body,
        num_envs: int,
        substeps: int,
        *,
        impl: str = "warp",
        buffers: Buffers | None = None,
        reflex_delay: int = 0,
        support: float = 0.0,
        fresh_muscles: bool = False,
    ) -> Self:
        """Put a body onto the device.

        Args:
            body: The body.
            num_envs: N.
            substeps: Physics steps in one control step.
            impl: One of :data:`IMPLEMENTATIONS`.
            buffers: Room for contacts and constraints.
            reflex_delay: Conduction delay of the reflex arc, physics steps.
            support: Natural frequency of a critically damped spring on the root, rad/s; 0 for none.
            fresh_muscles: Whether muscle lengths and velocities are those of the end of the control step, which costs
                one physics step more; they are those of one physics step earlier otherwise.

        Raises:
            ValueError: If the implementation is unknown or the body's actuators are not muscles.
        """
        if impl not in IMPLEMENTATIONS:
            raise ValueError(f"unknown impl {impl!r}; choose one of {', '.join(map(repr, IMPLEMENTATIONS))}")
        if (body.model.actuator_dyntype != mujoco.mjtDyn.mjDYN_MUSCLE).any() or body.model.actuator_actearly.any():
            raise ValueError("the MJX engine moves bodies whose actuators are all muscles with activation dynamics")
        inertia = np.repeat([body.mass, body.mass * RADIUS_OF_GYRATION**2], 3)
        model = copy.copy(body.model)
        if support:
            model.dof_damping[:ROOT_DOF] = 2 * inertia * support  # implicit, hence stable
        room = buffers or Buffers()
        sizes = {"naconmax": room.contacts * num_envs, "njmax": room.constraints} if impl == "warp" else {}
        return cls(
            model=_Model.of(model, impl),
            template=mjx.make_data(model, impl=impl, **sizes),
            layout={name: jnp.asarray(values) for name, values in body.coordinate_layout.items()},
            key_body_ids=jnp.asarray(body.key_body_ids),
            dynamics=Dynamics(*jnp.asarray(model.actuator_dynprm[:, :3].T, dtype=jnp.float32)),
            stiffness=jnp.asarray(inertia * support**2, dtype=jnp.float32),
            damping=jnp.asarray(2 * inertia * support, dtype=jnp.float32),
            num_envs=num_envs,
            substeps=substeps,
            delay=reflex_delay,
            supported=support > 0,
            fresh_muscles=fresh_muscles,
        )

    @property
    def num_muscles(self) -> int:
        """M."""
        return len(self.dynamics.rise)

    def initial(self) -> MjxState:
        """All bodies as the model describes them, to be reset."""
        data = jax.vmap(lambda _: self.template)(jnp.arange(self.num_envs))
        none = jnp.zeros(self.num_envs, dtype=bool)
        muscles = Muscles(*(jnp.zeros((self.num_envs, self.num_muscles)) for _ in Muscles._fields))
        afferent = jnp.zeros((self.delay, 2, self.num_envs, self.num_muscles))
        return MjxState(data, muscles, none, none, ~none, afferent, jnp.zeros((), dtype=jnp.int32))

    def reset(
        self, state: MjxState, mask: jax.Array, qpos: jax.Array, qvel: jax.Array, activation: jax.Array
    ) -> MjxState:
        """Put some of the bodies into given states; :meth:`refreshed` completes them.

        Args:
            state: The bodies.
            mask: Which are reset, bool, (N,).
            qpos: Generalised positions, (N, nq).
            qvel: Generalised velocities, (N, nv).
            activation: Muscle activations, (N, M).

        Returns:
            The bodies.
        """
        data = _with_state(state.data, mask, qpos, qvel, activation)
        return state._replace(data=data, diverged=state.diverged & ~mask, fresh=state.fresh | mask)

    def step(
        self,
        state: MjxState,
        command: jax.Array | ReflexCommand,
        active: jax.Array,
        support: RootSupport | None = None,
    ) -> MjxState:
        """Advance bodies by one control step; :meth:`refreshed` completes them.

        A body whose physics breaks down stays in the state before the step and is flagged.

        Args:
            state: The bodies.
            command: Excitations held over the step, (N, M), or a reflex law evaluated at every physics step.
            active: Which bodies move, bool, (N,).
            support: Reference of the spring on the root, if the engine has one.

        Returns:
            The bodies.
        """
        model = self.model.mjx
        before = state.data
        data = before if isinstance(command, ReflexCommand) else before.replace(ctrl=command)
        data = _without_overflow(data)

        def substep(carry: tuple[Any, jax.Array], i: jax.Array) -> tuple[tuple[Any, jax.Array], None]:
            data, afferent = carry
            if support is not None:
                data = data.replace(qfrc_applied=self._pull(data, support, i))
            activation = data.act
            data = jax.vmap(mjx.step, in_axes=(None, 0))(model, data)
            if isinstance(command, ReflexCommand):
                sensed = jnp.stack([data.actuator_length, data._impl.actuator_velocity])
                if self.delay:
                    slot = (state.oldest + i) % self.delay
                    afferent = self._remember(state, afferent, sensed, state.fresh & (i == 0))
                    sensed, afferent = afferent[slot], afferent.at[slot].set(sensed)
                stretch = command.length_gain * sensed[0] + command.velocity_gain * sensed[1]
                excitation = jnp.asarray(command.bias) + stretch
                rate = activation_rate(excitation, activation, self.dynamics)
                data = data.replace(act=jnp.clip(activation + model.opt.timestep * rate, 0.0, 1.0))
            return (data, afferent), None

        (data, afferent), _ = jax.lax.scan(substep, (data, state.afferent), jnp.arange(self.substeps))
        usable = (jnp.abs(data.qvel).max(axis=1) < MAX_SPEED) & jnp.isfinite(data.qpos).all(axis=1)
        diverged = active & ~usable
        overflow = active & _overflowed(data)
        force = data.actuator_force
        data = _with_state(data, diverged | ~active, before.qpos, before.qvel, before.act)
        return MjxState(
            data,
            state.muscles._replace(force=jnp.where(diverged[:, None], state.muscles.force, force)),
            diverged,
            overflow,
            state.fresh & ~active,
            afferent,
            (state.oldest + self.substeps) % max(self.delay, 1),
        )

    def refreshed(self, state: MjxState) -> MjxState:
        """Bring the positions of the bodies, and of the muscles in an engine with ``fresh_muscles``, up to date."""
        if not self.fresh_muscles:
            data = jax.vmap(mjx.kinematics, in_axes=(None, 0))(self.model.mjx, state.data)
            muscles = Muscles(data.act, data.actuator_length, data._impl.actuator_velocity, state.muscles.force)
            return state._replace(data=data, muscles=muscles)
        data = jax.vmap(mjx.forward, in_axes=(None, 0))(self.model.mjx, state.data)
        force = jnp.where(state.fresh[:, None], data.actuator_force, state.muscles.force)
        muscles = Muscles(data.act, data.actuator_length, data._impl.actuator_velocity, force)
        return state._replace(data=data, muscles=muscles)

    def body_state(self, state: MjxState) -> BodyState:
        """What the task sees of bodies that are up to date."""
        data = state.data
        pose = pose_from_coordinates(jnp, data.qpos, data.qvel, data.xpos[:, self.key_body_ids], **self.layout)
        return BodyState(pose, state.muscles, state.diverged)

    def _remember(self, state: MjxState, afferent: jax.Array, sensed: jax.Array, first: jax.Array) -> jax.Array:
        """Give bodies that start the past they would have had at constant velocity."""
        steps_ago = self.delay - (jnp.arange(self.delay) - state.oldest) % self.delay
        age = (self.model.mjx.opt.timestep * steps_ago)[:, None, None]
        past = jnp.stack([sensed[0] - age * sensed[1], jnp.broadcast_to(sensed[1], afferent[:, 1].shape)], axis=1)
        return jnp.where(first[:, None], past, afferent)

    def _pull(self, data: Any, support: RootSupport, substep: jax.Array) -> jax.Array:
        """Force of the spring on the root, (N, nv); the model's damping of the root has the rest of it."""
        wanted, current = support.qpos[:, substep], data.qpos[:, : ROOT_DOF + 1]
        turn = multiply(jnp, conjugate(jnp, current[:, 3:]), wanted[:, 3:])
        turn = jnp.where(turn[:, :1] < 0, -turn, turn)
        sine = jnp.linalg.norm(turn[:, 1:], axis=1, keepdims=True)
        scale = jnp.where(sine > 1e-6, 2 * jnp.arctan2(sine, turn[:, :1]) / jnp.maximum(sine, 1e-6), 2.0)
        offset = jnp.concatenate([wanted[:, :3] - current[:, :3], scale * turn[:, 1:]], axis=1)
        force = self.stiffness * offset + self.damping * support.qvel[:, substep]
        return jnp.zeros_like(data.qfrc_applied).at[:, :ROOT_DOF].set(force)


def activation_rate(excitation: jax.Array, activation: jax.Array, dynamics: Dynamics) -> jax.Array:
    """Rate at which activations follow excitations, 1/s, (N, M) (Millard et al. 2013; MuJoCo's muscle model).

    Args:
        excitation: (N, M), clamped to [0, 1].
        activation: (N, M).
        dynamics: Time constants.
    """
    difference = jnp.clip(excitation, 0.0, 1.0) - activation
    scale = 0.5 + 1.5 * jnp.clip(activation, 0.0, 1.0)
    rise, fall = dynamics.rise * scale, dynamics.fall / scale
    x = jnp.clip(difference / jnp.maximum(dynamics.width, MINIMUM) + 0.5, 0.0, 1.0)
    smooth = x**3 * (3 * x * (2 * x - 5) + 10)
    share = jnp.where(dynamics.width < MINIMUM, difference > 0, smooth)
    return difference / jnp.maximum(fall + (rise - fall) * share, MINIMUM)


def _with_state(data: Any, mask: jax.Array, qpos: jax.Array, qvel: jax.Array, activation: jax.Array) -> Any:
    """Replace what decides the future of some of the bodies."""

    def chosen(new: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(mask[:, None], new, old)

    return data.replace(
        qpos=chosen(qpos, data.qpos),
        qvel=chosen(qvel, data.qvel),
        act=chosen(activation, data.act),
        qacc_warmstart=chosen(jnp.zeros_like(data.qvel), data.qacc_warmstart),
    )


def _without_overflow(data: Any) -> Any:
    flags = getattr(data._impl, "overflow", None)
    return data if flags is None else data.tree_replace({"_impl.overflow": jnp.zeros_like(flags)})


def _overflowed(data: Any) -> jax.Array:
    """Whether a buffer was too small for each body since the flags were cleared, (N,)."""
    flags = getattr(data._impl, "overflow", None)
    if flags is None:
        return jnp.zeros(len(data.qpos), dtype=bool)
    from mujoco.mjx.third_party.mujoco_warp import OverflowType

    buffers = OverflowType.NEFC | OverflowType.NJMAX_NNZ | OverflowType.BROADPHASE | OverflowType.NARROWPHASE
    return (flags & int(buffers | OverflowType.CCD | OverflowType.EPA_HORIZON)) != 0
