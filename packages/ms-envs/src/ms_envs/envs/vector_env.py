"""N bodies that imitate one motion, stepped together on threads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ms_envs.bodies import load_body
from ms_envs.bodies.body import ROOT_DOF
from ms_envs.envs import random_streams
from ms_envs.envs.control import action_moments, make_control
from ms_envs.envs.options import TrackingOptions
from ms_envs.envs.random_streams import RandomStreams
from ms_envs.envs.starts import Starts
from ms_envs.envs.vector_info import masked, remasked
from ms_envs.motions.clip import ReferenceTable
from ms_envs.paths import load_paths
from ms_envs.physics import CpuEngine, FittedEngine, RootSupport
from ms_envs.task.action import half_ranges, smoothed
from ms_envs.task.balance import Balance
from ms_envs.task.errors import tracking_error, tracking_error_slices, tracking_metrics
from ms_envs.task.objectives import objective_values
from ms_envs.task.observation import MuscleScale, observation_slices, observe
from ms_envs.task.reward import checked_weights, reward_terms
from ms_envs.task.state import BodyState, Reference
from ms_envs.task.termination import Termination, terminated

DEFAULT_HORIZON = 10.0
"""Longest episode of a looping motion, s."""


class TrackingVectorEnv(VectorEnv[NDArray[np.float32], NDArray[np.float32], NDArray[Any]]):
    """Vector environment on the CPU engine; the task is documented at :class:`ms_envs.envs.TrackingEnv`.

    Environment ``i`` draws from its own random numbers, seeded ``seed + i``, and so behaves exactly as a single
    environment with that seed, whatever the others do; only with adaptive resets do they learn from each other where to
    start.

    Args:
        motion: Name of the motion.
        num_envs: Number of environments, N.
        threads: Threads that step physics; by default one per core, at most N.
        autoreset_mode: What happens after an episode ends, as Gymnasium defines it.
        render_mode: ``None`` or ``"rgb_array"``.
        render_options: Options of :class:`ms_envs.envs.rendering.Renderer`, such as ``{"ghost": "beside"}``.
        **options: See :class:`ms_envs.envs.options.TrackingOptions`.

    Raises:
        ValueError: If an argument is not valid; the message names the choices.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": ["rgb_array"],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
        "engine": "cpu",
    }

    def __init__(
        self,
        motion: str,
        num_envs: int = 1,
        *,
        threads: int | None = None,
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
        self.control_timestep = o.control_timestep
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = self.metadata | {
            "autoreset_mode": self.autoreset_mode,
            "render_fps": round(1 / self.control_timestep),
        }
        self.body = load_body(o.body, strength=o.strength, timestep=o.timestep, **o.body_options)
        self.clip = o.load_clip(motion, self.body)
        self._reference = ReferenceTable(self.clip, self.body)
        self._control = make_control(o.control, self.body, self.clip, o.reflex_gains)
        threads = min(num_envs, threads or os.cpu_count() or 1)
        engine = CpuEngine if o.muscle_paths == "exact" else partial(FittedEngine, paths=load_paths(self.body))
        self._engine = engine(
            self.body, num_envs, o.substeps, threads, reflex_delay=o.reflex_delay, support=o.root_support
        )
        self._weights = checked_weights(o.reward_terms)
        self.set_termination_scale(1.0)
        self._muscle_scale = MuscleScale(self.body.optimal_fiber_length, self.body.peak_force)

        joints, key_bodies = len(self.body.joint_ids), len(self.body.key_bodies)
        self.error_slices = tracking_error_slices(joints, key_bodies, o.objectives)
        self.single_action_space = self._control.action_space
        actions = self._control.action_space.shape[0]
        self.observation_slices = observation_slices(
            joints,
            key_bodies,
            self.body.model.nu,
            len(o.lookahead),
            o.muscle_signals,
            actions if o.observes_action else 0,
        )
        size = max(block.stop for block in self.observation_slices.values())
        self.single_observation_space = Box(-np.inf, np.inf, (size,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

        self._start = np.zeros(num_envs)
        self._steps = np.zeros(num_envs, dtype=np.int64)
        self._done = np.ones(num_envs, dtype=np.bool_)
        self._action = np.zeros((num_envs, actions), dtype=np.float32)
        self._previous_action = self._action.copy()
        self._starts = Starts(self.body, self.clip, o)
        self._memory: dict[str, NDArray[Any]] = {"start": self._start, "steps": self._steps, "done": self._done}
        if o.observes_action:
            self._memory["action"] = self._action
        if o.reset_distribution == "adaptive":
            self._memory["failure_rate"] = self._starts.failure_rate
        self._random = RandomStreams(num_envs)
        self._renderer: Any = None
        self._render_options = render_options or {}

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
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
        if seed is not None:
            self._random.seed(seed, mask)
            if mask.all():
                self._starts.forget()
        self._begin(np.flatnonzero(mask), phase)
        state, reference, future = self._look()
        return self._observe(state, future), self._info(state, reference, mask)

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Advance every environment by one control step.

        Args:
            actions: (N, A).

        Returns:
            Observations (N, D), rewards (N,), terminated (N,), truncated (N,) and info.

        Raises:
            ValueError: If the actions have the wrong shape or are not finite.
            gymnasium.error.ResetNeeded: If an episode is over and automatic resets are disabled.
        """
        actions = np.asarray(actions, dtype=np.float32)
        if actions.shape != self.action_space.shape:
            raise ValueError(f"actions must have shape {self.action_space.shape}, got {actions.shape}")
        active = ~self._done
        if not np.isfinite(actions[active]).all():
            raise ValueError("actions must be finite numbers")
        if self.autoreset_mode is not AutoresetMode.NEXT_STEP and self._done.any():
            raise gymnasium.error.ResetNeeded("call reset() for environments whose episode is over")

        self._steps[active] += 1
        self._act(actions)
        self._engine.step(self._control.command(self._action, self.time), active, self._root_support())
        if self._done.any():  # next-step mode: this step resets what ended in the last one
            self._begin(np.flatnonzero(self._done))
        state, reference, future = self._look()
        terms = reward_terms(np, state, reference)
        alive = active & ~state.diverged
        rewards = np.where(alive, sum(w * terms[name] for name, w in self._weights.items()), 0.0)
        ended = active & terminated(np, state, reference, self._limits)
        truncated = active & ~ended & (self._steps >= self._last_step)
        self._starts.learn(self.time, active, ended, ended | truncated)
        info = self._info(state, reference, np.ones(self.num_envs, dtype=np.bool_))
        info |= {"reward_terms": masked(terms, active), "_reward_terms": active}
        observations = self._observe(state, future)
        self._done[:] = ended | truncated
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._done.any():
            observations, info = self._reset_in_same_step(observations, info)
        return observations, rewards, ended, truncated, info

    def set_termination_scale(self, scale: float) -> None:
        """Multiply both limits of termination from the next step on, as a curriculum does.

        It is a setting from outside, like the options, and no part of :meth:`get_state`.

        Raises:
            ValueError: If the scale is not a positive number.
        """
        if not 0 < scale < np.inf:
            raise ValueError(f"the scale of termination must be a positive number, got {scale!r}")
        self._limits = Termination(self.options.root_termination, self.options.key_body_termination).scaled(scale)

    def coordinates(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """``qpos`` (N, nq), ``qvel`` (N, nv) and muscle activations (N, M) of all bodies, for model-based control."""
        return self._engine.coordinates()

    def tracking_state(self) -> tuple[BodyState, Reference]:
        """All bodies and where the motion has them at this instant, for model-based control."""
        return self._engine.state(), self._reference.at(self.time)

    def balance(self) -> Balance:
        """Centre of mass, angular momentum and torso of all bodies, for model-based control."""
        return self._engine.balance()

    def excitation(self) -> NDArray[np.float64]:
        """Excitations of the last physics step, in [0, 1], (N, M)."""
        return self._engine.excitation()

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Pictures of all environments, each (H, W, 3), if ``render_mode`` is ``"rgb_array"``."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() does nothing unless the environment is made with a render_mode")
            return None
        qpos, _, activation = self._engine.coordinates()
        reference, _ = self.clip.coordinates(self.time)
        return tuple(self._draw(*frame) for frame in zip(qpos, activation, reference, strict=True))

    def close_extras(self, **kwargs: Any) -> None:
        """Stop the threads and the renderer."""
        if not hasattr(self, "_engine"):
            return  # Gymnasium 1.1 closes also what could not be made
        self._engine.close()
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Everything that decides the future of all environments, for an exact restart."""
        memory = {name: values.copy() for name, values in self._memory.items()}
        return {**self._engine.get_state(), **memory, "generators": self._random.get_state()}

    def set_state(self, state: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Continue from what :meth:`get_state` returned; the state of a single environment goes into all.

        Returns:
            The observations at that point, (N, D).

        Raises:
            ValueError: If the state is that of another number of environments.
        """
        if len(state["start"]) == 1:
            state = _repeated(state, self.num_envs)
        if len(state["start"]) != self.num_envs:
            raise ValueError(f"the state is of {len(state['start'])} environments, this one has {self.num_envs}")
        self._engine.set_state(state)
        for name, values in self._memory.items():
            values[:] = state[name]
        self._random.set_state(state["generators"])
        bodies, _, future = self._look()
        return self._observe(bodies, future)

    def place(
        self,
        qpos: NDArray[np.float64],
        qvel: NDArray[np.float64],
        activation: NDArray[np.float64],
        time: NDArray[np.float64],
    ) -> None:
        """Start episodes from states of your own, such as those of an environment with other muscle paths.

        What they have in common with the episodes they are taken from is the body, not the history of contacts and
        reflexes; :meth:`set_state` keeps that.

        Args:
            qpos: Generalised positions, (N, nq), or (1, nq) for all.
            qvel: Generalised velocities, as many.
            activation: Muscle activations, as many.
            time: Where they are in the motion, s, as many.
        """
        self._start[:], self._steps[:], self._done[:] = time, 0, False
        states = (np.broadcast_to(values, (self.num_envs, values.shape[1])) for values in (qpos, qvel, activation))
        qpos, qvel, activation = states
        self._action[:] = self._previous_action[:] = self._control.neutral(activation)
        self._engine.reset(np.arange(self.num_envs), qpos, qvel, activation)

    @property
    def action_moments(self) -> NDArray[np.float64] | None:
        """Joint moments of each muscle at its peak force, mean over postures of the clip, N·m, (J, A).

        ``None`` if actions do not command muscles one by one.
        """
        return action_moments(self.options.control, self.body, self.clip)

    @property
    def time(self) -> NDArray[np.float64]:
        """Where each environment stands in the motion, s, (N,)."""
        return self._start + self._steps * self.control_timestep

    @property
    def _last_step(self) -> NDArray[np.int64]:
        """Step at which each episode is complete, (N,)."""
        horizon = self.options.horizon
        if self.clip.loop:
            length = np.full(self.num_envs, horizon or DEFAULT_HORIZON)
        else:
            length = np.minimum(self.clip.duration - self._start, horizon or np.inf)
        return np.maximum(np.floor(length / self.control_timestep + 1e-6).astype(np.int64), 1)

    def _begin(self, envs: NDArray[np.intp], phase: float | NDArray[np.float64] | None = None) -> None:
        """Put environments on the reference, at a phase or where the reset distribution says."""
        generators = self._random.of(envs)
        if phase is None:
            self._start[envs] = self._starts.times(generators)
        else:
            phases = np.broadcast_to(np.asarray(phase, dtype=np.float64), (self.num_envs,))[envs]
            if not ((phases >= 0) & (phases < 1)).all():
                raise ValueError(f"phase must be in [0, 1), got {phase!r}")
            self._start[envs] = phases * self.clip.duration
        self._steps[envs] = 0
        self._done[envs] = False
        activation = self._starts.activation(self._start[envs])
        self._action[envs] = self._previous_action[envs] = self._control.neutral(activation)
        self._engine.reset(envs, *self._starts.coordinates(self._start[envs], generators), activation)

    def _act(self, actions: NDArray[np.float32]) -> None:
        """Let the actions in effect follow those that are taken."""
        space = self._control.action_space
        self._previous_action[:] = self._action
        taken = np.clip(actions, space.low, space.high)
        self._action[:] = smoothed(taken, self._action, self.control_timestep, self.options.action_smoothing)

    def _root_support(self) -> RootSupport | None:
        """The reference of the roots at every physics step of a control step."""
        if not self.options.root_support:
            return None
        substeps = self.options.substeps
        ahead = self.options.timestep * np.arange(-substeps, 0)
        qpos, qvel = self.clip.coordinates((self.time[:, None] + ahead).ravel())
        shape = (self.num_envs, substeps, -1)
        return RootSupport(qpos[:, : ROOT_DOF + 1].reshape(shape), qvel[:, :ROOT_DOF].reshape(shape))

    def _look(self) -> tuple[BodyState, Reference, list[Reference]]:
        """The bodies, the reference they should be on, and the reference frames ahead, in one lookup."""
        times = self.time + np.concatenate([[0.0], self.options.lookahead])[:, None]
        stacked = self._reference.at(times.ravel())
        frames = [
            Reference(*(values[i : i + self.num_envs] for values in stacked))
            for i in range(0, times.size, self.num_envs)
        ]
        return self._engine.state(), frames[0], frames[1:]

    def _observe(self, state: BodyState, future: list[Reference]) -> NDArray[np.float32]:
        action = self._action if self.options.observes_action else None
        return observe(np, state, future, self._muscle_scale, self.options.muscle_signals, action)

    def _info(self, state: BodyState, reference: Reference, present: NDArray[np.bool_]) -> dict[str, Any]:
        space = self._control.action_space
        change = half_ranges(self._action - self._previous_action, space.low, space.high)
        objectives = objective_values(np, self.options.objectives, state.muscles, self.body.mass, change)
        error = np.column_stack([tracking_error(np, state.pose, reference), *objectives]).astype(np.float32)
        metrics = tracking_metrics(np, state.pose, state.muscles, reference)
        duration = self.clip.duration
        time = self.time
        info: dict[str, Any] = {
            "tracking_error": error,
            "metrics": masked(metrics, present),
            "phase": np.mod(time, duration) / duration if self.clip.loop else np.minimum(time / duration, 1.0),
            "diverged": state.diverged,
        }
        return info | {f"_{name}": present for name in info}

    def _reset_in_same_step(
        self, observations: NDArray[np.float32], info: dict[str, Any]
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Reset what has ended, keeping its last observation and info as Gymnasium says."""
        done = self._done.copy()
        final_obs = np.full(self.num_envs, None, dtype=object)
        for env in np.flatnonzero(done):
            final_obs[env] = observations[env]
        self._begin(np.flatnonzero(done))
        state, reference, future = self._look()
        new_info = self._info(state, reference, np.ones(self.num_envs, dtype=np.bool_))
        stepped = info["_reward_terms"] & ~done
        new_info |= {"reward_terms": remasked(info["reward_terms"], stepped), "_reward_terms": stepped}
        new_info |= {"final_obs": final_obs, "_final_obs": done}
        new_info |= {"final_info": remasked(info, done), "_final_info": done}
        return self._observe(state, future), new_info

    def _draw(
        self, qpos: NDArray[np.float64], activation: NDArray[np.float64], reference: NDArray[np.float64]
    ) -> NDArray[np.uint8]:
        if self._renderer is None:
            from ms_envs.envs.rendering import Renderer

            self._renderer = Renderer(self.body, **self._render_options)
        return self._renderer.render(qpos, activation, reference)


def _repeated(state: dict[str, NDArray[Any]], count: int) -> dict[str, NDArray[Any]]:
    """The state of one environment as that of several."""
    shared = {"generators": random_streams.repeated(state["generators"], count)}
    shared |= {name: state[name] for name in ("failure_rate",) if name in state}
    return {name: np.repeat(values, count, axis=0) for name, values in state.items() if name not in shared} | shared
