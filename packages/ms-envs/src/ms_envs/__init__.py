"""Gymnasium environments for whole-body, muscle-driven motion imitation.

Importing the package registers ``MSEmu/<Motion>-v0``; ``gymnasium.make("ms_envs:MSEmu/Dance-v0")`` does both.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ms_envs.motions import MOTIONS, load_clip
from ms_envs.registration import register_all

if TYPE_CHECKING:
    from ms_envs.bodies import Body, load_body
    from ms_envs.envs import TrackingEnv, TrackingVectorEnv
    from ms_envs.motions.clip import MotionClip

register_all()

_MODULES = {
    "Body": "ms_envs.bodies",
    "load_body": "ms_envs.bodies",
    "MotionClip": "ms_envs.motions.clip",
    "TrackingEnv": "ms_envs.envs",
    "TrackingVectorEnv": "ms_envs.envs",
}


def __getattr__(name: str) -> Any:
    # These need the physics engine, whose import takes longer than all the rest.
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["MOTIONS", "Body", "MotionClip", "TrackingEnv", "TrackingVectorEnv", "load_body", "load_clip"]
