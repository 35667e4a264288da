"""What to do in a state and in those around it: one Gauss-Newton step on the cost of the next fraction of a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ms_envs.envs import TrackingVectorEnv
from ms_envs.envs.reflex_law import OFFSET
from numpy.typing import NDArray

from ms_agents.identity import environment_identity
from ms_agents.planning import PlanRequest
from ms_agents.planning.rollouts import Rollouts
from ms_agents.planning.stage import make_stage
from ms_agents.reproduction.config import Perturbation
from ms_agents.reproduction.deviations import Deviations
from ms_agents.reproduction.states import Trajectory, perturbed

Array = NDArray[np.float64]
Actions = NDArray[np.float32]

PROBE = 0.25
"""Change of an offset from which derivatives are taken, in deviations of the search's noise."""
DAMPING = (0.1, 1.0, 10.0)
"""Levenberg's damping, of which the best is taken."""
LARGEST = 50.0
"""Bound on a single deviation, in tolerances."""


@dataclass(frozen=True)
class Lesson:
    """States near each other and what to do in them.

    Attributes:
        observation: (B, D).
        action: (B, A).
        before: Cost of what was done in the state that the others are near.
        after: Its cost with the improved actions.
    """

    observation: NDArray[np.float32]
    action: Actions
    before: float
    after: float


class Refiner:
    """Improves actions by Gauss and Newton's method, in a state and in others near it.

    Sampling finds good offsets, but of two searches in the same state each finds others; what they differ by drowns
    what depends on the state. Around a trajectory that is known the cost is nearly a sum of squares of functions that
    are linear in the offsets. Their derivatives cost one roll-out for each offset, and then one roll-out tells what to
    do in any state nearby.

    Args:
        request: What to plan; the horizon is that of its search.
        neighbours: States nearby in a lesson.
        threads: Threads that step physics; by default one per core.

    Attributes:
        identity: What observations and actions mean.
        horizon_steps: Control steps that are looked ahead.
    """

    def __init__(self, request: PlanRequest, neighbours: int, threads: int | None = None) -> None:
        self._hp = hp = request.hyperparameters
        self._trials = make_stage(request, len(DAMPING), threads, hp.rollout_paths)
        rollouts = Rollouts(self._trials, hp)
        self._joints, self._deviation = rollouts.joints, rollouts.deviation
        unknowns, self._neighbours = hp.horizon * len(self._joints), neighbours
        self._probes = np.zeros((1 + unknowns + neighbours, unknowns))
        self._probes[1 : 1 + unknowns] = PROBE * np.eye(unknowns)
        self._stage = make_stage(request, len(self._probes), threads, hp.rollout_paths)
        self._cost = Deviations(self._stage, hp)
        self._segment_steps = max(round(hp.segment / self._trials.control_timestep), 1)
        self.horizon_steps = self._segment_steps * hp.horizon
        self.identity = environment_identity(self._stage)

    def teach(
        self, trajectory: Trajectory, step: int, perturbation: Perturbation, generator: np.random.Generator
    ) -> Lesson | None:
        """What to do at a step of a trajectory and near it, instead of what was done.

        Args:
            trajectory: Of one body.
            step: Where; the horizon has to fit in after it.
            perturbation: How near the neighbours are.
            generator: Source of the neighbours.

        Returns:
            The state itself and those of its neighbours that do not fall; ``None`` if it falls itself.
        """
        base = trajectory.action[step : step + self.horizon_steps]
        self._place(trajectory, step, perturbation, generator)
        observation = self._stage.set_state(self._stage.get_state())
        deviations = self._deviations(self._stage, base, self._probes)
        derived = 1 + len(self._probes[0])
        jacobian = (deviations[1:derived] - deviations[0]).T / PROBE
        rows = np.r_[0, derived : len(deviations)]  # the state itself and its neighbours
        steps = [_step(jacobian, deviations[rows], damping) for damping in DAMPING]
        trials = _cost(self._deviations(self._trials, base, np.stack([own[0] for own in steps])))
        costs, best = _cost(deviations[rows]), int(trials.argmin())
        before, after = float(costs[0]), float(trials[best])
        if min(before, after) >= self._hp.failure_cost:
            return None
        changes = steps[best] if after < before else steps[best] - steps[best][0]  # else neighbours come back to it
        kept = costs < self._hp.failure_cost
        action = self._actions(base, changes[kept])[:, 0]
        return Lesson(observation[rows[kept]], action, before, min(before, after))

    def close(self) -> None:
        """Close the environments."""
        self._stage.close()
        self._trials.close()

    def _place(
        self, trajectory: Trajectory, step: int, perturbation: Perturbation, generator: np.random.Generator
    ) -> None:
        """Put all bodies where the trajectory is, but for the neighbours, which are near it."""
        here = slice(step, step + 1)
        qpos, qvel, activation = trajectory.qpos[here], trajectory.qvel[here], trajectory.activation[here]
        time = trajectory.time[here]
        near, moving = (np.repeat(values, self._stage.num_envs, axis=0) for values in (qpos, qvel))
        neighbours = slice(len(self._probes) - self._neighbours, None)
        near[neighbours], moving[neighbours] = perturbed(
            self._stage.body, perturbation, near[neighbours], moving[neighbours], generator
        )
        self._stage.place(near, moving, activation, time)
        self._trials.place(qpos, qvel, activation, time)

    def _deviations(self, env: TrackingVectorEnv, base: Actions, changes: Array) -> Array:
        """Deviations over the horizon, (N, R), if actions (T, A) are changed by (N, H·D)."""
        hp, actions = self._hp, self._actions(base, changes)
        found = []
        for segment in range(hp.horizon):
            steps = slice(segment * self._segment_steps, (segment + 1) * self._segment_steps)
            for action in actions[:, steps].swapaxes(0, 1):
                env.step(action)
            weight = hp.final_weight if segment == hp.horizon - 1 else 1.0
            offset = OFFSET * actions[:, steps][..., self._joints].mean(axis=1) / self._deviation
            found.append(np.sqrt(weight) * self._cost.of(env))
            found.append(offset / np.sqrt(len(self._joints)) / hp.tolerances.offset)
        return np.clip(np.nan_to_num(np.concatenate(found, axis=1), nan=LARGEST), -LARGEST, LARGEST)

    def _actions(self, base: Actions, changes: Array) -> Actions:
        """Actions (N, T, A) for changes (N, H·D) of all offsets, in deviations, bounded by the box."""
        offsets = np.repeat(changes.reshape(len(changes), self._hp.horizon, -1), self._segment_steps, axis=1)
        actions = np.tile(base, (len(changes), 1, 1))
        actions[..., self._joints] += (offsets * self._deviation / OFFSET).astype(np.float32)
        return np.clip(actions, -1.0, 1.0)


def _step(jacobian: Array, deviations: Array, damping: float) -> Array:
    """Change of the offsets (B, U) that makes deviations (B, R) smallest where they are linear (Levenberg 1944)."""
    curvature = jacobian.T @ jacobian + damping * np.eye(jacobian.shape[1])
    return np.asarray(-np.linalg.solve(curvature, (deviations @ jacobian).T).T, dtype=np.float64)


def _cost(deviations: Array) -> Array:
    cost: Array = (deviations**2).sum(axis=1)
    return cost
