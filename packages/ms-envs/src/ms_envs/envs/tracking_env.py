"""One body that imitates one motion: the Gymnasium environment and its specification."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from ms_envs.envs.vector_env import TrackingVectorEnv


class TrackingEnv(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """Imitate a reference motion with a musculoskeletal body by exciting its muscles.

    ## Description

    A body of bones and 80 to 700 Hill-type muscles is put onto a motion-capture reference and must follow it. Ids are
    `MSEmu/<Motion>-v0`; the bodies are `"myo-fullbody"` (default), `"myo-legs"` and `"ms-human-700"`. J is the number
    of independent joints, K of key bodies, M of muscles and F of observed reference frames.

    ## Action space

    `Box(low, high, (A,), float32)`, chosen by `control`:

    | control        | A | range   | meaning                                                                  |
    |----------------|---|---------|--------------------------------------------------------------------------|
    | `"excitation"` | M | [0, 1]  | excitation of each muscle, held over the control step                    |
    | `"reflex"`     | M | [-1, 1] | shortening of each target muscle length, ±0.1 optimal fibre lengths      |
    | `"posture"`    | J | [-1, 1] | offset of each target joint angle, ±0.4 rad, which sets all muscles' l*  |

    In the last two, a stretch reflex acts at every physics step: `excitation = tone + feedforward·a_ref +
    stiffness·(l − l*)/l₀ + damping·(v − v*)/l₀`, clamped to [0, 1], where `l*`, `v*` are the target length and velocity
    at the end of the control step, `l₀` the optimal fibre length, `a_ref` the activations that balance the reference,
    and the gains are 0.02, 1, 20 and 0.7 s by default (`reflex=`, which also takes the `delay` of the arc). Equations
    and physiology: :class:`ms_envs.envs.control.ReflexControl`, :class:`ms_envs.envs.control.PostureControl`.

    With `action_smoothing` (s), a first-order low-pass filter stands before the muscles. It begins at no offset, or at
    the excitations that hold the activations of the start; its output, the action in effect, is observed.

    ## Observation space

    `Box(-inf, inf, (D,), float32)`. Vectors are in the body's heading frame (x forward, y left, z up), turning with the
    root about the vertical. The reference blocks repeat for each frame ahead, `i` = 0 … F−1, at `lookahead[i]` seconds.

    | block                              | size | unit           | content                                             |
    |------------------------------------|------|----------------|-----------------------------------------------------|
    | `root_height`                      | 1    | m              | height of the root                                  |
    | `gravity`                          | 3    | –              | world up in the root frame                          |
    | `root_linear_velocity`             | 3    | m/s            |                                                     |
    | `root_angular_velocity`            | 3    | rad/s          |                                                     |
    | `joint_position`                   | J    | rad            | independent joints; coupled ones follow             |
    | `joint_velocity`                   | J    | 10 rad/s       |                                                     |
    | `key_position`                     | 3 K  | m              | key bodies relative to the root                     |
    | `muscle_activation`                | M    | –              | if in `muscle_signals` (default)                    |
    | `muscle_length`                    | M    | opt. lengths   | if in `muscle_signals`                              |
    | `muscle_velocity`                  | M    | 10 opt. l./s   | if in `muscle_signals`                              |
    | `muscle_force`                     | M    | peak forces    | if in `muscle_signals`                              |
    | `action`                           | A    | as the action  | in effect; with smoothing or `action_rate`          |
    | `reference_i_root_position`        | 3    | m              | reference − body                                    |
    | `reference_i_root_orientation`     | 6    | –              | tangent and normal of the reference root            |
    | `reference_i_root_linear_velocity` | 3    | m/s            |                                                     |
    | `reference_i_joint_position`       | J    | rad            | reference − body                                    |
    | `reference_i_joint_velocity`       | J    | 10 rad/s       |                                                     |
    | `reference_i_key_position`         | 3 K  | m              | reference − body                                    |

    `env.unwrapped.observation_slices` gives the slice of each block.

    ## Reward

    DeepMimic's weighted sum of exponentials (Peng et al. 2018), with weights 0.2 `joint_position`, 0.05
    `joint_velocity`, 0.3 `key_position`, 0.25 `root_pose`, 0.2 `root_velocity`, and −0.02 `effort` (mean squared
    activation). `reward_terms` replaces the weights; `info["reward_terms"]` holds the terms. For rewards that need no
    weights, learn from `info["tracking_error"]`.

    ## Info

    * `tracking_error`: reference − body, (15 + 2 J + 3 K,), zero exactly on the reference; slices in
      `env.unwrapped.error_slices`. The `objectives` are appended, one entry each, whose ideal is zero as well: `effort`
      (mean squared activation), `power` (absolute, of all muscles, W per kg of body mass) and `action_rate` (mean
      squared change of the action in effect, half ranges per control step). Reward and metrics do not depend on them.
    * `metrics`: joint_angle_error (deg), body_position_error (mm, root-relative), global_body_position_error (mm),
      root_position_error (mm), root_orientation_error (deg), joint_velocity_error (deg/s), effort.
    * `phase`: place in the motion, 0 to 1.
    * `diverged`: whether the physics broke down in this step; the observation is then that before the step.
    * `reward_terms`: terms of the hand-tuned reward (not at reset).

    ## Starting state

    On the reference at a random phase (`reset_distribution="uniform"`), more often where episodes fail (`"adaptive"`,
    see :mod:`ms_envs.task.reset`) or at its start (`"start"`), with activations that balance the motion;
    `reset(options={"phase": p})` chooses the phase, `reset_noise` perturbs the joints. A reset with a seed forgets what
    adaptive resets have learnt.

    ## Episode end

    *Terminated* when the root is more than `root_termination` (0.5 m) from the reference, a key body relative to its
    root more than `key_body_termination` (0.5 m), or the physics diverged; `set_termination_scale` multiplies both
    limits. *Truncated* after `horizon` seconds: by default 10 s of a looping motion, the end of any other.

    ## Arguments

    All of :class:`ms_envs.envs.options.TrackingOptions`, for example
    `gymnasium.make("MSEmu/Walk-v0", body="myo-legs", control="posture", horizon=5.0)`; `render_mode` is `None`,
    `"rgb_array"` or `"human"`.

    ## Version history

    * v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "human"], "render_fps": 50}  # noqa: RUF012

    def __init__(
        self,
        motion: str,
        *,
        render_mode: str | None = None,
        render_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(
                f"unknown render_mode {render_mode!r}; choose None or one of {self.metadata['render_modes']}"
            )
        render_options = (render_options or {}) | ({"window": True} if render_mode == "human" else {})
        self.vector = TrackingVectorEnv(
            motion,
            1,
            autoreset_mode=AutoresetMode.DISABLED,
            render_mode="rgb_array" if render_mode else None,
            render_options=render_options,
            **options,
        )
        self.render_mode = render_mode
        self.observation_space = self.vector.single_observation_space
        self.action_space = self.vector.single_action_space
        self.metadata = self.metadata | {"render_fps": self.vector.metadata["render_fps"]}
        for name in ("body", "clip", "options", "control_timestep", "error_slices", "observation_slices"):
            setattr(self, name, getattr(self.vector, name))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start a new episode.

        Args:
            seed: Seed of everything random that follows.
            options: ``{"phase": p}`` starts at phase p in [0, 1).

        Returns:
            Observation (D,) and info.
        """
        super().reset(seed=seed)
        observations, info = self.vector.reset(seed=None if seed is None else [seed], options=options)
        if self.render_mode == "human":
            self.vector.render()
        return observations[0], _single(info)

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Advance by one control step with an action (A,)."""
        observations, rewards, terminated, truncated, info = self.vector.step(np.asarray(action)[None])
        if self.render_mode == "human":
            self.vector.render()
        return observations[0], float(rewards[0]), bool(terminated[0]), bool(truncated[0]), _single(info)

    def render(self) -> NDArray[np.uint8] | None:
        """Picture (H, W, 3) if ``render_mode`` is ``"rgb_array"``; a window draws itself while stepping."""
        if self.render_mode == "human":
            return None
        frames = self.vector.render()
        return None if frames is None else frames[0]

    def set_termination_scale(self, scale: float) -> None:
        """See :meth:`ms_envs.envs.TrackingVectorEnv.set_termination_scale`."""
        self.vector.set_termination_scale(scale)

    def close(self) -> None:
        """Stop threads, renderer and window."""
        self.vector.close()


def _single(info: dict[str, Any]) -> dict[str, Any]:
    """The info of the one environment of a vector."""
    return {
        name: _single(value) if isinstance(value, dict) else value[0]
        for name, value in info.items()
        if not name.startswith("_")
    }
