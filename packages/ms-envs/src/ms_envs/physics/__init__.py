"""Engines that move the bodies; whatever they compute, they hand over a ``BodyState``."""

from ms_envs.physics.cpu import CpuEngine, ReflexCommand, RootSupport

__all__ = ["CpuEngine", "ReflexCommand", "RootSupport"]
