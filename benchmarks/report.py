"""The report: every page of the results as one Markdown file and one HTML file that needs no other."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks import results_file
from benchmarks.outcomes import outcomes
from benchmarks.report_html import to_html

NAME = "report"
LEADING = ("accuracy", "films")
"""Pages that come before the others."""
PUBLISHED = Path(__file__).with_name("published.md")


def write(folder: Path, parts: Sequence[str]) -> tuple[Path, Path]:
    """Write ``report.md`` and ``report.html``.

    Args:
        folder: Of the results.
        parts: Names of the pages that come first, in order; other pages follow by name.

    Returns:
        The two files.
    """
    text = markdown(folder, sorted(parts, key=lambda name: name not in LEADING))
    results_file.write_text(f"{NAME}.md", text, folder)
    results_file.write_text(f"{NAME}.html", to_html(text, folder), folder)
    return folder / f"{NAME}.md", folder / f"{NAME}.html"


def markdown(folder: Path, parts: Sequence[str]) -> str:
    """The report as Markdown whose links are relative to the folder of the results."""
    present = {path.stem for path in folder.glob("*.md")} - {NAME}
    order = [name for name in parts if name in present] + sorted(present - set(parts))
    pages = [(folder / f"{name}.md").read_text() for name in order] + [PUBLISHED.read_text()]
    return "\n".join([_head(folder, parts, order), *map(_demoted, pages)])


def _head(folder: Path, parts: Sequence[str], pages: Sequence[str]) -> str:
    measured = results_file.described(results_file.machine())
    rows = "\n".join(_status(folder, name) for name in [*parts, *(page for page in pages if page not in parts)])
    errors = [
        f"### {name} failed\n\n`{outcome.command}`\n\n```\n{outcome.error}\n```\n"
        for name, outcome in outcomes(folder).items()
        if outcome.error
    ]
    return f"""# MS-Emulator benchmarks

Made by `python -m benchmarks`, without a number typed but those under *Published by others*. Each page names the
command that made it and the machine it was made on; one that was not run with the others stands as it was kept.

| part | command | measured | wall time | |
|---|---|---|---:|---|
{rows}

Report: {measured}.

{"".join(errors)}"""


def _status(folder: Path, name: str) -> str:
    """A row of the table of parts."""
    outcome = outcomes(folder).get(name)
    if outcome is not None:
        result = "failed" if outcome.error else "done"
        return f"| {name} | `{outcome.command}` | {outcome.finished} UTC | {outcome.seconds:,.0f} s | {result} |"
    page, results = (folder / f"{name}{suffix}" for suffix in (".md", ".json"))
    if not (page.is_file() and results.is_file()):
        return f"| {name} | | | | not run |"
    measured = json.loads(results.read_text())["machine"]["date"]
    command = re.search(r"`python -m benchmarks [^`]*`", page.read_text().replace("\n", " "))
    return f"| {name} | {command[0] if command else 'see there'} | {measured} | | kept |"


def _demoted(page: str) -> str:
    """A page with its headings one level lower, outside blocks of code."""
    blocks = re.split(r"(^```.*?^```)", page, flags=re.MULTILINE | re.DOTALL)
    return "".join(block if block.startswith("```") else re.sub(r"^#", "##", block, flags=re.M) for block in blocks)
