from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from ms_agents.identity import check_identity, environment_identity


@dataclass(frozen=True)
class Options:
    control: str
    timestep: float = 0.002
    horizon: float | None = None


def environment(**options):
    env = SimpleNamespace(spec=SimpleNamespace(id="Some-v0"), options=Options(**{"control": "reflex"} | options))
    env.unwrapped = env
    return env


def test_how_long_episodes_are_does_not_matter():
    check_identity(environment_identity(environment()), environment(horizon=5.0))


@pytest.mark.parametrize("changes", [{"control": "posture"}, {"timestep": 0.001}])
def test_other_options_are_refused_by_name(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        check_identity(environment_identity(environment()), environment(**changes))


def test_an_option_that_came_later_has_to_be_at_its_default():
    saved = environment_identity(environment())
    del saved["timestep"]
    check_identity(saved, environment())
    with pytest.raises(ValueError, match="timestep 0.002, not 0.001"):
        check_identity(saved, environment(timestep=0.001))
