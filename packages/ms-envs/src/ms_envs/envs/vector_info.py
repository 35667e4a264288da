"""Infos of vector environments as Gymnasium lays them out: every entry ``name`` with a mask ``_name``."""

from __future__ import annotations

from typing import Any


def masked(values: dict[str, Any], mask: Any) -> dict[str, Any]:
    """Arrays with the mask of the environments they are of, bool (N,)."""
    return values | {f"_{name}": mask for name in values}


def remasked(info: dict[str, Any], mask: Any) -> dict[str, Any]:
    """The same info with other masks."""
    return {
        name: mask if name.startswith("_") else remasked(value, mask) if isinstance(value, dict) else value
        for name, value in info.items()
    }
