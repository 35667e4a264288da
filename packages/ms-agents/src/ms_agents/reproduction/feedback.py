"""Linear feedback that keeps a body on a trajectory: the linear-quadratic regulator of a time-varying system."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from ms_envs.atomic_file import atomic_file
from ms_envs.envs import TrackingVectorEnv
from ms_envs.envs.reflex_law import OFFSET
from numpy.typing import NDArray

from ms_agents.planning import Plan
from ms_agents.reproduction.coordinates import Coordinates
from ms_agents.reproduction.nominal import Nominal

Array = NDArray[np.float64]

ROUNDS = 6
"""Rounds of a looping motion over which the cost to go settles."""
SAVED = ("gains", "segment_steps", "joints", "limit")
"""Attributes of feedback that its file holds."""


def regulator_gains(models: Array, cost: Array, effort: Array, loop: bool) -> Array:
    """Gains that make the sum of costs of all segments to come smallest (Riccati recursion; Kalman 1960).

    Args:
        models: Deviation after each segment of [deviation, offsets before, offsets], (S, D, D + 2 U).
        cost: Quadratic cost of a deviation at the beginning of each segment, (S, D, D).
        effort: Quadratic cost of offsets, (U, U).
        loop: Whether the first segment follows the last.

    Returns:
        Offsets for [deviation, offsets before], (S, U, D + U).
    """
    segments, size, inputs = models.shape
    offsets = (inputs - size) // 2
    whole = size + offsets
    drift, control = np.zeros((segments, whole, whole)), np.zeros((segments, whole, offsets))
    drift[:, :size], control[:, :size] = models[..., :whole], models[..., whole:]
    control[:, size:] = np.eye(offsets)
    state_cost = np.zeros((segments, whole, whole))
    state_cost[:, :size, :size] = cost
    to_go, gains = state_cost[-1], np.zeros((segments, offsets, whole))
    for segment in list(range(segments - 1, -1, -1)) * (ROUNDS if loop else 1):
        a, b = drift[segment], control[segment]
        gains[segment] = -np.linalg.solve(effort + b.T @ to_go @ b, b.T @ to_go @ a)
        closed = a + b @ gains[segment]
        to_go = state_cost[segment] + gains[segment].T @ effort @ gains[segment] + closed.T @ to_go @ closed
        to_go = (to_go + to_go.T) / 2
    return gains


@dataclass(frozen=True)
class Feedback:
    """What to do in any state near a trajectory.

    Attributes:
        nominal: The trajectory.
        coordinates: Of deviations from it.
        gains: Offsets, rad, for [deviation, offsets of the segment before], at the beginning of each segment,
            (S, U, D + U).
        segment_steps: Control steps of a segment.
        joints: Joints that get offsets, positions among the independent ones, (U,).
        limit: Largest change of an offset, rad.
    """

    nominal: Nominal
    coordinates: Coordinates
    gains: Array
    segment_steps: int
    joints: NDArray[np.intp]
    limit: float

    def save(self, path: Path) -> None:
        """Write all but the trajectory, which is the plan's, as ``.npz``."""
        arrays = {name: np.asarray(getattr(self, name)) for name in SAVED}
        with atomic_file(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path, plan: Plan, env: TrackingVectorEnv) -> Feedback:
        """Read feedback around a plan.

        Raises:
            ValueError: If the file is damaged.
        """
        nominal = Nominal.of_plan(plan, env.clip, env.body, env.control_timestep)
        try:
            with np.load(path, allow_pickle=False) as archive:
                gains, steps, joints, limit = (archive[name] for name in SAVED)
            return cls(nominal, Coordinates(env.body), gains, int(steps), joints, float(limit))
        except Exception as error:  # A damaged archive fails in many ways.
            raise ValueError(f"{path} holds no usable feedback: {error}") from error

    def deviation(self, env: TrackingVectorEnv) -> Array:
        """How far bodies are from the trajectory, (N, D)."""
        qpos, qvel, _ = env.coordinates()
        wanted = self.nominal.at(env.time)
        return self.coordinates.between(qpos, qvel, wanted["qpos"], wanted["qvel"])

    def segment(self, time: Array) -> Array:
        """Segment and fraction of it at times in s, (N,)."""
        return np.asarray(self.nominal.step(time) / self.segment_steps)

    def offsets(self, deviation: Array, before: Array, time: Array) -> Array:
        """Changes of the offsets of the trajectory, rad, (N, U); gains are interpolated within segments."""
        position, count = self.segment(time), len(self.gains)
        first = position.astype(int)
        fraction = (position - first)[:, None, None]
        following = (first + 1) % count if self.nominal.loop else first + 1
        gains = (1 - fraction) * self.gains[np.minimum(first, count - 1)]
        gains += fraction * self.gains[np.minimum(following, count - 1)]
        change = np.einsum("nij,nj->ni", gains, np.concatenate([deviation, before], axis=1))
        return np.clip(change, -self.limit, self.limit)

    def actions(self, change: Array, time: Array) -> NDArray[np.float32]:
        """Actions (N, A) that change the offsets of the trajectory by (N, U), rad."""
        action = self.nominal.at(time)["action"].copy()
        action[:, self.joints] += change / OFFSET
        return np.clip(action, -1.0, 1.0).astype(np.float32)


class FeedbackPolicy:
    """Feedback with the interface of a policy: it looks at the bodies themselves, not at observations.

    Args:
        feedback: What to do.
        env: Vector environment of ``ms_envs`` with ``control="posture"``.

    Attributes:
        before: Changes of offsets in effect at the end of the segment before, rad, (N, U).
        change: Changes of offsets that were asked for last, rad, (N, U).
    """

    def __init__(self, feedback: Feedback, env: VectorEnv[Any, Any, Any]) -> None:
        base: Any = env.unwrapped
        if not isinstance(base, TrackingVectorEnv) or base.options.control != "posture":
            raise ValueError("feedback needs a vector environment of ms_envs with control='posture'")
        self._feedback, self._env = feedback, base
        self.change = np.zeros((base.num_envs, len(feedback.joints)))
        self.before = self.change.copy()

    def predict(
        self, observation: NDArray[np.float32], *, deterministic: bool = False
    ) -> tuple[NDArray[np.float32], None]:
        """Actions for the bodies as they are; the observation is not needed."""
        self.look()
        return self._feedback.actions(self.change, self._env.time), None

    def look(self) -> None:
        """Find the changes of offsets for the bodies as they are."""
        feedback, time = self._feedback, self._env.time
        begins = feedback.segment(time) % 1.0 == 0.0
        self.before[begins] = self.change[begins]
        self.change = feedback.offsets(feedback.deviation(self._env), self.before, time)
