from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from ms_envs.bodies import Body
from ms_envs.motions.clip import MotionClip, ReferenceTable
from ms_envs.motions.lookup import Timeline, coordinates_at, reference_at

TIME = np.array([0.0, 0.013, 0.77, 1.999, 2.0, 5.31])


@pytest.mark.parametrize("loop", [True, False])
def test_jax_finds_what_numpy_finds(legs: Body, squat_clip: MotionClip, loop: bool) -> None:
    jnp = pytest.importorskip("jax.numpy")
    clip = dataclasses.replace(squat_clip, loop=loop)
    table = ReferenceTable(clip, legs)
    timeline = Timeline(*(jnp.float32(value) for value in clip.timeline))
    time = jnp.asarray(TIME, dtype=jnp.float32)
    found = reference_at(jnp, timeline, jnp.asarray(table.rows), len(legs.joint_ids), time)
    for ours, theirs in zip(found, table.at(TIME), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    coordinates = coordinates_at(jnp, timeline, jnp.asarray(clip.qpos), jnp.asarray(clip.qvel), time)
    for ours, theirs in zip(coordinates, clip.coordinates(TIME), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
