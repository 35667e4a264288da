"""Finding the feedback around a motion: roll out, fit linear models, solve for gains, and again with these."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ms_agents.identity import environment_identity
from ms_agents.planning import Plan, PlanRequest
from ms_agents.planning.rollouts import Rollouts
from ms_agents.planning.stage import make_stage
from ms_agents.reproduction.config import FeedbackHyperparameters, Perturbation
from ms_agents.reproduction.coordinates import Coordinates, place_near
from ms_agents.reproduction.dynamics import Samples, linear_models
from ms_agents.reproduction.feedback import Feedback, FeedbackPolicy, regulator_gains
from ms_agents.reproduction.middle import Middle
from ms_agents.reproduction.nominal import Nominal

Array = NDArray[np.float64]

PROBE = 1e-3
"""Change of a coordinate from which the derivatives of the cost are taken, rad, m, rad/s or m/s."""


class Identification:
    """Linear models fitted to roll-outs under the feedback that they led to (as in Levine and Abbeel 2014, section 4).

    Derivatives at a point are of little use where stiff reflexes meet a floor; what is fitted to bodies that are
    disturbed as much as the feedback will have to bear is a model of just that. Each round finds constant offsets too,
    not far from the mean of those before, so that the motion need not be one that the body can do.

    Args:
        request: Motion, body and constants of the cost.
        plan: What to keep the body on; by default the motion itself.
        hyperparameters: Constants.
        perturbation: Of the bodies at the beginning of roll-outs.
        seed: Of everything random.
        threads: Threads that step physics; by default one per core.

    Attributes:
        identity: What actions mean, see :func:`ms_agents.identity.environment_identity`.
    """

    def __init__(
        self,
        request: PlanRequest,
        plan: Plan | None,
        hyperparameters: FeedbackHyperparameters,
        perturbation: Perturbation,
        seed: int,
        threads: int | None = None,
    ) -> None:
        self._hp = hp = hyperparameters
        self._env = env = make_stage(request, hp.bodies, threads, "fitted")
        self.identity = environment_identity(env)
        self._nominal = motion = Nominal.of_motion(env)
        if plan is not None:
            self._nominal = Nominal.of_plan(plan, env.clip, env.body, env.control_timestep)
        self._starts = [motion] if plan is None else [self._nominal, motion]
        self._coordinates = Coordinates(env.body)
        self._scale = self._coordinates.scale(perturbation)
        self._rollouts = rollouts = Rollouts(env, request.hyperparameters)
        self._joints, self._deviation = rollouts.joints, rollouts.deviation
        self._tolerance = request.hyperparameters.tolerances.offset
        self._steps = _segment_steps(len(self._nominal), hp.segment_steps, self._nominal.loop)
        self._segments = -(-len(self._nominal) // self._steps)
        self._generator = np.random.default_rng(seed)

    def run(self, report: Callable[[int, float], None]) -> Feedback:
        """All rounds.

        Args:
            report: Told how many rounds are done and after how many seconds, on average, bodies of the last one fell.

        Returns:
            The feedback under which bodies fell least often; that of the last round is rolled out for it once more.
        """
        hp, cost, samples = self._hp, self._state_cost(), list[Samples]()
        offset_cost = np.diag(1 / (len(self._joints) * (self._tolerance * self._deviation) ** 2))
        loop, duration = self._nominal.loop, self._steps * self._nominal.timestep
        size, offsets = self._coordinates.size, len(offset_cost)
        middle = Middle(np.zeros((self._segments, size)), np.zeros((self._segments, offsets)))
        feedback = best = self._feedback(np.zeros((self._segments, offsets, size + offsets + 1)))
        longest = 0.0
        for number in range(hp.rounds + 1):
            found, endurance = self._roll_out(feedback, hp.seconds if number else hp.first_seconds)
            if number and endurance > longest:
                longest, best = endurance, feedback
            if number == hp.rounds:
                break
            samples.append(found)
            middle = middle.of(Samples.joined(samples[-2:]), self._scale)
            models = linear_models(
                Samples.joined(samples), middle.state, loop, duration, self._scale, 0.3 * self._deviation, hp.ridge
            )
            effort, mean = hp.effort * offset_cost, middle.smooth_offset(loop)
            feedback = self._feedback(regulator_gains(models, cost, effort, offset_cost, mean, loop))
            report(number + 1, endurance)
        return best

    def close(self) -> None:
        """Close the environments."""
        self._env.close()

    def _feedback(self, gains: Array) -> Feedback:
        return Feedback(self._nominal, self._coordinates, gains, self._steps, self._joints, self._hp.limit)

    def _roll_out(self, feedback: Feedback, seconds: float) -> tuple[Samples, float]:
        """Samples of bodies led by feedback and noise, and the mean time between two falls of a body, s.

        Bodies that fall, or come to the end of a motion that ends, begin anew at once.
        """
        env, hp, steps, timestep = self._env, self._hp, self._steps, self._nominal.timestep
        segments, last = max(round(seconds / (steps * timestep)), 1), len(self._nominal) // steps - 1
        self._begin(np.ones(env.num_envs, dtype=np.bool_))
        policy, falls = FeedbackPolicy(feedback, env), 0
        state, parts = feedback.deviation(env), list[Samples]()
        for _ in range(segments):
            segment, before = feedback.segment(env.time).astype(np.int64), policy.change
            noise = hp.noise * self._deviation * self._generator.standard_normal(before.shape)
            taken, up = np.zeros_like(before), np.ones(env.num_envs, dtype=np.bool_)
            for _ in range(steps):
                policy.look()
                policy.change = np.clip(policy.change + noise, -hp.limit, hp.limit)
                taken += policy.change / steps
                env.step(feedback.actions(policy.change, env.time))
                up &= ~self._rollouts.failed(env)
            following = feedback.deviation(env)
            parts.append(Samples(state[up], before[up], taken[up], following[up], segment[up]))
            falls += int((~up).sum())
            over = ~up if self._nominal.loop else ~up | (segment == last)
            if over.any():
                self._begin(over)
                policy.change[over] = 0.0
                following = feedback.deviation(env)
            state = following
        return Samples.joined(parts), env.num_envs * segments * steps * timestep / max(falls, 1)

    def _begin(self, bodies: NDArray[np.bool_]) -> None:
        """Put some bodies (N,) near the trajectory; around a plan, half of them near the motion, as episodes begin."""
        env, steps = self._env, self._steps
        first = steps * self._generator.integers(0, len(self._nominal) // steps, env.num_envs)
        time = first.astype(np.float64) * self._nominal.timestep
        rows = [trajectory.at(time) for trajectory in self._starts]
        chosen = np.arange(env.num_envs) % len(rows) == 0
        qpos, qvel, activation = (
            np.where(chosen[:, None], rows[0][name], rows[-1][name]) for name in ("qpos", "qvel", "activation")
        )
        place_near(env, self._coordinates, self._scale, (qpos, qvel, activation), time, bodies, self._generator)

    def _state_cost(self) -> Array:
        """Second derivatives of the cost of planning at the beginning of every segment, (S, D, D)."""
        size, count = self._coordinates.size, self._env.num_envs
        probes = PROBE * np.concatenate([np.eye(size), -np.eye(size)])
        cost = np.empty((self._segments, size, size))
        for segment in range(self._segments):
            time = np.full(2 * size, segment * self._steps * self._nominal.timestep)
            nominal = self._nominal.at(time)
            qpos, qvel = self._coordinates.displaced(nominal["qpos"], nominal["qvel"], probes)
            found = []
            for first in range(0, 2 * size, count):
                rows = np.minimum(np.arange(first, first + count), 2 * size - 1)
                self._env.place(qpos[rows], qvel[rows], nominal["activation"][rows], time[rows])
                found.append(self._rollouts.deviations(self._env))
            values = np.concatenate(found)[: 2 * size]
            slope = (values[:size] - values[size:]) / (2 * PROBE)
            cost[segment] = slope @ slope.T
        return cost


def _segment_steps(length: int, most: int, loop: bool) -> int:
    """Control steps of a segment; those of a looping motion divide its length."""
    return max(steps for steps in range(1, most + 1) if not loop or length % steps == 0)
