from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import suite
from benchmarks.outcomes import outcomes
from benchmarks.suite import Part


def test_suite_goes_on_after_a_part_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [Part("broken", "emg --bodies nobody", None), Part("sound", "--help", None)]
    monkeypatch.setattr(suite, "PARTS", {part.name: part for part in parts})
    assert not suite.run((), quick=False, output=tmp_path, report_only=False)
    found = outcomes(tmp_path)
    assert "nobody" in (found["broken"].error or "")
    assert found["sound"].error is None
    assert "nobody" in (tmp_path / "report.md").read_text()


def test_report_only_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "_perform", lambda *_: pytest.fail("a part was run"))
    assert suite.run((), quick=False, output=tmp_path, report_only=True)
    assert (tmp_path / "report.html").is_file()


def test_unknown_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown parts \['speed'\]; choose from \['plans', 'accuracy'"):
        suite.run(("speed",), quick=False, output=tmp_path, report_only=False)


def test_command_line_knows_the_arguments_of_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    import benchmarks.__main__ as command_line

    for part in suite.PARTS.values():
        for command in filter(None, (part.full, part.quick)):
            with pytest.raises(SystemExit):
                command_line.app.cli(args=[*command.split(), "--unknown"])
            assert "options: --unknown " in capsys.readouterr().err
