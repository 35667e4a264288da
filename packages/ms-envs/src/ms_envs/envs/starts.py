"""Where in the motion episodes start, and in which state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import Body
from ms_envs.envs.options import TrackingOptions
from ms_envs.motions.clip import MotionClip
from ms_envs.task.reset import bin_count, bin_of, renewed_failure_rate, start_probability, start_time

LAST_START = 0.5
"""A motion that does not loop is never started later than this before its end, s."""
RESTING_ACTIVATION = 0.05
"""Activation at the start of an episode where the clip gives none."""


class Starts:
    """Draws the starts of episodes from the random numbers of their environments.

    Args:
        body: The body.
        clip: The motion.
        options: Options of the environment.

    Attributes:
        failure_rate: How often passes through each bin of the motion fail, for adaptive resets, (B,).
    """

    def __init__(self, body: Body, clip: MotionClip, options: TrackingOptions) -> None:
        self._body, self._clip, self._options = body, clip, options
        self._latest = clip.duration if clip.loop else max(clip.duration - LAST_START, 0.0)
        self.failure_rate = np.empty(bin_count(clip.duration))
        self.forget()

    def forget(self) -> None:
        """Return to the beginning, where every bin counts as hard because it was never passed."""
        self.failure_rate[:] = 1.0

    def times(self, generators: Sequence[np.random.Generator]) -> NDArray[np.float64]:
        """Start times as the reset distribution says, s, one per generator."""
        distribution = self._options.reset_distribution
        if distribution == "start":
            return np.zeros(len(generators))
        if distribution == "uniform":
            return np.array([generator.uniform(0.0, self._latest) for generator in generators])
        uniform = np.array([generator.uniform() for generator in generators])
        probability = start_probability(np, self.failure_rate, self._clip.loop)
        return np.asarray(start_time(np, uniform, probability, self._clip.duration, self._latest))

    def coordinates(
        self, times: NDArray[np.float64], generators: Sequence[np.random.Generator]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """``qpos`` (n, nq) and ``qvel`` (n, nv) of the reference at start times, perturbed by the reset noise."""
        qpos, qvel = self._clip.coordinates(times)
        body, noise = self._body, self._options.reset_noise
        if noise == 0:
            return qpos, qvel
        draws = np.stack([generator.normal(0.0, noise, (2, len(body.joint_ids))) for generator in generators])
        lower, upper = body.joint_range.T
        qpos[:, body.qpos_index] = np.clip(qpos[:, body.qpos_index] + draws[:, 0], lower, upper)
        qvel[:, body.dof_index] += 10.0 * draws[:, 1]
        body.complete(qpos)
        return qpos, qvel

    def activation(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Muscle activations that balance the motion at start times, (n, M)."""
        if self._clip.activation is None:
            return np.full((len(times), self._body.model.nu), RESTING_ACTIVATION)
        (activation,) = self._clip.interpolate(times, self._clip.activation)
        return np.clip(activation / self._body.strength, 0.0, 1.0)

    def learn(
        self, times: NDArray[np.float64], active: NDArray[np.bool_], failed: NDArray[np.bool_], over: NDArray[np.bool_]
    ) -> None:
        """Renew the failure rate after a control step, if resets are adaptive.

        Args:
            times: Where in the motion the step ended, s, (N,).
            active: Which environments took it, (N,).
            failed: Whose episode it ended by termination, (N,).
            over: Whose episode it ended, (N,).
        """
        if self._options.reset_distribution != "adaptive":
            return
        half, bins = 0.5 * self._options.control_timestep, len(self.failure_rate)
        now, following = (
            bin_of(np, instant, self._clip.duration, bins, self._clip.loop) for instant in (times - half, times + half)
        )
        left = active & (over | (now != following))
        self.failure_rate[:] = renewed_failure_rate(np, self.failure_rate, now, left, failed)
