from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ms_agents.controllers import RestingPolicy
from ms_agents.evaluation import evaluate

from benchmarks import accuracy, accuracy_cells, results_file
from benchmarks.accuracy import best_of_motions
from benchmarks.accuracy_cells import Cell, fingerprint, measure
from benchmarks.contestants import TrainingFree, contestants

REFLEX = TrainingFree("reflex", "myo-legs", "jump")


@dataclass(frozen=True)
class Constant:
    """A controller whose weights are a text."""

    weights: str
    name: str = "constant"
    body: str = "myo-legs"
    motion: str = "jump"
    duration: None = None

    def arguments(self) -> dict[str, Any]:
        return {"body": self.body}

    def policy(self, env: Any) -> RestingPolicy:
        return RestingPolicy(env)

    def digest(self) -> str:
        return self.weights


@pytest.fixture(scope="module")
def cell() -> Cell:
    return measure(REFLEX, 1, False, 1, "mark")


@pytest.fixture
def measured(tmp_path: Path, cell: Cell, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the controllers that were measured, in a folder of results of its own."""
    names: list[str] = []

    def remember(entrant: Any, phases: int, supported: bool, threads: int, mark: str) -> Cell:
        names.append(entrant.name)
        return replace(cell, controller=entrant.name, supported=supported, fingerprint=mark)

    monkeypatch.setattr(results_file, "FOLDER", tmp_path)
    monkeypatch.setattr(accuracy, "measure", remember)
    monkeypatch.setattr(accuracy, "publish", lambda _: None)
    yield names


def run(monkeypatch: pytest.MonkeyPatch, *entrants: Any, phases: int = 1) -> None:
    monkeypatch.setattr(accuracy, "contestants", lambda *_: list(entrants))
    accuracy.run(["myo-legs"], ["jump"], phases, False, 1)


def test_start_simulated_once_counts_like_half_the_episodes(cell: Cell) -> None:
    report = evaluate("reflex", "ms_envs:MSEmu/Jump-v0", phases=[0.0, 0.0, 0.25, 0.75], body="myo-legs", threads=1)
    pair = measure(REFLEX, 2, False, 1, "mark")
    assert pair.coverage == pytest.approx(report.coverage)
    assert pair.errors["joint_angle_error"] == pytest.approx(report.errors["joint_angle_error"])
    assert pair.penalised["root_position_error"] == pytest.approx(report.penalised["root_position_error"])


def test_error_of_joints_adds_up_to_that_of_the_body() -> None:
    start = measure(replace(REFLEX, name="untrained"), 1, True, 1, "mark")
    frames = np.array(start.phase_survival)
    expected = np.average(start.phase_error, weights=frames)
    assert np.mean(list(start.joints.values())) == pytest.approx(expected, rel=1e-4)


def test_unchanged_scores_are_reused(monkeypatch: pytest.MonkeyPatch, measured: list[str]) -> None:
    run(monkeypatch, Constant("a"))
    run(monkeypatch, Constant("a"), TrainingFree("reflex", "myo-legs", "jump"))
    assert measured == ["constant", "reflex"]


@pytest.mark.parametrize("change", [{"entrant": Constant("b")}, {"phases": 2}])
def test_stale_scores_are_measured_again(
    monkeypatch: pytest.MonkeyPatch, measured: list[str], change: dict[str, Any]
) -> None:
    run(monkeypatch, Constant("a"))
    run(monkeypatch, change.get("entrant", Constant("a")), phases=change.get("phases", 1))
    assert measured == ["constant", "constant"]


def test_scores_are_kept_when_a_later_one_is_interrupted(monkeypatch: pytest.MonkeyPatch, measured: list[str]) -> None:
    def interrupt(self: Any) -> str:
        raise KeyboardInterrupt

    broken = type("Broken", (Constant,), {"digest": interrupt})("b", name="broken")
    with pytest.raises(KeyboardInterrupt):
        run(monkeypatch, Constant("a"), broken)
    assert list(accuracy.read()) == [("myo-legs", "jump", "constant", False)]


@pytest.mark.parametrize(("error", "left"), [(FileNotFoundError("no such body"), 1), (ValueError("changed"), 0)])
def test_a_score_outlives_a_body_that_is_not_found_here_but_no_other_failure(
    monkeypatch: pytest.MonkeyPatch, measured: list[str], error: Exception, left: int
) -> None:
    def fail(*_: Any) -> str:
        raise error

    run(monkeypatch, Constant("a"))
    monkeypatch.setattr(accuracy, "fingerprint", fail)
    with pytest.raises(ValueError, match="nothing could be scored"):
        run(monkeypatch, Constant("a"))
    assert len(accuracy.read()) == left


def test_score_depends_on_clip_body_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = {fingerprint(each, 1, False) for each in (REFLEX, replace(REFLEX, motion="kick"))}
    for name, value in (("_clip_digest", lambda *_: "other"), ("_model_digest", lambda _: "other"), ("version", str)):
        with monkeypatch.context() as patch:
            patch.setattr(accuracy_cells, name, value)
            marks.add(fingerprint(REFLEX, 1, False))
    marks.add(fingerprint(REFLEX, 1, True))
    assert len(marks) == 6


def test_plan_counts_with_the_part_of_the_protocol_it_covers(cell: Cell) -> None:
    plan = replace(cell, controller="plan", loop=True, horizon=3.0, coverage=100.0)
    policy = replace(cell, controller="policy", loop=True, horizon=10.0, coverage=40.0)
    assert best_of_motions([plan, policy]) == [policy]
    assert best_of_motions([plan, replace(policy, coverage=20.0)]) == [plan]
    assert best_of_motions([replace(policy, supported=True)]) == []


def test_page_says_what_was_not_scored(cell: Cell) -> None:
    page = accuracy._page([cell], {"machine": {}}, {"it was made for another environment": ["a", "b"]})
    assert "- Not yet scored: reflex, 10 motions of myo-legs." in page
    assert "- Not scored: a; b: it was made for another environment" in page


def test_kept_policies_are_found_with_body_and_motion() -> None:
    found = {each.name: each for each in contestants(["myo-legs"], ["walk"])}
    policy = found["walk-myo-legs-posture/adversarial"]
    assert (policy.body, policy.motion, policy.arguments()["control"]) == ("myo-legs", "walk", "posture")
    assert "key_body_termination" not in policy.arguments()


def test_unknown_motion_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown motions \['fly'\]; choose from \['walk'"):
        contestants(["myo-legs"], ["fly"])
