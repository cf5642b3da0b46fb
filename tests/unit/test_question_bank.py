"""The question bank: every question is sound, and a mistake in the file is named."""

from __future__ import annotations

import itertools
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[2] / "book"))

from builder.quiz import bank

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
BANK = {
    notebook.stem: bank.load(ROOT / "book" / "questions" / f"{notebook.stem}.yml", notebook)
    for notebook in CHAPTERS
}
QUESTIONS = [question for chapter in BANK.values() for question in chapter]
AT_HAND = {"itertools": itertools, "math": math, "np": np, "torch": torch, "nn": nn}


def those(chosen):
    return pytest.mark.parametrize("question", chosen, ids=[question.id for question in chosen])


# --- the questions --------------------------------------------------------------------------


@pytest.mark.parametrize("chapter", BANK)
def test_a_chapter_has_three_questions_at_least_and_shows_them(chapter):
    assert len(BANK[chapter]) >= 3
    notebook = (ROOT / "chapters" / f"{chapter}.ipynb").read_text(encoding="utf-8")
    cells = ["".join(cell["source"]) for cell in json.loads(notebook)["cells"]]
    (cell,) = [cell for cell in cells if ":::{quiz}" in cell]
    # Where the notebook is read as it is, the link leads to this chapter's questions.
    assert f"/book/questions/{chapter}.yml)" in cell


def test_files_are_those_of_the_chapters():
    files = {path.stem for path in (ROOT / "book" / "questions").iterdir()}
    assert files == {notebook.stem for notebook in CHAPTERS}


def test_there_are_questions_of_every_kind_and_level():
    assert {question.kind for question in QUESTIONS} == set(bank.KINDS)
    assert {question.level for question in QUESTIONS} == set(bank.LEVELS)
    # The whole course, of fifteen chapters, has 80 at least.
    assert len(QUESTIONS) >= 80 / 15 * len(CHAPTERS)


def test_all_chapters_are_read_in_order():
    whole = bank.chapters()
    assert [chapter.name for chapter in whole] == list(BANK)
    assert [chapter.questions for chapter in whole] == list(BANK.values())
    assert all(chapter.title.startswith(f"{chapter.number}. ") for chapter in whole)


def test_the_right_choice_has_no_place_of_its_own():
    places = [[c.right for c in q.choices].index(True) for q in QUESTIONS if q.choices]
    assert all(places.count(place) <= len(places) / 2 for place in set(places))


@those([question for question in QUESTIONS if question.number])
def test_a_number_is_computed_another_way(question):
    computed = eval(question.number.compute, dict(AT_HAND))
    assert math.isfinite(computed)
    # Half of the tolerance, so that the reader who computes exactly is never at its edge.
    assert abs(computed - question.number.value) <= question.number.tolerance / 2 + 1e-12


@those([question for question in QUESTIONS if question.kind == "code"])
def test_code_answers_run_and_wrong_ones_fail(question):
    exec(f"{question.answer}\n{question.test}", dict(AT_HAND))
    for wrong in question.wrong:
        with pytest.raises(AssertionError):
            exec(f"{wrong.answer}\n{question.test}", dict(AT_HAND))


# --- the checks -----------------------------------------------------------------------------

CHOICE = {
    "id": "7.a",
    "level": "easy",
    "kind": "choice",
    "section": "Idea",
    "text": "Which?",
    "choices": [{"text": "this", "right": True}, {"text": "that", "why": "no"}],
    "explanation": "because",
}
BASE = {key: CHOICE[key] for key in ("id", "level", "section", "text")}
NUMBER = BASE | {
    "kind": "short",
    "number": 2,
    "tolerance": 0.1,
    "compute": "1 + 1",
    "wrong": [{"number": 3, "why": "one too many"}],
    "explanation": "because",
}
WORDS = BASE | {"kind": "short", "answer": "this"}
CODE = BASE | {
    "kind": "code",
    "answer": "a = 1",
    "test": "assert a == 1",
    "wrong": [{"answer": "a = 2", "why": "too large"}],
}
DERIVATION = BASE | {
    "kind": "derivation",
    "answer": "thus",
    "wrong": [{"answer": "so", "why": "no"}],
}


@pytest.fixture
def load(tmp_path):
    """Writes questions into a file of chapter 7, and reads them."""
    text = "## Idea\n\n### Twice\n\n## Measure\n\n### Twice\n"
    notebook = tmp_path / "07_toy.ipynb"
    notebook.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": [text]}]}))

    def write(*questions, chapter=7, raw=None):
        path = tmp_path / "07_toy.yml"
        content = {"chapter": chapter, "questions": list(questions)}
        path.write_text(yaml.safe_dump(content) if raw is None else raw)
        return bank.load(path, notebook)

    return write


@pytest.mark.parametrize(
    "question", [CHOICE, NUMBER, WORDS, CODE, DERIVATION, NUMBER | {"unit": "%"}]
)
def test_each_kind_is_read(load, question):
    (read,) = load(question)
    assert (read.id, read.chapter, read.kind, read.level) == ("7.a", 7, question["kind"], "easy")
    assert [choice.right for choice in read.choices] == ([True, False] if read.choices else [])
    assert bool(read.number) == ("number" in question)
    assert len(read.wrong) == len(question.get("wrong", []))


