from __future__ import annotations

from dataclasses import replace

import pytest
from ms_agents.planning.reference import ReferenceLimits, reference_quality
from ms_envs.motions import load_clip


def test_a_clip_is_judged_by_its_report_and_by_static_optimisation_alike(legs):
    clip = load_clip("walk", legs)
    known, found = reference_quality(legs, clip), reference_quality(legs, replace(clip, provenance={}))
    assert known.root_force == pytest.approx(found.root_force, rel=0.1)
    assert known.unreachable_torque == pytest.approx(found.unreachable_torque, abs=2e-3)
    assert not known.doubtful


def test_what_is_beyond_the_limits_is_refused_with_its_numbers(legs):
    quality = reference_quality(legs, load_clip("backflip", legs))
    assert quality.doubtful
    quality.check(ReferenceLimits())
    with pytest.raises(ValueError, match=r"'backflip' needs a root force .* 42 % .* raise them"):
        quality.check(ReferenceLimits(root_force=0.4))
