"""Explorers by name."""

from __future__ import annotations

import torch
from gymnasium.spaces import Box

from ms_agents.exploration.explorer import Explorer, GaussianExplorer
from ms_agents.exploration.flow import FlowExplorer
from ms_agents.exploration.state_dependent import StateDependentExplorer
from ms_agents.hyperparameters import Hyperparameters

EXPLORERS = ("gaussian", "gsde", "flow")
"""Explorers by name."""


def make_explorer(
    name: str, observation_space: Box, action_space: Box, hp: Hyperparameters, seed: int, device: torch.device
) -> Explorer:
    """Build an explorer.

    Args:
        name: One of :data:`EXPLORERS`.
        observation_space: A flat box.
        action_space: A bounded box.
        hp: Constants.
        seed: Of its sampling.
        device: Where it lives.

    Returns:
        The explorer.

    Raises:
        ValueError: If the name is unknown.
    """
    observations = observation_space.shape[0]
    if name == "gaussian":
        return GaussianExplorer()
    if name == "gsde":
        return StateDependentExplorer(observations, hp.gsde, hp.observation_clip, device)
    if name == "flow":
        return FlowExplorer(observations, action_space, hp.action_std, hp.flow, hp.observation_clip, seed, device)
    raise ValueError(f"unknown explorer {name!r}; choose one of {', '.join(map(repr, EXPLORERS))}")
