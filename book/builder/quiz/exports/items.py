"""Questions as other programs need them: every text as HTML, in the order in which it is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from docutils import nodes

from builder import address
from builder.quiz.bank import Chapter, Number, Question
from builder.quiz.exports import texts


@dataclass(frozen=True)
class Answer:
    """An answer and what there is to say about it; `number` where it is one."""

    shown: str
    why: str
    right: bool = False
    number: float | None = None


@dataclass(frozen=True)
class Item:
    """A question.

    Attributes:
        id, level, kind: as in the question bank.
        text: what is asked.
        choices: of a choice, in their order.
        number: of a question for a number.
        answer: the right answer with its explanation; of every other kind the model answer.
        wrong: common wrong answers.
        source: where the answer can be read again, as a link.
    """

    id: str
    level: str
    kind: str
    text: str
    choices: tuple[Answer, ...]
    number: Number | None
    answer: Answer
    wrong: tuple[Answer, ...]
    source: str


@dataclass(frozen=True)
class Part:
    """The questions of a chapter; `title` is plain text."""

    number: int
    title: str
    items: tuple[Item, ...]


def parts(chapters: Iterable[Chapter]) -> tuple[Part, ...]:
    """All questions, by chapter."""
    site = address.published()
    return tuple(
        Part(
            chapter.number,
            chapter.title,
            tuple(_item(q, f"{site}chapters/{chapter.name}.html") for q in chapter.questions),
        )
        for chapter in chapters
    )


def readable(value: float) -> str:
    """A number in full, without an exponent, as every program can read it."""
    text = f"{value:.12f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _item(question: Question, page: str) -> Item:
    explanation = texts.blocks(question.explanation)
    anchor = nodes.make_id(question.section)
    link = f'<a href="{page}#{anchor}">{texts.inline(question.section)}</a>'
    answers = tuple(_answers(question, explanation))
    return Item(
        id=question.id,
        level=question.level,
        kind=question.kind,
        text=texts.blocks(question.text),
        choices=answers if question.choices else (),
        number=question.number,
        answer=next(answer for answer in answers if answer.right),
        wrong=tuple(answer for answer in answers if not answer.right),
        source=f"<p>Read again: {link}</p>",
    )


def _answers(question: Question, explanation: str) -> Iterator[Answer]:
    """Choices in their order; of all other kinds the right answer first."""
    for choice in question.choices:
        why = explanation if choice.right else texts.blocks(choice.why)
        yield Answer(texts.inline(choice.text), why, choice.right)
    if question.choices:
        return
    if number := question.number:
        yield Answer(_with_unit(number, number.value), explanation, True, number.value)
        for each in question.wrong:
            value = float(each.answer)
            yield Answer(_with_unit(number, value), texts.blocks(each.why), number=value)
        return
    shown = texts.code if question.kind == "code" else texts.blocks
    yield Answer(shown(question.answer), explanation, True)
    for each in question.wrong:
        yield Answer(shown(str(each.answer)), texts.blocks(each.why))


def _with_unit(number: Number, value: float) -> str:
    return texts.plain(f"{value:,.10g} {number.unit}".strip())
