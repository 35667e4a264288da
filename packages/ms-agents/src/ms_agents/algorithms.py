"""Algorithms by name."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from ms_agents.exploration import EXPLORERS
from ms_agents.hyperparameter_set import HyperparameterSet
from ms_agents.hyperparameters import Hyperparameters
from ms_agents.qflex.hyperparameters import QFlexHyperparameters

if TYPE_CHECKING:
    from ms_agents.ppo.algorithm import AggregatedPPO
    from ms_agents.qflex.algorithm import QFlex


@dataclass(frozen=True)
class Algorithm:
    """A learner and what it can be told.

    Attributes:
        module: Where its class is, which is imported when it is needed.
        name: Name of the class.
        hyperparameters: Class of its constants.
        explorers: What it can explore by, the default first.
    """

    module: str
    name: str
    hyperparameters: type[HyperparameterSet]
    explorers: tuple[str, ...]

    def load(self) -> type[AggregatedPPO] | type[QFlex]:
        """Import the class."""
        learner: type[AggregatedPPO] | type[QFlex] = getattr(import_module(self.module), self.name)
        return learner


ALGORITHMS = {
    "ppo": Algorithm("ms_agents.ppo.algorithm", "AggregatedPPO", Hyperparameters, EXPLORERS),
    "qflex": Algorithm("ms_agents.qflex.algorithm", "QFlex", QFlexHyperparameters, ("flow", "gaussian")),
}
"""Algorithms by the name that runs and files give them."""
