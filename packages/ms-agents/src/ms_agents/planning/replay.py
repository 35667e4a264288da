"""Doing what a plan says, open loop."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ms_agents.identity import check_identity
from ms_agents.planning.plan import Plan
from ms_agents.planning.stage import Performance, make_stage


def replay(plan: Plan) -> dict[str, NDArray[Any]]:
    """Simulate a plan anew; with the versions it was made with, on the same kind of machine, the same to the last bit.

    Args:
        plan: The plan.

    Returns:
        Its rows, as simulated now.

    Raises:
        ValueError: If body, clip or options are not those it was made for; the message says which.
    """
    env = make_stage(plan.request, 1)
    try:
        check_identity(plan.identity, env, "plan")
        performance = Performance(env)
        for action in plan.actions:
            performance.act(action)
        return performance.rows()
    finally:
        env.close()


class PlanPolicy:
    """A plan with the interface of a policy, for films and for scoring from the beginning of the motion.

    Args:
        plan: The plan.
    """

    def __init__(self, plan: Plan) -> None:
        self._actions, self._step = plan.actions, 0

    def predict(
        self, observation: NDArray[np.float32], *, deterministic: bool = False
    ) -> tuple[NDArray[np.float32], None]:
        """The next action of the plan, for every environment; at rest after its end."""
        done = self._step >= len(self._actions)
        action = np.zeros_like(self._actions[0]) if done else self._actions[self._step]
        self._step += 1
        return np.tile(action, (len(observation), 1)), None
