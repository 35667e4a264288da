"""From the words of the command line to what the package takes."""

from __future__ import annotations

import json
from typing import Any


def importing(env_id: str) -> str:
    """Id that lets Gymnasium import the package which registers it."""
    return f"ms_envs:{env_id}" if env_id.startswith("MSEmu/") else env_id


def environment_arguments(further: tuple[tuple[str, str], ...], **named: str | None) -> dict[str, Any]:
    """Arguments of an environment, those that were not given left out."""
    given = {name: value for name, value in named.items() if value is not None}
    return given | {name: plain_value(text) for name, text in further}


def plain_value(text: str) -> Any:
    """What a word means in JSON, or the word itself."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
