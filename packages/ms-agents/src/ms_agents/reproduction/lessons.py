"""What feedback says of the states that a policy comes to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ms_envs.envs import TrackingVectorEnv
from ms_envs.envs.reflex_law import OFFSET
from ms_envs.envs.starts import LAST_START
from numpy.typing import NDArray

from ms_agents.controllers import Policy
from ms_agents.reproduction.config import Perturbation
from ms_agents.reproduction.coordinates import place_near
from ms_agents.reproduction.feedback import Feedback, FeedbackPolicy


@dataclass(frozen=True)
class Lesson:
    """The states of one trajectory and what to do in them.

    Attributes:
        observation: (T, D).
        action: (T, A).
    """

    observation: NDArray[np.float32]
    action: NDArray[np.float32]


def take_lessons(
    env: TrackingVectorEnv,
    feedback: Feedback,
    policy: Policy | None,
    perturbation: Perturbation,
    noise: float,
    seconds: float,
    generator: np.random.Generator,
) -> list[Lesson]:
    """Let a policy lead bodies from near the motion until they fall, and ask the feedback what it would have done.

    Args:
        env: The environments, with the limits of scoring; one lesson comes from each.
        feedback: The teacher.
        policy: Who acts, deterministically; by default the feedback itself.
        perturbation: Of the start.
        noise: Standard deviation of what is added to the actions, held over a segment each.
        seconds: Longest trajectory.
        generator: Source of starts and noise.

    Returns:
        The lessons of bodies that were up for at least one control step.
    """
    clip, coordinates = env.clip, feedback.coordinates
    latest = 1.0 if clip.loop else max(1 - LAST_START / clip.duration, 0.0)
    phase = latest * generator.uniform(size=env.num_envs)
    place_near(env, coordinates, coordinates.scale(perturbation), phase, generator)
    observation = env.set_state(env.get_state())
    teacher, count = FeedbackPolicy(feedback, env), env.num_envs
    alive, length = np.ones(count, dtype=np.bool_), np.zeros(count, dtype=np.int64)
    disturbance = np.zeros((count, len(feedback.joints)))
    seen, said = [], []
    for step in range(round(seconds / env.control_timestep)):
        wanted, _ = teacher.predict(observation)
        action = wanted.copy() if policy is None else policy.predict(observation, deterministic=True)[0].copy()
        if step % feedback.segment_steps == 0:
            disturbance = noise * generator.standard_normal(disturbance.shape)
        action[:, feedback.joints] = np.clip(action[:, feedback.joints] + disturbance, -1.0, 1.0)
        seen.append(observation)
        said.append(wanted)
        nominal = feedback.nominal.at(env.time)["action"]
        teacher.change = OFFSET * (action - nominal)[:, feedback.joints]  # what is done, not what it said
        observation, _, terminated, truncated, _ = env.step(action)
        length += alive
        alive &= ~(terminated | truncated)
        if not alive.any():
            break
    states, labels = np.stack(seen, axis=1), np.stack(said, axis=1)
    return [Lesson(states[i, :steps], labels[i, :steps]) for i, steps in enumerate(length.tolist()) if steps > 1]
