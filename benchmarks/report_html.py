"""Markdown as one HTML file that holds its pictures and films."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

TEMPLATE = "report.html.jinja"
KINDS = {".png": "image/png", ".mp4": "video/mp4"}


def to_html(text: str, folder: Path) -> str:
    """A page.

    Args:
        text: Markdown with a heading of the first level; headings of the second level are listed on top.
        folder: What its links are relative to.

    Returns:
        HTML without references to other files: pictures and films are within, links to other local files are text.

    Raises:
        FileNotFoundError: If a picture or film is missing.
    """
    parser = MarkdownIt("commonmark", renderer_cls=_Renderer).enable("table")
    tokens = parser.parse(text)
    sections = _identified(tokens)
    for token in tokens:
        token.children = _without_local_links(token.children or [], folder) if token.children else token.children
    body = parser.renderer.render(tokens, parser.options, {"folder": folder})
    templates = Environment(loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, autoescape=True)
    title = next(inline.content for opening, inline in pairwise(tokens) if opening.tag == "h1")
    return templates.get_template(TEMPLATE).render(title=title, sections=sections, body=body)


class _Renderer(RendererHTML):
    """Puts pictures into the page and tables into boxes that scroll."""

    def image(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        """A picture as part of the page."""
        token = tokens[index]
        alternative = html.escape(self.renderInlineAsText(token.children, options, env))
        return f'<img alt="{alternative}" src="{_data(env["folder"] / str(token.attrs["src"]))}">'

    def film(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        """A film as part of the page."""
        source = _data(env["folder"] / tokens[index].content)
        return f'<video controls loop muted playsinline preload="metadata" src="{source}"></video>'

    def table_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        """The beginning of a table."""
        return '<div class="table"><table>\n'

    def table_close(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        """The end of a table."""
        return "</table></div>\n"


def _identified(tokens: Sequence[Token]) -> list[tuple[str, str]]:
    """Give headings of the second level an id; returns id and text of each."""
    sections = []
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.tag == "h2":
            identity = re.sub(r"\W+", "-", inline.content.lower()).strip("-")
            opening.attrSet("id", identity)
            sections.append((identity, inline.content))
    return sections


def _without_local_links(tokens: Sequence[Token], folder: Path) -> list[Token]:
    """Links to films as films, and links to other local files as their text."""
    kept, inside = list[Token](), list[str | None]()
    for token in tokens:
        if token.type == "link_open":
            target = str(token.attrs["href"])
            inside.append(target if "://" not in target and not target.startswith("#") else None)
            if target.endswith(".mp4") and (folder / target).is_file():
                kept.append(Token("film", "video", 0, content=target))
        film = bool(inside) and (inside[-1] or "").endswith(".mp4")
        local = bool(inside) and inside[-1] is not None
        if not (film or (local and token.type in ("link_open", "link_close"))):
            kept.append(token)
        if token.type == "link_close":
            inside.pop()
    return kept


def _data(path: Path) -> str:
    return f"data:{KINDS[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"
