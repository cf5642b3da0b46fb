"""A deck for Anki, by genanki: a card for each question, a deck for each chapter.

A card is known by its question's id, so that importing a later deck updates what is there, and the
reader's schedule stays. Anki takes what is newer: the notes bear the date of the release.
"""

from __future__ import annotations

import itertools
import sqlite3
from datetime import datetime, timezone

import genanki

from builder import release
from builder.quiz.exports.archive import packed
from builder.quiz.exports.items import Item, Part

# Drawn once; Anki knows the kind of note and the decks by them.
_NOTES = 1_716_530_401
_DECKS = 2_059_400_100

_CSS = """
.card { max-width: 40em; margin: 0 auto; font: 1.1em/1.5 sans-serif; text-align: left; }
pre { padding: 0.5em; overflow-x: auto; border: 1px solid #8888; border-radius: 4px; }
ol { padding-left: 1.6em; }
.about { font-size: 0.8em; opacity: 0.75; }
"""

_FIELDS = ("Id", "About", "Question", "Answer", "Source")
_QUESTION = '<p class="about">{{About}}</p>{{Question}}'
_ANSWER = '{{FrontSide}}<hr id="answer">{{Answer}}{{Source}}'


def deck(parts: tuple[Part, ...], changed: datetime | None = None) -> bytes:
    """The .apkg file.

    Args:
        parts: the questions.
        changed: date of the notes; that of the release if None.
    """
    changed = changed or datetime.fromisoformat(release.date()).replace(tzinfo=timezone.utc)
    model = genanki.Model(
        _NOTES,
        "Residual connections: question",
        fields=[{"name": name} for name in _FIELDS],
        templates=[{"name": "Question", "qfmt": _QUESTION, "afmt": _ANSWER}],
        css=_CSS,
    )
    decks = []
    for part in parts:
        name = f"Residual connections::{part.title.replace('::', ':')}"
        made = genanki.Deck(_DECKS + part.number, name)
        for item in part.items:
            made.add_note(
                genanki.Note(
                    model=model,
                    fields=[item.id, _about(part, item), _front(item), _back(item), item.source],
                    guid=genanki.guid_for("residual-connections", item.id),
                    tags=[
                        f"chapter::{part.number:02}",
                        f"level::{item.level}",
                        f"kind::{item.kind}",
                    ],
                )
            )
        decks.append(made)
    seconds = changed.timestamp()
    with sqlite3.connect(":memory:") as database:
        numbers = itertools.count(int(seconds * 1000))
        genanki.Package(decks).write_to_db(database.cursor(), seconds, numbers)
        database.commit()
        collection = database.serialize()
    database.close()
    return packed({"collection.anki2": collection, "media": b"{}"})


def _about(part: Part, item: Item) -> str:
    kind = "number" if item.number else item.kind
    return f"Chapter {part.number} \u00b7 {kind} \u00b7 {item.level}"


def _front(item: Item) -> str:
    listed = "".join(f"<li>{choice.shown}</li>" for choice in item.choices)
    return item.text + (f'<ol type="A">{listed}</ol>' if listed else "")


def _back(item: Item) -> str:
    """The right answer and why, then the wrong ones and why not."""
    answer = item.answer
    if item.choices:
        letters = dict(zip(item.choices, "ABCDEF", strict=False))
        said = [f"<p><b>{letters[answer]}: {answer.shown}</b></p>"]
        refused = [f"<p><b>Not {letters[each]}: {each.shown}</b></p>" for each in item.wrong]
    elif item.number:
        said = [f"<p><b>{answer.shown}</b></p>"]
        refused = [f"<p><b>Not {each.shown}</b></p>" for each in item.wrong]
    else:
        said = [answer.shown]
        refused = [f"<p><b>Often answered, and wrong:</b></p>{each.shown}" for each in item.wrong]
    wrong = (head + each.why for head, each in zip(refused, item.wrong, strict=True))
    return "".join([*said, answer.why, *wrong])
