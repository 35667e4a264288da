"""Proximal policy optimisation with an aggregator in front of the reward and an explorer behind the policy."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import gymnasium
import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.utils import explained_variance, update_learning_rate
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from torch.distributions import Normal

from ms_agents.aggregation import Aggregator
from ms_agents.distributed import averaged, broadcast_networks, share, world_size
from ms_agents.exploration import Explorer, make_explorer
from ms_agents.hyperparameters import Hyperparameters
from ms_agents.ppo.persistence import PersistentPPO
from ms_agents.ppo.policy import TrackingPolicy
from ms_agents.ppo.rollout import Rollout
from ms_agents.ppo.update import update_policy
from ms_agents.ppo.vector import GymnasiumVecEnv


class AggregatedPPO(PersistentPPO):
    """PPO (Schulman et al. 2017) on rewards that an aggregator computes from tracking errors after each rollout.

    Callbacks, loggers, ``learn``, ``predict``, ``save`` and ``load`` are those of Stable-Baselines3, except that files
    hold tensors and plain values only, so that loading one never runs code from it, and that they hold everything that
    an exact continuation needs.

    Where processes have joined by torch.distributed, ``learn`` is to be called in all of them, each with its share of
    the environments: gradients and statistics are averaged over them, and constants are those of all of them together.

    An environment that gives JAX arrays or torch tensors is answered in kind: what it gives stays on its device.

    Args:
        policy: ``"TrackingPolicy"`` or a subclass of :class:`TrackingPolicy`.
        env: A Gymnasium vector environment that resets within the step, its id, or any Stable-Baselines3 ``VecEnv``.
        hyperparameters: Constants; those of the ``cpu`` preset by default.
        aggregator: ``"adversarial"``, ``"hand-tuned"``, or an object with the protocol of
            :class:`~ms_agents.aggregation.Aggregator`.
        explorer: ``"gaussian"``, ``"gsde"``, ``"correlated"``, ``"flow"``, or an object with the protocol of
            :class:`~ms_agents.exploration.Explorer`.
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
    hyperparameters: Hyperparameters
    policy: TrackingPolicy
    rollout_buffer: Rollout

    def __init__(
        self,
        policy: str | type[TrackingPolicy] = "TrackingPolicy",
        env: VectorEnv[Any, Any, Any] | VecEnv | gymnasium.Env[Any, Any] | str | None = None,
        hyperparameters: Hyperparameters | None = None,
        aggregator: str | Aggregator = "adversarial",
        explorer: str | Explorer = "gaussian",
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
    ) -> None:
        hp = hyperparameters or Hyperparameters()
        env = self._begin(env, hp, aggregator, explorer)
        self.learning_rate_now = hp.learning_rate
        super().__init__(
            policy,
            env,
            learning_rate=hp.learning_rate,
            n_steps=hp.rollout_steps,
            batch_size=max(share(hp.minibatch, "minibatch"), 2),
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

    def _setup_model(self) -> None:
        self._know_environment()
        self.rollout_buffer_kwargs = {"error_size": self.error_size}
        super()._setup_model()
        seed = int(torch.initial_seed() % 2**31) if self.seed is None else self.seed
        self.generator = torch.Generator(self.device).manual_seed(seed)
        exploration = self.explorer_choice
        self.explorer: Explorer = (
            make_explorer(
                exploration,
                self.observation_space,
                self.action_space,
                self.hyperparameters,
                seed + 2,
                self.device,
                self.error_size,
                self._action_moments(),
            )
            if isinstance(exploration, str)
            else exploration
        )
        self.policy.explorer = self.explorer
        self.aggregator = self._make_aggregator(seed + 1)

    def _action_moments(self) -> NDArray[np.float64] | None:
        """Joint moments of actions, (J, A); of no joint if there is no environment and a file has yet to tell."""
        if self.env is None:
            return np.zeros((0, *self.action_space.shape))
        base = self.env.unwrapped
        return getattr(base.env.unwrapped, "action_moments", None) if isinstance(base, GymnasiumVecEnv) else None

    def _setup_learn(self, *args: Any, **kwargs: Any) -> tuple[int, BaseCallback]:
        broadcast_networks(self.policy, self.aggregator, self.explorer)
        return super()._setup_learn(*args, **kwargs)

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
        metrics: dict[str, float | Tensor] = {}
        clipped = torch.zeros((), device=self.device)
        physics = 0.0
        observation = self._tensor(self._last_obs)
        for step in range(n_rollout_steps):
            with torch.no_grad():
                mean, value = policy.mean(observation), policy.predict_values(observation)
                noise = self.explorer.noise(observation, mean.shape[-1], self.generator)
                base = mean + policy.std * noise
                action, share = policy.execute(observation, base)
                clipped += share
            rollout.observations[step] = observation
            rollout.values[step] = value
            rollout.base_actions[step] = base
            rollout.actions[step] = action
            rollout.log_likelihoods[step] = policy.log_likelihood(base, mean)

            start = time.perf_counter()
            answer = action if isinstance(self._last_obs, Tensor) else action.cpu().numpy()
            self._last_obs, rewards, dones, infos = env.step(answer)
            physics += time.perf_counter() - start
            observation = self._tensor(self._last_obs)
            rollout.env_rewards[step] = self._tensor(rewards)
            rollout.dones[step] = torch.as_tensor(getattr(env, "done", dones), device=self.device)
            if self.error_size:
                rollout.errors[step] = self._tensor(env.tracking_error)
            rollout.time_limits[step], rollout.next_values[step] = self._values_at_time_limit(env, infos, dones)
            for name, values in getattr(env, "metrics", {}).items():
                of_step = values.nanmean() if isinstance(values, Tensor) else float(np.nanmean(values))
                metrics[name] = metrics.get(name, 0.0) + of_step / n_rollout_steps

            self.num_timesteps += env.num_envs * world_size()
            self._last_episode_starts = dones
            self._update_info_buffer(infos, dones)
            callback.update_locals(locals())
            if not callback.on_step():
                return False
        with torch.no_grad():
            following = torch.cat([rollout.values[1:], policy.predict_values(observation)[None]])
        rollout.next_values[:] = torch.where(rollout.dones, rollout.next_values, following)
        logs = self._reward(rollout)
        logs |= {f"rollout/{name}": float(value) for name, value in metrics.items()}
        logs |= {"rollout/clipped_actions": float(clipped) / n_rollout_steps, "time/physics_seconds": physics}
        self._record(logs)
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    @torch.no_grad()
    def _values_at_time_limit(
        self, env: VecEnv, infos: list[dict[str, Any]], dones: NDArray[np.bool_]
    ) -> tuple[Tensor, Tensor]:
        """Which episodes only ran out of time (N,), and the value of their last observation, zero elsewhere, (N,)."""
        if isinstance(self._last_obs, Tensor):
            cut_short = env.truncated.to(self.device)
            return cut_short, self.policy.predict_values(self._tensor(env.final_observation)).where(cut_short, 0.0)
        values = torch.zeros(len(dones), device=self.device)
        cut = [i for i in np.flatnonzero(dones).tolist() if infos[i].get("TimeLimit.truncated", False)]
        mask = torch.zeros(len(dones), dtype=torch.bool, device=self.device)
        if cut:
            mask[cut] = True
            last = self._tensor(np.stack([infos[i]["terminal_observation"] for i in cut]))
            values[cut] = self.policy.predict_values(last)
        return mask, values

    def _reward(self, rollout: Rollout) -> dict[str, float]:
        errors, env_rewards = rollout.errors.flatten(0, 1), rollout.env_rewards.flatten()
        rollout.rewards[:] = self.aggregator.reward(errors, env_rewards).view_as(rollout.rewards)
        rollout.compute_returns()
        return {
            "add/reward_mean": float(rollout.rewards.mean()),
            "add/reward_std": float(rollout.rewards.std()),
            "add/hand_tuned_reward": float(env_rewards.nanmean()),
        }

    def _record(self, logs: dict[str, float]) -> None:
        for name, value in averaged(logs).items():
            self.logger.record(name, value)

    def train(self) -> None:
        """Improve the policy on the rollout; then explorer, aggregator and observation normaliser learn from it."""
        start = time.perf_counter()
        self.policy.set_training_mode(True)
        self._update_policy(self.rollout_buffer)
        logs = self.explorer.update(self.rollout_buffer, self.policy.predict_values, self.aggregator)
        logs |= self.aggregator.update(self.rollout_buffer.errors.flatten(0, 1))
        self.policy.normalizer.update(self.rollout_buffer.observations.flatten(0, 1))
        self._record(logs | {"time/learner_seconds": time.perf_counter() - start})

    def _update_policy(self, rollout: Rollout) -> None:
        update_learning_rate(self.policy.optimizer, self.learning_rate_now)
        logs = update_policy(self.policy, rollout, self.hyperparameters, self.generator)
        self._n_updates += self.hyperparameters.epochs
        values, returns = rollout.values.flatten().cpu().numpy(), rollout.returns.flatten().cpu().numpy()
        logs |= {
            "explained_variance": float(explained_variance(values, returns)),
            "std": self.hyperparameters.action_std,
            "entropy_loss": -float(Normal(torch.zeros_like(self.policy.std), self.policy.std).entropy().sum()),
            "clip_range": self.hyperparameters.clip,
            "learning_rate": self.learning_rate_now,
        }
        self._record({f"train/{name}": value for name, value in logs.items()})
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self._steer_learning_rate(logs["approx_kl"])

    def _steer_learning_rate(self, approximate_kl: float) -> None:
        hp = self.hyperparameters
        if hp.target_kl is None:
            return
        low, high = hp.learning_rate_range
        if approximate_kl > 2 * hp.target_kl:
            self.learning_rate_now = max(self.learning_rate_now / 1.5, low)
        elif approximate_kl < hp.target_kl / 2:
            self.learning_rate_now = min(self.learning_rate_now * 1.5, high)
