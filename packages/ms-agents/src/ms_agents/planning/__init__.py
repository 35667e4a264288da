"""Reproducing a motion without training: receding-horizon search over posture offsets, and the plans it finds."""

from __future__ import annotations

from ms_agents.planning.hyperparameters import JointNoise, PlannerHyperparameters, Tolerances
from ms_agents.planning.plan import Plan, PlanRequest
from ms_agents.planning.planner import Planner
from ms_agents.planning.replay import PlanPolicy, replay
from ms_agents.planning.score import PlanScore, evaluate_plan, score

__all__ = [
    "JointNoise",
    "Plan",
    "PlanPolicy",
    "PlanRequest",
    "PlanScore",
    "Planner",
    "PlannerHyperparameters",
    "Tolerances",
    "evaluate_plan",
    "replay",
    "score",
]
