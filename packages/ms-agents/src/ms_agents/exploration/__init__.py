"""How a base sample is drawn and becomes the executed action."""

from ms_agents.exploration.correlated import CorrelatedExplorer
from ms_agents.exploration.explorer import Explorer, GaussianExplorer
from ms_agents.exploration.factory import EXPLORERS, make_explorer
from ms_agents.exploration.flow import FlowExplorer
from ms_agents.exploration.state_dependent import StateDependentExplorer

__all__ = [
    "EXPLORERS",
    "CorrelatedExplorer",
    "Explorer",
    "FlowExplorer",
    "GaussianExplorer",
    "StateDependentExplorer",
    "make_explorer",
]
