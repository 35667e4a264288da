"""Plans: what was done, what came of it, and where it holds."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ms_agents.array_file import read_arrays, write_arrays
from ms_agents.planning.hyperparameters import PlannerHyperparameters
from ms_agents.planning.retreat import Retreat

FORMAT_VERSION = 2
ROUNDED = ("activation", "excitation", "reference_qpos")
"""What files keep, beside the metrics, in single precision; a replay computes it in full."""


@dataclass(frozen=True)
class PlanRequest:
    """What to plan.

    Attributes:
        id: Id of the environment.
        env_kwargs: Arguments of the environment, such as ``body``.
        seconds: Length of the plan, s.
        seed: Of the search.
        hyperparameters: Constants of the search.
    """

    id: str
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    seed: int = 0
    hyperparameters: PlannerHyperparameters = field(default_factory=PlannerHyperparameters)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as a round trip through JSON gives them."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PlanRequest:
        """Inverse of :meth:`to_dict`."""
        return cls(**{**values, "hyperparameters": PlannerHyperparameters.from_dict(values["hyperparameters"])})


@dataclass(frozen=True)
class SearchState:
    """Where a search stands, for continuing it.

    Attributes:
        mean: Of the next segments, rad, (H, D).
        generator: State of the source of the noise.
        retreat: Where the body fell.
        actions: Those in effect, (T, A); ``None`` where they are those of the plan.
    """

    mean: NDArray[np.float64]
    generator: Mapping[str, Any]
    retreat: Retreat = field(default_factory=Retreat)
    actions: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Plan:
    """Actions from the beginning of a motion, and the trajectory they lead to.

    Attributes:
        request: What was asked for.
        identity: Body, clip and options it was made for, see :func:`ms_agents.identity.environment_identity`.
        versions: Of the packages it was made with.
        status: ``"searching"``, ``"complete"`` or ``"failed"``.
        duration: Length it should have, s.
        core_seconds: Processor time spent on it.
        rows: What :class:`ms_envs.recording.Episode` holds and ``action``, one row per control step, each at its end.
        search: Where the search stands.
    """

    request: PlanRequest
    identity: Mapping[str, Any]
    versions: Mapping[str, str]
    status: str
    duration: float
    core_seconds: float
    rows: Mapping[str, NDArray[Any]]
    search: SearchState

    @property
    def actions(self) -> NDArray[np.float32]:
        """Actions, (T, A)."""
        actions: NDArray[np.float32] = self.rows["action"]
        return actions

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the plan as compressed ``.npz``; the file appears only once it is complete."""
        header = {
            "request": self.request.to_dict(),
            "identity": dict(self.identity),
            "versions": dict(self.versions),
            "status": self.status,
            "duration": self.duration,
            "core_seconds": self.core_seconds,
            "generator": self.search.generator,
            "retreat": asdict(self.search.retreat),
        }
        arrays = {
            "search_mean": self.search.mean,
            **{name: rounded(name, values) for name, values in self.rows.items()},
        }
        if self.search.actions is not None:
            arrays["search_actions"] = self.search.actions
        write_arrays(Path(path), arrays, header, FORMAT_VERSION)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Plan:
        """Read a plan.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is damaged or no plan.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"there is no plan at {path}")
        try:
            arrays, header = read_arrays(path, FORMAT_VERSION)
            search = SearchState(
                mean=arrays.pop("search_mean"),
                generator=header.pop("generator"),
                retreat=Retreat(**header.pop("retreat")),
                actions=arrays.pop("search_actions", None),
            )
            request = PlanRequest.from_dict(header.pop("request"))
            return cls(request=request, rows=arrays, search=search, **header)
        except Exception as error:  # A damaged archive fails in many ways.
            raise ValueError(f"{path} is not a usable plan: {error}") from error


def rounded(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Rows as files keep them: actions and the state of the body in full, the rest in single precision."""
    return values.astype(np.float32) if name in ROUNDED or name.startswith("metric_") else values
