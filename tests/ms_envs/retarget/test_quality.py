from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from ms_envs.bodies import load_body
from ms_envs.inverse import static_optimization
from ms_envs.motions import load_clip
from ms_envs.retarget.quality import QualityReport, print_table, quality_report
from rich.console import Console


@pytest.fixture(scope="module")
def walk():
    body = load_body("myo-legs")
    clip = load_clip("walk", body)
    return body, clip, static_optimization(body, clip)


@pytest.fixture(scope="module")
def report(walk) -> QualityReport:
    body, clip, solution = walk
    return quality_report(body, clip, solution=solution)


def test_report_says_what_the_inverse_solution_says(walk, report):
    body, clip, solution = walk
    assert (report.motion, report.body, report.seconds) == ("walk", "myo-legs", clip.duration)
    assert report.root_force == pytest.approx(solution.root_residual_force.mean())
    assert report.unreachable_torque == solution.unreachable
    assert report.root_force_share == pytest.approx(report.root_force / (9.81 * body.mass))
    assert quality_report(body, clip) == report


def test_a_worse_motion_gets_a_worse_report(walk, report):
    body, clip, solution = walk
    residual = solution.residual + 100.0
    worse = replace(solution, residual=residual)
    found = quality_report(body, clip, solution=worse)
    assert found.root_force > report.root_force
    assert found.unreachable_torque > report.unreachable_torque


def test_report_survives_json(report):
    assert QualityReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_what_is_no_report_is_refused(report):
    values = report.to_dict()
    del values["root_force"]
    with pytest.raises(ValueError, match="root_force"):
        QualityReport.from_dict(values)


def test_table_has_a_row_for_every_clip(report):
    stream = io.StringIO()
    print_table([report, report], Console(file=stream, width=250))
    text = stream.getvalue()
    assert text.count("myo-legs") == 2
    assert f"{report.unreachable_torque:.3f}" in text
    assert np.isfinite(report.peak_ground_reaction)
