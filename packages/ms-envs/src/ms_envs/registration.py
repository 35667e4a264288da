"""The Gymnasium ids of the suite."""

from __future__ import annotations

import gymnasium

from ms_envs.motions import MOTIONS


def register_all() -> None:
    """Register ``MSEmu/<Motion>-v0`` for every motion."""
    for motion in MOTIONS.values():
        gymnasium.register(
            id=motion.env_id,
            entry_point="ms_envs.envs:TrackingEnv",
            vector_entry_point="ms_envs.envs.engine_choice:make_tracking_vector_env",
            kwargs={"motion": motion.name},
        )
