"""Where episodes start on MJX, as functions of JAX arrays."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ms_envs.bodies.body import Body
from ms_envs.envs.mjx_motion import Joints, Motion
from ms_envs.envs.options import TrackingOptions
from ms_envs.motions.clip import MotionClip
from ms_envs.task.reset import bin_count, bin_of, renewed_failure_rate, start_probability, start_time


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["motion", "joints", "noise"],
    meta_fields=["distribution", "bins", "loop", "timestep"],
)
@dataclass(frozen=True)
class MjxStarts:
    """Draws the starts of episodes, as :class:`ms_envs.envs.starts.Starts` does on the CPU engine.

    Attributes:
        motion: The motion.
        joints: Joints of the body.
        noise: Standard deviation of joint angles, rad.
        distribution: Name of the reset distribution.
        bins: Bins of the motion whose failures are counted.
        loop: Whether they form a ring.
        timestep: Control step, s.
    """

    motion: Motion
    joints: Joints
    noise: jax.Array
    distribution: str
    bins: int
    loop: bool
    timestep: float

    @classmethod
    def of(cls, body: Body, clip: MotionClip, options: TrackingOptions) -> MjxStarts:
        """The starts that options ask for."""
        distribution, adaptive = options.reset_distribution, options.reset_distribution == "adaptive"
        bins, loop = (bin_count(clip.duration), clip.loop) if adaptive else (1, True)
        noise = jnp.float32(options.reset_noise)
        motion, joints = Motion.of(clip, body), Joints.of(body)
        return cls(motion, joints, noise, distribution, bins, loop, options.control_timestep)

    def times(self, keys: jax.Array, failure_rate: jax.Array) -> jax.Array:
        """Start times as the reset distribution says, s, one per random key, (N,)."""
        if self.distribution == "start":
            return jnp.zeros(len(keys))
        uniform = jax.vmap(jax.random.uniform)(keys)
        if self.distribution == "uniform":
            return uniform * self.motion.latest
        probability = start_probability(jnp, failure_rate, self.loop)
        return start_time(jnp, uniform, probability, self.motion.timeline.duration, self.motion.latest)

    def coordinates(self, times: jax.Array, keys: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """``qpos`` (N, nq) and ``qvel`` (N, nv), with the reset noise, and activations (N, M) at start times."""
        qpos, qvel, activation = self.motion.coordinates(times)
        draws = jax.vmap(lambda key: jax.random.normal(key, (2, len(self.joints.qpos_index))))(keys)
        return *self.joints.perturbed(qpos, qvel, draws, self.noise), activation

    def learned(
        self, failure_rate: jax.Array, times: jax.Array, active: jax.Array, failed: jax.Array, over: jax.Array
    ) -> jax.Array:
        """Failure rate of each bin after a control step, (B,).

        Args:
            failure_rate: Before it, (B,).
            times: Where in the motion the step ended, s, (N,).
            active: Which environments took it, (N,).
            failed: Whose episode it ended by termination, (N,).
            over: Whose episode it ended, (N,).
        """
        if self.distribution != "adaptive":
            return failure_rate
        half, duration = 0.5 * self.timestep, self.motion.timeline.duration
        now, following = (
            bin_of(jnp, instant, duration, self.bins, self.loop) for instant in (times - half, times + half)
        )
        return renewed_failure_rate(jnp, failure_rate, now, active & (over | (now != following)), failed)
