"""The question bank: `book/questions/NN_name.yml`, one file for the chapter of that name.

A file is read whole and checked whole, so that one run tells all that is wrong with it. The checks
are written out and not a JSON schema: a schema's messages for "one of these kinds" speak of the
schema and not of the question.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from builder.errors import BuildError
from builder.paths import ROOT

QUESTIONS = ROOT / "book" / "questions"
LEVELS = ("easy", "medium", "hard")

# What a question of each kind has besides id, level, kind, section and text: (needed, allowed).
# A short question asks for a number, or for words that the reader compares with the answer.
KINDS = {
    "choice": ({"choices", "explanation"}, set()),
    "short": ({"answer"}, {"wrong", "explanation"}),
    "code": ({"answer", "test", "wrong"}, {"explanation"}),
    "derivation": ({"answer", "wrong"}, {"explanation"}),
}
NUMBER = ({"number", "tolerance", "compute", "wrong", "explanation"}, {"unit"})
COMMON = ("id", "level", "kind", "section", "text")

_ID = re.compile(r"(?P<chapter>[1-9][0-9]*)\.[a-z0-9]+(-[a-z0-9]+)*")
_HEADING = re.compile(r"^#{2,3} (.+?) *$", re.MULTILINE)
_FORMULA = re.compile(r"\$[^$]+\$[.,;]?")
_TITLE = re.compile(r"^# (.+?) *$", re.MULTILINE)


class QuestionError(BuildError):
    """A file of questions is wrong; the message has a line for each thing to mend."""


@dataclass(frozen=True)
class Choice:
    """One of the answers to choose from; `why` says what is wrong with it, '' if nothing is."""

    text: str
    why: str
    right: bool


@dataclass(frozen=True)
class Number:
    """A right number: an answer counts within `tolerance`; `compute` finds it another way.

    `compute` is a Python expression that the tests evaluate, with `itertools`, `math`, `np`,
    `torch` and `nn` at hand.
    """

    value: float
    tolerance: float
    unit: str
    compute: str


@dataclass(frozen=True)
class Wrong:
    """An answer that people give, and why it is wrong: a number if the question asks for one."""

    answer: str | float
    why: str


@dataclass(frozen=True)
class Question:
    """A question of any kind; texts are Markdown as in the chapters.

    Attributes:
        id: chapter, dot, name; what readers' browsers keep their answers under.
        chapter: number of the chapter.
        level: one of LEVELS.
        kind: one of KINDS.
        section: heading of the section that has the answer, as the chapter writes it.
        text: what is asked.
        explanation: why the right answer is right; '' where the answer says it.
        choices: of a choice; exactly one is right.
        number: of a short question that asks for one.
        answer: of every other question, to compare with; for code, Python that the tests run.
        test: for code, Python that passes after `answer` and fails after each of `wrong`.
        wrong: common wrong answers.
    """

    id: str
    chapter: int
    level: str
    kind: str
    section: str
    text: str
    explanation: str = ""
    choices: tuple[Choice, ...] = ()
    number: Number | None = None
    answer: str = ""
    test: str = ""
    wrong: tuple[Wrong, ...] = ()


@dataclass(frozen=True)
class Chapter:
    """A chapter with its questions; `name` is that of its files, `title` its first heading."""

    number: int
    name: str
    title: str
    questions: tuple[Question, ...]


def questions_of(name: str) -> Path:
    """Where the questions of the chapter of that name lie."""
    return QUESTIONS / f"{name}.yml"


def chapters() -> tuple[Chapter, ...]:
    """All chapters that have questions, in order.

    Raises:
        QuestionError: the first file in which something isn't as it should be.
    """
    found = []
    for path in sorted(QUESTIONS.glob("*.yml")):
        notebook = ROOT / "chapters" / f"{path.stem}.ipynb"
        questions = load(path, notebook)
        title = _TITLE.findall(_text(notebook))[0]
        found.append(Chapter(questions[0].chapter, path.stem, title, questions))
    return tuple(found)


def load(path: Path, notebook: Path) -> tuple[Question, ...]:
    """Read the questions of a chapter.

    Args:
        path: the YAML file.
        notebook: the chapter, whose headings the questions may name.

    Raises:
        QuestionError: the file can't be read, or something in it isn't as it should be.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise QuestionError(f"{path.name}: there is no such file in {path.parent}") from None
    except yaml.YAMLError as error:
        raise QuestionError(f"{path.name}: not YAML: {error}") from None
    check = _Check(path.name)
    if not isinstance(content, dict) or set(content) != {"chapter", "questions"}:
        check.fails("", "the file", content, "a mapping with chapter and questions")
        raise check.error()
    chapter = content["chapter"]
    number = path.name.partition("_")[0]
    if isinstance(chapter, bool) or not isinstance(chapter, int) or f"{chapter:02}" != number:
        check.fails("", "chapter", chapter, f"{number} as a number, as in the file's name")
    if not isinstance(content["questions"], list) or not content["questions"]:
        check.fails("", "questions", content["questions"], "a list of questions")
        raise check.error()
    titles = headings(notebook)
    found = [_question(raw, chapter, titles, check) for raw in content["questions"]]
    ids = [question.id for question in found if question]
    for id in sorted({id for id in ids if ids.count(id) > 1}):
        check.fails(id, "id", id, "an id of its own; it is given twice")
    if check.complaints:
        raise check.error()
    return tuple(question for question in found if question)


