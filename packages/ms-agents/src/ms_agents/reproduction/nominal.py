"""The trajectory that feedback keeps a body on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ms_envs.bodies.body import Body
from ms_envs.envs import TrackingVectorEnv
from ms_envs.motions.clip import MotionClip
from numpy.typing import NDArray

from ms_agents.planning import Plan

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Nominal:
    """States and actions at every control step of a motion.

    Of a motion that loops it is one round.

    Attributes:
        qpos: (T, nq).
        qvel: (T, nv).
        activation: (T, M).
        action: (T, A).
        timestep: Control step, s.
        stride: Displacement of the root from one round to the next, m, (3,).
        loop: Whether the motion loops.
    """

    qpos: Array
    qvel: Array
    activation: Array
    action: Array
    timestep: float
    stride: Array
    loop: bool

    def __len__(self) -> int:
        return len(self.action)

    @classmethod
    def of_motion(cls, env: TrackingVectorEnv) -> Nominal:
        """The motion itself, with the activations that balance it and actions of zero.

        Raises:
            ValueError: If a round of a looping motion is no whole number of control steps.
        """
        clip, timestep = env.clip, env.control_timestep
        steps = np.arange(_control_steps(clip, timestep))
        parts: dict[str, list[Array]] = {"qpos": [], "qvel": [], "activation": []}
        for chunk in np.array_split(steps, -(-len(steps) // env.num_envs)):
            phase = np.zeros(env.num_envs)
            phase[: len(chunk)] = chunk * timestep / clip.duration
            env.reset(options={"phase": phase})
            for name, values in zip(parts, env.coordinates(), strict=True):
                parts[name].append(values[: len(chunk)])
        joined = {name: np.concatenate(values) for name, values in parts.items()}
        action = np.zeros((len(steps), len(env.body.joint_ids)))
        stride = clip.cycle_offset if clip.loop else np.zeros(3)
        return cls(**joined, action=action, timestep=timestep, stride=stride, loop=clip.loop)

    @classmethod
    def of_plan(cls, plan: Plan, clip: MotionClip, body: Body, timestep: float) -> Nominal:
        """The trajectory of a plan; of a looping motion the mean over its rounds but the first, each moved onto it.

        To first order the mean of trajectories is itself a trajectory, and the more rounds, the smaller the leap from
        its end to its beginning, which a single round has where no round of a plan ends as it began.

        Raises:
            ValueError: If the plan of a looping motion is shorter than two rounds, or its rounds are no whole number of
                control steps.
        """
        start = dict(zip(("qpos", "qvel"), clip.coordinates(np.zeros(1)), strict=True))
        start["activation"] = plan.rows["activation"][:1]
        rows = {name: np.concatenate([values, plan.rows[name][:-1]]) for name, values in start.items()}
        rows["action"] = plan.actions.astype(np.float64)
        if not clip.loop:
            return cls(**rows, timestep=timestep, stride=np.zeros(3), loop=False)
        length = _control_steps(clip, timestep)
        rounds = len(plan.actions) // length - 1
        if rounds < 1:
            raise ValueError(f"feedback needs a plan of at least two rounds, {2 * clip.duration:g} s")
        rows = {name: _at_phases(values, length, rounds) for name, values in rows.items()}
        rows["qpos"] = _mean_posture(rows["qpos"], clip, body, timestep)
        mean = {name: values if name == "qpos" else values.mean(axis=0) for name, values in rows.items()}
        return cls(**mean, timestep=timestep, stride=clip.cycle_offset, loop=True)

    def at(self, time: Array) -> Mapping[str, Array]:
        """States and actions at the control steps nearest to times in s, name to (N, ...)."""
        index, qpos = self.step(time), self.qpos[self.step(time)]
        if self.loop:
            qpos[:, :3] += np.outer(self._elapsed(time) // len(self), self.stride)
        return {
            "qpos": qpos,
            "qvel": self.qvel[index],
            "activation": self.activation[index],
            "action": self.action[index],
        }

    def step(self, time: Array) -> NDArray[np.int64]:
        """Control steps of the trajectory nearest to times in s, (N,); its last one after its end."""
        elapsed = self._elapsed(time)
        return elapsed % len(self) if self.loop else np.minimum(elapsed, len(self) - 1)

    def _elapsed(self, time: Array) -> NDArray[np.int64]:
        return np.floor(time / self.timestep + 0.5 + 1e-6).astype(np.int64)


def _control_steps(clip: MotionClip, timestep: float) -> int:
    """Control steps of a motion, at least its whole length."""
    length = clip.duration / timestep
    if clip.loop and abs(length - round(length)) * timestep > 1e-6:
        raise ValueError(f"a round of {clip.duration:g} s is no whole number of control steps of {timestep:g} s")
    return int(np.ceil(length - 1e-6))


def _at_phases(values: Array, length: int, rounds: int) -> Array:
    """Rows after the first round as (rounds, length, ...)."""
    return np.asarray(values[length : length + rounds * length].reshape(rounds, length, -1))


def _mean_posture(qpos: Array, clip: MotionClip, body: Body, timestep: float) -> Array:
    """Mean over rounds (R, T, nq), each moved onto the first round of the motion, (T, nq)."""
    reference, _ = clip.coordinates(timestep * np.arange(qpos.shape[1], dtype=np.float64))
    qpos = qpos.copy()
    qpos[..., :2] -= (qpos[..., :2] - reference[:, :2]).mean(axis=1, keepdims=True)
    qpos[..., 3:7] *= np.sign((qpos[..., 3:7] * reference[:, 3:7]).sum(axis=-1, keepdims=True))
    mean = qpos.mean(axis=0)
    mean[:, 3:7] /= np.linalg.norm(mean[:, 3:7], axis=1, keepdims=True)
    return body.complete(mean)
