"""Scale of each component of the tracking error."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ms_agents.distributed import count_and_mean


class ErrorNormalizer(nn.Module):
    """Divides each component by its running mean absolute value; zero stays zero (ADD, Zhang et al. 2025).

    Args:
        size: Length of an error vector, E.
    """

    FLOOR = 1e-4
    """Smallest divisor, so that a component that never errs does not blow up."""

    magnitude: Tensor
    count: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("magnitude", torch.ones(size, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    def forward(self, error: Tensor) -> Tensor:
        """Normalised errors, (..., E)."""
        return error / self.magnitude.clamp(min=self.FLOOR).float()

    @torch.no_grad()
    def update(self, error: Tensor) -> None:
        """Merge a batch of raw errors (B, E), and those of all other processes, into the mean."""
        count, mean = count_and_mean(error.double().abs())
        if count == 0:
            return
        self.count += count
        self.magnitude += (mean - self.magnitude) * count / self.count
