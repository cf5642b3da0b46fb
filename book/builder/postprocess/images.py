"""Images: their size on the page from the start, loaded when they come into view."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import imagesize

from .tags import attributes, opening

_IMAGE = opening("img")


def give_sizes(html: str, page: Path) -> str:
    """Write width, height, lazy loading and asynchronous decoding into every <img>."""
    return _IMAGE.sub(lambda tag: _sized(tag, page), html)


def _sized(tag: re.Match[str], page: Path) -> str:
    have = attributes(tag)
    add = {"decoding": "async"}
    # The wordmark stands at the top of every page: no use in waiting for it.
    if "logo__image" not in have.get("class", ""):
        add["loading"] = "lazy"
    if size := _size(have.get("src", ""), page):
        add["width"], add["height"] = size
    text = "".join(f' {name}="{value}"' for name, value in add.items() if name not in have)
    return f"<img{text}{tag['attributes']}>"


def _size(source: str, page: Path) -> tuple[str, str] | None:
    parts = urlsplit(source)
    if parts.scheme:
        return None
    width, height = imagesize.get(page.parent / unquote(parts.path))
    return (str(round(width)), str(round(height))) if width > 0 else None
