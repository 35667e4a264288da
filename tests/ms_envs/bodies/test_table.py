from __future__ import annotations

from pathlib import Path

import pytest
from ms_envs.bodies.table import print_table
from rich.console import Console


def test_table_shows_numbers_and_why_a_body_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MENAGERIE_ROOT", str(tmp_path))
    console = Console(width=160, record=True, quiet=False, file=(tmp_path / "out").open("w"))
    print_table(console)
    text = console.export_text()
    fullbody = next(line for line in text.splitlines() if "myo-fullbody" in line)
    assert all(value in fullbody for value in ("416", "31", "84.3", "Apache-2.0"))
    assert "not available" in next(line for line in text.splitlines() if "│ ms-human-700" in line)
    assert "MENAGERIE_ROOT" in text
