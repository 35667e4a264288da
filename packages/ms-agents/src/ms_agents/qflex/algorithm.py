"""Off-policy learning whose exploration flows along the gradient of the critics."""

from __future__ import annotations

import time
from typing import Any, ClassVar, Self

import gymnasium
import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import RolloutReturn
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from ms_agents.aggregation import Aggregator
from ms_agents.distributed import world_size
from ms_agents.qflex.hyperparameters import QFlexHyperparameters
from ms_agents.qflex.losses import critic_loss, flow_loss, policy_loss
from ms_agents.qflex.persistence import PersistentCrossQ
from ms_agents.qflex.policy import QFlexPolicy
from ms_agents.replay import TrackingReplay, Transitions


class QFlex(PersistentCrossQ):
    """Q-guided flow exploration (Qflex, Wei, Zuo & Sui 2026) on CrossQ (Bhatt et al. 2024), with an aggregated reward.

    Samples of a squashed Gaussian, the base policy, are carried along a velocity field before they are executed. The
    field learns where they would climb on the smaller of two critics. Critics and base policy learn as in CrossQ, but
    for the entropy, which is left to the flow. The replay keeps raw tracking errors: a batch gets its reward when it is
    drawn, from the aggregator as it is then.

    Callbacks, loggers, ``learn``, ``predict``, ``save`` and ``load`` are those of Stable-Baselines3, except that files
    hold tensors and plain values only, and everything that an exact continuation needs, the replay among it.

    Args:
        policy: ``"QFlexPolicy"`` or a subclass of :class:`QFlexPolicy`.
        env: A Gymnasium vector environment that resets within the step, its id, or any Stable-Baselines3 ``VecEnv``
            but ``VecNormalize``.
        hyperparameters: Constants; those of the ``cpu`` preset by default.
        aggregator: ``"adversarial"``, ``"hand-tuned"``, or an object with the protocol of
            :class:`~ms_agents.aggregation.Aggregator`.
        explorer: ``"flow"``, or ``"gaussian"`` to execute the base samples themselves.
        stats_window_size: Episodes that the logged means are taken over.
        tensorboard_log: Folder of TensorBoard logs.
        verbose: 0 for silence, 1 for the log, 2 for more.
        seed: Of everything.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, …
        _init_setup_model: Whether to build the networks now.

    Raises:
        ValueError: If the environment or an option is unusable.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"QFlexPolicy": QFlexPolicy, "MlpPolicy": QFlexPolicy}
    hyperparameters: QFlexHyperparameters
    policy: QFlexPolicy
    replay_buffer: TrackingReplay

    def __init__(
        self,
        policy: str | type[QFlexPolicy] = "QFlexPolicy",
        env: VectorEnv[Any, Any, Any] | VecEnv | gymnasium.Env[Any, Any] | str | None = None,
        hyperparameters: QFlexHyperparameters | None = None,
        aggregator: str | Aggregator = "adversarial",
        explorer: str = "flow",
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
    ) -> None:
        if explorer not in ("flow", "gaussian"):
            raise ValueError(f"unknown explorer {explorer!r} of Qflex; choose one of 'flow', 'gaussian'")
        hp = hyperparameters or QFlexHyperparameters()
        super().__init__(
            policy,
            self._begin(env, hp, aggregator, explorer),
            learning_rate=hp.learning_rate,
            buffer_size=hp.replay_capacity,
            learning_starts=hp.learning_starts,
            batch_size=hp.batch,
            gamma=hp.gamma,
            train_freq=hp.rollout_steps,
            gradient_steps=0,  # collect_rollouts learns after each step
            replay_buffer_class=TrackingReplay,
            ent_coef=0.0,
            target_entropy=0.0,
            policy_delay=hp.policy_delay,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            policy_kwargs={"hyperparameters": hp, "flow": explorer == "flow"},
            verbose=verbose,
            seed=seed,
            device=device,
            _init_setup_model=False,
        )
        if _init_setup_model:
            self._setup_model()

    def _setup_model(self) -> None:
        if self._vec_normalize_env is not None:
            raise ValueError("Qflex normalises observations itself; give the environment without VecNormalize")
        if self.env is not None and world_size() > 1:
            raise ValueError(
                "the algorithm 'qflex' learns in one process only; choose 'ppo', or start it without torchrun"
            )
        self._know_environment()
        self.replay_buffer_kwargs = {"error_size": self.error_size}
        super()._setup_model()
        seed = int(torch.initial_seed() % 2**31) if self.seed is None else self.seed
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.aggregator = self._make_aggregator(seed + 1)

    def learn(
        self,
        total_timesteps: int,
        callback: Any = None,
        log_interval: int = 1,
        tb_log_name: str = "QFlex",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """Learn for at least as many environment steps, in whole iterations; each ``log_interval``-th is logged."""
        super().learn(total_timesteps, callback, log_interval, tb_log_name, reset_num_timesteps, progress_bar)
        return self

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        train_freq: Any = None,
        replay_buffer: Any = None,
        action_noise: Any = None,
        learning_starts: int = 0,
        log_interval: int | None = 1,
    ) -> RolloutReturn:
        """One iteration: steps and updates in turn; at the end aggregator and normaliser learn from what was met."""
        hp = self.hyperparameters
        if isinstance(self._last_obs, Tensor):
            raise ValueError(
                "Qflex learns from numpy arrays: make the environment with engine='cpu', or wrap it in JaxToNumpy"
            )
        self.policy.set_training_mode(False)
        callback.on_rollout_start()
        observations, errors = [], []
        physics, start = 0.0, time.perf_counter()
        for _ in range(hp.rollout_steps):
            observations.append(self._tensor(self._last_obs))
            actions, buffer_actions = self._sample_action(learning_starts)
            step_start = time.perf_counter()
            new_obs, rewards, dones, infos = env.step(actions)
            physics += time.perf_counter() - step_start
            self.num_timesteps += env.num_envs
            callback.update_locals(locals())
            if not callback.on_step():
                return RolloutReturn(0, 0, continue_training=False)
            self._update_info_buffer(infos, dones)
            self._store_transition(self.replay_buffer, buffer_actions, new_obs, rewards, dones, infos)
            errors.append(self._tensor(self._tracking_error()))
            self._episode_num += int(np.sum(dones))
            for name, values in getattr(env, "metrics", {}).items():
                self.logger.record_mean(f"rollout/{name}", float(np.nanmean(values)))
            if self.num_timesteps > learning_starts:
                self.train(hp.gradient_steps, hp.batch)
        for name, value in self.aggregator.update(torch.cat(errors)).items():
            self.logger.record(name, value)
        self.policy.normalizer.update(torch.cat(observations))
        self.logger.record("time/physics_seconds", physics)
        self.logger.record("time/learner_seconds", time.perf_counter() - start - physics)
        callback.on_rollout_end()
        steps = hp.rollout_steps * env.num_envs
        if log_interval is not None and self.num_timesteps // steps % log_interval == 0:
            self.dump_logs()
        return RolloutReturn(steps, 0, continue_training=True)

    @torch.no_grad()
    def _sample_action(
        self, learning_starts: int, action_noise: Any = None, n_envs: int = 1
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Exploring actions, in the units of the environment and in [-1, 1], each (N, A)."""
        state = self.policy.normalizer(self._tensor(self._last_obs))
        scaled = self.policy.transport(state, self.policy.sample(state, self.generator)).cpu().numpy()
        return self.policy.unscale_action(scaled), scaled

    def _store_transition(
        self,
        replay_buffer: TrackingReplay,
        buffer_action: NDArray[np.float32],
        new_obs: NDArray[np.float32],
        reward: NDArray[np.float32],
        dones: NDArray[np.bool_],
        infos: list[dict[str, Any]],
    ) -> None:
        following = np.array(new_obs, dtype=np.float32)
        truncated = np.zeros(len(dones), bool)
        for i in np.flatnonzero(dones).tolist():
            following[i] = infos[i]["terminal_observation"]
            truncated[i] = infos[i].get("TimeLimit.truncated", False)
        parts = (self._last_obs, buffer_action, following, dones & ~truncated, self._tracking_error(), reward)
        replay_buffer.add(Transitions(*(torch.from_numpy(np.asarray(part)) for part in parts)))
        self._last_obs = new_obs

    def _tracking_error(self) -> NDArray[np.float32]:
        """Of the last step, (N, E)."""
        return np.zeros((self.n_envs, 0), np.float32) if self.adapter is None else self.adapter.tracking_error

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Update critics, base policy and velocity field on batches of the replay."""
        policy, hp = self.policy, self.hyperparameters
        policy.set_training_mode(False)  # the losses let batch renormalisation learn where it should
        for _ in range(gradient_steps):
            self._n_updates += 1
            batch = self.replay_buffer.sample(batch_size, self.generator)
            reward = self.aggregator.reward(batch.error, batch.env_reward)
            state, next_state = policy.normalizer(batch.observation), policy.normalizer(batch.next_observation)
            loss = critic_loss(policy, state, batch.action, next_state, batch.terminated, reward, self.generator)
            self._descend("critic_loss", loss, policy.critic.optimizer)
            self._log_reward(reward, batch.env_reward)
            if self._n_updates % hp.policy_delay:
                continue
            self._descend("actor_loss", policy_loss(policy, state, self.generator), policy.actor.optimizer)
            if policy.flow:
                loss, way = flow_loss(policy, state[: hp.flow_batch], self.generator)
                self._descend("flow_loss", loss, policy.velocity_optimizer)
                self.logger.record_mean("flow/way", float(way))
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")

    def _descend(self, name: str, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        self.logger.record_mean(f"train/{name}", float(loss.detach()))

    def _log_reward(self, reward: Tensor, env_reward: Tensor) -> None:
        self.logger.record_mean("add/reward_mean", float(reward.mean()))
        self.logger.record_mean("add/hand_tuned_reward", float(env_reward.nanmean()))
