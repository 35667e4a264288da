"""How much of the noise of muscles reaches the joints: at once, by moment arms, and over time, by roll-outs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import torch
from ms_envs.bodies import Body
from ms_envs.bodies.body import ROOT_DOF
from ms_envs.bodies.joint_moments import joint_moments
from ms_envs.inverse.dynamics import Dynamics
from ms_envs.motions.clip import MotionClip
from numpy.typing import NDArray

from benchmarks.coverage_noise import Noise

Array = NDArray[np.float64]

POSTURES = 10
"""Evenly spaced postures of the clip that moments and inertia are taken at."""
CROSSING = 0.05
"""Share of the largest moment at a joint from which on a muscle counts as crossing it."""
SUPPORT = 40.0
"""Natural frequency of the spring on the root, rad/s."""
TONE = 0.2
"""Least excitation that noise is added to, so that it is not clipped."""
STD = 0.05
"""Standard deviation of the noise of every excitation."""
CELL = 1.0
"""Width of the cells that the entropy of joint angles counts, degrees."""


@dataclass(frozen=True)
class JointInfluence:
    """What muscles can do at the joints in a few postures.

    Attributes:
        moments: Joint moments of fully active muscles, N·m, (P, J, A).
        accelerations: Joint accelerations they cause while the root is held, rad/s², (P, J, A).
        crossing: Number of muscles that cross each joint, (J,).
    """

    moments: Array
    accelerations: Array
    crossing: NDArray[np.int64]

    @classmethod
    def of(cls, body: Body, clip: MotionClip) -> JointInfluence:
        """Of a body along a motion."""
        dynamics = Dynamics(body)
        frames = clip.qpos[np.linspace(0, len(clip.qpos) - 1, POSTURES).astype(int)]
        moments = np.array([joint_moments(body, qpos[None]) for qpos in frames])
        inertia = np.array([dynamics.at(qpos, np.zeros(body.model.nv)).mass[ROOT_DOF:, ROOT_DOF:] for qpos in frames])
        size = np.abs(moments).mean(axis=0)
        crossing = (size > CROSSING * size.max(axis=1, keepdims=True)).sum(axis=1)
        return cls(moments, np.linalg.solve(inertia, moments), crossing)

    def torque_share(self, covariance: Array) -> Array:
        """Variance of each joint's torque, in squares of the torque all its muscles add up to, (J,).

        One over the number of muscles if these are alike and their noise is independent; one if it is the same.
        """
        capacity = np.abs(self.moments).sum(axis=2) ** 2
        return (_variance(self.moments, covariance) / capacity).mean(axis=0)

    def acceleration(self, covariance: Array) -> Array:
        """Standard deviation of each joint's acceleration per unit of noise, rad/s², (J,)."""
        return np.sqrt(_variance(self.accelerations, covariance).mean(axis=0))


