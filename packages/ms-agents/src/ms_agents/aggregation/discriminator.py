"""The differential discriminator and the errors it remembers (ADD, Zhang et al. 2025)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ms_agents.hyperparameters import DiscriminatorHyperparameters
from ms_agents.networks import multilayer_perceptron


class Discriminator(nn.Module):
    """Logit of "this normalised error is zero".

    Args:
        size: Length of an error vector, E.
        hyperparameters: Constants.
    """

    def __init__(self, size: int, hyperparameters: DiscriminatorHyperparameters) -> None:
        super().__init__()
        self.hyperparameters = hyperparameters
        self.network = multilayer_perceptron(size, hyperparameters.hidden, 1, "relu")
        output = self.network[-1]
        assert isinstance(output, nn.Linear)
        self.output = output
        nn.init.uniform_(self.output.weight, -1.0, 1.0)
        nn.init.zeros_(self.output.bias)

    def forward(self, error: Tensor) -> Tensor:
        """Logits (B,) of normalised errors (B, E)."""
        logits: Tensor = self.network(error)[:, 0]
        return logits

    @torch.no_grad()
    def reward(self, error: Tensor) -> Tensor:
        """``scale · −log(max(1 − D, 1e-4))`` of normalised errors (B, E), (B,)."""
        return -self.hyperparameters.reward_scale * torch.sigmoid(-self(error)).clamp(min=1e-4).log()

    def loss(self, error: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Cross entropy against the one positive sample, zero, with a gradient penalty on both sides.

        ``½ [BCE(l(0), 1) + BCE(l(δ), 0)] + λ ½ [E‖∇l(δ)‖² + ‖∇l(0)‖²] + 0.01 ‖w_out‖²``. The penalty on the negatives
        keeps the discriminator from collapsing to a spike at zero.

        Args:
            error: Normalised errors, the negatives, (B, E).

        Returns:
            The loss (), the logit of zero () and the logits of the errors (B,).
        """
        hp = self.hyperparameters
        samples = torch.cat([torch.zeros_like(error[:1]), error.detach()]).requires_grad_()
        logits = self(samples)
        gradient = torch.autograd.grad(logits.sum(), samples, create_graph=True)[0]
        steepness = gradient.square().sum(-1)
        zero, negative = logits[0], logits[1:]
        entropy = 0.5 * (softplus(-zero) + softplus(negative).mean())
        penalty = 0.5 * (steepness[1:].mean() + steepness[0])
        decay = self.output.weight.square().sum()
        return entropy + hp.gradient_penalty * penalty + hp.logit_decay * decay, zero, negative

    def attribution(self, error: Tensor) -> Tensor:
        """What each component of the error takes from the logit: mean of ``|∂l/∂δ · δ|``.

        Args:
            error: Normalised errors, (B, E).

        Returns:
            Gradient times input (Shrikumar et al. 2016), (E,).
        """
        samples = error.detach().requires_grad_()
        gradient = torch.autograd.grad(self(samples).sum(), samples)[0]
        return (gradient * error).abs().mean(0)


class ErrorReplay:
    """Raw tracking errors of earlier policies, so that the discriminator does not forget them.

    Filled with whole rollouts first; a full replay takes a random few of each rollout in place of its oldest.

    Args:
        size: Length of an error vector, E.
        capacity: Errors kept.
        samples: Errors taken from each rollout once full.
        device: Where they are kept.
    """

    def __init__(self, size: int, capacity: int, samples: int, device: torch.device) -> None:
        self._errors = torch.zeros(capacity, size, device=device)
        self._samples = samples
        self._filled = 0
        self._next = 0

    def __len__(self) -> int:
        return self._filled

    def add(self, error: Tensor, generator: torch.Generator) -> None:
        """Remember errors (B, E)."""
        capacity = len(self._errors)
        if self._filled == capacity:
            error = error[random_rows(len(error), min(self._samples, len(error)), generator)]
        else:
            error = error[: capacity - self._filled]
        slots = torch.arange(self._next, self._next + len(error), device=error.device) % capacity
        self._errors[slots] = error
        self._next = (self._next + len(error)) % capacity
        self._filled = min(self._filled + len(error), capacity)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Random errors, with replacement, (count, E)."""
        return self._errors[random_rows(self._filled, count, generator)]

    def state_dict(self) -> dict[str, Any]:
        """The errors kept and where the next one goes."""
        return {"errors": self._errors[: self._filled].clone(), "next": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state_dict`."""
        self._filled, self._next = len(state["errors"]), state["next"]
        self._errors[: self._filled] = state["errors"]


def random_rows(rows: int, count: int, generator: torch.Generator) -> Tensor:
    """Row numbers drawn with replacement, (count,), on the device of the generator."""
    return torch.randint(rows, (count,), generator=generator, device=generator.device)
