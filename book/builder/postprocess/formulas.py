"""KaTeX's fonts, cut down to the characters that some formula of the site has."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lxml import html as lxml_html

from . import fonts


def subset(pages: Iterable[str], static: Path) -> None:
    """Every font gets the characters of all formulas: which font draws which is KaTeX's affair.

    A font that has none of them stays as it is. The style sheet names it, and no page asks for it.
    """
    characters = {
        ord(character)
        for page in pages
        for formula in lxml_html.document_fromstring(page).find_class("katex-html")
        for character in formula.text_content()
    }
    for font in (static / "katex" / "fonts").glob("*.woff2"):
        fonts.cut(font, font, characters)
