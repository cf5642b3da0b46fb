"""The course as plain text, for programs that read: llms.txt and llms-full.txt."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bs4 import BeautifulSoup, NavigableString, Tag

from ..paper import SCREEN_ONLY

_SKIPPED = f"{SCREEN_ONLY}, style, input, details.hide > summary"
_BLOCKS = "p, li, tr, dt, dd, h1, h2, h3, h4, pre, summary, legend, figcaption, div.math"


def index(pages: Mapping[str, str], address: str) -> str:
    """llms.txt: what the course is, and a line for each page.

    Args:
        pages: path -> HTML with a description.
        address: of the site.
    """
    lines = [
        "# Residual connections",
        "",
        "> An interactive course on residual connections with a PyTorch library, residual_lib. "
        "Every empirical sentence is a claim that a program checks.",
        "",
        f"The whole text: {address}llms-full.txt",
        "",
        "## Pages",
        "",
    ]
    for path, html in pages.items():
        soup = BeautifulSoup(html, "lxml")
        about = soup.select_one('meta[name="description"]')
        lines.append(
            f"- [{_heading(soup)}]({address}{path}): {about['content'] if about else ''}".rstrip(
                ": "
            )
        )
    return "\n".join(lines) + "\n"


def whole(pages: Mapping[str, str], address: str) -> str:
    """llms-full.txt: the text of each page, formulas as TeX, figures as what they say."""
    parts = [f"{address}{path}\n\n{text(html)}" for path, html in pages.items()]
    return "\n\n---\n\n".join(parts) + "\n"


def text(html: str) -> str:
    """The article of a page as text: a line a block, headings with #, code between fences."""
    article = BeautifulSoup(html, "lxml").select_one("article")
    if article is None:
        return ""
    for tag in article.select(_SKIPPED):
        tag.decompose()
    for formula in article.select(".katex"):
        source = formula.select_one("annotation")
        if source is not None:
            formula.replace_with(NavigableString(f"${source.get_text().strip()}$"))
    for figure in article.select("svg, img"):
        says = figure.get("aria-label") or figure.get("alt") or _title(figure)
        figure.replace_with(NavigableString(f"[Figure: {says}]" if says else ""))
    for paragraph in article.select("li > p, td > p, th > p, dd > p"):
        paragraph.unwrap()
    # A block that holds others says nothing of its own, but for rows, whose cells are taken whole.
    blocks = [
        block
        for block in article.select(_BLOCKS)
        if not block.find_parent(["pre", "tr"])
        and (block.name == "tr" or not block.select(_BLOCKS))
    ]
    return "\n\n".join(line for block in blocks if (line := _line(block)))


def _line(block: Tag) -> str:
    if block.name == "pre":
        return f"```\n{block.get_text().rstrip()}\n```"
    if block.name == "tr":
        cells = [" ".join(cell.get_text(" ").split()) for cell in block.select("th, td")]
        return " | ".join(cells)
    words = " ".join(block.get_text().split())
    if not words:
        return ""
    if re.fullmatch(r"h[1-4]", block.name):
        return "#" * int(block.name[1]) + " " + words
    return f"- {words}" if block.name == "li" else words


def _title(figure: Tag) -> str:
    title = figure.find("title")
    return title.get_text(" ", strip=True) if isinstance(title, Tag) else ""


def _heading(soup: BeautifulSoup) -> str:
    heading = soup.select_one("article h1")
    if heading is None:
        return ""
    for link in heading.select(".headerlink"):
        link.decompose()
    return heading.get_text(" ", strip=True)
