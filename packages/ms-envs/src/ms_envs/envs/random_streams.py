"""Random numbers of environments that must not depend on each other."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class RandomStreams:
    """One random number generator for each environment.

    Args:
        count: Number of environments, N.
    """

    def __init__(self, count: int) -> None:
        self._generators = [np.random.default_rng() for _ in range(count)]

    def of(self, envs: NDArray[np.intp]) -> list[np.random.Generator]:
        """The generators of some environments."""
        return [self._generators[env] for env in envs]

    def seed(self, seed: int | Sequence[int | None], mask: NDArray[np.bool_]) -> None:
        """Seed environment ``i`` with ``seed + i``, or each with its own, ``None`` for none.

        Args:
            seed: The seed, or N of them.
            mask: Which environments are seeded, (N,).

        Raises:
            ValueError: If the number of seeds is not that of environments.
        """
        count = len(self._generators)
        seeds = [seed + i for i in range(count)] if isinstance(seed, (int, np.integer)) else list(seed)
        if len(seeds) != count:
            raise ValueError(f"{len(seeds)} seeds were given for {count} environments")
        for env in np.flatnonzero(mask):
            if seeds[env] is not None:
                self._generators[env] = np.random.default_rng(seeds[env])

    def get_state(self) -> NDArray[np.uint8]:
        """What decides all numbers to come, as bytes of JSON."""
        return _encoded([generator.bit_generator.state for generator in self._generators])

    def set_state(self, state: NDArray[np.uint8]) -> None:
        """Continue from what :meth:`get_state` returned."""
        for generator, values in zip(self._generators, json.loads(state.tobytes()), strict=True):
            generator.bit_generator.state = values


def repeated(state: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """The state of one stream as that of several that draw the same numbers."""
    return _encoded(json.loads(state.tobytes()) * count)


def _encoded(states: list[object]) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(states).encode(), dtype=np.uint8).copy()
