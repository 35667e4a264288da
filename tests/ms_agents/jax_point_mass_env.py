"""The point mass in JAX, with what vector environments on MJX return."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

TIMESTEP, LIMIT = 0.05, 0.5


class State(NamedTuple):
    key: jax.Array
    mass: jax.Array
    start: jax.Array
    steps: jax.Array


def reference(state: State) -> jax.Array:
    angle = jnp.pi * (state.start + state.steps * TIMESTEP)
    position = jnp.stack([jnp.cos(angle), jnp.sin(angle)], 1)
    return jnp.concatenate([position, jnp.pi * position[:, ::-1] * jnp.array([-1.0, 1.0])], 1)


def begun(state: State, where: jax.Array) -> State:
    key, draw = jax.random.split(state.key)
    start = jnp.where(where, 2 * jax.random.uniform(draw, where.shape), state.start)
    state = State(key, state.mass, start, jnp.where(where, 0, state.steps))
    return state._replace(mass=jnp.where(where[:, None], reference(state), state.mass))


def seen(state: State) -> tuple[jax.Array, dict[str, Any]]:
    error, here = reference(state) - state.mass, jnp.ones(len(state.steps), bool)
    distance = jnp.linalg.norm(error[:, :2], axis=1)
    info = {
        "tracking_error": error,
        "diverged": jnp.abs(error).max(1) > 100,
        "metrics": {"root_position_error": 1e3 * distance, "_root_position_error": here},
    }
    return jnp.concatenate([state.mass, error], 1), info | {f"_{name}": here for name in info}


@jax.jit
def restart(key: jax.Array, none: State) -> tuple[State, Any]:
    state = begun(none._replace(key=key), jnp.ones(len(none.steps), bool))
    return state, seen(state)


@partial(jax.jit, donate_argnums=0)
def advance(state: State, action: jax.Array, last: jax.Array) -> tuple[State, Any]:
    acceleration = -(jnp.pi**2) * reference(state)[:, :2] + 8.0 * jnp.clip(action, -1, 1) - jnp.array([0.0, 2.0])
    velocity = state.mass[:, 2:] + acceleration * TIMESTEP
    mass = jnp.concatenate([state.mass[:, :2] + velocity * TIMESTEP, velocity], 1)
    state = state._replace(mass=mass, steps=state.steps + 1)
    observation, info = seen(state)
    distance = info["metrics"]["root_position_error"] / 1e3
    reward, terminated = jnp.exp(-10 * distance**2), distance > LIMIT
    truncated = ~terminated & (state.steps >= last)
    done = terminated | truncated
    state = begun(state, done)
    now, new_info = seen(state)
    new_info |= {"final_obs": observation, "_final_obs": done, "final_info": info, "_final_info": done}
    return state, (now, reward, terminated, truncated, new_info)


class JaxPointMassVectorEnv(VectorEnv):
    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
    error_slices = {"position": slice(0, 2), "velocity": slice(2, 4)}

    def __init__(self, num_envs: int, horizon: float = 3.0) -> None:
        self.num_envs, self.last = num_envs, jnp.asarray(round(horizon / TIMESTEP))
        self.single_observation_space = Box(-np.inf, np.inf, (8,), np.float32)
        self.single_action_space = Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        nothing = jnp.zeros((num_envs, 4)), jnp.zeros(num_envs), jnp.zeros(num_envs, jnp.int32)
        self.state = State(jax.random.key(0), *nothing)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[jax.Array, dict[str, Any]]:
        key = self.state.key if seed is None else jax.random.key(seed)
        self.state, first = restart(key, self.state)
        return first

    def step(self, actions: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array, dict[str, Any]]:
        assert isinstance(actions, jax.Array | np.ndarray)
        self.state, result = advance(self.state, actions, self.last)
        return result


gymnasium.register("JaxPointMass-v0", vector_entry_point=JaxPointMassVectorEnv)
