"""Training that begins with other limits than it ends with."""

from __future__ import annotations

import math

from stable_baselines3.common.callbacks import BaseCallback


class TerminationCurriculum(BaseCallback):
    """Scales the deviations that end episodes, linearly in environment steps, until they are the environment's own.

    A start above 1 lets a beginner fail later and see how to come back, one below 1 keeps it near the reference. The
    scale depends on the steps alone and is set before every rollout, so that a run which is continued goes on as if it
    had never stopped. Environments made for scoring are others, and keep their limits.

    Args:
        start: Factor on the limits at the beginning.
        steps: Environment steps after which the factor is 1.

    Raises:
        ValueError: If an argument is not positive, or the environment has no limits to scale.
    """

    def __init__(self, start: float, steps: int) -> None:
        super().__init__()
        for name, value in (("start", start), ("steps", steps)):
            if not 0 < value < math.inf:
                raise ValueError(f"the {name} of a termination curriculum must be a positive number, got {value!r}")
        self.start, self.steps = start, steps

    def scale(self, step: int) -> float:
        """Factor on the limits after a number of environment steps."""
        return self.start + (1.0 - self.start) * min(step / self.steps, 1.0)

    def _on_training_start(self) -> None:
        if not self.training_env.has_attr("set_termination_scale"):
            raise ValueError("a termination curriculum needs an environment with set_termination_scale; this has none")

    def _on_rollout_start(self) -> None:
        scale = self.scale(self.num_timesteps)
        self.training_env.env_method("set_termination_scale", scale)
        self.logger.record("rollout/termination_scale", scale)

    def _on_step(self) -> bool:
        return True
