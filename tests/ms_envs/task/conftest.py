from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ms_envs.task import rotations
from ms_envs.task.state import BodyState, Muscles, Pose

JOINTS, KEY_BODIES, MUSCLES = 5, 4, 6


@pytest.fixture(scope="session")
def random_state() -> Callable[[int, int], BodyState]:
    """Builds ``count`` states from a seed."""

    def build(seed: int, count: int = 3) -> BodyState:
        rng = np.random.default_rng(seed)
        orientation = rng.normal(size=(count, 4))
        pose = Pose(
            root_position=rng.normal(size=(count, 3)),
            root_orientation=orientation / np.linalg.norm(orientation, axis=1, keepdims=True),
            root_linear_velocity=rng.normal(size=(count, 3)),
            root_angular_velocity=rng.normal(size=(count, 3)),
            joint_position=rng.normal(size=(count, JOINTS)),
            joint_velocity=rng.normal(size=(count, JOINTS)),
            key_position=rng.normal(size=(count, KEY_BODIES, 3)),
        )
        muscles = Muscles(
            activation=rng.uniform(size=(count, MUSCLES)),
            length=rng.uniform(0.1, 0.3, (count, MUSCLES)),
            velocity=rng.normal(size=(count, MUSCLES)),
            force=-rng.uniform(0, 500, (count, MUSCLES)),
        )
        return BodyState(pose, muscles, np.zeros(count, dtype=bool))

    return build


@pytest.fixture(scope="session")
def moved() -> Callable[[Pose, float, np.ndarray], Pose]:
    """Turns a pose about the vertical and shifts it."""

    def move(pose: Pose, yaw: float, shift: np.ndarray) -> Pose:
        turn = np.array([np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)])

        def rotated(v: np.ndarray) -> np.ndarray:
            return rotations.rotate(np, np.broadcast_to(turn, (*v.shape[:-1], 4)), v)

        return pose._replace(
            root_position=rotated(pose.root_position) + shift,
            root_orientation=rotations.multiply(np, turn, pose.root_orientation),
            root_linear_velocity=rotated(pose.root_linear_velocity),
            root_angular_velocity=rotated(pose.root_angular_velocity),
            key_position=rotated(pose.key_position) + shift,
        )

    return move
