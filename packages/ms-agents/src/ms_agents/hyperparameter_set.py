"""What all sets of constants can do: be named, written as plain values, read back and changed by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, replace
from typing import Any, ClassVar, Self


class HyperparameterSet:
    """Base of a frozen dataclass with the constants of one algorithm.

    Fields with a default factory are parts that are dataclasses of their own; the factory is their class.

    Attributes:
        presets: Named constants.
        environments: Environments stepped together.
        rollout_steps: Steps of each environment per iteration.
    """

    presets: ClassVar[dict[str, Any]] = {}
    environments: int
    rollout_steps: int

    @classmethod
    def preset(cls, name: str) -> Self:
        """Constants by name.

        Args:
            name: One of :attr:`presets`.

        Returns:
            The constants.

        Raises:
            ValueError: If the name is unknown.
        """
        if name not in cls.presets:
            raise ValueError(f"unknown preset {name!r}; choose one of {', '.join(map(repr, cls.presets))}")
        return cls.presets[name]

    @classmethod
    def parts(cls) -> dict[str, type[Any]]:
        """Name of each part to its dataclass."""
        return {
            entry.name: entry.default_factory  # type: ignore[misc]
            for entry in fields(cls)  # type: ignore[arg-type]
            if entry.default_factory is not MISSING
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`, also after a round trip through JSON.

        Raises:
            ValueError: If a name is unknown.
        """
        parts = cls.parts()
        nested = {name: kind(**_checked(kind, values.get(name, {}))) for name, kind in parts.items()}
        plain = _checked(cls, {name: value for name, value in values.items() if name not in parts})
        return cls(**plain, **nested)

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """The same constants but for some.

        Args:
            changes: Name to value; those of a part as ``<part>.<name>``, such as ``discriminator.updates``.

        Raises:
            ValueError: If a name is unknown.
        """
        values = self.to_dict()
        for name, value in changes.items():
            part, _, inner = name.rpartition(".")
            if part and part not in self.parts():
                raise ValueError(
                    f"unknown part {part!r} of the hyperparameters; choose one of {', '.join(self.parts())}"
                )
            (values[part] if part else values)[inner] = value
        return self.from_dict(values)

    def with_environments(self, environments: int | None) -> Self:
        """The same constants for another number of environments; ``None`` keeps it."""
        return self if environments is None else replace(self, environments=environments)  # type: ignore[type-var]


def _checked(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    names = [entry.name for entry in fields(kind)]
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise ValueError(f"unknown hyperparameters {unknown}; choose from {names}")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def require_positive(constants: Any, kind: str, wanted: str = "a positive number") -> None:
    """Raise ``ValueError`` unless all fields of a dataclass are positive numbers; its kind begins the message."""
    for name, value in asdict(constants).items():
        if not value > 0:
            raise ValueError(f"{kind} {name} must be {wanted}, got {value!r}")
