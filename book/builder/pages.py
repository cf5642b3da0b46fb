"""Pieces of pages that are made from the library: the ledger, the data cards, the explorer.

    python -m builder.pages FOLDER

A process of its own: Sphinx inspects every object in memory, and PyTorch's don't like it.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from itertools import groupby
from pathlib import Path

from .paths import ROOT


def write_all(folder: Path) -> None:
    """Write every generated piece into a folder, from which the pages include them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PIECES.items():
        (folder / name).write_text(make(), encoding="utf-8")


def _claims() -> str:
    """The ledger, a section a chapter, and what it comes to."""
    from residual_lib import claims

    book = claims.ledger()
    found = Counter(verdict.verdict for verdict in book.verdicts)
    sums = ", ".join(f"{found[verdict]} {plural}" for verdict, plural in _PLURALS.items())
    parts = [f"Of {len(book.verdicts)} claims {sums}."]
    for number, own in groupby(book.verdicts, lambda verdict: verdict.claim.chapter):
        (notebook,) = (ROOT / "chapters").glob(f"{number:02}_*.ipynb")
        parts.append(f"## {{doc}}`/chapters/{notebook.stem}`")
        parts.append(f"```{{raw}} html\n{claims.Ledger(tuple(own)).to_html()}\n```")
    return "\n\n".join(parts) + "\n"


def _data_cards() -> str:
    from residual_lib import data

    cards = "\n\n".join(data.card(name).markdown() for name in data.list_data())
    # Each card is a section of the page, whatever level it takes elsewhere.
    return re.sub(r"^#+ ", "## ", cards, flags=re.MULTILINE) + "\n"


def _landing() -> str:
    from residual_lib import experiments

    from .landing import explorer

    return explorer(experiments.get("degradation").table()).html() + "\n"


_PLURALS = {
    "holds": "hold",
    "holds with conditions": "hold with conditions",
    "does not hold here": "do not hold here",
}

PIECES = {
    "claims.md": _claims,
    "data.md": _data_cards,
    "landing.html": _landing,
}

if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
