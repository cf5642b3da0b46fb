"""The changelog as an Atom feed: one entry a version."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from markdown_it import MarkdownIt

_VERSION = re.compile(
    r"^## (?P<name>\S+) \((?P<when>[^)]+)\)\n(?P<text>.*?)(?=^## |\Z)", re.M | re.S
)


def atom(changelog: str, address: str, otherwise: str) -> str:
    """The feed.

    Args:
        changelog: the text of CHANGELOG.md: headings "## 0.1.0 (2026-11-24)" or "(unreleased)".
        address: of the site.
        otherwise: the date of what isn't released, as YYYY-MM-DD.

    Raises:
        ValueError: there is no version.
    """
    entries = []
    for found in _VERSION.finditer(changelog):
        when = found["when"] if re.fullmatch(r"\d{4}-\d\d-\d\d", found["when"]) else otherwise
        text = escape(MarkdownIt().render(found["text"].strip()))
        entries.append(
            f"<entry><id>{address}book/changelog.html#{found['name']}</id>"
            f"<title>{escape(found['name'])} ({escape(found['when'])})</title>"
            f"<updated>{when}T00:00:00Z</updated>"
            f'<link href="{address}book/changelog.html"/>'
            f'<content type="html">{text}</content></entry>'
        )
    if not entries:
        raise ValueError("CHANGELOG.md has no heading such as '## 0.1.0 (unreleased)'")
    latest = max(re.findall(r"<updated>(.*?)</updated>", "".join(entries)))
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        f"<id>{address}</id><title>Residual connections: changes</title>"
        f"<updated>{latest}</updated><author><name>the authors of the course</name></author>"
        f'<link rel="self" href="{address}changes.xml"/><link href="{address}"/>'
        + "".join(entries)
        + "</feed>\n"
    )
