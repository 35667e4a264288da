"""What sequences of offsets lead to, from one state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ms_envs.envs import TrackingVectorEnv
from ms_envs.envs.reflex_law import OFFSET
from ms_envs.motions.balance_table import BalanceTable
from ms_envs.task.balance import Balance
from ms_envs.task.state import BodyState, Reference
from numpy.typing import NDArray

from ms_agents.planning.cost import TrackingCost, offset_cost
from ms_agents.planning.hyperparameters import PlannerHyperparameters
from ms_agents.planning.placement import foot_placement

Array = NDArray[np.float64]


class Rollouts:
    """Judges sequences side by side, one in each environment.

    Args:
        env: N environments with ``control="posture"`` that end no episode early.
        hyperparameters: Constants of the search.

    Attributes:
        joints: Joints that get offsets, positions among the independent ones, (D,).
        deviation: Standard deviation of the noise of their offsets, rad, (D,).

    Raises:
        ValueError: If no joint of the body has noise.
    """

    def __init__(self, env: TrackingVectorEnv, hyperparameters: PlannerHyperparameters) -> None:
        self._env, self._hp = env, hyperparameters
        body = env.body
        stiffness = env.options.reflex_gains.stiffness
        deviation = hyperparameters.joint_deviation(dict(body.joint_roles), len(body.joint_ids), stiffness)
        self.joints = np.flatnonzero(deviation)
        if not len(self.joints):
            raise ValueError(f"no joint of body {body.name!r} has noise; give some role of `noise` more than 0 rad")
        self.deviation = deviation[self.joints]
        self._table = BalanceTable(env.clip, body)
        self._cost = TrackingCost(tuple(body.key_bodies), hyperparameters)

    def actions(self, offsets: Array) -> NDArray[np.float32]:
        """Actions (N, A) for offsets (N, D) of target angles, rad."""
        actions = np.zeros((len(offsets), len(self._env.body.joint_ids)), dtype=np.float32)
        actions[:, self.joints] = offsets / OFFSET
        return actions

    def costs(self, origin: TrackingVectorEnv, sequences: Array, steps: Sequence[int]) -> Array:
        """Simulate.

        Args:
            origin: A single environment, where all begin; in its exact state if its muscle paths are those here.
            sequences: Offsets, rad, (N, H, D).
            steps: Control steps of each of the H segments.

        Returns:
            Cost of each sequence, (N,).
        """
        env, hp = self._env, self._hp
        if origin.options.muscle_paths == env.options.muscle_paths:
            env.set_state(origin.get_state())
        else:
            env.place(*origin.coordinates(), origin.time)
        costs, alive = np.zeros(env.num_envs), np.ones(env.num_envs, dtype=np.bool_)
        for segment, count in enumerate(steps):
            actions = self.actions(sequences[:, segment])
            for _ in range(count):
                *_, info = env.step(actions)
                alive &= ~info["diverged"]
            now = self._look(env)
            weight = hp.final_weight if segment == len(steps) - 1 else 1.0
            cost = weight * _sum_of_squares(self._cost.deviations(*now))
            cost += offset_cost(sequences[:, segment], self.deviation, hp.tolerances)
            costs += np.where(alive, cost, 0.0)
            alive &= ~self._cost.failed(*now[:2])
            costs += np.where(alive, 0.0, hp.failure_cost)
            if not alive.any():
                return costs + hp.failure_cost * (len(steps) - 1 - segment)
        return costs

    def terms(self, env: TrackingVectorEnv) -> dict[str, float]:
        """Terms of the cost of a single environment as it is."""
        return {name: float((value[0] ** 2).sum()) for name, value in self._cost.deviations(*self._look(env)).items()}

    def deviations(self, env: TrackingVectorEnv) -> Array:
        """What the cost is the sum of squares of, for every environment as it is, (N, K)."""
        return np.concatenate(list(self._cost.deviations(*self._look(env)).values()), axis=1)

    def failed(self, env: TrackingVectorEnv) -> NDArray[np.bool_]:
        """Whether the body of every environment has failed, (N,)."""
        return self._cost.failed(*env.tracking_state())

    def placement(self, env: TrackingVectorEnv) -> Array:
        """Offsets of the foot-placement prior for a single environment as it is, rad, (D,)."""
        state, reference, balance, reference_balance, contact = self._look(env)
        soon = env.time + self._hp.segment
        swings = ~(contact & self._table.contact(soon))[0]
        index = env.clip.locate(soon)[0][0]
        error = self._cost.balance_error(state, reference, balance, reference_balance)[0]
        jacobian = self._table.foot_jacobian[index][:, :, self.joints]
        return foot_placement(error, swings, jacobian, self._hp.placement_gain, self._hp.placement_reach)

    def _look(self, env: TrackingVectorEnv) -> tuple[BodyState, Reference, Balance, Balance, NDArray[np.bool_]]:
        time = env.time
        return *env.tracking_state(), env.balance(), self._table.at(time), self._table.contact(time)


def _sum_of_squares(deviations: Mapping[str, Array]) -> Array:
    return np.sum([(values**2).sum(axis=1) for values in deviations.values()], axis=0)
