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
    """Let a policy lead bodies from near the motion, and ask the feedback what it would have done.

    Bodies that fall, or come to the end of a motion that ends, begin anew at once.

    Args:
        env: The environments, with the limits of scoring.
        feedback: The teacher.
        policy: Who acts, deterministically; by default the feedback itself.
        perturbation: Of the starts.
        noise: Standard deviation of what is added to the actions, held over a segment each.
        seconds: How long each environment is led.
        generator: Source of starts and noise.

    Returns:
        A lesson for every trajectory of more than one control step.
    """
    teacher, count = FeedbackPolicy(feedback, env), env.num_envs
    steps = round(seconds / env.control_timestep)
    disturbance = np.zeros((count, len(feedback.joints)))
    observation = _begin(env, feedback, perturbation, np.ones(count, dtype=np.bool_), generator)
    seen, said, ended = [], [], np.zeros((steps, count), dtype=np.bool_)
    for step in range(steps):
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
        ended[step] = over = terminated | truncated
        if over.any():
            observation = _begin(env, feedback, perturbation, over, generator)
            teacher.change[over] = 0.0
    states, labels = np.stack(seen, axis=1), np.stack(said, axis=1)
    lessons = []
    for body in range(count):
        cuts = np.flatnonzero(ended[:-1, body]) + 1
        parts = zip(np.split(states[body], cuts), np.split(labels[body], cuts), strict=True)
        lessons += [Lesson(*part) for part in parts if len(part[0]) > 1]
    return lessons


def _begin(
    env: TrackingVectorEnv,
    feedback: Feedback,
    perturbation: Perturbation,
    bodies: NDArray[np.bool_],
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    """Put some bodies (N,) near the motion, where episodes begin, and look at all of them."""
    latest = 1.0 if env.clip.loop else max(1 - LAST_START / env.clip.duration, 0.0)
    env.reset(options={"phase": latest * generator.uniform(size=env.num_envs), "reset_mask": bodies})
    coordinates = feedback.coordinates
    place_near(env, coordinates, coordinates.scale(perturbation), env.coordinates(), env.time, bodies, generator)
    return env.set_state(env.get_state())
