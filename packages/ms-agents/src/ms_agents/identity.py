"""Which environment a policy was made for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv

EPISODE_OPTIONS = (
    "horizon",
    "root_termination",
    "key_body_termination",
    "reset_distribution",
    "reset_noise",
    "root_support",
    "reward_terms",
    "clip",
    "muscle_paths",
)
"""Options of an environment that decide how episodes run and are computed, not what observations and actions mean."""


def environment_identity(env: VectorEnv[Any, Any, Any]) -> dict[str, Any]:
    """What decides the meaning of observations and actions.

    Args:
        env: The environment.

    Returns:
        Plain values: id, fingerprints of body and clip, and the options that matter, as far as it has them.
    """
    base = env.unwrapped
    identity: dict[str, Any] = {"id": None if env.spec is None else env.spec.id}
    if hasattr(base, "body"):
        identity["body_hash"] = base.body.hash
    if hasattr(base, "clip"):
        identity["clip_hash"] = _clip_hash(base.clip)
    return identity | _options(env)


def check_identity(saved: Mapping[str, Any], env: VectorEnv[Any, Any, Any], what: str = "checkpoint") -> None:
    """Refuse a policy in an environment it was not made for.

    An option that environments did not have when the policy was saved has to be at its default.

    Args:
        saved: What :func:`environment_identity` said of its own environment.
        env: The environment.
        what: What the message calls the thing that was saved.

    Raises:
        ValueError: If they differ; the message says in what.
    """
    given = environment_identity(env)
    saved = {**_defaults(env), **saved}
    differing = [name for name in {**saved, **given} if saved.get(name) != given.get(name)]
    if differing:
        listed = "; ".join(f"{name} {saved.get(name)!r}, not {given.get(name)!r}" for name in differing)
        raise ValueError(f"the {what} was made for another environment: {listed}")


def _options(env: VectorEnv[Any, Any, Any]) -> dict[str, Any]:
    """Options that matter, where the environment keeps them in a dataclass."""
    options = getattr(env.unwrapped, "options", None)
    if options is None or not is_dataclass(options) or isinstance(options, type):
        return {}
    return {name: _plain(value) for name, value in asdict(options).items() if name not in EPISODE_OPTIONS}


def _defaults(env: VectorEnv[Any, Any, Any]) -> dict[str, Any]:
    """The same options at their defaults, as far as they have any."""
    options: Any = getattr(env.unwrapped, "options", None)
    known = _options(env)
    defaults = {f.name: f.default for f in fields(options) if f.default is not MISSING} if known else {}
    return {name: _plain(value) for name, value in defaults.items() if name in known}


def _clip_hash(clip: Any) -> str:
    digest = hashlib.sha256(f"{clip.motion} {clip.fps} {clip.loop}".encode())
    digest.update(np.ascontiguousarray(clip.qpos, dtype=np.float32).tobytes())
    return digest.hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value
