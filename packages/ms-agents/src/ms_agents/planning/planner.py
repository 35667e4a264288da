"""Receding-horizon search: look ahead, commit a segment, look ahead again; go back after a fall."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ms_envs.envs.reflex_law import OFFSET
from numpy.typing import NDArray

from ms_agents.identity import check_identity, environment_identity
from ms_agents.planning.plan import Plan, PlanRequest, SearchState
from ms_agents.planning.retreat import Retreat, calm_segments
from ms_agents.planning.rollouts import Rollouts
from ms_agents.planning.search import CrossEntropySearch
from ms_agents.planning.stage import Performance, make_stage, plan_steps
from ms_agents.versions import package_versions

Array = NDArray[np.float64]


class Planner:
    """Finds a plan segment by segment (model-predictive control; SAMCON, Liu et al. 2010, with a horizon).

    Every sample starts from the exact state that the committed actions lead to. What is committed is done once more in
    an environment of its own, whose trajectory is the plan. Where that body falls, the search goes back to where the
    cost was still ordinary, farther after every further fall there, and looks farther ahead with more samples until the
    fall is behind it.

    Args:
        request: What to plan.
        threads: Threads that step physics; by default one per core.

    Attributes:
        env: The environment whose trajectory is the plan.
        steps: Control steps of the whole plan.
    """

    def __init__(self, request: PlanRequest, threads: int | None = None) -> None:
        self.request, self._hp = request, request.hyperparameters
        self._started, self._spent = time.process_time(), 0.0
        self._stage = make_stage(request, self._hp.samples, threads, self._hp.rollout_paths)
        self._performance = Performance(make_stage(request, 1))
        self.env = self._performance.env
        self._rollouts = Rollouts(self._stage, self._hp)
        self._identity = environment_identity(self.env)
        self.steps = plan_steps(request, self.env)
        self._segment_steps = max(round(self._hp.segment / self.env.control_timestep), 1)
        self._mean = self._no_offsets()
        self._generator = np.random.default_rng(request.seed)
        self._retreat, self._farthest, self._costs = Retreat(), self._performance.rows(), list[float]()
        self._status = "searching"

    def resume(self, plan: Plan) -> None:
        """Continue a search that was interrupted; it finds what it would have found.

        Raises:
            ValueError: If the plan is the answer to another request, or the actions lead elsewhere on this machine.
        """
        if plan.request.to_dict() != self.request.to_dict():
            raise ValueError("the plan to continue was searched for with other settings; name another file")
        check_identity(plan.identity, self.env, "plan")
        search = plan.search
        for action in plan.actions:
            self._act(action)
        self._farthest = self._performance.rows()
        if not np.array_equal(self._farthest["qpos"], plan.rows["qpos"]):
            raise ValueError("the plan to continue was made by other versions or on another kind of machine")
        if search.actions is not None:
            self._return_to(0)
            for action in search.actions:
                self._act(action)
        self._mean, self._retreat, self._status = search.mean, search.retreat, plan.status
        self._generator.bit_generator.state = search.generator
        self._spent = plan.core_seconds

    def run(
        self,
        path: Path,
        core_minutes: float | None = None,
        report: Callable[[Plan, dict[str, float]], None] | None = None,
    ) -> Plan:
        """Search until the plan is complete, the body has fallen too often, or the budget is spent.

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
                report(plan, self._rollouts.terms(self.env))
        return self.plan()

    @property
    def core_seconds(self) -> float:
        """Processor time spent on the plan, by earlier calls as well."""
        return self._spent + time.process_time() - self._started

    def plan(self) -> Plan:
        """The plan so far: the farthest that the body has come."""
        rows, here = self._performance.rows(), len(self._performance)
        ahead = here >= len(self._farthest["action"])
        return Plan(
            request=self.request,
            identity=self._identity,
            versions=package_versions(),
            status=self._status,
            duration=self.steps * self.env.control_timestep,
            core_seconds=self.core_seconds,
            rows=rows if ahead else self._farthest,
            search=SearchState(
                mean=self._mean,
                generator=self._generator.bit_generator.state,
                retreat=self._retreat,
                actions=None if ahead else rows["action"],
            ),
        )

    def close(self) -> None:
        """Close the environments."""
        self._stage.close()
        self.env.close()

    def _advance(self) -> None:
        """Commit one segment; where every sample falls, the best one to its end."""
        effort = self._retreat.effort(len(self._performance), self._horizon_steps)
        segments = self._segments(self._hp.horizon + effort)
        search = self._search(segments, self._hp.iterations + effort)
        best, doomed = search.best, search.best_cost >= self._hp.failure_cost
        for offset, steps in zip(best, segments if doomed else segments[:1], strict=False):
            action = self._rollouts.actions(offset[None])[0]
            for _ in range(min(steps, self.steps - len(self._performance))):
                self._act(action)
                if self._rollouts.failed(self.env)[0]:
                    self._go_back()
                    return
        self._mean = self._no_offsets() if doomed else self._shifted(best)
        if len(self._performance) == self.steps:
            self._status = "complete"

    def _go_back(self) -> None:
        """After a fall, return to where it may still be avoided, or give up."""
        here = len(self._performance)
        if here >= len(self._farthest["action"]):
            self._farthest = self._performance.rows()
        self._retreat = self._retreat.after_fall(here, self._horizon_steps)
        if self._retreat.attempts > self._hp.retreats:
            self._status = "failed"
            return
        back = calm_segments(self._costs) - (self._retreat.attempts - 1) * self._hp.horizon
        self._return_to(max(min(back, len(self._costs) - self._hp.horizon), 0) * self._segment_steps)
        self._mean = self._no_offsets()

    def _act(self, action: NDArray[np.float32]) -> None:
        """Take an action, and note the cost at the end of every segment."""
        self._performance.act(action)
        if len(self._performance) % self._segment_steps == 0:
            self._costs.append(sum(self._rollouts.terms(self.env).values()))

    def _return_to(self, step: int) -> None:
        self._performance.return_to(step)
        del self._costs[step // self._segment_steps :]

    @property
    def _horizon_steps(self) -> int:
        return self._hp.horizon * self._segment_steps

    def _no_offsets(self) -> Array:
        return np.zeros((self._hp.horizon, len(self._rollouts.joints)))

    def _shifted(self, best: Array) -> Array:
        """The best offsets as a start for the next segment, (H, D)."""
        following = np.concatenate([best[1:], np.tile(self._hp.fade * best[-1], (self._hp.horizon, 1))])
        return following[: self._hp.horizon]

    def _segments(self, horizon: int) -> list[int]:
        """Control steps of the segments ahead, beyond the end of the plan only where the motion goes on."""
        steps, done = self._segment_steps, len(self._performance)
        if self.env.clip.loop:
            return [steps] * horizon
        starts = range(done, self.steps, steps)[:horizon]
        return [min(steps, self.steps - start) for start in starts]

    def _search(self, segments: list[int], iterations: int) -> CrossEntropySearch:
        """Look for the offsets of the segments ahead."""
        placement = self._rollouts.placement(self.env)
        mean = np.zeros((len(segments), self._mean.shape[1]))
        mean[: len(self._mean)] = self._mean[: len(segments)]
        search = CrossEntropySearch(mean, self._rollouts.deviation, OFFSET, self._hp, self._generator)
        proposals = np.stack([np.broadcast_to(placement, mean.shape), np.zeros_like(mean), mean + 0.5 * placement])
        for iteration in range(iterations):
            samples = search.sample(self._hp.samples, None if iteration else proposals)
            search.learn(samples, self._rollouts.costs(self.env, samples, segments))
        return search
