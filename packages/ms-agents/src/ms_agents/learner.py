"""What all algorithms have in common: environments of Gymnasium, an aggregator, and randomness of their own."""

from __future__ import annotations

from typing import Any

import gymnasium
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from ms_agents.aggregation import Aggregator, make_aggregator
from ms_agents.hyperparameter_set import HyperparameterSet
from ms_agents.identity import environment_identity
from ms_agents.persistence import Persistent
from ms_agents.ppo.vector import GymnasiumVecEnv


class TrackingLearner(Persistent):
    """Base of the algorithms, in front of one of Stable-Baselines3."""

    def _begin(self, env: Any, hyperparameters: HyperparameterSet, aggregator: str | Aggregator, explorer: Any) -> Any:
        """Remember what was asked for; the environment, made if an id was given."""
        self.hyperparameters: Any = hyperparameters
        self.aggregator_choice = aggregator
        self.explorer_choice = explorer
        self.error_size = 0
        self.identity: dict[str, Any] = {}
        self._pending_logs: dict[str, float] = {}
        if isinstance(env, str):
            return gymnasium.make_vec(
                env, num_envs=hyperparameters.environments, autoreset_mode=AutoresetMode.SAME_STEP
            )
        return env

    @staticmethod
    def _wrap_env(env: Any, verbose: int = 0, monitor_wrapper: bool = True) -> VecEnv:
        if isinstance(env, VectorEnv):
            return GymnasiumVecEnv(env)
        return BaseAlgorithm._wrap_env(env, verbose, monitor_wrapper)

    def _know_environment(self) -> None:
        if self.adapter is not None:
            self.error_size = self.adapter.error_size
            self.identity = environment_identity(self.adapter.env)

    def _make_aggregator(self, seed: int) -> Aggregator:
        choice: str | Aggregator = self.aggregator_choice
        if not isinstance(choice, str):
            return choice
        blocks = None if self.adapter is None else self.adapter.error_slices
        constants = self.hyperparameters.discriminator
        return make_aggregator(choice, self.error_size, constants, seed, self.device, blocks)

    def set_env(self, env: VectorEnv[Any, Any, Any] | VecEnv, force_reset: bool = True) -> None:
        """Continue in another environment, of as many copies, with the same spaces and the same tracking errors.

        Args:
            env: The environment.
            force_reset: Whether to reset it before learning goes on.

        Raises:
            ValueError: If spaces or the length of tracking errors differ.
        """
        env = self._wrap_env(env)
        adapter = env.unwrapped
        size = adapter.error_size if isinstance(adapter, GymnasiumVecEnv) else 0
        if size != self.error_size:
            raise ValueError(
                f"the model learns from tracking errors ({self.error_size},), the environment gives ({size},)"
            )
        super().set_env(env, force_reset)
        if isinstance(adapter, GymnasiumVecEnv):
            self.identity = environment_identity(adapter.env)

    def set_random_seed(self, seed: int | None = None) -> None:
        """Seed everything that draws: torch, numpy, the environment, the learner, explorer and aggregator."""
        super().set_random_seed(seed)
        if seed is None:
            return
        for offset, part in enumerate((self, getattr(self, "aggregator", None), getattr(self, "explorer", None))):
            generator = getattr(part, "generator", None)
            if generator is not None:
                generator.manual_seed(seed + offset)

    def _setup_learn(self, *args: Any, **kwargs: Any) -> tuple[int, BaseCallback]:
        result: tuple[int, BaseCallback] = super()._setup_learn(*args, **kwargs)
        for name, value in self._pending_logs.items():
            self.logger.record(name, value)
        self._pending_logs = {}
        if self.policy.normalizer.count == 0:
            self.policy.normalizer.update(self._tensor(self._last_obs))
        return result

    def _tensor(self, array: Any) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device=self.device)
