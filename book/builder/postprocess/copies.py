"""One copy of each style and script that explorers, predictions and figures bring along.

In a notebook each of them has to stand on its own. On a page they stand together: the first copy of
a style is enough, and the last copy of a script, which looks after all pieces above it.
"""

from __future__ import annotations

import re

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def drop(html: str) -> str:
    """Leave out all further copies within the page's article."""
    start, end = html.find("<article"), html.find("</article>")
    if start < 0:
        return html
    article = _once(_STYLE, html[start:end], first=True)
    return html[:start] + _once(_SCRIPT, article, first=False) + html[end:]


def _once(kind: re.Pattern[str], text: str, *, first: bool) -> str:
    found = list(kind.finditer(text))
    # Of equal texts a dictionary keeps the one that comes last.
    kept = {tag[1]: tag.start() for tag in (reversed(found) if first else found)}
    return kind.sub(lambda tag: tag[0] if kept[tag[1]] == tag.start() else "", text)
