"""Noise of muscle excitations whose single actions are alike and that differs in what the actions share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from ms_agents.exploration import CorrelatedExplorer, make_explorer
from ms_agents.hyperparameters import Hyperparameters
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]

EXPLORERS = ("gaussian", "gsde", "correlated")
"""Explorers whose noise needs no training."""


@dataclass(frozen=True)
class Noise:
    """Standard normal noise of A muscles.

    Attributes:
        name: Of the explorer, or how muscles are grouped.
        independent: Number of independent actions, at most A.
        covariance: In one step, with a diagonal of one, (A, A).
        draw: Observations (N, D) and a generator to noise (N, A).
        learn: Called with observations (N, D) of the task before anything is drawn.
    """

    name: str
    independent: int
    covariance: Array
    draw: Callable[[Tensor, torch.Generator], Tensor]
    learn: Callable[[Tensor], Any] = lambda _: None


def explorer_noise(name: str, env: VectorEnv[Any, Any, Any]) -> Noise:
    """Noise of an explorer around a resting action.

    Args:
        name: One of :data:`EXPLORERS`.
        env: Environment with ``control="excitation"``, whose box of actions has a half range of 1/2.
    """
    box: Any = env.single_action_space
    moments = env.unwrapped.action_moments  # type: ignore[attr-defined]
    space: Any = env.single_observation_space
    explorer: Any = make_explorer(name, space, box, Hyperparameters(), 0, torch.device("cpu"), moments=moments)
    actions = box.shape[0]
    mixing = explorer.mixing.double().numpy() if isinstance(explorer, CorrelatedExplorer) else np.eye(actions)

    def draw(observation: Tensor, generator: torch.Generator) -> Tensor:
        noise: Tensor = explorer.transport(observation, explorer.noise(observation, actions, generator))
        return noise

    learn = explorer.normalizer.update if name == "gsde" else lambda _: None
    return Noise(name, actions, mixing @ mixing, draw, learn)


def grouped_noise(name: str, group: NDArray[np.int64]) -> Noise:
    """One independent action for every group of muscles, which all get the same noise.

    Args:
        name: What the groups are.
        group: Group of each muscle, counted from zero, (A,).
    """
    groups = int(group.max()) + 1
    index = torch.as_tensor(group)

    def draw(observation: Tensor, generator: torch.Generator) -> Tensor:
        return torch.randn(len(observation), groups, generator=generator)[:, index]

    return Noise(name, groups, (group[:, None] == group).astype(float), draw)


def like_muscles(moments: Array, groups: int) -> NDArray[np.int64]:
    """Group muscles that do alike at the joints (Ward's clustering of the directions of their moments).

    Args:
        moments: Joint moments of the muscles, (J, A).
        groups: How many groups, at most.

    Returns:
        Group of each muscle, (A,).
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    if groups >= moments.shape[1]:
        return np.arange(moments.shape[1])
    size = np.linalg.norm(moments, axis=0)
    direction = moments / np.maximum(size, 1e-6 * size.max())
    labels: NDArray[np.int64] = fcluster(linkage(direction.T, "ward"), groups, "maxclust").astype(np.int64) - 1
    return labels


def random_groups(muscles: int, groups: int, seed: int) -> NDArray[np.int64]:
    """Deal the muscles into groups of equal size by chance, (A,)."""
    return np.random.default_rng(seed).permutation(np.arange(muscles) % groups)


def halved(muscles: int, joints: int) -> Sequence[int]:
    """The number of muscles and its halves, as long as there are more than joints."""
    return [muscles >> power for power in range(10) if muscles >> power > joints]