def choices(*entries):
    return CHOICE | {"choices": list(entries)}


RIGHT, WRONG = CHOICE["choices"]


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("a text", r"a question must be a mapping, got 'a text'"),
        (CHOICE | {"id": 7.1}, r"id must be the chapter's number.* got 7\.1"),
        (CHOICE | {"id": "8.a"}, r"id must be the chapter's number.* got '8\.a'"),
        (CHOICE | {"id": "7.Not This"}, r"id must be .* got '7\.Not This'"),
        (CHOICE | {"level": "mild"}, r"7\.a: level must be one of easy, medium, hard, got 'mild'"),
        (CHOICE | {"kind": "quiz"}, r"kind must be one of choice, short, code, .* got 'quiz'"),
        (CHOICE | {"kind": None}, r"kind must be given, got nothing"),
        (CHOICE | {"text": "  "}, r"text must be a text, got '  '"),
        (CHOICE | {"text": 3}, r"text must be a text, got 3"),
        (CHOICE | {"section": "Elsewhere"}, r"section must be a heading .*0 times.*'Elsewhere'"),
        (CHOICE | {"section": "Twice"}, r"section must be a heading .*2 times"),
        (CHOICE | {"hint": "x"}, r"hint must be left out; the fields are .*explanation.* got 'x'"),
        (CHOICE | {"test": "x"}, r"test must be left out"),
        ({k: v for k, v in CHOICE.items() if k != "text"}, r"text must be given, got nothing"),
        ({k: v for k, v in CHOICE.items() if k != "choices"}, r"choices must be given"),
        (choices(RIGHT), r"choices must be 2 to 6 choices, got '1 choices'"),
        (choices(RIGHT, WRONG, WRONG), r"choices must be different from each other"),
        (
            choices(RIGHT, {"text": "$x$", "why": "y"}),
            r"choices\[2\]\.text must be a text with words",
        ),
        (choices(WRONG, {"text": "x", "why": "y"}), r"exactly one entry that has right: true"),
        (choices(RIGHT, {"text": "x", "right": True}), r"exactly one .* got \['this', 'x'\]"),
        (choices(RIGHT, {"text": "x"}), r"choices\[2\]\.why must be given, got nothing"),
        (choices(RIGHT | {"why": "y"}, WRONG), r"choices\[1\]\.why must be left out"),
        (choices({"text": "x", "right": "yes"}, WRONG), r"choices\[1\]\.right must be true"),
        (CHOICE | {"choices": ["this", "that"]}, r"choices must be a list of mappings"),
        (NUMBER | {"number": "two"}, r"number must be a finite number, got 'two'"),
        (NUMBER | {"number": True}, r"number must be a finite number, got True"),
        (NUMBER | {"number": math.inf}, r"number must be a finite number, got inf"),
        (NUMBER | {"tolerance": -1}, r"tolerance must be a finite number of at least 0, got -1"),
        (NUMBER | {"wrong": [{"number": 2.15, "why": "x"}]}, r"wrong must be more than two tol"),
        (NUMBER | {"wrong": [{"answer": "3", "why": "x"}]}, r"wrong\[1\]\.number must be given"),
        (NUMBER | {"wrong": []}, r"wrong must be at least one common wrong answer"),
        ({k: v for k, v in NUMBER.items() if k != "compute"}, r"compute must be given"),
        ({k: v for k, v in CODE.items() if k != "test"}, r"test must be given"),
        (CODE | {"wrong": [{"answer": "a = 2"}]}, r"wrong\[1\]\.why must be given"),
        ({k: v for k, v in DERIVATION.items() if k != "wrong"}, r"wrong must be given"),
    ],
)
def test_a_mistake_is_named_with_file_question_and_field(load, question, message):
    with pytest.raises(bank.QuestionError, match=message) as caught:
        load(question)
    assert str(caught.value).startswith("07_toy.yml")


def test_an_id_is_given_once(load):
    with pytest.raises(bank.QuestionError, match=r"7\.a: id must be an id of its own"):
        load(CHOICE, CHOICE | {"text": "Another?"})


def test_all_mistakes_are_told_at_once(load):
    with pytest.raises(bank.QuestionError) as caught:
        load(CHOICE | {"level": "mild", "text": ""}, NUMBER | {"id": "7.b", "tolerance": -1})
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("chapter: 8\nquestions: [{}]", r"chapter must be 07 as a number.* got 8"),
        ("chapter: true\nquestions: [{}]", r"chapter must be"),
        ("chapter: 7\nquestions: []", r"questions must be a list of questions, got \[\]"),
        ("chapter: 7", r"the file must be a mapping with chapter and questions"),
        ("- 1", r"the file must be a mapping"),
        ("a: [", r"not YAML"),
    ],
)
def test_a_mistake_in_the_file_itself_is_named(load, raw, message):
    with pytest.raises(bank.QuestionError, match=message):
        load(raw=raw)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(bank.QuestionError, match=r"07_toy\.yml: there is no such file in"):
        bank.load(tmp_path / "07_toy.yml", CHAPTERS[0])
