"""A Gymnasium vector environment in the clothes of Stable-Baselines3."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from ms_agents.checkpoint import arrays_from_tensors, tensors_from_arrays


class GymnasiumVecEnv(VecEnv):
    """Adapter without per-environment work in a step, but where an episode ends.

    What Gymnasium keeps in ``info`` stays in arrays on the adapter; the ``infos`` of Stable-Baselines3 are empty dicts
    except for finished episodes (``terminal_observation``, ``TimeLimit.truncated``, ``episode``).

    An environment that gives JAX arrays or torch tensors takes torch tensors as actions. Whatever this adapter returns
    or keeps is then a tensor on the device of the environment, sharing memory with its arrays by DLPack, except for
    episode ends and infos: those take one transfer of three numbers per environment in a step.

    Attributes:
        error_slices: Part of the tracking error to its place in the vector.
        tracking_error: Errors of the last step, before any reset; a row is NaN where the physics broke down, (N, E).
        metrics: Metric name to values of the last step, before any reset, (N,).
        truncated: Environments whose episode reached its time limit in the last step, bool, (N,).
        done: Environments whose episode ended in the last step, bool, (N,).
        final_observation: Observations of the last step before any reset, of environments on a device only, (N, D).

    Args:
        env: Environment that resets finished episodes within the step.

    Raises:
        ValueError: If it resets in another mode, or its spaces are not flat boxes.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode != AutoresetMode.SAME_STEP:
            raise ValueError(
                f"training needs a vector environment made with autoreset_mode=AutoresetMode.SAME_STEP, got {mode}"
            )
        for name, space in (("observation", env.single_observation_space), ("action", env.single_action_space)):
            if not isinstance(space, gymnasium.spaces.Box) or len(space.shape) != 1:
                raise ValueError(f"the {name} space must be a flat Box, got {space}")
        self.env = env
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self.error_slices: dict[str, slice] = getattr(env.unwrapped, "error_slices", {})
        self.error_size = max((part.stop for part in self.error_slices.values()), default=0)
        self.tracking_error: Any = np.zeros((self.num_envs, self.error_size), np.float32)
        self.metrics: dict[str, Any] = {}
        self.truncated: Any = np.zeros(self.num_envs, bool)
        self.done: Any = self.truncated
        self.final_observation: Tensor | None = None
        self._returns: Any = np.zeros(self.num_envs)
        self._lengths = np.zeros(self.num_envs, int)
        self._start = time.monotonic()
        self._actions: NDArray[np.float32] | Tensor | None = None
        self._takes_jax = False

    def reset(self) -> NDArray[np.float32] | Tensor:
        """Start all episodes, from the seed and with the options last given; observations (N, D)."""
        observation, _ = self.env.reset(seed=self._seeds[0], options=self._options[0] or None)
        self._reset_seeds()
        self._reset_options()
        self._returns = np.zeros(self.num_envs)
        self._lengths[:] = 0
        if isinstance(observation, np.ndarray):
            return observation
        self._takes_jax = not isinstance(observation, Tensor)
        observation = shared_tensor(observation)
        self._returns = torch.zeros(self.num_envs, device=observation.device)
        return observation

    def set_options(self, options: list[dict[str, Any]] | dict[str, Any] | None = None) -> None:
        """Options of the next reset.

        Raises:
            ValueError: If each environment is given its own.
        """
        if isinstance(options, list):
            raise ValueError("the environments are reset together: give one dict of options, not a list")
        super().set_options(options)

    def step_async(self, actions: NDArray[np.float32] | Tensor) -> None:
        """Remember the actions (N, A)."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, Any, NDArray[np.bool_], list[dict[str, Any]]]:
        """Step; observations (N, D), rewards (N,), episode ends (N,) and infos."""
        if isinstance(self._actions, Tensor):
            return self._step_on_device(self._actions)
        observation, reward, terminated, truncated, info = self.env.step(self._actions)
        self.done = done = terminated | truncated
        self.truncated = truncated & ~terminated
        self._returns += reward
        self._lengths += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        finished = np.flatnonzero(done)
        self._remember(info, finished)
        for i in finished.tolist():
            infos[i] = self._episode(i, info["final_obs"][i], self.truncated[i], self._returns[i])
        self._returns[finished] = 0
        self._lengths[finished] = 0
        return np.asarray(observation), np.asarray(reward, np.float32), done, infos

    def _step_on_device(self, actions: Tensor) -> tuple[Tensor, Tensor, NDArray[np.bool_], list[dict[str, Any]]]:
        actions = actions.to(self._returns.device)
        given = self.env.step(jax_array(actions) if self._takes_jax else actions)
        observation, reward, terminated, truncated = map(shared_tensor, given[:4])
        self.done, self.truncated = terminated | truncated, truncated & ~terminated
        self._returns = self._returns + reward
        self._lengths += 1
        self._remember_on_device(given[4])
        on_host = torch.stack([self.done.float(), self.truncated.float(), self._returns.float()]).cpu().numpy()
        done, cut_short, returns = on_host[0] > 0, on_host[1] > 0, on_host[2]
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(done).tolist():
            infos[i] = self._episode(i, self.final_observation[i], cut_short[i], returns[i])  # type: ignore[index]
        self._returns = self._returns.masked_fill(self.done, 0.0)
        self._lengths[done] = 0
        return observation, reward, done, infos

    def _remember_on_device(self, info: dict[str, Any]) -> None:
        final, done = info["final_info"], self.done
        self.final_observation = shared_tensor(info["final_obs"])

        def last(name: str, values: dict[str, Any], final_values: dict[str, Any]) -> Tensor:
            now = shared_tensor(values[name])
            rows = done.view(-1, *[1] * (now.ndim - 1))
            return torch.where(rows, shared_tensor(final_values[name]), now)

        if self.error_size:
            error = last("tracking_error", info, final)
            diverged = last("diverged", info, final) if "diverged" in info else torch.zeros_like(done)
            self.tracking_error = error.masked_fill(diverged[:, None], torch.nan)
        metrics = info.get("metrics", {})
        self.metrics = {name: last(name, metrics, final["metrics"]) for name in metrics if not name.startswith("_")}

    def _episode(self, i: int, observation: Any, cut_short: bool, episode_return: float) -> dict[str, Any]:
        """Info of a finished episode."""
        return {
            "terminal_observation": observation,
            "TimeLimit.truncated": bool(cut_short),
            "episode": {
                "r": float(episode_return),
                "l": int(self._lengths[i]),
                "t": round(time.monotonic() - self._start, 6),
            },
        }

    def _remember(self, info: dict[str, Any], finished: NDArray[np.intp]) -> None:
        final = info.get("final_info", {}) if len(finished) else {}

        def last(values: NDArray[Any], final_values: NDArray[Any] | None) -> NDArray[Any]:
            if final_values is None:
                return values
            values = np.array(values)
            values[finished] = np.asarray(final_values)[finished]
            return values

        if self.error_size:
            error = last(info["tracking_error"], final.get("tracking_error"))
            diverged = last(info.get("diverged", np.zeros(self.num_envs, bool)), final.get("diverged"))
            self.tracking_error = np.where(diverged[:, None], np.float32(np.nan), error) if diverged.any() else error
        finals = final.get("metrics", {})
        self.metrics = {
            name: last(values, finals.get(name))
            for name, values in info.get("metrics", {}).items()
            if not name.startswith("_")
        }

    def get_state(self) -> dict[str, Any] | None:
        """State that continues exactly, as tensors and plain values; ``None`` where the environment cannot give it."""
        if not hasattr(self.env.unwrapped, "get_state"):
            return None
        own = {"returns": self._returns, "lengths": self._lengths}
        return dict(tensors_from_arrays({"env": self.env.unwrapped.get_state(), **own}))

    def set_state(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`get_state`."""
        arrays = arrays_from_tensors(state)
        self.env.unwrapped.set_state(arrays["env"])  # type: ignore[attr-defined]
        self._returns, self._lengths = arrays["returns"], arrays["lengths"]

    def close(self) -> None:
        """Free the environment."""
        self.env.close()

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """Rendered frames."""
        frames = self.env.render()
        return [None] * self.num_envs if frames is None else list(frames)  # type: ignore[arg-type]

    def get_attr(self, attr_name: str, indices: int | Iterable[int] | None = None) -> list[Any]:
        """The attribute of the vector environment, once per environment."""
        return [getattr(self.env.unwrapped, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: int | Iterable[int] | None = None) -> None:
        """Set an attribute of the vector environment, for all of them at once."""
        setattr(self.env.unwrapped, attr_name, value)

    def env_method(
        self, method_name: str, *args: Any, indices: int | Iterable[int] | None = None, **kwargs: Any
    ) -> list[Any]:
        """Call a method of the vector environment once; its result is repeated per environment."""
        result = getattr(self.env.unwrapped, method_name)(*args, **kwargs)
        return [result] * len(list(self._get_indices(indices)))

    def env_is_wrapped(self, wrapper_class: type[Any], indices: int | Iterable[int] | None = None) -> list[bool]:
        """Whether a wrapper does what the adapter does; only ``Monitor``, which reports episodes as it does."""
        return [issubclass(wrapper_class, Monitor)] * len(list(self._get_indices(indices)))


def shared_tensor(array: Any) -> Tensor:
    """A torch tensor on the memory of an array of JAX, on its device."""
    return array if isinstance(array, Tensor) else from_dlpack(array)


def jax_array(tensor: Tensor) -> Any:
    """An array of JAX on the memory of a tensor."""
    import jax

    return jax.dlpack.from_dlpack(tensor.contiguous())
