"""For machines that read the site: a map of its pages, and where to find it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

_HIDDEN = {"search.html", "genindex.html", "404.html", "book/index.html"}


def write(site: Path, paths: Iterable[str], address: str) -> None:
    """Write sitemap.xml and robots.txt."""
    urls = [address + ("" if path == "index.html" else path) for path in listed(paths)]
    lines = "\n".join(f"<url><loc>{escape(url)}</loc></url>" for url in urls)
    (site / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{lines}\n</urlset>\n',
        encoding="utf-8",
    )
    robots = f"User-agent: *\nAllow: /\nSitemap: {address}sitemap.xml\n"
    (site / "robots.txt").write_text(robots, encoding="utf-8")


def listed(paths: Iterable[str]) -> list[str]:
    """The pages that are worth finding; the landing page once, at the root."""
    return [path for path in sorted(paths) if path not in _HIDDEN]
