from __future__ import annotations

import json

import numpy as np
import pytest
from ms_agents.reproduction.config import FILE, Perturbation, ReproductionConfig
from ms_agents.reproduction.dataset import load_lessons, save_lessons
from ms_agents.reproduction.ledger import Ledger
from ms_agents.reproduction.lessons import Lesson

IDENTITY = {"id": "MSEmu/Walk-v0", "lookahead": [0.02, 0.04]}
LESSONS = [Lesson(np.full((n, 5), n, np.float32), np.full((n, 2), -n, np.float32)) for n in (3, 1)]


def test_lessons_come_back_from_a_file_as_they_were(tmp_path):
    save_lessons(tmp_path / "0.npz", LESSONS, IDENTITY)
    for found, saved in zip(load_lessons(tmp_path / "0.npz", IDENTITY), LESSONS, strict=True):
        np.testing.assert_array_equal(found.observation, saved.observation)
        np.testing.assert_array_equal(found.action, saved.action)


def test_lessons_for_another_environment_are_refused_by_name(tmp_path):
    save_lessons(tmp_path / "0.npz", LESSONS, IDENTITY)
    with pytest.raises(ValueError, match="another environment: lookahead differ"):
        load_lessons(tmp_path / "0.npz", IDENTITY | {"lookahead": (0.1,)})


def test_a_damaged_file_is_called_by_its_name(tmp_path):
    (tmp_path / "0.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"0\.npz holds no usable lessons"):
        load_lessons(tmp_path / "0.npz", IDENTITY)


def test_an_interrupted_stage_is_paid_for_and_not_done(tmp_path):
    ledger = Ledger(tmp_path)
    with ledger.clocked("plan"):
        pass
    with pytest.raises(KeyboardInterrupt), ledger.clocked("lessons"):
        sum(range(100_000))
        raise KeyboardInterrupt
    found = Ledger(tmp_path)
    assert [stage.done for stage in found.stages.values()] == [True, False]
    assert found["lessons"].core_seconds > 0
    with found.clocked("lessons") as stage:
        pass
    assert stage.done
    assert found.core_seconds >= ledger.core_seconds


def test_what_a_killed_process_spent_is_counted_once(tmp_path):
    ledger = Ledger(tmp_path)
    for _ in range(2):
        with ledger.clocked("lessons") as stage:
            stage.at_least(100.0)
    assert 100.0 < Ledger(tmp_path).core_seconds < 101.0


def test_a_damaged_ledger_is_called_by_its_name(tmp_path):
    (tmp_path / "stages.json").write_text('{"plan": {"colour": 1}}')
    with pytest.raises(ValueError, match=r"stages\.json is damaged"):
        Ledger(tmp_path)


def test_a_configuration_comes_back_from_its_directory(tmp_path):
    config = ReproductionConfig("MSEmu/Walk-v0", {"body": "myo-legs"}).changed(
        {
            "rounds": 1,
            "perturbation.joint_angle": 0.01,
            "planner.samples": 5,
            "feedback.rounds": 2,
            "learner.discriminator.updates": 2,
        }
    )
    config.save(tmp_path)
    assert ReproductionConfig.load(tmp_path) == config
    assert (config.perturbation, config.planner.samples) == (Perturbation(joint_angle=0.01), 5)
    content = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(content | {"rounds": -1}))
    with pytest.raises(ValueError, match="damaged: rounds must be at least 0"):
        ReproductionConfig.load(tmp_path)


@pytest.mark.parametrize("name", ["colour", "planner", "rounds.few", "perturbation.colour", "planner.colour"])
def test_unknown_constants_are_refused_with_the_choices(name):
    with pytest.raises(ValueError, match=r"unknown .*choose"):
        ReproductionConfig("MSEmu/Walk-v0").changed({name: 1})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"warm_up": 1.5}, "share of the budget"),
        ({"lessons": 1}, "lessons must be at least 2"),
        ({"perturbation.joint_angle": 0.0}, "perturbation joint_angle must be a positive number"),
        ({"feedback.effort": -1.0}, "feedback effort must be a positive number"),
    ],
)
def test_values_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ReproductionConfig("MSEmu/Walk-v0").changed(changes)
