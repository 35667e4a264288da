from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from ms_envs.motions import load_clip

from benchmarks.plans import beyond, preset_of


def ended(legs, *, root: float = 0.0, largest: float = 0.0, height: float = 0.0, knee: float = 0.0):
    """The end of a plan with given errors, mm and m and rad."""
    reference = load_clip("walk", legs).qpos[:1]
    qpos = reference.copy()
    qpos[0, 2] += height
    qpos[0, legs.model.joint("knee_angle_r").qposadr] += knee
    errors = {"diverged": 0.0, "root_position_error": root, "largest_body_error": largest}
    rows = {f"metric_{name}": np.array([value]) for name, value in errors.items()}
    return SimpleNamespace(rows=rows | {"qpos": qpos, "reference_qpos": reference})


@pytest.mark.parametrize(
    ("errors", "name"),
    [
        ({}, ""),
        ({"root": 310.0}, "root, drifted"),
        ({"root": 310.0, "height": -0.2}, "root, fallen"),
        ({"largest": 600.0, "knee": 1.2}, "toes_r"),
    ],
)
def test_what_ended_a_plan_is_named(legs, errors, name):
    assert beyond(ended(legs, **errors), legs) == name


def test_only_walking_is_planned_without_arms():
    assert (preset_of("walk"), preset_of("jump")) == ("walk", "whole-body")
