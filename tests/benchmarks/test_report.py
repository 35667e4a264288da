from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import report
from benchmarks.outcomes import Outcome, keep
from benchmarks.report_html import to_html

PAGE = """# Speed

![How fast](speed.png)

| body | film | steps/s |
|---|---|---:|
| legs | [walk](films/walk.mp4) | 1,200 |

```
# no heading
```

[Numbers](speed.csv) and [a paper](https://example.org). Made by `python -m benchmarks speed`.
"""


class Assets(HTMLParser):
    """Collects what a page loads, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loaded += [given[name] or "" for name in ("src", "srcset", "poster", "data") if name in given]
        if tag == "a":
            self.links.append(given["href"] or "")
        elif "href" in given:
            self.loaded.append(given["href"] or "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "walk.mp4").write_bytes(b"a film")
    Image.new("RGB", (8, 8)).save(tmp_path / "speed.png")
    (tmp_path / "speed.md").write_text(PAGE)
    (tmp_path / "speed.json").write_text(json.dumps({"machine": {"date": "2026-01-01"}}))
    return tmp_path


def test_html_needs_no_other_file(folder: Path) -> None:
    _, path = report.write(folder, ["speed", "absent"])
    text = path.read_text()
    assets = Assets(text)
    assert [address.partition(";")[0] for address in assets.loaded] == ["data:image/png", "data:video/mp4"]
    assert all(link.startswith(("#", "https://")) for link in assets.links)
    assert "url(" not in text and "@import" not in text


def test_html_holds_pictures_and_films_unchanged(folder: Path) -> None:
    assets = Assets(to_html((folder / "speed.md").read_text(), folder))
    contents = [base64.b64decode(address.partition(",")[2]) for address in assets.loaded]
    assert contents == [(folder / name).read_bytes() for name in ("speed.png", "films/walk.mp4")]


def test_missing_picture_is_an_error(folder: Path) -> None:
    (folder / "speed.png").unlink()
    with pytest.raises(FileNotFoundError, match="speed.png"):
        to_html(PAGE, folder)


def test_pages_keep_their_order_and_have_one_title(folder: Path) -> None:
    (folder / "accidents.md").write_text("# Accidents\n\n## Falls\n")
    text = report.markdown(folder, ["speed"])
    outside = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    headings = re.findall(r"^#+ .*", outside, flags=re.M)
    assert headings[:4] == ["# MS-Emulator benchmarks", "## Speed", "## Accidents", "### Falls"]
    assert "\n# no heading\n" in text


def test_report_says_what_failed_what_was_kept_and_what_was_not_run(folder: Path) -> None:
    keep(folder, "strength", Outcome("python -m benchmarks strength", "2026-01-02 10:00", 3.0, "ValueError: too weak"))
    text = report.markdown(folder, ["speed", "strength", "absent"])
    assert "| speed | `python -m benchmarks speed` | 2026-01-01 | | kept |" in text
    assert "| strength | `python -m benchmarks strength` | 2026-01-02 10:00 UTC | 3 s | failed |" in text
    assert "ValueError: too weak" in text
    assert "| absent | | | | not run |" in text
