"""Running scale of observations."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ms_agents.distributed import count_mean_and_variance


class ObservationNormalizer(nn.Module):
    """Running mean and variance of observations, saved with the policy that uses them.

    Args:
        size: Width of an observation.
        clip: Bound on normalised values.
    """

    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, size: int, clip: float) -> None:
        super().__init__()
        self.clip = clip
        self.register_buffer("mean", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("variance", torch.ones(size, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    @property
    def scale(self) -> Tensor:
        """What centred observations are multiplied by, (D,)."""
        return (self.variance + 1e-6).rsqrt().float()

    def forward(self, observation: Tensor) -> Tensor:
        """Centred and scaled observations, (..., D)."""
        return ((observation - self.mean.float()) * self.scale).clamp(-self.clip, self.clip)

    @torch.no_grad()
    def update(self, observation: Tensor) -> None:
        """Merge a batch (B, D), and those of all other processes, into the statistics (Chan et al. 1983)."""
        count, mean, variance = count_mean_and_variance(observation.double())
        total = self.count + count
        difference = mean - self.mean
        spread = self.variance * self.count + variance * count + difference**2 * self.count * count / total
        self.mean += difference * count / total
        self.variance.copy_(spread / total)
        self.count.copy_(total)
