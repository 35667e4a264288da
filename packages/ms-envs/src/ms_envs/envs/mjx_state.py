"""What environments on MJX remember, return, and are set to."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ms_envs.bodies.body import Body
from ms_envs.envs.control import Control
from ms_envs.envs.options import TrackingOptions
from ms_envs.envs.vector_env import DEFAULT_HORIZON
from ms_envs.motions.clip import MotionClip
from ms_envs.physics.mjx import MjxState
from ms_envs.task.observation import MuscleScale
from ms_envs.task.reward import DEFAULT_REWARD, checked_weights
from ms_envs.task.rotations import Array
from ms_envs.task.termination import Termination


class TrackingState(NamedTuple):
    """Everything that decides the future of N environments.

    Attributes:
        physics: The bodies.
        key: Random keys, (N,).
        start: Where in the motion the episodes started, s, (N,).
        steps: Control steps since then, (N,).
        done: Whether the episode is over, bool, (N,).
        action: Actions in effect, (N, A).
        previous_action: Those of the step before, (N, A).
        failure_rate: How often passes through each bin of the motion fail, for adaptive resets, (B,).
        overflows: How often a buffer of the physics was too small for a body so far.
    """

    physics: MjxState
    key: jax.Array
    start: jax.Array
    steps: jax.Array
    done: jax.Array
    action: jax.Array
    previous_action: jax.Array
    failure_rate: jax.Array
    overflows: jax.Array


class TimeStep(NamedTuple):
    """What environments return; see :class:`ms_envs.envs.TrackingEnv`.

    Attributes:
        observation: (N, D).
        reward: (N,).
        terminated: bool, (N,).
        truncated: bool, (N,).
        info: As Gymnasium's vector environments give it.
    """

    observation: jax.Array
    reward: jax.Array
    terminated: jax.Array
    truncated: jax.Array
    info: dict[str, Any]


class Settings(NamedTuple):
    """Options that change numbers but not the compiled code.

    Attributes:
        limits: Of termination.
        weights: Of the terms of the reward.
        muscle_scale: Units of muscle lengths and forces.
        mass: Of the body, kg.
        low: Lower limits of actions, (A,).
        high: Upper limits, (A,).
        horizon: Longest episode, s.
        lookahead: How far ahead the observed reference frames are, s.
    """

    limits: Termination
    weights: dict[str, Array]
    muscle_scale: MuscleScale
    mass: Array
    low: Array
    high: Array
    horizon: Array
    lookahead: Array

    @classmethod
    def of(cls, body: Body, clip: MotionClip, control: Control, options: TrackingOptions) -> Settings:
        """The settings that options ask for."""
        settings = cls(
            limits=Termination(options.root_termination, options.key_body_termination),
            weights=dict.fromkeys(DEFAULT_REWARD, 0.0) | checked_weights(options.reward_terms),
            muscle_scale=MuscleScale(body.optimal_fiber_length, body.peak_force),
            mass=body.mass,
            low=control.action_space.low,
            high=control.action_space.high,
            horizon=options.horizon or (DEFAULT_HORIZON if clip.loop else np.inf),
            lookahead=np.array(options.lookahead),
        )
        return Settings(*jax.tree.map(lambda value: jnp.asarray(value, dtype=jnp.float32), settings))
