from __future__ import annotations

import pytest
from ms_agents.curve import STEP
from ms_agents.reproduction.curve import scores, table
from ms_agents.reproduction.ledger import Ledger, Stage

ERRORS = {"joint_angle_error": 3.0, "body_position_error": 40.0}


def report(survival: float) -> dict[str, object]:
    return {"completion": 0.0, "survival": survival, "errors": ERRORS}


@pytest.fixture
def run(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.stages = {
        "untrained": Stage(report=report(1.0)),
        "lessons 0": Stage(120.0, done=True),
        "clone 0": Stage(60.0, done=True, report=report(2.0)),
        "warm-up": Stage(20.0, done=True, notes={"steps": 100}),
        "fine-tuning": Stage(100.0, done=True, notes={"steps": 300}, report=report(4.0)),
    }
    ledger.save()
    columns = [STEP, *(f"eval/{name}" for name in ("completion", "survival", *ERRORS))]
    rows = [",".join(columns), "150,0,2.5,3,40", "200,,,,", "250,0,3.5,3,40"]
    (tmp_path / "progress.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_a_score_stands_at_the_processor_time_of_all_stages_so_far(run):
    found = scores(run)
    assert [score.after for score in found] == ["untrained", "clone 0", "150 steps", "250 steps", "fine-tuning"]
    assert [score.core_seconds for score in found] == pytest.approx([0, 180, 225, 275, 300])
    assert [score.survival for score in found] == [1.0, 2.0, 2.5, 3.5, 4.0]


def test_the_table_is_in_minutes(run):
    assert "| clone 0 | 3.0 | 0 | 2.00 | 3.00 | 40.0 |" in table(run)