@dataclass(frozen=True)
class RollOuts:
    """Where the same starts lead with noise, less where they lead without.

    Attributes:
        displacement: Joint angles, degrees, (T, N, J).
        noise: What was added to excitations, in its standard deviation, (T, N, A).
        times: s, (T,).
    """

    displacement: Array
    noise: NDArray[np.float32]
    times: Array

    def rms(self, joints: Any = slice(None)) -> Array:
        """Root mean square over roll-outs and joints at each time, degrees, (T,)."""
        return np.sqrt((self.displacement[..., joints] ** 2).mean(axis=(1, 2)))

    def rms_interval(self, resamples: int = 1000) -> Array:
        """Bootstrap interval of :meth:`rms` over roll-outs, 95 %, degrees, (2, T)."""
        squares = (self.displacement**2).mean(axis=2)
        draws = np.random.default_rng(0).integers(squares.shape[1], size=(resamples, squares.shape[1]))
        means = np.array([squares[:, draw].mean(axis=1) for draw in draws])
        interval: Array = np.sqrt(np.quantile(means, (0.025, 0.975), axis=0))
        return interval

    @property
    def joint_dimensions(self) -> float:
        """Effective number of dimensions of the joint angles at the end, ``(Σλ)² / Σλ²``."""
        values = self._variances
        return float(values.sum() ** 2 / (values**2).sum())

    @property
    def joint_entropy(self) -> float:
        """Volume of the joint angles at the end, ``½ Σ log₂(1 + λ / CELL²)``, bits."""
        return float(0.5 * np.log2(1 + self._variances / CELL**2).sum())

    @property
    def action_dimensions(self) -> float:
        """Effective number of dimensions of the noise over all roll-outs; pairs of them make it free of bias."""
        gram = np.matmul(self.noise, self.noise.transpose(0, 2, 1))
        pairs = gram[:, ~np.eye(gram.shape[1], dtype=bool)]
        return float(np.trace(gram, axis1=1, axis2=2).mean() ** 2 / gram.shape[1] ** 2 / (pairs**2).mean())

    @property
    def episode_dimensions(self) -> float:
        """Effective number of dimensions of the noise of one roll-out, at most T; mean."""
        noise = self.noise.transpose(1, 0, 2)
        gram = np.matmul(noise, noise.transpose(0, 2, 1))
        return float((np.trace(gram, axis1=1, axis2=2) ** 2 / (gram**2).sum(axis=(1, 2))).mean())

    @property
    def _variances(self) -> Array:
        values: Array = np.linalg.eigvalsh(np.cov(self.displacement[-1].T))
        return values.clip(min=0)


class NoiseBench:
    """Rolls the same starts of a motion out, root supported, with any noise around a fixed course of excitations.

    Args:
        body: Name of the body.
        motion: Id of the environment.
        phases: Evenly spaced starts.
        repeats: Roll-outs from each.
        threads: Threads that step physics.
    """

    def __init__(self, body: str, motion: str, phases: int, repeats: int, threads: int) -> None:
        self._starts, self._repeats = np.arange(phases) / phases, repeats
        self.env = gymnasium.make_vec(
            motion,
            num_envs=phases * (repeats + 1),
            body=body,
            control="excitation",
            root_support=SUPPORT,
            root_termination=10.0,
            key_body_termination=10.0,
            threads=threads,
        )
        self.base: Any = self.env.unwrapped

    def roll_out(self, noise: Noise, steps: int, seed: int = 0) -> RollOuts:
        """Step all starts, those of the first copy without noise.

        Args:
            noise: The noise.
            steps: Control steps.
            seed: Of the noise.

        Raises:
            RuntimeError: If physics breaks down.
        """
        generator = torch.Generator().manual_seed(seed)
        phases = len(self._starts)
        observation, _ = self.env.reset(options={"phase": np.tile(self._starts, self._repeats + 1)})
        noise.learn(torch.as_tensor(observation))
        angles, drawn = [], []
        for _ in range(steps):
            (activation,) = self.base.clip.interpolate(self.base.time, self.base.clip.activation)
            sample = noise.draw(torch.as_tensor(observation), generator).numpy()
            sample[:phases] = 0.0
            action = np.clip(activation, TONE, 1 - TONE) + STD * sample
            observation, _, _, _, info = self.env.step(action.astype(np.float32))
            if info["diverged"].any():
                raise RuntimeError("physics broke down under the noise")
            angles.append(np.degrees(self.base.coordinates()[0][:, self.base.body.qpos_index]))
            drawn.append(sample[phases:])
        angle = np.array(angles).reshape(steps, self._repeats + 1, phases, -1)
        displacement = (angle[:, 1:] - angle[:, :1]).reshape(steps, phases * self._repeats, -1)
        return RollOuts(displacement, np.array(drawn), self.base.control_timestep * np.arange(1, steps + 1))


def _variance(influence: Array, covariance: Array) -> Array:
    """Diagonal of ``influence @ covariance @ influenceᵀ`` in each posture, (P, J)."""
    return np.einsum("pja,pja->pj", influence @ covariance, influence)
