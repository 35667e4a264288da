"""The bodies that can be simulated, by name."""

from __future__ import annotations

from importlib import import_module

from ms_envs.bodies.body import Body

BODIES: dict[str, str] = {
    "myo-fullbody": "ms_envs.bodies.myo_fullbody",
    "myo-legs": "ms_envs.bodies.myo_legs",
    "ms-human-700": "ms_envs.bodies.ms_human_700",
}
"""Name to the module whose ``load`` builds the body; the first is the default."""

DEFAULT_BODY = next(iter(BODIES))


def load_body(name: str = DEFAULT_BODY, *, strength: float = 1.0, timestep: float = 0.002, **options: bool) -> Body:
    """Build a body.

    Args:
        name: ``"myo-fullbody"``, ``"myo-legs"`` or ``"ms-human-700"``.
        strength: Factor on every muscle's peak isometric force.
        timestep: Physics time step in seconds.
        **options: Options of one body, such as ``free_fingers=True`` for ``"myo-fullbody"``.

    Returns:
        The compiled body with its indices.

    Raises:
        ValueError: If the name, an option or the strength is not valid; the message lists the choices.
        FileNotFoundError: If the model is not on this machine and cannot be fetched; the message says how to get it.
    """
    if name not in BODIES:
        raise ValueError(f"unknown body {name!r}; choose one of {', '.join(map(repr, BODIES))}")
    if not 0 < timestep <= 0.01:
        raise ValueError(f"timestep must be in (0, 0.01] seconds, got {timestep!r}")
    module = import_module(BODIES[name])
    unknown = set(options) - set(module.OPTIONS)
    if unknown:
        valid = ", ".join(module.OPTIONS) or "none"
        raise ValueError(f"body {name!r} has no option {sorted(unknown)}; its options: {valid}")
    body: Body = module.load(strength=strength, **options)
    body.model.opt.timestep = timestep
    return body


__all__ = ["BODIES", "DEFAULT_BODY", "Body", "load_body"]
