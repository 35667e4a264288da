"""Proximal policy optimisation with an aggregator in front of the reward and an explorer behind the policy."""

from __future__ import annotations

import io
import os
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.utils import explained_variance, get_device, update_learning_rate
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from ms_agents.aggregation import Aggregator, make_aggregator
from ms_agents.checkpoint import read_checkpoint, tensors_from_arrays, write_checkpoint
from ms_agents.exploration import Explorer, GaussianExplorer
from ms_agents.hyperparameters import Hyperparameters
from ms_agents.identity import check_identity, environment_identity
from ms_agents.ppo.policy import TrackingPolicy
from ms_agents.ppo.rollout import Rollout
from ms_agents.ppo.vector import GymnasiumVecEnv


class AggregatedPPO(PPO):
    """PPO (Schulman et al. 2017) on rewards that an aggregator computes from tracking errors after each rollout.

    Callbacks, loggers, ``learn``, ``predict``, ``save`` and ``load`` are those of Stable-Baselines3, except that files
    hold tensors and plain values only, so that loading one never runs code from it, and that they hold everything that
    an exact continuation needs.

    Args:
        policy: ``"TrackingPolicy"`` or a subclass of :class:`TrackingPolicy`.
        env: A Gymnasium vector environment that resets within the step, its id, or any Stable-Baselines3 ``VecEnv``.
        hyperparameters: Constants; those of the ``cpu`` preset by default.
        aggregator: ``"adversarial"``, ``"hand-tuned"``, or an object with the protocol of
            :class:`~ms_agents.aggregation.Aggregator`.
        explorer: What carries base samples to actions; the identity by default.
        stats_window_size: Episodes that the logged means are taken over.
        tensorboard_log: Folder of TensorBoard logs.
        verbose: 0 for silence, 1 for the log, 2 for more.
        seed: Of everything.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, …
        _init_setup_model: Whether to build the networks now.

    Raises:
        ValueError: If the environment or an option is unusable.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "TrackingPolicy": TrackingPolicy,
        "MlpPolicy": TrackingPolicy,
    }
    policy: TrackingPolicy
    rollout_buffer: Rollout

    def __init__(
        self,
        policy: str | type[TrackingPolicy] = "TrackingPolicy",
        env: VectorEnv[Any, Any, Any] | VecEnv | gymnasium.Env[Any, Any] | str | None = None,
        hyperparameters: Hyperparameters | None = None,
        aggregator: str | Aggregator = "adversarial",
        explorer: Explorer | None = None,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
    ) -> None:
        self.hyperparameters = hp = hyperparameters or Hyperparameters()
        self.aggregator_choice = aggregator
        self.explorer: Explorer = explorer or GaussianExplorer()
        self.learning_rate_now = hp.learning_rate
        self.error_size = 0
        self.identity: dict[str, Any] = {}
        self._pending_logs: dict[str, float] = {}
        if isinstance(env, str):
            env = gymnasium.make_vec(env, num_envs=hp.environments, autoreset_mode=AutoresetMode.SAME_STEP)
        super().__init__(
            policy,
            env,
            learning_rate=hp.learning_rate,
            n_steps=hp.rollout_steps,
            batch_size=max(hp.minibatch, 2),
            n_epochs=hp.epochs,
            gamma=hp.gamma,
            gae_lambda=hp.gae_lambda,
            clip_range=hp.clip,
            vf_coef=hp.value_coefficient,
            max_grad_norm=hp.max_gradient_norm,
            rollout_buffer_class=Rollout,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            policy_kwargs={"hyperparameters": hp},
            verbose=verbose,
            seed=seed,
            device=device,
            _init_setup_model=False,
        )
        if _init_setup_model:
            self._setup_model()

    @staticmethod
    def _wrap_env(env: Any, verbose: int = 0, monitor_wrapper: bool = True) -> VecEnv:
        return GymnasiumVecEnv(env) if isinstance(env, VectorEnv) else PPO._wrap_env(env, verbose, monitor_wrapper)

    def _setup_model(self) -> None:
        if isinstance(self.env, GymnasiumVecEnv):
            self.error_size = self.env.error_size
            self.identity = environment_identity(self.env.env)
        self.rollout_buffer_kwargs = {"error_size": self.error_size}
        super()._setup_model()
        seed = int(torch.initial_seed() % 2**31) if self.seed is None else self.seed
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.policy.explorer = self.explorer
        choice = self.aggregator_choice
        self.aggregator: Aggregator = (
            make_aggregator(choice, self.error_size, self.hyperparameters.discriminator, seed + 1, self.device)
            if isinstance(choice, str)
            else choice
        )

    def _setup_learn(self, *args: Any, **kwargs: Any) -> tuple[int, BaseCallback]:
        result = super()._setup_learn(*args, **kwargs)
        for name, value in self._pending_logs.items():
            self.logger.record(name, value)
        self._pending_logs = {}
        if self.policy.normalizer.count == 0:
            self.policy.normalizer.update(self._tensor(self._last_obs))
        return result

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: Rollout,
        n_rollout_steps: int,
    ) -> bool:
        """Fill the rollout, then let the aggregator reward it; false if a callback asked to stop."""
        policy, rollout = self.policy, rollout_buffer
        policy.set_training_mode(False)
        callback.on_rollout_start()
        metrics: dict[str, float] = {}
        clipped = torch.zeros((), device=self.device)
        physics = 0.0
        observation = self._tensor(self._last_obs)
        for step in range(n_rollout_steps):
            with torch.no_grad():
                mean, value = policy.mean(observation), policy.predict_values(observation)
                noise = torch.randn(mean.shape, generator=self.generator, device=self.device)
                base = mean + policy.std * noise
                action, share = policy.execute(observation, base)
                clipped += share
            rollout.observations[step] = observation
            rollout.values[step] = value
            rollout.base_actions[step] = base
            rollout.actions[step] = action
            rollout.log_likelihoods[step] = policy.log_likelihood(base, mean)

            start = time.perf_counter()
            self._last_obs, rewards, dones, infos = env.step(action.cpu().numpy())
            physics += time.perf_counter() - start
            observation = self._tensor(self._last_obs)
            rollout.env_rewards[step] = self._tensor(rewards)
            rollout.dones[step] = torch.as_tensor(dones, device=self.device)
            if self.error_size:
                rollout.errors[step] = self._tensor(env.tracking_error)
            rollout.next_values[step] = self._values_at_time_limit(infos, dones)
            for name, values in getattr(env, "metrics", {}).items():
                metrics[name] = metrics.get(name, 0.0) + float(np.nanmean(values)) / n_rollout_steps

            self.num_timesteps += env.num_envs
            self._last_episode_starts = dones
            self._update_info_buffer(infos, dones)
            callback.update_locals(locals())
            if not callback.on_step():
                return False
        with torch.no_grad():
            following = torch.cat([rollout.values[1:], policy.predict_values(observation)[None]])
        rollout.next_values[:] = torch.where(rollout.dones, rollout.next_values, following)
        self._reward(rollout)
        for name, mean_value in metrics.items():
            self.logger.record(f"rollout/{name}", mean_value)
        self.logger.record("rollout/clipped_actions", float(clipped) / n_rollout_steps)
        self.logger.record("time/physics_seconds", physics)
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _tensor(self, array: Any) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device=self.device)

    def _values_at_time_limit(self, infos: list[dict[str, Any]], dones: np.ndarray[Any, Any]) -> Tensor:
        """Value of the last observation of episodes that only ran out of time, zero elsewhere, (N,)."""
        values = torch.zeros(len(dones), device=self.device)
        cut = [i for i in np.flatnonzero(dones) if infos[i].get("TimeLimit.truncated", False)]
        if cut:
            last = self._tensor(np.stack([infos[i]["terminal_observation"] for i in cut]))
            with torch.no_grad():
                values[cut] = self.policy.predict_values(last)
        return values

    def _reward(self, rollout: Rollout) -> None:
        errors, env_rewards = rollout.errors.flatten(0, 1), rollout.env_rewards.flatten()
        rollout.rewards[:] = self.aggregator.reward(errors, env_rewards).view_as(rollout.rewards)
        rollout.compute_returns()
        self.logger.record("add/reward_mean", float(rollout.rewards.mean()))
        self.logger.record("add/reward_std", float(rollout.rewards.std()))
        self.logger.record("add/hand_tuned_reward", float(env_rewards.nanmean()))

    def train(self) -> None:
        """Improve the policy on the rollout; then explorer, aggregator and observation normaliser learn from it."""
        start = time.perf_counter()
        self.policy.set_training_mode(True)
        self._update_policy(self.rollout_buffer)
        logs = self.explorer.update(self.rollout_buffer)
        logs |= self.aggregator.update(self.rollout_buffer.errors.flatten(0, 1))
        self.policy.normalizer.update(self.rollout_buffer.observations.flatten(0, 1))
        for name, value in logs.items():
            self.logger.record(name, value)
        self.logger.record("time/learner_seconds", time.perf_counter() - start)

    def _update_policy(self, rollout: Rollout) -> None:
        """Clipped surrogate on base samples, whose likelihood ratio is that of the executed actions."""
        hp, policy = self.hyperparameters, self.policy
        update_learning_rate(policy.optimizer, self.learning_rate_now)
        observations, base = rollout.observations.flatten(0, 1), rollout.base_actions.flatten(0, 1)
        old, returns = rollout.log_likelihoods.flatten(), rollout.returns.flatten()
        advantages = rollout.advantages.flatten()
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-6)
        if hp.advantage_clip is not None:
            advantages = advantages.clamp(-hp.advantage_clip, hp.advantage_clip)

        logs: list[Tensor] = []
        for _ in range(hp.epochs):
            order = torch.randperm(rollout.frames, generator=self.generator, device=self.device)
            epoch_start = len(logs)
            for rows in order.split(hp.minibatch):
                mean = policy.mean(observations[rows])
                log_ratio = policy.log_likelihood(base[rows], mean) - old[rows]
                ratio, advantage = log_ratio.exp(), advantages[rows]
                surrogate = torch.min(ratio * advantage, ratio.clamp(1 - hp.clip, 1 + hp.clip) * advantage)
                value_loss = (policy.predict_values(observations[rows]) - returns[rows]).square().mean()
                outside = (mean - mean.clamp(policy.low, policy.high)) / policy.half_range
                loss = (
                    -surrogate.mean()
                    + hp.value_coefficient * value_loss
                    + hp.bound_coefficient * outside.square().mean()
                )
                policy.optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(policy.parameters(), hp.max_gradient_norm)
                policy.optimizer.step()
                with torch.no_grad():
                    kl = ((ratio - 1) - log_ratio).mean()
                    beyond = ((ratio - 1).abs() > hp.clip).float().mean()
                    logs.append(torch.stack([-surrogate.mean(), value_loss.detach(), kl, beyond, loss.detach()]))
            self._n_updates += 1
        approximate_kl = float(torch.stack(logs[epoch_start:])[:, 2].mean())
        policy_loss, value_loss_mean, _, clip_fraction, total = torch.stack(logs).mean(0).tolist()
        variance = explained_variance(rollout.values.flatten().cpu().numpy(), returns.cpu().numpy())
        for name, value in {
            "policy_gradient_loss": policy_loss,
            "value_loss": value_loss_mean,
            "approx_kl": approximate_kl,
            "clip_fraction": clip_fraction,
            "loss": total,
            "explained_variance": float(variance),
            "std": hp.action_std,
            "learning_rate": self.learning_rate_now,
        }.items():
            self.logger.record(f"train/{name}", value)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self._steer_learning_rate(approximate_kl)

    def _steer_learning_rate(self, approximate_kl: float) -> None:
        hp = self.hyperparameters
        if hp.target_kl is None:
            return
        low, high = hp.learning_rate_range
        if approximate_kl > 2 * hp.target_kl:
            self.learning_rate_now = max(self.learning_rate_now / 1.5, low)
        elif approximate_kl < hp.target_kl / 2:
            self.learning_rate_now = min(self.learning_rate_now * 1.5, high)

    def policy_state_dict(self) -> dict[str, Any]:
        """What acting needs: the policy, and what it was made for and with."""
        choice = self.aggregator_choice
        return {
            "hyperparameters": self.hyperparameters.to_dict(),
            "identity": self.identity,
            "spaces": {name: _packed(getattr(self, f"{name}_space")) for name in ("observation", "action")},
            "aggregator_choice": choice if isinstance(choice, str) else type(choice).__name__,
            "error_size": self.error_size,
            "seed": self.seed,
            "num_timesteps": self.num_timesteps,
            "policy": self.policy.state_dict(),
            "explorer": self.explorer.state_dict(),
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything an exact continuation needs, as tensors and plain values.

        Valid between iterations, where callbacks see ``on_rollout_start`` or ``on_training_end``.
        """
        return self.policy_state_dict() | {
            "learner": {
                "n_updates": self._n_updates,
                "learning_rate": self.learning_rate_now,
                "optimizer": self.policy.optimizer.state_dict(),
                "aggregator": self.aggregator.state_dict(),
                "generator": self.generator.get_state(),
                "episodes": list(self.ep_info_buffer or ()),
                "last_observation": None if self._last_obs is None else torch.from_numpy(np.array(self._last_obs)),
                "pending_logs": tensors_from_arrays(self.logger.name_to_value) if hasattr(self, "_logger") else {},
                "env": self.env.get_state() if isinstance(self.env, GymnasiumVecEnv) else None,
            }
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the policy and, if they were saved, the learner and its environment."""
        self.policy.load_state_dict(state["policy"])
        self.explorer.load_state_dict(state["explorer"])
        self.num_timesteps = state["num_timesteps"]
        if "learner" not in state:
            return
        learner = state["learner"]
        self._n_updates, self.learning_rate_now = learner["n_updates"], learner["learning_rate"]
        self.policy.optimizer.load_state_dict(learner["optimizer"])
        self.aggregator.load_state_dict(learner["aggregator"])
        self.generator.set_state(learner["generator"].cpu())
        self.ep_info_buffer = deque(learner["episodes"], maxlen=self._stats_window_size)
        self.ep_success_buffer = deque(maxlen=self._stats_window_size)
        self._pending_logs = dict(learner["pending_logs"])
        observation = learner["last_observation"]
        if learner["env"] is not None and isinstance(self.env, GymnasiumVecEnv) and len(observation) == self.n_envs:
            self.env.set_state(learner["env"])
            self._last_obs = observation.cpu().numpy()
            self._last_episode_starts = np.zeros(self.n_envs, bool)

    def save(self, path: str | Path | io.BufferedIOBase, *_: Any, **__: Any) -> None:
        """Write everything to a file, atomically; ``.zip`` is added where the name has no suffix."""
        if isinstance(path, str | os.PathLike):
            write_checkpoint(_with_suffix(path), self.state_dict())
        else:
            torch.save({"format": 1, **self.state_dict()}, path)

    @classmethod
    def load(
        cls,
        path: str | Path,
        env: VectorEnv[Any, Any, Any] | VecEnv | None = None,
        device: torch.device | str = "auto",
        **kwargs: Any,
    ) -> Self:
        """Read what :meth:`save` wrote.

        Args:
            path: The file.
            env: Environment to continue in; without one the model can only predict.
            device: Where it lives.
            **kwargs: Further arguments of the constructor, such as an aggregator or explorer object of one's own.

        Returns:
            The model.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged, or was made in another environment.
        """
        state = read_checkpoint(path if Path(path).is_file() else _with_suffix(path), get_device(device))
        return cls.from_state_dict(state, env, device, **kwargs)

    @classmethod
    def from_state_dict(
        cls,
        state: Mapping[str, Any],
        env: VectorEnv[Any, Any, Any] | VecEnv | None = None,
        device: torch.device | str = "auto",
        **kwargs: Any,
    ) -> Self:
        """Build a model from :meth:`state_dict`; see :meth:`load`."""
        options = {"aggregator": state["aggregator_choice"], "seed": state["seed"]} | kwargs
        hyperparameters = Hyperparameters.from_dict(state["hyperparameters"])
        model = cls(env=env, hyperparameters=hyperparameters, device=device, _init_setup_model=False, **options)
        observation_space, action_space = (_unpacked(state["spaces"][name]) for name in ("observation", "action"))
        if env is None:
            model.observation_space, model.action_space, model.n_envs = observation_space, action_space, 1
            model.error_size, model.identity = state["error_size"], dict(state["identity"])
        else:
            for name, own, given in (
                ("observation", observation_space, model.observation_space),
                ("action", action_space, model.action_space),
            ):
                if own != given:
                    raise ValueError(f"the checkpoint has {name} space {own}, the environment has {given}")
            if isinstance(model.env, GymnasiumVecEnv):
                check_identity(state["identity"], environment_identity(model.env.env))
        model._setup_model()
        model.load_state_dict(state)
        return model


def _with_suffix(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    return path if path.suffix else path.with_suffix(".zip")


def _packed(space: gymnasium.spaces.Box) -> dict[str, Tensor]:
    return {"low": torch.from_numpy(space.low.copy()), "high": torch.from_numpy(space.high.copy())}


def _unpacked(bounds: Mapping[str, Tensor]) -> gymnasium.spaces.Box:
    low, high = bounds["low"].cpu().numpy(), bounds["high"].cpu().numpy()
    return gymnasium.spaces.Box(low, high, dtype=low.dtype.type)
