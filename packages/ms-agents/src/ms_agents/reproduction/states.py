"""States of a body along a trajectory, and near it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ms_envs.bodies.body import Body
from ms_envs.envs import TrackingVectorEnv
from ms_envs.task import rotations
from numpy.typing import NDArray

from ms_agents.controllers import Policy
from ms_agents.planning import Plan
from ms_agents.reproduction.config import Perturbation

Array = NDArray[np.float64]

LEAST_REST = 0.5
"""A motion that does not loop is never entered later than this before its end, s."""


@dataclass(frozen=True)
class Trajectory:
    """States and what was done in them, one row per control step, each at its beginning.

    Attributes:
        qpos: (T, nq).
        qvel: (T, nv).
        activation: (T, M).
        time: Where in the motion, s, (T,).
        action: (T, A).
    """

    qpos: Array
    qvel: Array
    activation: Array
    time: Array
    action: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.time)

    @classmethod
    def of_plan(cls, plan: Plan) -> Trajectory:
        """The states of a plan but for its first, which is on the motion, and its last, in which nothing is done."""
        rows = plan.rows
        qpos, qvel, activation, time = (rows[name][:-1] for name in ("qpos", "qvel", "activation", "time"))
        return cls(qpos, qvel, activation, time, rows["action"][1:])


def roll_out(
    env: TrackingVectorEnv,
    policy: Policy,
    seconds: float,
    perturbation: Perturbation,
    generator: np.random.Generator,
) -> Trajectory:
    """Let a policy lead a single body from near the motion until its episode would end, or for some time.

    Args:
        env: The environment, with the limits of scoring.
        policy: The policy, which acts deterministically.
        seconds: Longest trajectory.
        perturbation: Of the start.
        generator: Source of phase and perturbation.
    """
    clip = env.clip
    latest = 1.0 if clip.loop else max(1 - LEAST_REST / clip.duration, 0.0)
    env.reset(options={"phase": latest * generator.uniform()})
    qpos, qvel, activation = env.coordinates()
    env.place(*perturbed(env.body, perturbation, qpos, qvel, generator), activation, env.time)
    observation = env.set_state(env.get_state())
    rows: list[tuple[Any, ...]] = []
    for _ in range(round(seconds / env.control_timestep)):
        action, _ = policy.predict(observation, deterministic=True)
        rows.append(tuple(values[0].copy() for values in (*env.coordinates(), env.time, action)))
        observation, _, terminated, truncated, _ = env.step(action)
        if terminated[0] or truncated[0]:
            break
    return Trajectory(*(np.array(values) for values in zip(*rows, strict=True)))


def perturbed(
    body: Body, perturbation: Perturbation, qpos: Array, qvel: Array, generator: np.random.Generator
) -> tuple[Array, Array]:
    """Positions (N, nq) and velocities (N, nv) disturbed at random."""
    qpos, qvel, count, p = qpos.copy(), qvel.copy(), len(qpos), perturbation
    lower, upper = body.joint_range.T
    angles, velocities = generator.normal(0.0, p.joint_angle, (2, count, len(body.joint_ids)))
    qpos[:, body.qpos_index] = np.clip(qpos[:, body.qpos_index] + angles, lower, upper)
    qvel[:, body.dof_index] += 10.0 * velocities
    qpos[:, :2] += generator.normal(0.0, p.root_displacement, (count, 2))
    tilt = np.column_stack([np.ones(count), generator.normal(0.0, p.root_rotation / 2, (count, 3))])
    tilt /= np.linalg.norm(tilt, axis=1, keepdims=True)
    qpos[:, 3:7] = rotations.multiply(np, tilt, qpos[:, 3:7])
    qvel[:, :2] += generator.normal(0.0, p.root_velocity, (count, 2))
    qvel[:, 3:6] += generator.normal(0.0, p.root_angular_velocity, (count, 3))
    return body.complete(qpos), qvel
