"""Pieces of self-contained HTML: the script and style that travel with it, and safe data."""

from __future__ import annotations

import html
import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

from residual_lib import figures


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


def data(content: Any) -> str:
    """JSON in a `<script>` element, where no text can end the element early."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    text = text.replace("</", "<\\/").replace("<!--", "\\u003c!--")
    return f'<script type="application/json">{text}</script>'


def escape(text: str) -> str:
    """Text as HTML, for use in elements and in quoted attributes."""
    return html.escape(text, quote=True)
