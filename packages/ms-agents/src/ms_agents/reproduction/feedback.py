"""Linear feedback that keeps a body on a trajectory: the linear-quadratic regulator of a time-varying system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from ms_envs.envs import TrackingVectorEnv
from ms_envs.envs.reflex_law import OFFSET
from numpy.typing import NDArray

from ms_agents.array_file import read_arrays, write_arrays
from ms_agents.identity import check_identity
from ms_agents.reproduction.coordinates import Coordinates
from ms_agents.reproduction.nominal import Nominal
from ms_agents.versions import package_versions

Array = NDArray[np.float64]

ROUNDS = 6
"""Rounds of a looping motion over which the cost to go settles."""
SAVED = ("gains", "segment_steps", "joints", "limit")
"""Attributes of feedback that its file holds beside the trajectory."""
FORMAT_VERSION = 2


def regulator_gains(models: Array, cost: Array, effort: Array, offset_cost: Array, mean: Array, loop: bool) -> Array:
    """Gains that make the sum of costs of all segments to come smallest (Riccati recursion; Kalman 1960).

    Args:
        models: Deviation after each segment of [deviation, offsets before, offsets, 1], (S, D, D + 2 U + 1).
        cost: Quadratic cost of a deviation at the beginning of each segment, (S, D, D).
        effort: Quadratic cost of the difference of offsets from the mean, (U, U).
        offset_cost: Quadratic cost of the offsets themselves, (U, U).
        mean: Offsets of each segment so far, (S, U).
        loop: Whether the first segment follows the last.

    Returns:
        Offsets for [deviation, offsets before, 1], (S, U, D + U + 1).
    """
    segments, size, inputs = models.shape
    offsets = (inputs - size - 1) // 2
    whole, remembered = size + offsets + 1, slice(size, size + offsets)
    drift, control = np.zeros((segments, whole, whole)), np.zeros((segments, whole, offsets))
    control[:, :size], control[:, remembered] = models[..., size + offsets : -1], np.eye(offsets)
    drift[:, :size, :-1], drift[:, :size, -1], drift[:, -1, -1] = models[..., : size + offsets], models[..., -1], 1.0
    drift[..., -1] += np.einsum("sij,sj->si", control, mean)  # controls are what is added to the mean
    state_cost = np.zeros((segments, whole, whole))
    state_cost[:, :size, :size] = cost
    to_go, gains = state_cost[-1], np.zeros((segments, offsets, whole))
    for segment in list(range(segments - 1, -1, -1)) * (ROUNDS if loop else 1):
        a, b = drift[segment], control[segment]
        slope = b.T @ to_go @ a
        slope[:, -1] += offset_cost @ mean[segment]
        added = -np.linalg.solve(effort + offset_cost + b.T @ to_go @ b, slope)
        gains[segment] = added
        gains[segment, :, -1] += mean[segment]
        closed = a + b @ added
        to_go = state_cost[segment] + closed.T @ to_go @ closed
        to_go += added.T @ effort @ added + gains[segment].T @ offset_cost @ gains[segment]
        to_go = (to_go + to_go.T) / 2
    return gains


@dataclass(frozen=True)
class Feedback:
    """What to do in any state near a trajectory.

    Attributes:
        nominal: The trajectory.
        coordinates: Of deviations from it.
        gains: Changes of offsets, rad, for [deviation, changes of the segment before, 1], at the beginning of each
            segment, (S, U, D + U + 1).
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

    def save(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Write as ``.npz``; the file appears only once it is complete.

        Args:
            path: The file.
            identity: What observations and actions mean, see :func:`ms_agents.identity.environment_identity`.
        """
        header = {"identity": dict(identity), "versions": package_versions()}
        arrays = {name: np.asarray(getattr(self, name)) for name in SAVED}
        arrays |= {f"nominal_{entry.name}": np.asarray(getattr(self.nominal, entry.name)) for entry in fields(Nominal)}
        write_arrays(path, arrays, header, FORMAT_VERSION)

    @classmethod
    def load(cls, path: Path, env: TrackingVectorEnv) -> Feedback:
        """Read feedback for an environment.

        Raises:
            ValueError: If the file is damaged, or the feedback was found in another environment.
        """
        try:
            arrays, header = read_arrays(path, FORMAT_VERSION)
            gains, steps, joints, limit = (arrays[name] for name in SAVED)
            rows: dict[str, Any] = {entry.name: arrays[f"nominal_{entry.name}"] for entry in fields(Nominal)}
            identity = header["identity"]
        except Exception as error:  # A damaged archive fails in many ways.
            raise ValueError(f"{path} holds no usable feedback: {error}") from error
        check_identity(identity, env, f"feedback in {path}")
        nominal = Nominal(**rows | {"timestep": float(rows["timestep"]), "loop": bool(rows["loop"])})
        return cls(nominal, Coordinates(env.body), gains, int(steps), joints, float(limit))

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
        known = np.concatenate([deviation, before, np.ones((len(before), 1))], axis=1)
        change = np.einsum("nij,nj->ni", gains, known)
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
