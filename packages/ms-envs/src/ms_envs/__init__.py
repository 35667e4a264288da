"""Gymnasium environments for whole-body, muscle-driven motion imitation.

Importing the package registers ``MSEmu/<Motion>-v0``; ``gymnasium.make("ms_envs:MSEmu/Dance-v0")`` does both.
"""

from __future__ import annotations

from typing import Any

from ms_envs.bodies import Body, load_body
from ms_envs.motions import MOTIONS, MotionClip, load_clip
from ms_envs.registration import register_all

register_all()


def __getattr__(name: str) -> Any:
    # The environment classes load the physics engine, which importing the package should not.
    if name in ("TrackingEnv", "TrackingVectorEnv"):
        from ms_envs import envs

        return getattr(envs, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["MOTIONS", "Body", "MotionClip", "TrackingEnv", "TrackingVectorEnv", "load_body", "load_clip"]
