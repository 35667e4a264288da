"""Saving and loading a learner whole, in files that hold no code."""

from __future__ import annotations

import inspect
import os
from collections import deque
from collections.abc import Mapping
from numbers import Number
from pathlib import Path
from typing import IO, Any, ClassVar, Self

import gymnasium
import numpy as np
import torch
from gymnasium.vector import VectorEnv
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.save_util import recursive_getattr
from stable_baselines3.common.utils import get_device, get_system_info
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from ms_agents.checkpoint import read_checkpoint, tensors_from_arrays, write_checkpoint
from ms_agents.hyperparameter_set import HyperparameterSet
from ms_agents.identity import check_identity
from ms_agents.ppo.vector import GymnasiumVecEnv


class Persistent(BaseAlgorithm):
    """Algorithm whose ``save`` and ``load`` go by tensors and plain values.

    A subclass adds its own part of the learner's state.

    Attributes:
        algorithm: Name of the algorithm in files.
        hyperparameters_class: Its constants.
    """

    algorithm: ClassVar[str]
    hyperparameters_class: ClassVar[type[HyperparameterSet]]

    @property
    def adapter(self) -> GymnasiumVecEnv | None:
        """The vector environment of Gymnasium under the wrappers of Stable-Baselines3, if there is one."""
        base = None if self.env is None else self.env.unwrapped
        return base if isinstance(base, GymnasiumVecEnv) else None

    def policy_state_dict(self) -> dict[str, Any]:
        """What acting needs: the policy, and what it was made for and with."""
        choices = {"aggregator": self.aggregator_choice, "explorer": self.explorer_choice}
        return {
            "algorithm": self.algorithm,
            "hyperparameters": self.hyperparameters.to_dict(),
            "identity": self.identity,
            "spaces": {name: _packed(getattr(self, f"{name}_space")) for name in ("observation", "action")},
            **{f"{part}_choice": c if isinstance(c, str) else type(c).__name__ for part, c in choices.items()},
            "error_size": self.error_size,
            "seed": self.seed,
            "num_timesteps": self.num_timesteps,
            "policy": self.policy.state_dict(),
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything an exact continuation needs, as tensors and plain values.

        Valid between iterations, where callbacks see ``on_rollout_start`` or ``on_training_end``.
        """
        return self.policy_state_dict() | {"learner": self._learner_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the policy and, if they were saved, the learner and its environment."""
        self.policy.load_state_dict(state["policy"])
        self.num_timesteps = state["num_timesteps"]
        if "learner" in state:
            self._load_learner_state(state["learner"])

    def _learner_state(self) -> dict[str, Any]:
        return {
            "n_updates": self._n_updates,
            "aggregator": self.aggregator.state_dict(),
            "generator": self.generator.get_state(),
            "episodes": tensors_from_arrays(list(self.ep_info_buffer or ())),
            "last_observation": tensors_from_arrays(self._last_obs),
            "pending_logs": self._numbers_to_log(),
            "env": self.env.get_state() if isinstance(self.env, GymnasiumVecEnv) else None,
        }

    def _load_learner_state(self, learner: Mapping[str, Any]) -> None:
        self._n_updates = learner["n_updates"]
        self.aggregator.load_state_dict(learner["aggregator"])
        self.generator.set_state(learner["generator"].cpu())
        self.ep_info_buffer = deque(learner["episodes"], maxlen=self._stats_window_size)
        self.ep_success_buffer: deque[bool] = deque(maxlen=self._stats_window_size)
        self._pending_logs = dict(learner["pending_logs"])
        observation = learner["last_observation"]
        if learner["env"] is not None and isinstance(self.env, GymnasiumVecEnv) and len(observation) == self.n_envs:
            self.env.set_state(learner["env"])
            self._last_obs = observation.cpu().numpy()
            self._last_episode_starts = np.zeros(self.n_envs, bool)

    def _numbers_to_log(self) -> dict[str, float]:
        values = self.logger.name_to_value if hasattr(self, "_logger") else {}
        return {name: tensors_from_arrays(value) for name, value in values.items() if isinstance(value, Number)}

    @staticmethod
    def _parameters(state: Mapping[str, Any]) -> dict[str, Any]:
        """What :meth:`state_dict` holds of the parameters that ``get_parameters`` gives, by the same names."""
        raise NotImplementedError

    def set_parameters(
        self,
        load_path_or_dict: str | Path | IO[bytes] | Mapping[str, Any],  # type: ignore[override]
        exact_match: bool = True,
        device: torch.device | str = "auto",
    ) -> None:
        """Take over what :meth:`get_parameters` returned or :meth:`save` wrote.

        Args:
            load_path_or_dict: The parameters, or the file.
            exact_match: Whether all have to be there.
            device: Where tensors of a file are read to.

        Raises:
            ValueError: If a name is unknown, or one is missing that has to be there.
        """
        given = load_path_or_dict
        given = given if isinstance(given, Mapping) else self._parameters(_read(given, device))
        names, _ = self._get_torch_save_params()
        unknown, missing = sorted(set(given) - set(names)), [name for name in names if name not in given]
        if unknown:
            raise ValueError(f"unknown parameters {unknown}; choose from {names}")
        if missing and exact_match:
            raise ValueError(f"the parameters lack {missing}; give exact_match=False to set only the others")
        if "policy" in given:
            self.policy.load_state_dict(given["policy"], strict=exact_match)
        for name in set(given) - {"policy"}:
            recursive_getattr(self, name).load_state_dict(given[name])

    def save(self, path: str | Path | IO[bytes], *_: Any, **__: Any) -> None:
        """Write everything to a file, atomically; ``.zip`` is added where the name has no suffix."""
        if isinstance(path, str | os.PathLike):
            write_checkpoint(_with_suffix(path), self.state_dict())
        else:
            torch.save({"format": 1, **self.state_dict()}, path)

    @classmethod
    def load(
        cls,
        path: str | Path | IO[bytes],
        env: VectorEnv[Any, Any, Any] | VecEnv | None = None,
        device: torch.device | str = "auto",
        custom_objects: Mapping[str, Any] | None = None,
        print_system_info: bool = False,
        force_reset: bool = False,
        **kwargs: Any,
    ) -> Self:
        """Read what :meth:`save` wrote.

        Args:
            path: The file.
            env: Environment to continue in; without one the model can only predict.
            device: Where it lives.
            custom_objects: Arguments of the constructor in place of those in the file.
            print_system_info: Whether to print the versions of this machine.
            force_reset: Whether to begin with fresh episodes; by default those of the file go on where they can.
            **kwargs: The same as ``custom_objects``, such as an aggregator or explorer object of one's own.

        Returns:
            The model.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged, was made in another environment, or an argument is unknown.
        """
        if print_system_info:
            get_system_info()
        model = cls.from_state_dict(_read(path, device), env, device, **{**(custom_objects or {}), **kwargs})
        if force_reset:
            model._last_obs = None
        return model

    @classmethod
    def from_state_dict(
        cls,
        state: Mapping[str, Any],
        env: VectorEnv[Any, Any, Any] | VecEnv | None = None,
        device: torch.device | str = "auto",
        **kwargs: Any,
    ) -> Self:
        """Build a model from :meth:`state_dict`; see :meth:`load`."""
        names = set(inspect.signature(cls).parameters) - {"env", "device", "_init_setup_model"}
        if unknown := set(kwargs) - names:
            raise ValueError(f"unknown arguments {sorted(unknown)}; choose from {sorted(names)}")
        made_by = state.get("algorithm", "ppo")
        if made_by != cls.algorithm:
            raise ValueError(f"the checkpoint is of the algorithm {made_by!r}, not {cls.algorithm!r}")
        options = {"aggregator": state["aggregator_choice"], "seed": state["seed"]} | kwargs
        options.setdefault("explorer", state.get("explorer_choice", "gaussian"))
        options.setdefault("hyperparameters", cls.hyperparameters_class.from_dict(state["hyperparameters"]))
        model = cls(env=env, device=device, _init_setup_model=False, **options)
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
            if model.adapter is not None:
                check_identity(state["identity"], model.adapter.env)
        model._setup_model()
        model.load_state_dict(state)
        return model


def _read(path: str | Path | IO[bytes], device: torch.device | str) -> dict[str, Any]:
    if isinstance(path, str | os.PathLike) and not Path(path).is_file():
        path = _with_suffix(path)
    return read_checkpoint(path, get_device(device))


def _with_suffix(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    return path if path.suffix else path.with_suffix(".zip")


def _packed(space: gymnasium.spaces.Box) -> dict[str, Tensor]:
    return {"low": torch.from_numpy(space.low.copy()), "high": torch.from_numpy(space.high.copy())}


def _unpacked(bounds: Mapping[str, Tensor]) -> gymnasium.spaces.Box:
    low, high = bounds["low"].cpu().numpy(), bounds["high"].cpu().numpy()
    return gymnasium.spaces.Box(low, high, dtype=low.dtype.type)
