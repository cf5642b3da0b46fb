"""The whole course as one page, for printing: chapters in order, links that stay inside it."""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from bs4 import BeautifulSoup, Tag

from .paper import SCREEN_ONLY
from .paths import ROOT

# Pages that say nothing new on paper: they answer, are made for this reader, or gather what the
# chapters have.
_LEFT = {"book/index", "book/playground", "book/progress", "book/questions"}
# Folded code is how figures are drawn; the notebooks have it. Of a prediction the question stays.
_LEFT_OUT = (
    f"{SCREEN_ONLY}, details.hide, .rl-predict input, .rl-predict > p, "
    ".rl-recall dt:first-child, .rl-yours"
)
_REFERS = ("for", "aria-labelledby", "aria-describedby", "aria-controls", "list", "headers")
_URL = re.compile(r"url\(\s*['\"]?#([^'\")]+)['\"]?\s*\)")


def documents(root: Path = ROOT) -> list[tuple[str, list[str]]]:
    """The parts of the table of contents that are printed: caption and names of pages."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    parts = []
    for part in toc["parts"]:
        names = [chapter["file"] for chapter in part["chapters"]]
        names = [name for name in names if name not in _LEFT]
        if names:
            parts.append((part.get("caption", ""), names))
    return parts


def page(site: Path, *, title: str, address: str, version: str) -> str:
    """One page of HTML for the root of `site`, whose links to files of the site are relative to it.

    Args:
        site: the built site.
        title: the course's.
        address: where the site is published; links to pages that aren't printed go there.
        version: stands on the first page.
    """
    parts = documents()
    printed = {f"{name}.html": _slug(name) for _, names in parts for name in names}
    bodies, contents = [], []
    for caption, names in parts:
        contents.append(f"<h2>{html.escape(caption)}</h2>" if caption else "")
        for name in names:
            article = _article(site, f"{name}.html", printed, address)
            heading = article.find("h1")
            assert isinstance(heading, Tag), name
            text = html.escape(heading.get_text(" ", strip=True))
            contents.append(f'<p><a href="#{_slug(name)}">{text}</a></p>')
            bodies.append(f'<div class="rl-printed" id="{_slug(name)}">{article}</div>')
    return _PAGE.format(
        title=html.escape(title),
        address=html.escape(address),
        version=html.escape(version),
        styles="".join(_styles(site)),
        contents="".join(contents),
        bodies="".join(bodies),
        css=(ROOT / "book" / "print.css").read_text(encoding="utf-8"),
    )


def _article(site: Path, path: str, printed: dict[str, str], address: str) -> Tag:
    """The text of one page, with names of its own and links that hold in the whole."""
    soup = BeautifulSoup((site / path).read_text(encoding="utf-8"), "lxml")
    article = soup.select_one("article")
    assert article is not None, path
    for tag in article.select(_LEFT_OUT):
        tag.decompose()
    own = printed[path]
    for tag in article.find_all(True):
        _rename(tag, own)
        for name in ("href", "src", "xlink:href"):
            if name in tag.attrs:
                tag[name] = _link(str(tag[name]), path, printed, address)
        if tag.name == "details":
            tag["open"] = ""
        if tag.name == "img":
            tag.attrs.pop("loading", None)
    return article


def _rename(tag: Tag, own: str) -> None:
    """Two pages may have the same names; the whole may not."""
    if "id" in tag.attrs:
        tag["id"] = f"{own}-{tag['id']}"
    for name in _REFERS:
        if name in tag.attrs:
            value = tag[name]
            ids = value.split() if isinstance(value, str) else value
            tag[name] = " ".join(f"{own}-{id}" for id in ids)
    for name, value in tag.attrs.items():
        if isinstance(value, str) and "url(" in value:
            tag[name] = _URL.sub(rf"url(#{own}-\1)", value)


def _link(url: str, path: str, printed: dict[str, str], address: str) -> str:
    """A link as it has to be in the whole: inside it, to a file of the site, or as it is."""
    parts = urlsplit(url)
    if parts.scheme or url.startswith("//"):
        return url
    if not parts.path:
        return f"#{printed[path]}-{parts.fragment}" if parts.fragment else f"#{printed[path]}"
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), parts.path))
    if target in printed:
        own = printed[target]
        return f"#{own}-{parts.fragment}" if parts.fragment else f"#{own}"
    if target.endswith((".html", ".ipynb", ".pdf", ".zip")):
        query = f"?{parts.query}" if parts.query else ""
        return f"{address}{target}{query}" + (f"#{parts.fragment}" if parts.fragment else "")
    return target


def _styles(site: Path) -> Iterable[str]:
    """The style sheets of a chapter, as links from the root."""
    head = BeautifulSoup((site / "index.html").read_text(encoding="utf-8"), "lxml").head
    assert head is not None
    for link in head.select('link[rel="stylesheet"]'):
        yield f'<link rel="stylesheet" href="{link["href"]}">'


def _slug(name: str) -> str:
    return name.rpartition("/")[2].replace("_", "-")


_PAGE = """<!doctype html>
<html lang="en" data-theme="light" data-mode="light">
<head><meta charset="utf-8"><title>{title}</title>{styles}<style>{css}</style></head>
<body>
<header class="rl-cover">
<img src="_static/wordmark-light.svg" alt="">
<h1>{title}</h1>
<p>Why depth fails without skips, what changes with them, and which explanations survive a
measurement.</p>
<p>Version {version}. The course itself, with figures that answer, is at
<a href="{address}">{address}</a>. Its notebooks measure every figure of this text anew.</p>
<p>Figures that have controls are shown here in their first state. Text and figures: CC BY 4.0.</p>
</header>
<div class="rl-contents" id="contents"><h1>Contents</h1>{contents}</div>
<main class="bd-content"><div class="bd-article">{bodies}</div></main>
</body></html>
"""
