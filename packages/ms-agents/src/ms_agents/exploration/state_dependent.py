"""Noise that is a smooth function of the observation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ms_agents.exploration.explorer import GaussianExplorer
from ms_agents.hyperparameters import StateDependentHyperparameters
from ms_agents.observation_normalizer import ObservationNormalizer


class StateDependentExplorer(GaussianExplorer):
    """Generalised state-dependent exploration (gSDE, Raffin et al. 2022).

    The noise is a random linear function of features of the observation, redrawn every few steps, so that it changes
    as smoothly as the body moves. Features are scaled to length one: the noise of every single step then is standard
    normal, as the likelihood of the base policy takes it to be.

    Args:
        observations: Width of an observation, D.
        hyperparameters: Constants.
        observation_clip: Bound on normalised observations.
        device: Where it lives.
    """

    def __init__(
        self,
        observations: int,
        hyperparameters: StateDependentHyperparameters,
        observation_clip: float,
        device: torch.device,
    ) -> None:
        self.hyperparameters = hp = hyperparameters
        self.normalizer = ObservationNormalizer(observations, observation_clip).to(device)
        self.features = nn.Sequential(nn.Linear(observations, hp.features), nn.Tanh()).to(device).requires_grad_(False)
        self._weights = torch.zeros(0, device=device)
        self._steps = 0

    def noise(self, observation: Tensor, actions: int, generator: torch.Generator) -> Tensor:
        """A linear function of the features of each environment, the same for a few steps, (N, A)."""
        shape = (len(observation), self.hyperparameters.features, actions)
        if self._weights.shape != shape or self._steps % self.hyperparameters.interval == 0:
            self._weights = torch.randn(shape, generator=generator, device=generator.device)
        self._steps += 1
        features = nn.functional.normalize(self.features(self.normalizer(observation)), dim=-1)
        return torch.einsum("nf,nfa->na", features, self._weights)

    def update(self, rollout: Any, value: Any, aggregator: Any) -> dict[str, float]:
        """Renew the scale of the observations."""
        self.normalizer.update(rollout.observations.flatten(0, 1))
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Features, scale and the weights in use."""
        return {
            "features": self.features.state_dict(),
            "normalizer": self.normalizer.state_dict(),
            "weights": self._weights.clone(),
            "steps": self._steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state_dict`."""
        self.features.load_state_dict(state["features"])
        self.normalizer.load_state_dict(state["normalizer"])
        self._weights, self._steps = state["weights"].clone(), state["steps"]
