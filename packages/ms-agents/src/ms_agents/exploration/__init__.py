"""How a base sample becomes the executed action."""

from ms_agents.exploration.explorer import Explorer, GaussianExplorer

__all__ = ["Explorer", "GaussianExplorer"]
