"""Progress: boxes to tick in the chapters, and a catalogue of what there is to do.

The page of progress shows what the reader's browser keeps. What could be there (chapters,
predictions, quizzes, exercises) it can't know by itself: it is read off the chapters' pages here.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag

from ..paths import ROOT

SCRIPTS = ROOT / "book" / "progress"
# They know how to read a stored prediction.
READERS = [ROOT / "residual_lib" / "explore" / name for name in ("curves.js", "predictions.js")]
PAGE = "book/progress.html"

_CHAPTER = re.compile(r"(\d\d)_\w+\.html")
_CHECK = re.compile(
    r'<span class="n">check</span><span class="p">\(</span>'
    r'<span class="s2">(?:"|&quot;)([\w.-]+)(?:"|&quot;)</span>'
)
_CELL = '<div class="cell '
_DIV = re.compile(r"<(/?)div\b")


def add(pages: dict[Path, str], site: Path) -> None:
    """Put the boxes into the chapters and the catalogue into the page of progress."""
    target = site / "_static" / "progress"
    target.mkdir()
    for script in [*sorted(SCRIPTS.glob("*.js")), *READERS]:
        shutil.copy(script, target)
    chapters = []
    for path, html in pages.items():
        found = _CHAPTER.fullmatch(path.name)
        if path.parent != site / "chapters" or not found:
            continue
        number = found[1]
        chapters.append(chapter(number, path.name, html))
        pages[path] = with_scripts(with_boxes(html, number), ["marks.js"])
    overview = site / PAGE
    if overview in pages:
        # No text may end the element early.
        text = json.dumps({"chapters": chapters}, ensure_ascii=False).replace("<", "\\u003c")
        held = f'<script type="application/json" id="rl-catalogue">{text}</script>'
        html = pages[overview].replace("</article>", f"{held}\n</article>", 1)
        names = [path.name for path in READERS]
        pages[overview] = with_scripts(html, [*names, "marks.js", "progress.js"])


def chapter(number: str, name: str, html: str) -> dict[str, Any]:
    """What there is to do in a chapter, as the page of progress needs it."""
    page = BeautifulSoup(html, "lxml")
    heading = page.select_one("article h1")
    assert heading is not None
    for link in heading.select(".headerlink"):
        link.decompose()
    href = f"../chapters/{name}"
    return {
        "number": number,
        "title": " ".join(heading.get_text().split()),
        "href": href,
        "predictions": list(_predictions(page, href)),
        "quizzes": [str(form["data-quiz"]) for form in page.select("[data-quiz]")],
        "exercises": list(dict.fromkeys(_CHECK.findall(html))),
    }


def _predictions(page: BeautifulSoup, href: str) -> Iterator[dict[str, Any]]:
    """What was asked, with the result where the page shows one."""
    results = {
        data["id"]: (data, each) for each in page.select(".rl-recall") if (data := _data(each))
    }
    for form in page.select(".rl-predict"):
        asked, legend = _data(form), form.select_one("legend")
        assert legend is not None
        found = {**asked, "question": legend.get_text(), "href": f"{href}#{form['id']}"}
        if asked["id"] in results:
            data, recall = results[asked["id"]]
            found |= data
            drawn = recall.select_one("svg[aria-label]")
            shown = recall.select("dd")[1].get_text()
            found["result"] = (
                str(drawn["aria-label"]).removeprefix("Measured: ").rstrip(".") if drawn else shown
            )
        # Places on the picture are of no use without it.
        yield {key: value for key, value in found.items() if key not in ("at", "bottom", "top")}


def _data(piece: Tag) -> dict[str, Any]:
    held = piece.select_one('script[type="application/json"]')
    return json.loads(held.get_text()) if held else {}


def with_boxes(html: str, number: str) -> str:
    """A box below each exercise's check, and one at the chapter's end."""
    pieces, at = [], 0
    for check in _CHECK.finditer(html):
        end = _end_of_cell(html, html.rindex(_CELL, 0, check.start()))
        box = _box(f"exercise.{check[1]}", f"I have solved exercise {check[1]}")
        pieces += [html[at:end], f'\n<div class="rl-mark" hidden>{box}</div>']
        at = end
    box = _box(f"read.{number}", "I have read this chapter")
    finish = (
        f'<div class="rl-mark rl-finish" hidden>{box}<a href="../{PAGE}">Your progress</a></div>\n'
    )
    return "".join([*pieces, html[at:].replace("</article>", f"{finish}</article>", 1)])


def _box(mark: str, label: str) -> str:
    return (
        f'<label><input type="checkbox" data-mark="{mark}" autocomplete="off"> {label}</label>'
        ' <span role="status"></span>'
    )


def _end_of_cell(html: str, start: int) -> int:
    """Where the <div> that begins at `start` has ended."""
    depth = 0
    for tag in _DIV.finditer(html, start):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return html.index(">", tag.end()) + 1
    raise ValueError("a cell's <div> has no end")


def with_scripts(html: str, names: list[str]) -> str:
    tags = "".join(f'<script defer src="../_static/progress/{name}"></script>\n' for name in names)
    return html.replace("</head>", f"{tags}</head>", 1)
