"""Agents that learn to imitate motion with muscles: adversarial reward aggregation on PPO, and the scoring protocol."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ms_agents.curriculum import TerminationCurriculum
    from ms_agents.evaluation import evaluate
    from ms_agents.export import export_policy
    from ms_agents.exported_policy import load_policy
    from ms_agents.ppo.algorithm import AggregatedPPO
    from ms_agents.qflex.algorithm import QFlex
    from ms_agents.report import TrackingReport

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # or JAX keeps most of a GPU that torch needs as well

__all__ = [
    "AggregatedPPO",
    "QFlex",
    "TerminationCurriculum",
    "TrackingReport",
    "evaluate",
    "export_policy",
    "load_policy",
]

_HOME = {
    "AggregatedPPO": "ms_agents.ppo.algorithm",
    "TerminationCurriculum": "ms_agents.curriculum",
    "QFlex": "ms_agents.qflex.algorithm",
    "TrackingReport": "ms_agents.report",
    "evaluate": "ms_agents.evaluation",
    "export_policy": "ms_agents.export",
    "load_policy": "ms_agents.exported_policy",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
