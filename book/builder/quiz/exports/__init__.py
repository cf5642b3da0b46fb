"""The question bank as files for other programs: a deck for Anki, GIFT for Moodle, QTI for Canvas.

    python -m builder.quiz.exports FOLDER

`items` writes a question's texts as HTML with LaTeX between `\\( \\)`, which all three programs
understand; a module for each format puts them where that format wants them. The same questions
give the same files, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from builder.quiz.bank import chapters
from builder.quiz.exports import anki, gift, qti
from builder.quiz.exports.items import Part, parts

FILES: dict[str, Callable[[tuple[Part, ...]], bytes]] = {
    "residual-connections.apkg": anki.deck,
    "residual-connections.gift.txt": gift.text,
    "residual-connections-qti.zip": qti.package,
}


def write(folder: Path) -> None:
    """Write all of FILES into a folder.

    Raises:
        QuestionError: the first file of questions in which something isn't as it should be.
    """
    whole = parts(chapters())
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in FILES.items():
        (folder / name).write_bytes(make(whole))
