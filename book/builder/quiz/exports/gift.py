"""GIFT, the text format of Moodle's question bank: docs.moodle.org/en/GIFT_format.

Choices and numbers are marked by Moodle, with the reason for each wrong answer; all else is an
essay, whose model answer stands in its feedback. Each text says that it is HTML, so that none is
taken for anything else, however it begins.
"""

from __future__ import annotations

from collections.abc import Iterator

from builder.quiz.exports.items import Item, Part, readable

_SPECIAL = {ord(character): f"\\{character}" for character in "\\~=#{}:"} | {ord("\n"): "\\n"}


def text(parts: tuple[Part, ...]) -> bytes:
    """The file, a category for each chapter."""
    lines = []
    for part in parts:
        lines.append(f"$CATEGORY: Residual connections/{part.title.replace('/', '//')}\n")
        lines += [_question(part, item) for item in part.items]
    return "\n".join(lines).encode()


def escaped(html: str) -> str:
    """A text in which nothing means anything to GIFT, on one line."""
    return html.replace("\r\n", "\n").translate(_SPECIAL)


def _question(part: Part, item: Item) -> str:
    tags = (f"chapter {part.number}", item.level, item.kind)
    known = "".join(f" [tag:{tag}]" for tag in tags)
    return (
        f"// [id:residual-{item.id}]{known}\n"
        f"::{escaped(item.id)}::{_html(item.text)}{{{'#' if item.number else ''}\n"
        + "".join(f"{line}\n" for line in _answers(item))
        + "}\n"
    )


def _answers(item: Item) -> Iterator[str]:
    if item.choices:
        for choice in item.choices:
            mark = "=" if choice.right else "~"
            yield f"{mark}{_html(choice.shown)}#{_html(choice.why)}"
        yield f"####{_html(item.source)}"
    elif item.number:
        tolerance = readable(item.number.tolerance)
        for each in (item.answer, *item.wrong):
            weight = "" if each.right else "%0%"
            yield f"={weight}{readable(each.number)}:{tolerance}#{_html(each.why)}"
        yield f"####{_html(item.source)}"
    else:
        wrong = (f"<p>Often answered, and wrong:</p>{each.shown}{each.why}" for each in item.wrong)
        yield f"####{_html(''.join([item.answer.shown, item.answer.why, *wrong, item.source]))}"


def _html(text: str) -> str:
    return f"[html]{escaped(text)}"
