"""What every page's head needs besides its style and scripts."""

from __future__ import annotations

import re

from bs4 import BeautifulSoup

from .tags import opening

_DESCRIPTION = re.compile(r"""<meta\s[^>]*name="description\"""")
_LENGTH = 155  # about what a result page shows


def complete(html: str, static: str) -> str:
    """Add a description where a page gives none: the beginning of its first paragraph."""
    if _DESCRIPTION.search(html):
        return html
    described = f'<meta name="description" content="{_first_words(html)}"/>'
    return opening("head").sub(lambda tag: tag[0] + "\n    " + described, html, count=1)


def _first_words(html: str) -> str:
    article = BeautifulSoup(html, "lxml").select_one("article")
    for paragraph in article.select("section > p") if article else []:
        for formula in paragraph.select(".katex-html"):  # beside it stands the same as MathML
            formula.decompose()
        text = " ".join(paragraph.get_text().split())
        if len(text) > 40:
            short = text if len(text) <= _LENGTH else text[:_LENGTH].rsplit(" ", 1)[0] + " …"
            return short.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return "Residual connections: an interactive course"
