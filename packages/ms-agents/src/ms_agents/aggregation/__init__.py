"""How a tracking-error vector becomes a reward."""

from ms_agents.aggregation.aggregator import (
    AGGREGATORS,
    AdversarialAggregator,
    Aggregator,
    HandTunedAggregator,
    make_aggregator,
)

__all__ = ["AGGREGATORS", "AdversarialAggregator", "Aggregator", "HandTunedAggregator", "make_aggregator"]
