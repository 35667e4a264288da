"""A task with many muscles, few joints and a known optimum."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

JOINTS = 6
LARGEST_TORQUE = 0.2
"""Torques asked for lie within this, where all muscles that flex a joint can give 0.4."""


class RedundantArm(VectorEnv[NDArray[np.float32], NDArray[np.float32], NDArray[Any]]):
    """Episodes of one step: torques are asked for, changes of excitation from a tone are the action.

    The moment arms of A muscles about six joints are random, and each muscle is the weaker the more there are, so that
    all together are equally strong. The reward is the negative squared distance from the torques asked for: zero at the
    optimum, which there are many of, the shortest being ``Mᵀ⁺ w``.

    Args:
        num_envs: Episodes stepped together, N.
        muscles: A.
        seed: Of the moment arms.

    Attributes:
        moment_arm: Torque per unit of action, (A, 6).
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(self, num_envs: int, muscles: int, seed: int = 0) -> None:
        self.num_envs = num_envs
        self.moment_arm = np.random.default_rng(seed).normal(size=(muscles, JOINTS)) / muscles
        self.single_observation_space = Box(-np.inf, np.inf, (JOINTS,), np.float32)
        self.single_action_space = Box(-1.0, 1.0, (muscles,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._generator = np.random.default_rng()
        self._wanted = np.zeros((num_envs, JOINTS))

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Ask for new torques."""
        if seed is not None:
            self._generator = np.random.default_rng(seed)
        self._wanted = torques(self._generator, self.num_envs)
        return self._wanted.astype(np.float32), {}

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Reward the torques and ask for new ones."""
        reward = -np.square(actions @ self.moment_arm - self._wanted).sum(-1)
        over, final = np.ones(self.num_envs, np.bool_), np.empty(self.num_envs, dtype=object)
        final[:] = list(self._wanted.astype(np.float32))
        self._wanted = torques(self._generator, self.num_envs)
        info = {"final_obs": final, "_final_obs": over}
        return self._wanted.astype(np.float32), reward, over, np.zeros_like(over), info


def torques(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Torques to ask for, (count, 6)."""
    return generator.uniform(-LARGEST_TORQUE, LARGEST_TORQUE, (count, JOINTS))


def error_left(policy: Any, env: RedundantArm) -> float:
    """Squared torque error of the deterministic policy, as a share of the squared torques asked for."""
    wanted = torques(np.random.default_rng(0), 512)
    action, _ = policy.predict(wanted.astype(np.float32), deterministic=True)
    return float(np.square(action @ env.moment_arm - wanted).sum() / np.square(wanted).sum())
