from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ms_envs.bodies import BODIES
from ms_envs.envs.control import CONTROLS
from ms_envs.envs.options import MUSCLE_PATHS, RESETS, TrackingOptions
from ms_envs.task.objectives import OBJECTIVES
from ms_envs.task.observation import MUSCLE_SIGNALS
from ms_envs.task.reward import DEFAULT_REWARD


@pytest.mark.parametrize(
    ("arguments", "choices"),
    [
        ({"control": "torque"}, CONTROLS),
        ({"reset_distribution": "random"}, RESETS),
        ({"muscle_paths": "polynomial"}, MUSCLE_PATHS),
        ({"muscle_signals": ("activation", "stress")}, MUSCLE_SIGNALS),
        ({"objectives": ("effort", "speed")}, OBJECTIVES),
        ({"reward_terms": {"joint_angle": 1.0}}, tuple(DEFAULT_REWARD)),
        ({"reflex": {"gain": 1.0}}, ("tone", "stiffness", "damping")),
        ({"colour": "red"}, ("body", "control", "clip", "horizon")),
        ({"body": "robot"}, tuple(BODIES)),
    ],
)
def test_unknown_choice_is_refused_with_the_known_ones(make_env, arguments: dict[str, Any], choices) -> None:
    with pytest.raises(ValueError, match="unknown") as error:
        make_env(**arguments)
    assert all(choice in str(error.value) for choice in choices)


@pytest.mark.parametrize(
    "arguments",
    [
        {"control_rate": 0.0},
        {"control_rate": -50.0},
        {"control_rate": np.nan},
        {"control_rate": 130.0},
        {"control_rate": 1000.0},
        {"timestep": 0.0},
        {"timestep": np.inf},
        {"timestep": 0.02, "control_rate": 50.0},
        {"horizon": 0.0},
        {"horizon": np.nan},
        {"lookahead": ()},
        {"lookahead": (-0.1,)},
        {"root_termination": 0.0},
        {"key_body_termination": -1.0},
        {"reset_noise": -0.1},
        {"reset_noise": np.nan},
        {"strength": 0.0},
        {"strength": np.nan},
        {"reflex": {"stiffness": -1.0}},
        {"reflex": {"tone": np.nan}},
        {"reflex": {"delay": -0.01}},
        {"reflex": {"delay": 0.0031}},
        {"objectives": ("effort", "effort")},
        {"action_smoothing": -0.1},
        {"action_smoothing": np.nan},
        {"action_smoothing": np.inf},
        {"root_support": -1.0},
        {"root_support": np.inf},
        {"reward_terms": {"effort": np.inf}},
        {"body_options": {"free_fingers": True}},
        {"render_mode": "ascii"},
    ],
)
def test_unusable_value_is_refused(make_env, arguments: dict[str, Any]) -> None:
    name, value = next(iter(arguments.items()))
    if isinstance(value, dict):
        name = next(iter(value))
    with pytest.raises(ValueError, match=name):
        make_env(**arguments)


@pytest.mark.parametrize("num_envs", [0, -3])
def test_number_of_environments_must_be_positive(make_vector_env, num_envs: int) -> None:
    with pytest.raises(ValueError, match="num_envs"):
        make_vector_env(num_envs)


def test_unknown_autoreset_mode_is_refused(make_vector_env) -> None:
    with pytest.raises(ValueError, match="never"):
        make_vector_env(autoreset_mode="never")


def test_defaults_are_those_of_the_paper_and_the_protocol() -> None:
    options = TrackingOptions()
    assert options.control == "excitation"
    assert options.substeps == 10
    assert (options.root_termination, options.key_body_termination) == (0.5, 0.5)


@pytest.mark.parametrize(("rate", "timestep", "substeps"), [(50, 0.002, 10), (100, 0.002, 5), (30, 1 / 600, 20)])
def test_control_step_is_a_whole_number_of_time_steps(rate: float, timestep: float, substeps: int) -> None:
    assert TrackingOptions(control_rate=rate, timestep=timestep).substeps == substeps
