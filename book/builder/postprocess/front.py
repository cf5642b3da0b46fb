"""The site's front door, and what nobody asks for."""

from __future__ import annotations

import posixpath
import re
import shutil
from pathlib import Path

_LOCAL = re.compile(r"""(?P<name>\s(?:href|src|action))="(?P<url>[^"]*)\"""")

_LEFTOVERS = [
    "index.html",
    "objects.inv",
    ".buildinfo",
    "_static/webpack-macros.html",
    "_static/sbt-webpack-macros.html",
]
_UNUSED = [
    "_static/styles",
    "_static/vendor",
    "_static/locales",
    "_sphinx_design_static",
]


def drop_leftovers(site: Path) -> None:
    """Jupyter Book's redirect at the root, and files for tools that the site has no use for."""
    for name in _LEFTOVERS:
        (site / name).unlink(missing_ok=True)


def add(pages: dict[Path, str], site: Path) -> None:
    """The landing page stands at the root too, so that the address alone shows it at once."""
    html = pages[site / "book" / "index.html"].replace(
        'data-content_root="../"', 'data-content_root="./"'
    )
    pages[site / "index.html"] = _LOCAL.sub(_from_root, html)


def _from_root(found: re.Match[str]) -> str:
    url = found["url"]
    if url in ("", "#") or url.startswith(("#", "/", "data:", "mailto:")) or "://" in url:
        return found[0]
    return f'{found["name"]}="{posixpath.normpath(posixpath.join("book", url))}"'


def drop_unused(site: Path) -> None:
    """What no page links any more: parts of the theme, source maps, texts of translations."""
    for name in _UNUSED:
        path = site / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for pattern in ("*.map", "*.LICENSE.txt.map"):
        for path in (site / "_static").rglob(pattern):
            path.unlink()
