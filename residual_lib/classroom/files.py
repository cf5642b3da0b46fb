"""From saved files to a class: whose answers, to which questions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residual_lib.classroom.questions import Choices, Drawn, Number, name_of, parse

LARGEST = 1_000_000  # bytes of a file
MOST_FILES, MOST_QUESTIONS = 2000, 200


@dataclass(frozen=True)
class Student:
    """One file: the name in it (may be empty), when it was saved, its answers as they stand."""

    file: str
    name: str
    saved: str
    answers: dict[str, Any]
    questions: dict[str, Choices | Number | Drawn]


@dataclass(frozen=True)
class Class:
    """What a class predicted.

    Attributes:
        students: one for each file that counts.
        questions: by id, in the order of the ids.
        answers: by id: the valid answers, in the order of the students.
        complaints: a line for each file or question that was left out.
    """

    students: tuple[Student, ...]
    questions: dict[str, Choices | Number | Drawn]
    answers: dict[str, list[Any]]
    complaints: tuple[str, ...]


def read(paths: Iterable[str | Path]) -> Class:
    """Read saved files. A file that can't be read is named in `complaints`, and left out.

    Of several files with the same name in them (case and spaces aside) the one saved last counts.
    Where files differ about a question, most of them are right: the text, the axes and the
    measurement that the most files carry are taken.

    Raises:
        ValueError: no file was given, or more than 2000.
    """
    chosen = list(dict.fromkeys(Path(path) for path in paths))
    if not 1 <= len(chosen) <= MOST_FILES:
        raise ValueError(f"files must be 1 to {MOST_FILES}, got {len(chosen)}")
    complaints: list[str] = []
    students: list[Student] = []
    for path in chosen:
        try:
            student, odd = _student(path)
        except ValueError as error:
            complaints.append(f"{path}: left out: {error}")
        else:
            students.append(student)
            complaints += [f"{path}: {line}" for line in odd]
    students, doubled = _latest(students)
    questions = _agreed(students)
    answers: dict[str, list[Any]] = {id: [] for id in questions}
    for student in students:
        for id, value in student.answers.items():
            accepted = questions[id].accepts(value) if id in questions else None
            if accepted is None:
                complaints.append(f"{student.file}: the answer to {id} doesn't fit the question")
            else:
                answers[id].append(accepted)
    answered = {id: found for id, found in questions.items() if answers[id]}
    return Class(
        tuple(students),
        answered,
        {id: answers[id] for id in answered},
        tuple(_one_line(line) for line in [*complaints, *doubled]),
    )


def _student(path: Path) -> tuple[Student, list[str]]:
    """The file's content, and what is odd about it; a ValueError if it is of no use."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(error.strerror or "it can't be read") from None
    if len(raw) > LARGEST:
        raise ValueError("it is larger than 1 MB")
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError("it isn't JSON") from None
    if not isinstance(content, dict) or content.get("format") != "residual-course":
        raise ValueError("it isn't a file of the course")
    if content.get("version") != 1:
        raise ValueError("it is of another version of the course")
    asked, given = content.get("questions"), content.get("predictions")
    if not isinstance(asked, dict) or not isinstance(given, dict):
        raise ValueError("it has no questions and predictions")
    if len(asked) > MOST_QUESTIONS or len(given) > MOST_QUESTIONS:
        raise ValueError(f"it has more than {MOST_QUESTIONS} predictions")
    questions, answers, odd = {}, {}, []
    for id, value in given.items():
        try:
            questions[id] = parse(id, asked.get(id))
        except ValueError as error:
            odd.append(f"one prediction left out: {error}")
        else:
            answers[id] = value
    saved = content.get("saved")
    return (
        Student(
            str(path),
            name_of(content.get("name")),
            saved if isinstance(saved, str) else "",
            answers,
            questions,
        ),
        odd,
    )


def _latest(students: list[Student]) -> tuple[list[Student], list[str]]:
    """One file a name, the one saved last; the later in the list if that doesn't tell."""
    by_name: dict[str, Student] = {}
    lines = []
    for index, student in enumerate(students):
        key = student.name.casefold() or f"\0{index}"
        before = by_name.get(key)
        if before is not None:
            kept, left = (before, student) if before.saved > student.saved else (student, before)
            lines.append(f"{left.file}: left out: {kept.file} is of {student.name}, too, and later")
            student = kept
        by_name[key] = student
    return list(by_name.values()), lines


def _agreed(students: list[Student]) -> dict[str, Choices | Number | Drawn]:
    """Each question as most files have it."""
    found: dict[str, Counter[Choices | Number | Drawn]] = {}
    for student in students:
        for id, question in student.questions.items():
            found.setdefault(id, Counter())[question] += 1
    return {id: found[id].most_common(1)[0][0] for id in sorted(found, key=_order)}


def _order(id: str) -> tuple[int, str]:
    """Chapter 2 before chapter 10."""
    number = id.partition(".")[0]
    return (int(number) if number.isdecimal() and len(number) < 4 else 10_000, id)


def _one_line(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)
