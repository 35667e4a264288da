from __future__ import annotations

import numpy as np
import pytest
from ms_envs.bodies import Body
from ms_envs.physics.muscle_kernel import MuscleTable, advance_activations, muscle_forces, muscle_table
from ms_envs.physics.muscle_law import activation_rate, muscle_force


@pytest.fixture(params=["numpy", "jax.numpy"])
def arrays(request: pytest.FixtureRequest):
    """An array module, and the relative rounding that its precision allows."""
    return pytest.importorskip(request.param), 1e-9 if request.param == "numpy" else 2e-5


def states(table: MuscleTable) -> tuple[np.ndarray, ...]:
    """Lengths, velocities and activations on every branch of the curves, (S, M) each."""
    grid = np.meshgrid(np.linspace(0.2, 2.2, 21), [-1.5, -0.5, 0.0, 0.2, 2.0], [0.0, 0.7], indexing="ij")
    normal, speed, activation = (values.reshape(-1, 1) for values in grid)
    ones = np.ones_like(table.scale)
    return (normal - table.offset) / table.scale, speed / table.velocity_scale, activation * ones


def test_forces_are_those_of_the_kernel(legs: Body, arrays) -> None:
    xp, rounding = arrays
    table = muscle_table(legs.model)
    given = states(table)
    expected = np.zeros_like(given[0])
    for row in zip(*given, expected, strict=True):
        muscle_forces(table, *row)
    force = np.asarray(muscle_force(xp, table, *map(xp.asarray, given)))
    np.testing.assert_allclose(force, expected, rtol=rounding, atol=rounding * table.peak.max())


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_activations_are_those_of_the_kernel(legs: Body, arrays, smoothing: float) -> None:
    xp, rounding = arrays
    table = muscle_table(legs.model)._replace(smoothing=np.full(80, smoothing))
    generator = np.random.default_rng(0)
    excitation, activation = generator.uniform(-0.3, 1.3, (50, 80)), generator.uniform(0, 1, (50, 80))
    expected = activation.copy()
    for row in zip(excitation, expected, strict=True):
        advance_activations(table, 1e-3, *row)
    rate = np.asarray(activation_rate(xp, table, xp.asarray(excitation), xp.asarray(activation)))
    np.testing.assert_allclose(activation + 1e-3 * rate, expected, atol=10 * rounding)
