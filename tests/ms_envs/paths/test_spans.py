from __future__ import annotations

import numpy as np
from ms_envs.bodies import Body
from ms_envs.paths.samples import sample_paths, uniform_poses
from ms_envs.paths.spans import Span, path_spans


def test_no_joint_outside_its_spans_changes_a_muscle(legs: Body) -> None:
    spans = path_spans(legs)
    everything = [(Span(tuple(range(14)), tuple(range(14))),)] * len(spans)
    samples = sample_paths(legs, uniform_poses(legs, 20, 0), everything)
    arms = samples.moment_arm.reshape(20, 80, 14)
    deviations = samples.coupled_arm.reshape(20, 80, 14)
    for muscle, own in enumerate(spans):
        inside = sorted({joint for span in own for joint in span.joints})
        coupled = sorted({joint for span in own for joint in span.coupled})
        assert np.abs(np.delete(arms[:, muscle], inside, axis=1)).max() < 1e-9
        assert np.abs(np.delete(deviations[:, muscle], coupled, axis=1)).max(initial=0) < 1e-9
        assert np.abs(arms[:, muscle, inside]).max() > 1e-4


def test_a_coupled_joint_stands_in_one_span_of_a_muscle(legs: Body) -> None:
    for own in path_spans(legs):
        coupled = [joint for span in own for joint in span.coupled]
        assert len(set(coupled)) == len(coupled)
