"""Receding-horizon search: look ahead, commit a segment, look ahead again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ms_envs.envs.reflex_law import OFFSET
from numpy.typing import NDArray

from ms_agents.identity import check_identity, environment_identity
from ms_agents.planning.plan import Plan, PlanRequest
from ms_agents.planning.rollouts import Rollouts
from ms_agents.planning.search import CrossEntropySearch
from ms_agents.planning.stage import Performance, make_stage, plan_steps
from ms_agents.versions import package_versions

Array = NDArray[np.float64]


class Planner:
    """Finds a plan segment by segment (model-predictive control; SAMCON, Liu et al. 2010, with a horizon).

    Every sample starts from the exact state that the committed actions lead to. What is committed is done once more in
    an environment of its own, whose trajectory is the plan.

    Args:
        request: What to plan.
        threads: Threads that step physics; by default one per core.

    Attributes:
        steps: Control steps of the whole plan.
    """

    def __init__(self, request: PlanRequest, threads: int | None = None) -> None:
        self.request, self._hp = request, request.hyperparameters
        self._started, self._spent = time.process_time(), 0.0
        self._stage = make_stage(request, self._hp.samples, threads, self._hp.rollout_paths)
        self._performance = Performance(make_stage(request, 1))
        self._env = self._performance.env
        self._rollouts = Rollouts(self._stage, self._hp)
        self._identity = environment_identity(self._env)
        self.steps = plan_steps(request, self._env)
        self._segment_steps = max(round(self._hp.segment / self._env.control_timestep), 1)
        self._mean = np.zeros((self._hp.horizon, len(self._rollouts.joints)))
        self._generator = np.random.default_rng(request.seed)
        self._status = "searching"

    def resume(self, plan: Plan) -> None:
        """Continue a search that was interrupted; it finds what it would have found.

        Raises:
            ValueError: If the plan is the answer to another request, or the actions lead elsewhere on this machine.
        """
        if plan.request.to_dict() != self.request.to_dict():
            raise ValueError("the plan to continue was searched for with other settings; name another file")
        check_identity(plan.identity, self._env, "plan")
        for action in plan.actions:
            self._performance.act(action)
        if not np.array_equal(self._performance.rows()["qpos"], plan.rows["qpos"]):
            raise ValueError("the plan to continue was made by other versions or on another kind of machine")
        self._mean, self._status = plan.search["mean"], plan.status
        self._generator.bit_generator.state = plan.search["generator"]
        self._spent = plan.core_seconds

    def run(
        self,
        path: Path,
        core_minutes: float | None = None,
        report: Callable[[Plan, dict[str, float]], None] | None = None,
    ) -> Plan:
        """Search until the plan is complete, the body has failed, or the budget is spent.

        Args:
            path: Where the plan is kept; written after every segment.
            core_minutes: Budget of processor time over all calls; ``None`` for none.
            report: Told the plan so far and the terms of the cost at its end after every segment.

        Returns:
            The plan so far.
        """
        while self._status == "searching":
            if core_minutes is not None and self.core_seconds >= 60 * core_minutes:
                break
            self._advance()
            plan = self.plan()
            plan.save(path)
            if report is not None:
                report(plan, self._rollouts.terms(self._env))
        return self.plan()

    @property
    def core_seconds(self) -> float:
        """Processor time spent on the plan, by earlier calls as well."""
        return self._spent + time.process_time() - self._started

    def plan(self) -> Plan:
        """The plan so far."""
        return Plan(
            request=self.request,
            identity=self._identity,
            versions=package_versions(),
            status=self._status,
            duration=self.steps * self._env.control_timestep,
            core_seconds=self.core_seconds,
            rows=self._performance.rows(),
            search={"mean": self._mean, "generator": self._generator.bit_generator.state},
        )

    def close(self) -> None:
        """Close the environments."""
        self._stage.close()
        self._env.close()

    def _advance(self) -> None:
        """Commit one segment."""
        segments = self._segments()
        best = self._search(segments)
        action = self._rollouts.actions(best[:1])[0]
        for _ in range(segments[0]):
            self._performance.act(action)
        self._mean = np.concatenate([best[1:], np.tile(self._hp.fade * best[-1], (self._hp.horizon, 1))])
        self._mean = self._mean[: self._hp.horizon]
        if self._rollouts.failed(self._env):
            self._status = "failed"
        elif len(self._performance) == self.steps:
            self._status = "complete"

    def _segments(self) -> list[int]:
        """Control steps of the segments ahead."""
        steps, done = self._segment_steps, len(self._performance)
        starts = range(done, self.steps, steps)[: self._hp.horizon]
        return [min(steps, self.steps - start) for start in starts]

    def _search(self, segments: list[int]) -> Array:
        """The best offsets for the segments ahead, rad, (H, D)."""
        placement = self._rollouts.placement(self._env)
        mean = self._mean[: len(segments)]
        search = CrossEntropySearch(mean, self._rollouts.deviation, OFFSET, self._hp, self._generator)
        proposals = np.stack([np.broadcast_to(placement, mean.shape), np.zeros_like(mean), mean + 0.5 * placement])
        for iteration in range(self._hp.iterations):
            samples = search.sample(self._hp.samples, None if iteration else proposals)
            search.learn(samples, self._rollouts.costs(self._env, samples, segments))
        return search.best
