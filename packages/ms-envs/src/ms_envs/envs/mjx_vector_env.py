"""The vector environment on MJX: a thin shell over :class:`ms_envs.envs.mjx_tracking.MjxTracking`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ms_envs.bodies import load_body
from ms_envs.envs.control import action_moments, make_control
from ms_envs.envs.mjx_state import TimeStep, TrackingState
from ms_envs.envs.mjx_tracking import MjxTracking
from ms_envs.envs.options import TrackingOptions
from ms_envs.physics.mjx_model import Buffers
from ms_envs.task.errors import tracking_error_slices
from ms_envs.task.observation import observation_slices
from ms_envs.task.termination import Termination


class MjxTrackingVectorEnv(VectorEnv[jax.Array, jax.Array, jax.Array]):
    """Vector environment on MJX; the task is documented at :class:`ms_envs.envs.TrackingEnv`.

    Takes and returns JAX arrays on its device; Gymnasium's vector wrappers ``JaxToTorch`` and ``JaxToNumpy`` turn them
    into others. A step never waits for the device, except with automatic resets disabled, which must know whether an
    episode is over. What it returns differs from :class:`ms_envs.envs.TrackingVectorEnv` in three ways: numbers are
    single precision, ``final_obs`` is one array (N, D) whose rows count where ``_final_obs`` says so, and
    ``info["buffer_overflow"]`` tells whether physics ran out of room for contacts.

    Environment ``i`` draws from its own random key, made of ``seed + i``.

    Args:
        motion: Name of the motion.
        num_envs: Number of environments, N.
        impl: Implementation of MJX, ``"warp"`` or ``"jax"``.
        buffers: Room for ``"contacts"`` and ``"constraints"`` per body, see :class:`ms_envs.physics.mjx_model.Buffers`.
        autoreset_mode: What happens after an episode ends, as Gymnasium defines it.
        render_mode: ``None`` or ``"rgb_array"``.
        render_options: Options of :class:`ms_envs.envs.rendering.Renderer`.
        **options: See :class:`ms_envs.envs.options.TrackingOptions`.

    Attributes:
        core: The pure functions that it is made of.

    Raises:
        ValueError: If an argument is not valid; the message names the choices.
        ImportError: If JAX or MJX is not installed.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": ["rgb_array"],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
        "engine": "mjx",
    }

    def __init__(
        self,
        motion: str,
        num_envs: int = 1,
        *,
        impl: str = "warp",
        buffers: Mapping[str, int] | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        render_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs!r}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(
                f"unknown render_mode {render_mode!r}; choose None or one of {self.metadata['render_modes']}"
            )
        self.options = o = TrackingOptions.from_arguments(options)
        self.num_envs, self.motion, self.render_mode = num_envs, motion, render_mode
        self.control_timestep, self.autoreset_mode = o.control_timestep, AutoresetMode(autoreset_mode)
        self.metadata = self.metadata | {
            "autoreset_mode": self.autoreset_mode,
            "render_fps": round(1 / self.control_timestep),
            "impl": impl,
            "device": str(jax.devices()[0]),
        }
        self.body = load_body(o.body, strength=o.strength, timestep=o.timestep, **o.body_options)
        self.clip = o.load_clip(motion, self.body)
        control = make_control(o.control, self.body, self.clip, o.reflex_gains)
        self._buffers = Buffers.from_arguments(buffers or {})
        self.core = MjxTracking.make(
            self.body,
            self.clip,
            control,
            o,
            num_envs,
            autoreset_mode=self.autoreset_mode,
            impl=impl,
            buffers=self._buffers,
        )
        joints, key_bodies, muscles = len(self.body.joint_ids), len(self.body.key_bodies), self.body.model.nu
        actions = control.action_space.shape[0] if o.observes_action else 0
        self.error_slices = tracking_error_slices(joints, key_bodies, o.objectives)
        self.observation_slices = observation_slices(
            joints, key_bodies, muscles, len(o.lookahead), o.muscle_signals, actions
        )
        size = max(block.stop for block in self.observation_slices.values())
        self.single_observation_space = Box(-np.inf, np.inf, (size,), np.float32)
        self.single_action_space = control.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        entropy = np.random.SeedSequence().generate_state(num_envs)
        self._state: TrackingState = _initial(self.core, _keys(entropy))
        self._started = False
        self._renderer: Any = None
        self._render_options = render_options or {}

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[jax.Array, dict[str, Any]]:
        """Start new episodes.

        Args:
            seed: Seeds environment ``i`` with ``seed + i``, or each with its own.
            options: ``"phase"``: where in the motion to start, in [0, 1), one number or one per environment;
                ``"reset_mask"``: bool (N,), which environments to reset.

        Returns:
            Observations (N, D) and info.

        Raises:
            ValueError: If an option is unknown or not valid.
        """
        options = dict(options or {})
        mask, phase = options.pop("reset_mask", None), options.pop("phase", None)
        if options:
            raise ValueError(f"unknown reset options {sorted(options)}; choose from ['phase', 'reset_mask']")
        if mask is None:
            mask = np.ones(self.num_envs, dtype=np.bool_)
        elif np.shape(mask) != (self.num_envs,) or np.asarray(mask).dtype != np.bool_ or not np.any(mask):
            raise ValueError(f"reset_mask must be a bool array of shape ({self.num_envs},) with at least one True")
        phases = np.broadcast_to(np.asarray(np.nan if phase is None else phase, dtype=np.float32), (self.num_envs,))
        if phase is not None and not ((phases >= 0) & (phases < 1)).all():
            raise ValueError(f"phase must be in [0, 1), got {phase!r}")
        self._warn_of_overflow()
        self._seed(seed, np.asarray(mask))
        self._started = True
        self._state, first = _restart(self.core, self._state, jnp.asarray(mask), jnp.asarray(phases))
        return first.observation, first.info

    def step(self, actions: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array, dict[str, Any]]:
        """Advance every environment by one control step.

        Actions that are not finite end the episode of their environment as a divergence of the physics does.

        Args:
            actions: (N, A).

        Returns:
            Observations (N, D), rewards (N,), terminated (N,), truncated (N,) and info.

        Raises:
            ValueError: If the actions have the wrong shape.
            gymnasium.error.ResetNeeded: If an episode is over and automatic resets are disabled.
        """
        actions = jnp.asarray(actions, dtype=jnp.float32)
        if actions.shape != self.action_space.shape:
            raise ValueError(f"actions must have shape {self.action_space.shape}, got {actions.shape}")
        disabled = self.autoreset_mode is AutoresetMode.DISABLED
        needed = not self._started and self.autoreset_mode is not AutoresetMode.NEXT_STEP
        if needed or (disabled and bool(self._state.done.any())):
            raise gymnasium.error.ResetNeeded("call reset() for environments whose episode is over")
        self._state, result = _step(self.core, self._state, actions)
        return result.observation, result.reward, result.terminated, result.truncated, result.info

    def set_termination_scale(self, scale: float) -> None:
        """Multiply both limits of termination from the next step on, as a curriculum does.

        Raises:
            ValueError: If the scale is not a positive number.
        """
        if not 0 < scale < np.inf:
            raise ValueError(f"the scale of termination must be a positive number, got {scale!r}")
        limits = Termination(self.options.root_termination, self.options.key_body_termination).scaled(scale)
        settings = self.core.settings._replace(limits=Termination(*map(jnp.float32, limits)))
        self.core = dataclasses.replace(self.core, settings=settings)

    def coordinates(self) -> tuple[jax.Array, jax.Array, jax.Array]:
        """``qpos`` (N, nq), ``qvel`` (N, nv) and muscle activations (N, M) of all bodies."""
        physics = self._state.physics
        return jnp.copy(physics.data.qpos), jnp.copy(physics.data.qvel), jnp.copy(physics.muscles.activation)

    @property
    def state(self) -> TrackingState:
        """What ``core`` continues from; the next step or reset of this environment consumes it."""
        return self._state

    @property
    def action_moments(self) -> NDArray[np.float64] | None:
        """Joint moments of each muscle at its peak force, mean over postures of the clip, N·m, (J, A).

        ``None`` if actions do not command muscles one by one.
        """
        return action_moments(self.options.control, self.body, self.clip)

    @property
    def time(self) -> jax.Array:
        """Where each environment stands in the motion, s, (N,)."""
        return self._state.start + self._state.steps * self.control_timestep

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Pictures of all environments, each (H, W, 3), if ``render_mode`` is ``"rgb_array"``."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() does nothing unless the environment is made with a render_mode")
            return None
        if self._renderer is None:
            from ms_envs.envs.rendering import Renderer

            self._renderer = Renderer(self.body, **self._render_options)
        qpos, _, activation = (np.asarray(values, dtype=np.float64) for values in self.coordinates())
        reference, _ = self.clip.coordinates(np.asarray(self.time, dtype=np.float64))
        return tuple(self._renderer.render(*frame) for frame in zip(qpos, activation, reference, strict=True))

    def close_extras(self, **kwargs: Any) -> None:
        """Report what went wrong and stop the renderer."""
        if not hasattr(self, "_renderer"):
            return  # Gymnasium 1.1 closes also what could not be made
        self._warn_of_overflow()
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _seed(self, seed: int | Sequence[int | None] | None, mask: NDArray[np.bool_]) -> None:
        if seed is None:
            return
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, (int, np.integer)) else list(seed)
        if len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds were given for {self.num_envs} environments")
        given = mask & np.array([one is not None for one in seeds])
        fresh = _keys(np.array([(one or 0) % 2**32 for one in seeds], dtype=np.uint32))
        self._state = self._state._replace(key=jnp.where(jnp.asarray(given), fresh, self._state.key))
        if mask.all():
            self._state = self._state._replace(failure_rate=jnp.ones_like(self._state.failure_rate))

    def _warn_of_overflow(self) -> None:
        if overflows := int(self._state.overflows):
            doubled = {name: 2 * size for name, size in self._buffers._asdict().items()}
            gymnasium.logger.warn(
                f"{overflows} control steps of bodies had no room for all their contacts or constraints, and left some "
                f"out; give the environment more, for example buffers={doubled}"
            )
            self._state = self._state._replace(overflows=jnp.zeros_like(self._state.overflows))


@jax.jit
def _keys(seeds: NDArray[np.uint32]) -> jax.Array:
    return jax.vmap(jax.random.key)(seeds)


@jax.jit
def _initial(core: MjxTracking, keys: jax.Array) -> TrackingState:
    return core.initial(keys)


def _restarted(
    core: MjxTracking, state: TrackingState, mask: jax.Array, phase: jax.Array
) -> tuple[TrackingState, TimeStep]:
    return core.restart(state, mask, phase)


def _stepped(core: MjxTracking, state: TrackingState, action: jax.Array) -> tuple[TrackingState, TimeStep]:
    return core.step(state, action)


_restart = jax.jit(_restarted, donate_argnames="state")
_step = jax.jit(_stepped, donate_argnames="state")