def headings(notebook: Path) -> list[str]:
    """Second and third level headings of a notebook, in order."""
    return _HEADING.findall(_text(notebook))


def _text(notebook: Path) -> str:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


class _Check:
    """Reads fields of a mapping; what is wrong is noted, and reading goes on."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.complaints: list[str] = []

    def fails(self, id: str, field: str, given: Any, allowed: str) -> None:
        where = f"{self.file}, question {id}" if id else self.file
        self.complaints.append(f"{where}: {field} must be {allowed}, got {_short(given)}")

    def error(self) -> QuestionError:
        return QuestionError("\n".join(self.complaints))

    def fields(self, id: str, raw: dict, needed: set[str], allowed: set[str], of: str = "") -> None:
        """Note fields that are missing, and those that nothing would read."""
        for name in sorted(name for name in needed if raw.get(name) is None):
            self.fails(id, of + name, None, "given")
        for name in sorted(set(map(str, raw)) - needed - allowed):
            known = ", ".join(sorted(needed | allowed))
            self.fails(id, of + name, raw.get(name), f"left out; the fields are {known}")

    def text(self, id: str, field: str, given: Any) -> str:
        if isinstance(given, str) and given.strip():
            return given.strip()
        if given is not None:  # a missing one has been noted already
            self.fails(id, field, given, "a text")
        return ""

    def number(self, id: str, field: str, given: Any, least: float = -math.inf) -> float:
        if _is_number(given) and given >= least:
            return float(given)
        if given is not None:
            at_least = "" if least == -math.inf else f" of at least {least:g}"
            self.fails(id, field, given, f"a finite number{at_least}")
        return math.nan

    def one_of(self, id: str, field: str, given: Any, known: Any) -> str:
        if isinstance(given, str) and given in known:
            return given
        if given is not None:
            self.fails(id, field, given, "one of " + ", ".join(known))
        return ""

    def each(self, id: str, field: str, given: Any, read: Callable[[str, dict], Any]) -> tuple:
        """Read a list of mappings, naming each entry by its place."""
        if given is None:
            return ()
        if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
            self.fails(id, field, given, "a list of mappings")
            return ()
        return tuple(read(f"{field}[{place}].", entry) for place, entry in enumerate(given, 1))


def _question(raw: Any, chapter: Any, titles: list[str], check: _Check) -> Question | None:
    if not isinstance(raw, dict):
        check.fails("", "a question", raw, "a mapping")
        return None
    id = raw.get("id")
    match = _ID.fullmatch(id) if isinstance(id, str) else None
    if not match or match["chapter"] != str(chapter):
        check.fails(
            "", "id", id, f'the chapter\'s number, a dot and a name, such as "{chapter}.a-name"'
        )
        return None
    kind = check.one_of(id, "kind", raw.get("kind"), KINDS)
    asks_number = kind == "short" and "number" in raw
    needed, allowed = NUMBER if asks_number else KINDS.get(kind, (set(), set(raw)))
    check.fields(id, raw, needed | set(COMMON), allowed)
    section = check.text(id, "section", raw.get("section"))
    if section and titles.count(section) != 1:
        times = f"{titles.count(section)} times there"
        check.fails(id, "section", section, f"a heading that the chapter has once ({times})")
    wrong = check.each(
        id, "wrong", raw.get("wrong"), lambda at, entry: _wrong(id, at, entry, asks_number, check)
    )
    if "wrong" in needed and raw.get("wrong") == []:
        check.fails(id, "wrong", [], "at least one common wrong answer")
    return Question(
        id=id,
        chapter=chapter,
        level=check.one_of(id, "level", raw.get("level"), LEVELS),
        kind=kind,
        section=section,
        text=check.text(id, "text", raw.get("text")),
        explanation=check.text(id, "explanation", raw.get("explanation")),
        choices=_choices(id, raw.get("choices"), check) if kind == "choice" else (),
        number=_number(id, raw, wrong, check) if asks_number else None,
        answer=check.text(id, "answer", raw.get("answer")),
        test=check.text(id, "test", raw.get("test")),
        wrong=wrong,
    )


def _choices(id: str, given: Any, check: _Check) -> tuple[Choice, ...]:
    def read(at: str, entry: dict) -> Choice:
        right = entry.get("right", False)
        if not isinstance(right, bool):
            check.fails(id, at + "right", right, "true, or left out")
        # The explanation says why the right one is right; every other one needs its own reason.
        needed = {"text", "right"} if right else {"text", "why"}
        check.fields(id, entry, needed, {"right"}, of=at)
        text = check.text(id, at + "text", entry.get("text"))
        if _FORMULA.fullmatch(text):  # it is the button's label, and a formula isn't read out
            check.fails(id, at + "text", text, "a text with words; a formula alone has no name")
        why = "" if right else check.text(id, at + "why", entry.get("why"))
        return Choice(" ".join(text.split()), why, bool(right))

    choices = check.each(id, "choices", given, read)
    if choices and not 2 <= len(choices) <= 6:
        check.fails(id, "choices", f"{len(choices)} choices", "2 to 6 choices")
    if len({choice.text for choice in choices}) < len(choices):
        check.fails(id, "choices", [choice.text for choice in choices], "different from each other")
    if choices and sum(choice.right for choice in choices) != 1:
        right = [choice.text for choice in choices if choice.right]
        check.fails(id, "choices", right, "a list with exactly one entry that has right: true")
    return choices


def _wrong(id: str, at: str, entry: dict, asks_number: bool, check: _Check) -> Wrong:
    name = "number" if asks_number else "answer"
    check.fields(id, entry, {name, "why"}, set(), of=at)
    read = check.number if asks_number else check.text
    return Wrong(read(id, at + name, entry.get(name)), check.text(id, at + "why", entry.get("why")))


def _number(id: str, raw: dict, wrong: tuple[Wrong, ...], check: _Check) -> Number:
    value = check.number(id, "number", raw.get("number"))
    tolerance = check.number(id, "tolerance", raw.get("tolerance"), least=0)
    unit = check.text(id, "unit", raw.get("unit"))
    # Two answers whose ranges meet would leave the reader with the wrong one's reason.
    taken = [value]
    for each in wrong:
        near = [other for other in taken if abs(each.answer - other) <= 2 * tolerance]
        if near:
            apart = f"more than two tolerances ({2 * tolerance:g}) from {near[0]:g}"
            check.fails(id, "wrong", each.answer, apart)
        taken.append(each.answer)
    return Number(value, tolerance, unit, check.text(id, "compute", raw.get("compute")))


def _is_number(given: Any) -> bool:
    return isinstance(given, (int, float)) and not isinstance(given, bool) and math.isfinite(given)


def _short(given: Any) -> str:
    text = "nothing" if given is None else repr(given)
    return text if len(text) <= 80 else text[:77] + "..."
