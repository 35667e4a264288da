from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import films, results_file
from benchmarks.accuracy_cells import Cell, measure
from benchmarks.contestants import TrainingFree


def test_the_page_lists_films_of_other_calls_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jump = measure(TrainingFree("untrained", "myo-legs", "jump"), 1, True, 1, "mark")
    cells: dict[str, Cell] = {motion: replace(jump, motion=motion, supported=False) for motion in ("jump", "kick")}

    def made(path: Path, *_: object, fps: float) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"film")

    monkeypatch.setattr(results_file, "FOLDER", tmp_path)
    monkeypatch.setattr(films, "read", lambda: cells)
    monkeypatch.setattr(films, "write_video", made)
    for motion, others in (("jump", ["kick"]), ("kick", [])):
        films.run([motion], seconds=0.1, size=32)
        page = (tmp_path / "films.md").read_text()
        assert f"films/{motion}.mp4" in page
        assert not any(f"films/{other}.mp4" in page for other in others)
    assert "films/jump.mp4" in page
