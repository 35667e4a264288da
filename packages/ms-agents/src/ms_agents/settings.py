"""Settings of a training run under flat names, and the command line that asks for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from ms_agents.runs import TrainingConfig

NO_SETTING = ("steps", "minutes", "threads", "video")
"""Fields of a configuration that say how long and where to run, not what to learn."""
OWNERS = {
    "gsde": ("explorer", "gsde"),
    "correlated": ("explorer", "correlated"),
    "flow": ("explorer", "flow"),
    "discriminator": ("aggregator", "adversarial"),
}
"""Groups of constants, and the field and value of a configuration without which they mean nothing."""


def settings(config: TrainingConfig) -> dict[str, Any]:
    """Everything that decides what a run learns: name to plain value.

    Constants of the learner, but for those of parts that the run does not have, and arguments of the environment stand
    under their own names, such as ``action_std``, ``discriminator.updates`` and ``body``.
    """
    flat = {entry.name: getattr(config, entry.name) for entry in fields(config) if entry.name not in NO_SETTING}
    del flat["env_kwargs"], flat["hyperparameters"]
    return {name: _plain(value) for name, value in (flat | dict(config.env_kwargs) | used_constants(config)).items()}


def constants(config: TrainingConfig) -> dict[str, Any]:
    """Constants of the learner: name to value."""
    return _flat(config.hyperparameters.to_dict())


def used_constants(config: TrainingConfig) -> dict[str, Any]:
    """Constants of those parts of the learner that the run has: name to value."""
    idle = [group for group, (field, value) in OWNERS.items() if getattr(config, field) != value]
    return {name: value for name, value in constants(config).items() if name.partition(".")[0] not in idle}


def differences(found: TrainingConfig, wanted: TrainingConfig) -> dict[str, tuple[Any, Any]]:
    """Settings that two runs do not share: name to the value of each, ``None`` where one does not have it."""
    a, b = settings(found), settings(wanted)
    return {name: (a.get(name), b.get(name)) for name in a | b if a.get(name) != b.get(name)}


def with_setting(config: TrainingConfig, name: str, value: Any) -> TrainingConfig:
    """The same configuration with one constant of the learner, or else one argument of the environment, changed."""
    if name in constants(config):
        return replace(config, hyperparameters=config.hyperparameters.changed({name: value}))
    return replace(config, env_kwargs=dict(config.env_kwargs) | {name: value})


def train_arguments(config: TrainingConfig) -> list[str]:
    """Arguments of ``ms-agents train`` that ask for a configuration."""
    arguments = ["train", config.id]
    named = [name for name in ("body", "control") if name in config.env_kwargs]
    for name in named:
        arguments += [f"--{name}", str(config.env_kwargs[name])]
    arguments += _pairs("--env", {name: value for name, value in config.env_kwargs.items() if name not in named})
    for name in ("algorithm", "aggregator", "explorer", "seed", "steps", "minutes", "threads"):
        if (value := getattr(config, name)) is not None:
            arguments += [f"--{name}", str(value)]
    if config.curriculum is not None:
        arguments += ["--curriculum", *map(str, config.curriculum)]
    preset = _flat(type(config.hyperparameters)().to_dict())
    changed = {name: value for name, value in used_constants(config).items() if value != preset[name]}
    arguments += _pairs("--set", changed)
    return arguments if config.video else [*arguments, "--no-video"]


def _pairs(flag: str, values: Mapping[str, Any]) -> list[str]:
    return [flag, *(text for name, value in values.items() for text in (name, json.dumps(value)))] if values else []


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, Mapping) else {name: value}
    return flat


def _plain(value: Any) -> Any:
    """The value as a round trip through a JSON file would give it."""
    return json.loads(json.dumps(value))
