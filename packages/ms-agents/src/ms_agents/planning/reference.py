"""Whether a clip asks for what muscles and floor can give, before hours are spent on it."""

from __future__ import annotations

from dataclasses import dataclass

from ms_envs.bodies.body import Body
from ms_envs.inverse import inverse_solution
from ms_envs.inverse.report import body_weight
from ms_envs.motions.clip import MotionClip

DOUBTFUL_FORCE, DOUBTFUL_TORQUE = 0.1, 0.05
"""Root force and share of torque from which a clip is named doubtful."""


@dataclass(frozen=True)
class ReferenceLimits:
    """What is too much to plan.

    Attributes:
        root_force: Mean force on the root from nowhere, body weights.
        unreachable_torque: Share of the joint torque that the muscles do not give.
    """

    root_force: float = 0.5
    unreachable_torque: float = 0.25


@dataclass(frozen=True)
class ReferenceQuality:
    """What static optimisation could not explain in a clip.

    Attributes:
        motion: Name of the motion.
        root_force: Mean force on the root from nowhere, body weights.
        unreachable_torque: Share of the joint torque that the muscles do not give.
    """

    motion: str
    root_force: float
    unreachable_torque: float

    @property
    def doubtful(self) -> bool:
        """Whether a plan is likely to leave the clip or fall."""
        return self.root_force > DOUBTFUL_FORCE or self.unreachable_torque > DOUBTFUL_TORQUE

    def __str__(self) -> str:
        return (
            f"the clip {self.motion!r} needs a root force from nowhere of {100 * self.root_force:.0f} % of the body's "
            f"weight, and {100 * self.unreachable_torque:.0f} % of its joint torque is out of the muscles' reach"
        )

    def check(self, limits: ReferenceLimits) -> None:
        """Refuse a clip beyond the limits.

        Raises:
            ValueError: If it is.
        """
        if self.root_force > limits.root_force or self.unreachable_torque > limits.unreachable_torque:
            raise ValueError(
                f"{self}; the limits are {100 * limits.root_force:.0f} % and {100 * limits.unreachable_torque:.0f} %: "
                'choose clip="repaired", repair a clip of your own by `ms-envs repair`, or raise them to plan it all '
                "the same"
            )


def reference_quality(body: Body, clip: MotionClip) -> ReferenceQuality:
    """Judge a clip by its own report, or by static optimisation where it has none or the muscles are stronger.

    Args:
        body: The body.
        clip: A motion made for it.
    """
    known = clip.provenance.get("quality", {})
    if body.strength == 1.0 and {"root_force_share", "unreachable_torque"} <= set(known):
        return ReferenceQuality(clip.motion, known["root_force_share"], known["unreachable_torque"])
    solution = inverse_solution(body, clip)
    force = float(solution.root_residual_force.mean()) / body_weight(body)
    return ReferenceQuality(clip.motion, force, solution.unreachable)
