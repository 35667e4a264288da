"""Reports as tables, for the terminal and for Markdown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from rich.console import Console
from rich.table import Table

Report = TypeVar("Report")
WIDTH = 180
"""Of tables that are written elsewhere than to a terminal, characters."""


def table_console() -> Console:
    """Standard output, wide enough for tables where it is no terminal."""
    return Console(width=None if sys.stdout.isatty() else WIDTH)


def terminal_table(
    columns: Mapping[str, Callable[[Report], str]],
    reports: Iterable[Report],
    *,
    title: str,
    text: Iterable[str],
    caption: str | None = None,
) -> Table:
    """Table with one row per report.

    Args:
        columns: Heading to what stands under it.
        reports: Reports in the order of the rows.
        title: What stands over it.
        text: Headings of columns that hold no numbers.
        caption: What stands under it.
    """
    text, table = set(text), Table(title=title, caption=caption)
    for heading in columns:
        table.add_column(heading, justify="left" if heading in text else "right", no_wrap=heading in text)
    for report in reports:
        table.add_row(*(cell(report) for cell in columns.values()))
    return table


def markdown_table(
    columns: Mapping[str, Callable[[Report], str]], reports: Iterable[Report], *, text: Iterable[str]
) -> str:
    """The same table in Markdown."""
    text = set(text)
    rows = [list(columns), ["---" if heading in text else "---:" for heading in columns]]
    rows += [[cell(report) for cell in columns.values()] for report in reports]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"
