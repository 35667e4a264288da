"""The imitation task on MJX as pure functions of JAX arrays, for whole roll-outs on a device."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from gymnasium.vector import AutoresetMode

from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.envs.control import Control, PostureControl, ReflexControl
from ms_envs.envs.mjx_motion import Motion, padded_tables
from ms_envs.envs.mjx_starts import MjxStarts
from ms_envs.envs.mjx_state import Settings, TimeStep, TrackingState
from ms_envs.envs.options import TrackingOptions
from ms_envs.envs.reflex_law import ReflexTables, posture_offset, reflex_command, shortening
from ms_envs.envs.vector_info import masked, remasked
from ms_envs.motions.clip import MotionClip
from ms_envs.motions.lookup import coordinates_at, reference_at
from ms_envs.paths import load_paths
from ms_envs.physics import ReflexCommand, RootSupport
from ms_envs.physics.mjx import MjxEngine
from ms_envs.physics.mjx_model import Buffers
from ms_envs.task.action import half_ranges, smoothed
from ms_envs.task.errors import tracking_error, tracking_metrics
from ms_envs.task.objectives import objective_values
from ms_envs.task.observation import observe
from ms_envs.task.reward import reward_terms
from ms_envs.task.state import BodyState, Reference
from ms_envs.task.termination import terminated

ROUNDING = 1e-3
"""Share of a control step by which times in single precision may fall short of a whole number of steps."""


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["engine", "starts", "tables", "settings"],
    meta_fields=["control", "signals", "objectives", "smoothing", "timestep", "delay", "autoreset"],
)
@dataclass(frozen=True)
class MjxTracking:
    """N bodies that imitate one motion; a tree of JAX arrays with pure methods.

    Its methods keep no state: they take one and return the next, so that they can be scanned over. Make one with
    :meth:`make`, or take the ``core`` of a :class:`ms_envs.envs.mjx_vector_env.MjxTrackingVectorEnv`.
    """

    engine: MjxEngine
    starts: MjxStarts
    tables: ReflexTables | None
    settings: Settings
    control: str
    signals: tuple[str, ...]
    objectives: tuple[str, ...]
    smoothing: float
    timestep: float
    delay: float
    autoreset: AutoresetMode

    @classmethod
    def make(
        cls,
        body: Body,
        clip: MotionClip,
        control: Control,
        options: TrackingOptions,
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        impl: str = "warp",
        buffers: Buffers | None = None,
    ) -> MjxTracking:
        """Put a task onto the device.

        Args:
            body: The body.
            clip: The motion.
            control: What actions mean.
            options: Options of the task.
            num_envs: N.
            autoreset_mode: What :meth:`step` does after an episode ends, as Gymnasium defines it.
            impl: Implementation of MJX, see :data:`ms_envs.physics.mjx_model.IMPLEMENTATIONS`.
            buffers: Room for contacts and constraints.

        Raises:
            ValueError: If the clip does not fit the body or the implementation is unknown.
        """
        o = options
        fresh = bool({"length", "velocity", "force"} & set(o.muscle_signals)) or "power" in o.objectives
        return cls(
            engine=MjxEngine.make(
                body,
                num_envs,
                o.substeps,
                impl=impl,
                paths=load_paths(body) if o.muscle_paths == "fitted" else None,
                buffers=buffers,
                reflex_delay=o.reflex_delay,
                support=o.root_support,
                fresh_muscles=fresh,
            ),
            starts=MjxStarts.of(body, clip, o),
            tables=padded_tables(control.tables) if isinstance(control, ReflexControl | PostureControl) else None,
            settings=Settings.of(body, clip, control, o),
            control=o.control,
            signals=tuple(o.muscle_signals),
            objectives=tuple(o.objectives),
            smoothing=o.action_smoothing,
            timestep=o.control_timestep,
            delay=o.reflex_gains.delay,
            autoreset=autoreset_mode,
        )

    @property
    def num_envs(self) -> int:
        """N."""
        return self.engine.num_envs

    @property
    def motion(self) -> Motion:
        """What is imitated."""
        return self.starts.motion

    def initial(self, key: jax.Array) -> TrackingState:
        """Environments whose episodes are all over.

        Args:
            key: One random key, or one for each environment, (N,).
        """
        n, none = self.num_envs, jnp.zeros((self.num_envs, *self.settings.low.shape))
        return TrackingState(
            physics=self.engine.initial(),
            key=key if key.shape else jax.random.split(key, n),
            start=jnp.zeros(n),
            steps=jnp.zeros(n, dtype=jnp.int32),
            done=jnp.ones(n, dtype=bool),
            action=none,
            previous_action=none,
            failure_rate=jnp.ones(self.starts.bins),
            overflows=jnp.zeros((), dtype=jnp.int32),
        )

    @jax.jit
    def reset(self, key: jax.Array, phase: jax.Array | None = None) -> tuple[TrackingState, TimeStep]:
        """Start new episodes everywhere.

        Args:
            key: One random key, or one for each environment, (N,).
            phase: Where in the motion to start, in [0, 1), (N,); as the reset distribution says, by default.

        Returns:
            The state, and observations with their info.
        """
        return self.restart(self.initial(key), jnp.ones(self.num_envs, dtype=bool), phase)

    @jax.jit
    def restart(
        self, state: TrackingState, mask: jax.Array, phase: jax.Array | None = None
    ) -> tuple[TrackingState, TimeStep]:
        """Start new episodes in some environments.

        Args:
            state: Before.
            mask: In which, bool, (N,).
            phase: Where in the motion to start, in [0, 1), (N,); NaN for as the reset distribution says.

        Returns:
            The state, and observations with their info.
        """
        state = self._refreshed(self._begun(state, mask, phase))
        bodies, reference, future = self._look(state)
        none = jnp.zeros(self.num_envs, dtype=bool)
        info = self._info(state, bodies, reference, mask)
        return state, TimeStep(self._observe(state, bodies, future), none.astype(jnp.float32), none, none, info)

    @jax.jit
    def step(self, state: TrackingState, action: jax.Array) -> tuple[TrackingState, TimeStep]:
        """Advance every environment by one control step.

        Args:
            state: Before.
            action: (N, A).

        Returns:
            The state, and what the environments return.
        """
        active = ~state.done
        state = self._advanced(state, action, active)
        if self.autoreset is AutoresetMode.NEXT_STEP:
            state = self._begun(state, ~active)
        state = self._refreshed(state)
        bodies, reference, future = self._look(state)
        terms = reward_terms(jnp, bodies, reference)
        weighted = jnp.stack([weight * terms[name] for name, weight in self.settings.weights.items()])
        reward = jnp.where(active & ~bodies.diverged, weighted.sum(axis=0), 0.0)
        ended = active & terminated(jnp, bodies, reference, self.settings.limits)
        truncated = active & ~ended & (state.steps >= self._last_step(state))
        over = ended | truncated
        failure_rate = self.starts.learned(state.failure_rate, self._time(state), active, ended, over)
        state = state._replace(done=over, failure_rate=failure_rate)
        info = self._info(state, bodies, reference, jnp.ones(self.num_envs, dtype=bool))
        info |= {"reward_terms": masked(terms, active), "_reward_terms": active}
        observation = self._observe(state, bodies, future)
        if self.autoreset is AutoresetMode.SAME_STEP:
            state, observation, info = self._begun_in_same_step(state, observation, info)
        return state, TimeStep(observation, reward, ended, truncated, info)

    def _advanced(self, state: TrackingState, action: jax.Array, active: jax.Array) -> TrackingState:
        """Let the actions take effect for one control step; those that are not finite count as divergence."""
        sound = jnp.isfinite(action).all(axis=1)
        taken = jnp.clip(jnp.where(sound[:, None], action, state.action), self.settings.low, self.settings.high)
        state = state._replace(
            steps=state.steps + active,
            previous_action=state.action,
            action=smoothed(taken, state.action, self.timestep, self.smoothing),
        )
        physics = self.engine.step(state.physics, self._command(state), active & sound, self._support(state))
        physics = physics._replace(diverged=physics.diverged | (active & ~sound))
        return state._replace(physics=physics, overflows=state.overflows + physics.overflow.sum())

    def _command(self, state: TrackingState) -> jax.Array | ReflexCommand:
        """What the engine holds over the control step."""
        if self.tables is None:
            return state.action
        timeline, time = self.motion.timeline, self._time(state)
        if self.control == "reflex":
            offset = shortening(jnp, self.tables, state.action)
        else:
            offset = posture_offset(jnp, timeline, self.tables, state.action, time)
        return reflex_command(jnp, timeline, self.tables, self.delay, offset, time)

    def _support(self, state: TrackingState) -> RootSupport | None:
        """The reference of the roots at every physics step of the control step."""
        if self.engine.spring is None:
            return None
        substeps = self.engine.substeps
        ahead = self.timestep / substeps * jnp.arange(-substeps, 0)
        times = (self._time(state)[:, None] + ahead).ravel()
        qpos, qvel = coordinates_at(jnp, self.motion.timeline, self.motion.qpos, self.motion.qvel, times)
        shape = (self.num_envs, substeps, -1)
        return RootSupport(qpos[:, : ROOT_DOF + 1].reshape(shape), qvel[:, :ROOT_DOF].reshape(shape))

    def _begun(self, state: TrackingState, mask: jax.Array, phase: jax.Array | None = None) -> TrackingState:
        """Put some environments onto the reference, at a phase or where the reset distribution says."""
        keys = jax.vmap(functools.partial(jax.random.split, num=3))(state.key)
        start = self.starts.times(keys[:, 1], state.failure_rate)
        if phase is not None:
            start = jnp.where(jnp.isnan(phase), start, phase * self.motion.timeline.duration)
        qpos, qvel, activation = self.starts.coordinates(start, keys[:, 2])
        neutral = activation if self.tables is None else jnp.zeros_like(state.action)
        return state._replace(
            physics=self.engine.reset(state.physics, mask, qpos, qvel, activation),
            key=jnp.where(mask, keys[:, 0], state.key),
            start=jnp.where(mask, start, state.start),
            steps=jnp.where(mask, 0, state.steps),
            done=state.done & ~mask,
            action=jnp.where(mask[:, None], neutral, state.action),
            previous_action=jnp.where(mask[:, None], neutral, state.previous_action),
        )

    def _begun_in_same_step(
        self, state: TrackingState, observation: jax.Array, info: dict[str, Any]
    ) -> tuple[TrackingState, jax.Array, dict[str, Any]]:
        """Reset what has ended, keeping its last observation and info as Gymnasium says."""
        over = state.done
        state = self._refreshed(self._begun(state, over))
        bodies, reference, future = self._look(state)
        new_info = self._info(state, bodies, reference, jnp.ones(self.num_envs, dtype=bool))
        stepped = info["_reward_terms"] & ~over
        new_info |= {"reward_terms": remasked(info["reward_terms"], stepped), "_reward_terms": stepped}
        new_info |= {"final_obs": observation, "_final_obs": over}
        new_info |= {"final_info": remasked(info, over), "_final_info": over}
        return state, self._observe(state, bodies, future), new_info

    def _refreshed(self, state: TrackingState) -> TrackingState:
        return state._replace(physics=self.engine.refreshed(state.physics))

    def _look(self, state: TrackingState) -> tuple[BodyState, Reference, list[Reference]]:
        """The bodies, the reference they should be on, and the reference frames ahead."""
        ahead = jnp.concatenate([jnp.zeros(1), self.settings.lookahead])
        times = (self._time(state) + ahead[:, None]).ravel()
        stacked = reference_at(
            jnp, self.motion.timeline, self.motion.rows, len(self.engine.layout["qpos_index"]), times
        )
        n = self.num_envs
        frames = [Reference(*(values[i * n : (i + 1) * n] for values in stacked)) for i in range(len(ahead))]
        return self.engine.body_state(state.physics), frames[0], frames[1:]

    def _observe(self, state: TrackingState, bodies: BodyState, future: list[Reference]) -> jax.Array:
        observed = self.smoothing > 0 or "action_rate" in self.objectives
        action = state.action if observed else None
        return observe(jnp, bodies, future, self.settings.muscle_scale, self.signals, action)

    def _info(
        self, state: TrackingState, bodies: BodyState, reference: Reference, present: jax.Array
    ) -> dict[str, Any]:
        settings = self.settings
        change = half_ranges(state.action - state.previous_action, settings.low, settings.high)
        objectives = objective_values(jnp, self.objectives, bodies.muscles, settings.mass, change)
        error = jnp.column_stack([tracking_error(jnp, bodies.pose, reference), *objectives])
        timeline = self.motion.timeline
        passed = self._time(state) / timeline.duration
        info = {
            "tracking_error": error,
            "metrics": masked(tracking_metrics(jnp, bodies.pose, bodies.muscles, reference), present),
            "phase": jnp.where(timeline.loop > 0, passed % 1.0, jnp.minimum(passed, 1.0)),
            "diverged": bodies.diverged,
            "buffer_overflow": state.physics.overflow,
        }
        return info | {f"_{name}": present for name in info}

    def _time(self, state: TrackingState) -> jax.Array:
        """Where each environment stands in the motion, s, (N,)."""
        return state.start + state.steps * self.timestep

    def _last_step(self, state: TrackingState) -> jax.Array:
        """Step at which each episode is complete, (N,)."""
        timeline = self.motion.timeline
        left = jnp.where(timeline.loop > 0, jnp.inf, timeline.duration - state.start)
        steps = jnp.floor(jnp.minimum(left, self.settings.horizon) / self.timestep + ROUNDING)
        return jnp.maximum(steps, 1)
