"""Actions that climb a critic."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def bounded_ascent(
    gradient: Callable[[Tensor], Tensor],
    action: Tensor,
    *,
    steps: int,
    step_size: float,
    low: Tensor,
    high: Tensor,
) -> Tensor:
    """Steps of bounded length along a gradient, inside a box (Qflex, Wei, Zuo & Sui 2026).

    ``aⁿ = aⁿ⁻¹ + min(η, 2√A / ‖g‖) g``; η is the step size.

    Args:
        gradient: Gradient (B, A) at actions (B, A), cut off from the graph.
        action: Where to start, (B, A).
        steps: Number of steps, N.
        step_size: Length of a step per unit of gradient, η.
        low: Lower edge of the box, (A,).
        high: Upper edge.

    Returns:
        Actions, (B, A).
    """
    longest = 2 * action.shape[-1] ** 0.5
    action = action.clamp(low, high)
    for _ in range(steps):
        slope = gradient(action)
        length = slope.norm(dim=-1, keepdim=True).clamp(min=1e-12)
        action = (action + (longest / length).clamp(max=step_size) * slope).clamp(low, high)
    return action
