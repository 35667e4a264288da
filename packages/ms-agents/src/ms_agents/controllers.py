"""What can be scored without training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray


class Policy(Protocol):
    """Anything with the ``predict`` of Stable-Baselines3."""

    def predict(
        self, observation: NDArray[np.float32], *, deterministic: bool = False
    ) -> tuple[NDArray[np.float32], Any]:
        """Actions (N, A) for observations (N, D), and a state that is ignored."""
        ...


class RestingPolicy:
    """Always the resting action, so that the control alone follows the reference.

    Args:
        env: The environment; zero is projected onto its box of actions.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        box: Any = env.single_action_space
        self._action = np.clip(0.0, box.low, box.high).astype(np.float32)

    def predict(
        self, observation: NDArray[np.float32], *, deterministic: bool = False
    ) -> tuple[NDArray[np.float32], None]:
        """The resting action for each observation."""
        return np.tile(self._action, (len(observation), 1)), None


class InversePolicy:
    """Computed muscle control: looks at the bodies themselves and solves for excitations in every step.

    Args:
        env: Vector environment of ``ms_envs`` with ``control="excitation"``.

    Raises:
        ValueError: If it is not.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        from ms_envs.envs import TrackingVectorEnv
        from ms_envs.inverse import ComputedMuscleControl

        base: Any = env.unwrapped
        if not isinstance(base, TrackingVectorEnv) or base.options.control != "excitation":
            raise ValueError("the inverse policy needs a vector environment of ms_envs with control='excitation'")
        self._env = base
        self._control = ComputedMuscleControl(
            base.body, base.clip, base.control_timestep, supported=base.options.root_support > 0
        )

    def predict(
        self, observation: NDArray[np.float32], *, deterministic: bool = False
    ) -> tuple[NDArray[np.float32], None]:
        """Excitations (N, M) for the bodies as they are; the observation is not needed."""
        states = zip(*self._env.coordinates(), self._env.time, strict=True)
        return np.array([self._control.excitation(*state) for state in states], dtype=np.float32), None


@dataclass(frozen=True)
class Controller:
    """A policy that needs no training.

    Attributes:
        make: Builds it for a vector environment.
        control: The control it needs; ``None`` takes any.
    """

    make: Callable[[VectorEnv[Any, Any, Any]], Policy]
    control: str | None = None

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments of its environment, those given among them.

        Raises:
            ValueError: If another control is asked for.
        """
        wanted = {} if self.control is None else {"control": self.control}
        if wanted and given.get("control", self.control) != self.control:
            raise ValueError(f"this policy needs control={self.control!r}, got {given['control']!r}")
        return {**given, **wanted}


CONTROLLERS = {
    "untrained": Controller(RestingPolicy),
    "reflex": Controller(RestingPolicy, "reflex"),
    "inverse": Controller(InversePolicy, "excitation"),
}
"""Policies that need no training, by name."""


def controller(name: str) -> Controller:
    """A policy by name.

    Raises:
        ValueError: If the name is unknown.
    """
    if name not in CONTROLLERS:
        raise ValueError(
            f"unknown policy {name!r}; give one with predict(), or one of {', '.join(map(repr, CONTROLLERS))}"
        )
    return CONTROLLERS[name]
