"""Explorers by name."""

from __future__ import annotations

import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray

from ms_agents.exploration.correlated import CorrelatedExplorer
from ms_agents.exploration.explorer import Explorer, GaussianExplorer
from ms_agents.exploration.flow import FlowExplorer
from ms_agents.exploration.state_dependent import StateDependentExplorer
from ms_agents.hyperparameters import Hyperparameters

EXPLORERS = ("gaussian", "gsde", "correlated", "flow")
"""Explorers by name."""


def make_explorer(
    name: str,
    observation_space: Box,
    action_space: Box,
    hp: Hyperparameters,
    seed: int,
    device: torch.device,
    error_size: int = 0,
    moments: NDArray[np.float64] | None = None,
) -> Explorer:
    """Build an explorer.

    Args:
        name: One of :data:`EXPLORERS`.
        observation_space: A flat box.
        action_space: A bounded box.
        hp: Constants.
        seed: Of its sampling.
        device: Where it lives.
        error_size: Length of an error vector, E.
        moments: Joint moments per unit of action, (J, A); the correlated explorer needs them.

    Returns:
        The explorer.

    Raises:
        ValueError: If the name is unknown, or moments are missing.
    """
    observations = observation_space.shape[0]
    if name == "gaussian":
        return GaussianExplorer()
    if name == "gsde":
        return StateDependentExplorer(observations, hp.gsde, hp.observation_clip, device)
    if name == "correlated":
        if moments is None:
            raise ValueError(
                "the explorer 'correlated' needs an environment that offers the joint moments of its actions as "
                "`action_moments`, as those of ms_envs do with control='excitation' or 'reflex'"
            )
        return CorrelatedExplorer(torch.as_tensor(moments, device=device), action_space, hp.correlated, device)
    if name == "flow":
        return FlowExplorer(observation_space, action_space, hp, seed, device, error_size)
    raise ValueError(f"unknown explorer {name!r}; choose one of {', '.join(map(repr, EXPLORERS))}")
