"""The map of the source: which topic is taken up where. Reads and checks `book/coverage.yml`."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import yaml
from docutils.nodes import make_id

from .errors import BuildError
from .quiz.bank import headings

_EXPLORER = re.compile(r"\bExplorer\(.*?\btitle=\"([^\"]+)\"", re.DOTALL)
_CHECK = re.compile(r"^check\(\"([0-9.]+)\"", re.MULTILINE)
_LISTS = ("models", "claims", "explorers", "exercises")


class CoverageError(BuildError):
    """The map is wrong; the message has a line for each thing to mend."""


@dataclass(frozen=True)
class Course:
    """What a row may name.

    Attributes:
        sections: chapter -> its headings.
        explorers: title -> chapter.
        exercises: id -> chapter.
        claims, models: ids and names.
    """

    sections: Mapping[str, Collection[str]]
    explorers: Mapping[str, str]
    exercises: Mapping[str, str]
    claims: Collection[str]
    models: Collection[str]

    @classmethod
    def of(cls, chapters: Path, claims: Collection[str], models: Collection[str]) -> Course:
        """What the notebooks in a folder have."""
        sections: dict[str, list[str]] = {}
        explorers: dict[str, str] = {}
        exercises: dict[str, str] = {}
        for path in sorted(chapters.glob("*.ipynb")):
            titles = headings(path)
            sections[path.stem] = [title for title in titles if titles.count(title) == 1]
            for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
                source = "".join(cell["source"])
                explorers |= dict.fromkeys(_EXPLORER.findall(source), path.stem)
                exercises |= dict.fromkeys(_CHECK.findall(source), path.stem)
        return cls(sections, explorers, exercises, claims, models)


@dataclass(frozen=True)
class Topic:
    """A row of the map; see the head of `book/coverage.yml`."""

    place: str
    says: str
    sections: Mapping[str, str]
    models: tuple[str, ...]
    claims: tuple[str, ...]
    explorers: tuple[str, ...]
    exercises: tuple[str, ...]
    corrected: str = ""


def load(path: Path, course: Course) -> tuple[Topic, ...]:
    """Read the map.

    Raises:
        CoverageError: a row lacks something, or names what the course doesn't have.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise CoverageError(f"{path.name}: not YAML: {error}") from None
    rows = content.get("topics") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not rows:
        raise CoverageError(f"{path.name}: topics must be a list of rows, got {rows!r}")
    complaints: list[str] = []
    topics = [_topic(number, row, course, complaints) for number, row in enumerate(rows, start=1)]
    if complaints:
        raise CoverageError("\n".join(f"{path.name}, {line}" for line in complaints))
    return tuple(topic for topic in topics if topic)


def _topic(number: int, row: Any, course: Course, complaints: list[str]) -> Topic | None:
    name = row.get("place", "?") if isinstance(row, dict) else "?"

    def fails(field: str, given: Any, allowed: str) -> None:
        complaints.append(f"row {number} ({name}): {field} must be {allowed}, got {given!r}")

    fields = ("place", "says", "sections", *_LISTS)
    if not isinstance(row, dict) or set(row) - {*fields, "corrected"}:
        fails("a row", row, "a mapping with " + ", ".join((*fields, "and perhaps corrected")))
        return None
    before = len(complaints)
    for field in ("place", "says", *(("corrected",) if "corrected" in row else ())):
        if not isinstance(row.get(field), str) or not row[field].strip():
            fails(field, row.get(field), "a text")
    sections = row.get("sections")
    if not isinstance(sections, dict) or not sections:
        fails("sections", sections, "a mapping of chapters to headings")
        sections = {}
    for chapter, title in sections.items():
        if title not in course.sections.get(chapter, ()):
            fails("sections", f"{chapter}: {title}", "a chapter and a heading that it has once")
    for field in _LISTS:
        known, given = getattr(course, field), row.get(field)
        if not isinstance(given, list) or not given:
            fails(field, given, "a list of at least one")
            continue
        for each in given:
            if each not in known:
                fails(field, each, "one that the course has")
    if len(complaints) > before:
        return None
    return Topic(
        row["place"],
        row["says"],
        sections,
        *(tuple(row[field]) for field in _LISTS),
        corrected=row.get("corrected", ""),
    )


def page(topics: Collection[Topic], course: Course) -> str:
    """What `book/coverage.md` includes: errors first, then the table. Markdown."""
    wrong = [topic for topic in topics if topic.corrected]
    parts = [
        f"{len(topics)} topics and claims of the summary, {len(wrong)} of them corrected here.",
        "## What the summary gets wrong, or says half",
        *(f"**{t.place}.** {t.says}\n: {t.corrected} {_places(t)}" for t in wrong),
        "## Every topic, in its order",
        ":::{list-table}\n:header-rows: 1\n:class: rl-ledger rl-map\n",
        "* - Topic\n  - Where\n  - To see and to do",
    ]
    return "\n\n".join(parts) + "\n" + "\n".join(_row(t, course) for t in topics) + "\n:::\n"


def _row(topic: Topic, course: Course) -> str:
    models = ", ".join(f"`{name}`" for name in topic.models)
    claims = ", ".join(_link("claims.html", f"claim-{id}", id) for id in topic.claims)
    explorers = ", ".join(
        _link(f"../chapters/{course.explorers[title]}.html", f"explorer={_name(title)}", title)
        for title in topic.explorers
    )
    exercises = ", ".join(
        _link(f"../chapters/{course.exercises[id]}.html", "exercises", id) for id in topic.exercises
    )
    return (
        f"* - **{topic.place}** {topic.says}\n"
        f"  - {_places(topic)} Built by {models}\n"
        f"  - Claims {claims}. Explorer: {explorers}. Exercises {exercises}"
    )


def _places(topic: Topic) -> str:
    """Links to the sections, such as 'Chapter 3, Backward.'"""
    return " ".join(
        f"Chapter {int(chapter[:2])}, "
        + _link(f"../chapters/{chapter}.html", make_id(title), title.strip('"'))
        + "."
        for chapter, title in topic.sections.items()
    )


def _link(page: str, anchor: str, text: str) -> str:
    return f'<a href="{page}#{anchor}">{escape(text, quote=False)}</a>'


def _name(title: str) -> str:
    """An explorer's name in addresses, see `residual_lib.explore.Explorer.name`."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
