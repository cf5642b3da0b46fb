"""Pieces of self-contained HTML: the script and style that travel with it, and safe data."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from itertools import chain, repeat
from typing import Any

from residual_lib import figures
from residual_lib.tables import Column, rows


@lru_cache
def script(name: str) -> str:
    """A script of this package without comments and indentation: the same text each time.

    The page's security policy lists it by one hash, however many explorers the page has.
    """
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


@lru_cache
def style(*more: str) -> str:
    """The style of figures, explorers and predictions, as a `<style>` element.

    `more` are style sheets of this package that only some pieces need.
    """
    folder = files(__package__)
    texts = [folder.joinpath(name).read_text(encoding="utf-8") for name in ("explore.css", *more)]
    return f"<style>{figures.CSS}{''.join(texts).replace(chr(10), '')}</style>"


def tables(all_columns: Sequence[Sequence[Column]]) -> str:
    """Tables as HTML, as `explorer.js` makes them of the same columns."""
    made = []
    for columns in all_columns:
        heads, *body = (
            "".join(f"<{tag}>{escape(text)}</{tag}>" for text in row)
            for tag, row in zip(chain(["th"], repeat("td")), rows(columns), strict=False)
        )
        made.append("".join(f"<tr>{cells}</tr>" for cells in [heads, *body]))
    return "".join(f"<table><tbody>{lines}</tbody></table>" for lines in made)


def data(content: Any) -> str:
    """JSON in a `<script>` element, where no text can end the element early."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    text = text.replace("</", "<\\/").replace("<!--", "\\u003c!--")
    return f'<script type="application/json">{text}</script>'


def paragraph(kind: str, text: str | None) -> str:
    """A paragraph of that class, or nothing where there is no text."""
    return "" if text is None else f'<p class="{kind}">{escape(text)}</p>'


def folded(kind: str, summary: str, text: str | None) -> str:
    """A text that opens under its summary, or nothing where there is none."""
    if text is None:
        return ""
    return f'<details class="{kind}"><summary>{summary}</summary><p>{escape(text)}</p></details>'


def tools(title: str, *, with_data: bool) -> str:
    """Below the figure: reset, and folded what is rarely used. `explorer.js` shows and moves it."""
    files = {"svg": "Save SVG", "png": "Save PNG", **({"csv": "Save CSV"} if with_data else {})}
    buttons = "".join(
        f'<button type="button" data-do="{name}">{text}</button>'
        for name, text in {"link": "Copy link", **files}.items()
    )
    name = escape(f"Data of {title}")
    table = (
        f'<div class="rl-table" role="region" tabindex="0" aria-label="{name}"></div>'
        if with_data
        else ""
    )
    return (
        '<div class="rl-tools" hidden><button type="button" data-do="reset">Reset</button>'
        f'<details class="rl-more"><summary>{"Data, link" if with_data else "Link"}, files'
        f'</summary><div class="rl-buttons">{buttons}</div>'
        f'<p class="rl-status" role="status"></p>{table}</details></div>'
        '<p class="rl-address"></p>'
    )


def escape(text: str) -> str:
    """Text as HTML, for use in elements and in quoted attributes."""
    return html.escape(text, quote=True)
