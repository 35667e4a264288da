from __future__ import annotations

import mujoco
import numpy as np
import pytest

pytest.importorskip("mujoco.mjx")

from ms_envs.physics.mjx import Buffers, Dynamics, activation_rate


@pytest.mark.parametrize("width", [0.0, 0.2])
def test_activation_follows_excitation_as_in_mujoco(width: float) -> None:
    rng = np.random.default_rng(0)
    excitation, activation = rng.uniform(-0.3, 1.3, (5, 40)), rng.uniform(0, 1, (5, 40))
    ours = activation_rate(excitation, activation, Dynamics(*(np.full(40, value) for value in (0.01, 0.04, width))))
    parameters = np.array([[0.01], [0.04], [width]])
    theirs = [
        mujoco.mju_muscleDynamics(u, a, parameters) for u, a in zip(excitation.ravel(), activation.ravel(), strict=True)
    ]
    np.testing.assert_allclose(np.ravel(ours), theirs, rtol=1e-4, atol=1e-3)


def test_unusable_buffers_are_refused() -> None:
    assert Buffers.from_arguments({"contacts": 7}).contacts == 7
    with pytest.raises(ValueError, match="'contact'.*'contacts', 'constraints'"):
        Buffers.from_arguments({"contact": 7})
    with pytest.raises(ValueError, match="at least 1"):
        Buffers.from_arguments({"constraints": 0})
