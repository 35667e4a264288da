"""MuJoCo MJX: N bodies stepped together by pure functions of JAX arrays, on a GPU or, for tests, on the CPU."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from mujoco import mjx

from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.paths.muscle_paths import MusclePaths
from ms_envs.physics import mjx_step
from ms_envs.physics.cpu import MAX_SPEED, ReflexCommand, RootSupport
from ms_envs.physics.mjx_kinematics import kinematics
from ms_envs.physics.mjx_model import (
    IMPLEMENTATIONS,
    Buffers,
    DeviceModel,
    overflow_cleared,
    overflowed,
    simplified_for_jax,
    with_few_muscles,
)
from ms_envs.physics.mjx_paths import JointPaths
from ms_envs.physics.mjx_spring import Spring
from ms_envs.physics.muscle_kernel import MuscleTable, muscle_table
from ms_envs.physics.muscle_law import activation_rate, muscle_force
from ms_envs.task.state import BodyState, Muscles, pose_from_coordinates


class MjxState(NamedTuple):
    """Physics of N bodies between two control steps.

    Attributes:
        data: MuJoCo's own state and work space.
        muscles: Signals of the muscles; but for activations, they are those of the end of the step only in an engine
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


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["model", "template", "layout", "key_body_ids", "table", "paths", "exact", "spring"],
    meta_fields=["impl", "num_envs", "substeps", "delay", "fresh_muscles"],
)
@dataclass(frozen=True)
class MjxEngine:
    """N copies of one body; a tree of JAX arrays with pure methods, all of which can be jitted and scanned.

    Muscles receive their force from the activation, not from the excitation. An excitation that follows the stretch
    of the muscles can therefore be integrated after each physics step, from the lengths that the step itself has
    computed, and costs nothing.

    Attributes:
        model: What MuJoCo simulates.
        template: Its data before a reset, of one body.
        layout: Where coordinates stand, see :attr:`ms_envs.bodies.Body.coordinate_layout`.
        key_body_ids: Body ids of the key bodies, (K,).
        table: Parameters of the muscles.
        paths: Fitted paths, if there are.
        exact: Indices of the muscles whose paths MuJoCo computes.
        spring: What holds the root, if anything.
        impl: One of :data:`ms_envs.physics.mjx_model.IMPLEMENTATIONS`.
        num_envs: N.
        substeps: Physics steps in one control step.
        delay: Conduction delay of the reflex arc, physics steps.
        fresh_muscles: Whether muscle signals are those of the end of the control step.
    """

    model: DeviceModel
    template: Any
    layout: dict[str, jax.Array]
    key_body_ids: jax.Array
    table: MuscleTable
    paths: JointPaths | None
    exact: jax.Array
    spring: Spring | None
    impl: str
    num_envs: int
    substeps: int
    delay: int
    fresh_muscles: bool

    @classmethod
    def make(
        cls,
        body: Body,
        num_envs: int,
        substeps: int,
        *,
        impl: str = "warp",
        paths: MusclePaths | None = None,
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
            paths: Fitted muscle paths; MuJoCo computes all paths by default.
            buffers: Room for contacts and constraints.
            reflex_delay: Conduction delay of the reflex arc, physics steps.
            support: Natural frequency of a critically damped spring on the root, rad/s; 0 for none.
            fresh_muscles: Whether lengths, velocities and forces of muscles are those of the end of the control step,
                which costs one physics step more; they are those of one physics step earlier otherwise.

        Raises:
            ValueError: If the implementation is unknown or lacks what the body needs, an actuator is no muscle on a
                tendon, or the paths were fitted to another body.
        """
        if impl not in IMPLEMENTATIONS:
            raise ValueError(f"unknown impl {impl!r}; choose one of {', '.join(map(repr, IMPLEMENTATIONS))}")
        exact = np.arange(body.model.nu) if paths is None else paths.exact
        model = copy.copy(body.model) if paths is None else with_few_muscles(body, exact)
        if impl == "jax":
            mjx_step.refuse_unsupported(model)
            model = simplified_for_jax(model)
        spring = Spring.of(body, support) if support else None
        if spring is not None:
            model.dof_damping[:ROOT_DOF] = spring.damping  # implicit, hence stable
        room = buffers or Buffers()
        sizes = {"naconmax": room.contacts * num_envs, "njmax": room.constraints} if impl == "warp" else {}
        return cls(
            model=DeviceModel.of(model, impl),
            template=mjx.make_data(model, impl=impl, **sizes),
            layout={name: jnp.asarray(values) for name, values in body.coordinate_layout.items()},
            key_body_ids=jnp.asarray(body.key_body_ids),
            table=jax.tree.map(jnp.asarray, muscle_table(body.model)),
            paths=None if paths is None else JointPaths.of(paths, body),
            exact=jnp.asarray(exact),
            spring=spring,
            impl=impl,
            num_envs=num_envs,
            substeps=substeps,
            delay=reflex_delay,
            fresh_muscles=fresh_muscles,
        )

    def initial(self) -> MjxState:
        """All bodies as the model describes them, to be reset."""
        data = jax.vmap(lambda _: self.template)(jnp.arange(self.num_envs))
        none = jnp.zeros(self.num_envs, dtype=bool)
        muscles = Muscles(*(jnp.zeros((self.num_envs, len(self.table.peak))) for _ in Muscles._fields))
        afferent = jnp.zeros((self.delay, 2, *muscles.length.shape))
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
        return state._replace(
            data=_with_state(state.data, mask, qpos, qvel),
            muscles=state.muscles._replace(activation=_chosen(mask, activation, state.muscles.activation)),
            diverged=state.diverged & ~mask,
            fresh=state.fresh | mask,
        )

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
        timestep = self.model.mjx.opt.timestep

        def substep(carry: tuple[Any, Muscles, jax.Array], i: jax.Array) -> tuple[tuple[Any, Muscles, jax.Array], None]:
            data, muscles, afferent = carry
            applied = jnp.zeros_like(data.qfrc_applied)
            if self.spring is not None and support is not None:
                applied = applied.at[:, :ROOT_DOF].set(self.spring.force(data.qpos, support, i))
            data, muscles = self._moved(data, muscles.activation, applied)
            excitation = command
            if isinstance(command, ReflexCommand):
                sensed = jnp.stack([muscles.length, muscles.velocity])
                if self.delay:
                    slot = (state.oldest + i) % self.delay
                    afferent = self._remember(state, afferent, sensed, state.fresh & (i == 0))
                    sensed, afferent = afferent[slot], afferent.at[slot].set(sensed)
                stretch = command.length_gain * sensed[0] + command.velocity_gain * sensed[1]
                excitation = jnp.asarray(command.bias) + stretch
            change = timestep * activation_rate(jnp, self.table, excitation, muscles.activation)
            activation = jnp.clip(muscles.activation + change, 0.0, 1.0)
            return (data, muscles._replace(activation=activation), afferent), None

        before = state.data
        start = overflow_cleared(before), state.muscles, state.afferent
        (data, muscles, afferent), _ = jax.lax.scan(substep, start, jnp.arange(self.substeps))
        usable = (jnp.abs(data.qvel).max(axis=1) < MAX_SPEED) & jnp.isfinite(data.qpos).all(axis=1)
        diverged = active & ~usable
        stays = diverged | ~active
        return MjxState(
            _with_state(data, stays, before.qpos, before.qvel),
            Muscles(*(_chosen(stays, old, new) for old, new in zip(state.muscles, muscles, strict=True))),
            diverged,
            active & overflowed(data),
            state.fresh & ~active,
            afferent,
            (state.oldest + self.substeps) % max(self.delay, 1),
        )

    def refreshed(self, state: MjxState) -> MjxState:
        """Bring the positions of the bodies, and of the muscles in an engine with ``fresh_muscles``, up to date."""
        if not self.fresh_muscles:
            place = mjx.kinematics if self.impl == "warp" else kinematics
            return state._replace(data=jax.vmap(place, in_axes=(None, 0))(self.model.mjx, state.data))
        forward = mjx.forward if self.impl == "warp" else mjx_step.forward
        nothing = jnp.zeros_like(state.data.qfrc_applied)
        data, muscles = self._moved(state.data, state.muscles.activation, nothing, forward)
        force = _chosen(state.fresh, muscles.force, state.muscles.force)
        return state._replace(data=data, muscles=muscles._replace(force=force))

    def body_state(self, state: MjxState) -> BodyState:
        """What the task sees of bodies that are up to date."""
        data = state.data
        pose = pose_from_coordinates(jnp, data.qpos, data.qvel, data.xpos[:, self.key_body_ids], **self.layout)
        return BodyState(pose, state.muscles, state.diverged)

    def _moved(
        self, data: Any, activation: jax.Array, applied: jax.Array, physics: Callable[[Any, Any], Any] | None = None
    ) -> tuple[Any, Muscles]:
        """Bodies after a physics step under muscles and applied forces (N, nv), and the muscles before it."""
        physics = physics or (mjx.step if self.impl == "warp" else mjx_step.step)
        step = functools.partial(jax.vmap(physics, in_axes=(None, 0)), self.model.mjx)
        if self.paths is None:
            data = step(data.replace(act=activation, qfrc_applied=applied))
            return data, Muscles(activation, data.actuator_length, data._impl.actuator_velocity, data.actuator_force)
        length, velocity = self.paths.measured(data.qpos, data.qvel)
        force = muscle_force(jnp, self.table, length, velocity, activation)
        torque = self.paths.torque(data.qpos, force)
        data = step(data.replace(ctrl=activation[:, self.exact], qfrc_applied=applied + torque))
        return data, Muscles(
            activation,
            length.at[:, self.exact].set(data.actuator_length),
            velocity.at[:, self.exact].set(data._impl.actuator_velocity),
            force.at[:, self.exact].set(data.actuator_force),
        )

    def _remember(self, state: MjxState, afferent: jax.Array, sensed: jax.Array, first: jax.Array) -> jax.Array:
        """Give bodies that start the past they would have had at constant velocity."""
        steps_ago = self.delay - (jnp.arange(self.delay) - state.oldest) % self.delay
        age = (self.model.mjx.opt.timestep * steps_ago)[:, None, None]
        past = jnp.stack([sensed[0] - age * sensed[1], jnp.broadcast_to(sensed[1], afferent[:, 1].shape)], axis=1)
        return jnp.where(first[:, None], past, afferent)


def _chosen(mask: jax.Array, new: jax.Array, old: jax.Array) -> jax.Array:
    return jnp.where(mask[:, None], new, old)


def _with_state(data: Any, mask: jax.Array, qpos: jax.Array, qvel: jax.Array) -> Any:
    """Replace what decides the future of some of the bodies."""
    return data.replace(
        qpos=_chosen(mask, qpos, data.qpos),
        qvel=_chosen(mask, qvel, data.qvel),
        qacc_warmstart=_chosen(mask, jnp.zeros_like(data.qvel), data.qacc_warmstart),
    )
