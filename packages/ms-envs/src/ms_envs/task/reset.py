"""Where in the motion episodes start: more often where they fail.

After the adaptive sampling of BeyondMimic (Liao et al. 2025, §III-F): a smoothed failure rate per bin of the motion,
spread to the bins before it, because what led to a failure happened earlier, and mixed with a uniform share. Unlike
there, the rate of a bin is the share of *passes* through it that fail, whatever the number of passes. The constants are
ours.
"""

from __future__ import annotations

from types import ModuleType

from ms_envs.task.rotations import Array

BIN = 0.1
"""Length of a bin, s."""
LEAD = 5
"""Bins before a failure, its own among them, that are practised for it."""
DECAY = 0.8
"""Weight of each bin relative to the one after it."""
UNIFORM_SHARE = 0.1
"""Share of starts that are drawn uniformly."""
RENEWAL = 0.01
"""Weight of one pass in the failure rate of its bin."""


def bin_count(duration: float) -> int:
    """Number of bins, B, of a motion of some duration in s."""
    return max(round(duration / BIN), 1)


def bin_of(xp: ModuleType, time: Array, duration: float, bins: int, loop: bool) -> Array:
    """Bin that each time lies in, int (N,).

    Args:
        xp: numpy or jax.numpy.
        time: s since the first frame, (N,).
        duration: Of the motion, s.
        bins: Their number, B.
        loop: Whether the motion starts over at its end.
    """
    bin_ = xp.floor(time / duration * bins).astype(int)
    return bin_ % bins if loop else xp.clip(bin_, 0, bins - 1)


def renewed_failure_rate(xp: ModuleType, rate: Array, bins: Array, left: Array, failed: Array) -> Array:
    """Failure rate after one control step.

    Args:
        xp: numpy or jax.numpy.
        rate: Exponentially averaged share of passes that ended in failure, (B,).
        bins: Bin each environment is in, int (N,).
        left: Whether its pass through the bin is over, bool (N,).
        failed: Whether it ended there by failure, bool (N,).

    Returns:
        (B,).
    """
    here = (bins[:, None] == xp.arange(rate.shape[0])) & left[:, None]
    passes = here.sum(axis=0)
    share = (here & failed[:, None]).sum(axis=0) / xp.maximum(passes, 1)
    kept = (1.0 - RENEWAL) ** passes
    return kept * rate + (1.0 - kept) * share


def start_probability(xp: ModuleType, rate: Array, loop: bool) -> Array:
    """Probability of starting in each bin, (B,); uniform where all bins are equally hard.

    Args:
        xp: numpy or jax.numpy.
        rate: Failure rate of each bin, (B,).
        loop: Whether the first bin follows the last.
    """
    bins = rate.shape[0]
    lead = min(LEAD, bins)
    ahead = xp.arange(bins)[:, None] + xp.arange(lead)
    ahead = ahead % bins if loop else xp.minimum(ahead, bins - 1)
    weight = rate[ahead] @ DECAY ** xp.arange(lead)
    total = weight.sum()
    focused = xp.where(total > 0, weight / xp.where(total > 0, total, 1.0), 1.0 / bins)
    return UNIFORM_SHARE / bins + (1.0 - UNIFORM_SHARE) * focused


def start_time(xp: ModuleType, uniform: Array, probability: Array, duration: float, latest: float) -> Array:
    """Start times by the inverse of the cumulative distribution, uniform within bins.

    Args:
        xp: numpy or jax.numpy.
        uniform: Random numbers in [0, 1), (n,).
        probability: Of each bin, (B,).
        duration: Of the motion, s.
        latest: Start that is not exceeded, s.

    Returns:
        s since the first frame, (n,).
    """
    edges = xp.linspace(0.0, duration, probability.shape[0] + 1)
    cumulative = xp.concatenate([xp.zeros(1), xp.cumsum(probability)])
    reach = xp.interp(latest, edges, cumulative)
    return xp.interp(uniform * reach, cumulative, edges)
