"""Engines that move the bodies; whatever they compute, they hand over a ``BodyState``."""

from ms_envs.physics.cpu import CpuEngine, ReflexCommand, RootSupport
from ms_envs.physics.fitted import FittedEngine

__all__ = ["CpuEngine", "FittedEngine", "ReflexCommand", "RootSupport"]
