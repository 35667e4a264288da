"""The Gymnasium classes."""

from ms_envs.envs.tracking_env import TrackingEnv
from ms_envs.envs.vector_env import TrackingVectorEnv

__all__ = ["TrackingEnv", "TrackingVectorEnv"]
