"""A point mass that should follow a circle: the interface of the tracking environments without their physics."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space


class PointMassVectorEnv(VectorEnv):
    control_timestep = 0.05
    action_moments = np.array([[1.0, -0.5]])
    error_slices = {"position": slice(0, 2), "velocity": slice(2, 4)}

    def __init__(
        self,
        num_envs: int = 1,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        horizon: float | None = None,
        root_termination: float = 0.5,
        loop: bool = True,
        mass: float = 1.0,
        diverge_at: int | None = None,
        threads: int | None = None,
        key_body_termination: float = 0.5,
        reset_noise: float = 0.0,
        render_mode: str | None = None,
    ) -> None:
        self.num_envs, self.horizon, self.limit, self.mass = num_envs, horizon or 3.0, root_termination, mass
        self.diverge_at, self.render_mode = diverge_at, render_mode
        self.scale = 1.0
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {"autoreset_mode": self.autoreset_mode, "render_modes": ["rgb_array"], "render_fps": 20}
        angle = np.linspace(0, 2 * np.pi, 41)
        self.clip = SimpleNamespace(
            motion="circle", fps=20.0, loop=loop, duration=2.0, qpos=np.stack([np.cos(angle), np.sin(angle)], 1)
        )
        self.body = SimpleNamespace(hash=f"mass-{mass}")
        self.single_observation_space = Box(-np.inf, np.inf, (8,), np.float32)
        self.single_action_space = Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.state = np.zeros((num_envs, 4))
        self.start = np.zeros(num_envs)
        self.steps = np.zeros(num_envs, int)
        self.done = np.zeros(num_envs, bool)
        self.rng = np.random.default_rng()

    def reference(self) -> np.ndarray:
        angle = np.pi * (self.start + self.steps * self.control_timestep)
        position = np.stack([np.cos(angle), np.sin(angle)], 1)
        return np.concatenate([position, np.pi * position[:, ::-1] * [-1, 1]], 1)

    def begin(self, envs: np.ndarray, phase: Any = None) -> None:
        draws = self.rng.random(len(envs))
        self.start[envs] = 2.0 * (draws if phase is None else np.broadcast_to(phase, self.num_envs)[envs])
        self.steps[envs] = 0
        self.done[envs] = False
        self.state[envs] = self.reference()[envs]

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.begin(np.arange(self.num_envs), (options or {}).get("phase"))
        return self.observe(), self.info()

    def observe(self) -> np.ndarray:
        return np.concatenate([self.state, self.reference() - self.state], 1).astype(np.float32)

    def info(self) -> dict[str, Any]:
        error = self.reference() - self.state
        here = np.ones(self.num_envs, bool)
        distance = np.linalg.norm(error[:, :2], axis=1)
        metrics = {"root_position_error": 1e3 * distance, "effort": (error[:, 2:] ** 2).mean(1)}
        info = {"tracking_error": error.astype(np.float32), "diverged": self.steps == (self.diverge_at or -1)}
        info["metrics"] = metrics | {f"_{name}": here for name in metrics}
        return info | {f"_{name}": here for name in info}

    def step(self, actions):
        finished = np.flatnonzero(self.done)
        acceleration = -(np.pi**2) * self.reference()[:, :2] + 8.0 * np.clip(actions, -1, 1) / self.mass - [0.0, 2.0]
        self.state[:, 2:] += acceleration * self.control_timestep
        self.state[:, :2] += self.state[:, 2:] * self.control_timestep
        self.steps += 1
        if len(finished):
            self.begin(finished)
        active = np.ones(self.num_envs, bool)
        active[finished] = False
        info = self.info()
        distance = info["metrics"]["root_position_error"] / 1e3
        reward = np.where(active & ~info["diverged"], np.exp(-10 * distance**2), 0.0)
        terminated = active & ((distance > self.scale * self.limit) | info["diverged"])
        length = np.full(self.num_envs, self.horizon)
        if not self.clip.loop:
            length = np.minimum(length, self.clip.duration - self.start)
        last = np.floor(length / self.control_timestep + 1e-6)
        truncated = active & ~terminated & (self.steps >= last)
        self.done = terminated | truncated
        observation = self.observe()
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self.done.any():
            done = self.done.copy()
            final = np.full(self.num_envs, None, object)
            for i in np.flatnonzero(done):
                final[i] = observation[i]
            self.begin(np.flatnonzero(done))
            extra = {"final_obs": final, "_final_obs": done, "final_info": info, "_final_info": done}
            observation, info = self.observe(), self.info() | extra
        return observation, reward, terminated, truncated, info

    def render(self):
        return tuple(np.zeros((32, 32, 3), np.uint8) for _ in range(self.num_envs))

    def set_termination_scale(self, scale: float) -> None:
        self.scale = scale

    def get_state(self) -> dict[str, Any]:
        generator = np.frombuffer(repr(self.rng.bit_generator.state).encode(), np.uint8).copy()
        arrays = {name: getattr(self, name).copy() for name in ("state", "start", "steps", "done")}
        return arrays | {"generator": generator}

    def set_state(self, state: dict[str, Any]) -> None:
        import ast

        self.rng.bit_generator.state = ast.literal_eval(state["generator"].tobytes().decode())
        for name in ("state", "start", "steps", "done"):
            getattr(self, name)[:] = state[name]


class PointMassEnv(gymnasium.Env):
    """One point mass, for pictures."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}

    def __init__(self, render_mode: str | None = None, **kwargs: Any) -> None:
        self.vector = PointMassVectorEnv(1, **kwargs)
        self.render_mode = render_mode
        self.observation_space = self.vector.single_observation_space
        self.action_space = self.vector.single_action_space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        observation, _ = self.vector.reset(seed=seed, options=options)
        return observation[0], {}

    def step(self, action):
        observation, reward, terminated, truncated, _ = self.vector.step(np.asarray(action)[None])
        return observation[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), {}

    def render(self):
        return self.vector.render()[0]


gymnasium.register("PointMass-v0", entry_point=PointMassEnv, vector_entry_point=PointMassVectorEnv)
