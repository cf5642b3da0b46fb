"""Pieces of pages that are made from the library: ledger, takeaways, map, data cards, explorer.

    python -m builder.pages FOLDER

A process of its own: Sphinx inspects every object in memory, and PyTorch's don't like it.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Collection
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


def _takeaways() -> str:
    from residual_lib import claims

    from . import takeaways

    verdicts = {verdict.claim.id: verdict for verdict in claims.ledger(progress=False).verdicts}

    def evidence(ids: Collection[str]) -> str:
        return claims.Ledger(tuple(verdicts[id] for id in ids)).to_html(anchors=False)

    return takeaways.page(takeaways.load(ROOT / "book" / "takeaways.yml", verdicts), evidence)


def _coverage() -> str:
    from residual_lib import claims
    from residual_lib.models import list_models

    from . import coverage

    ids = [claim.id for claim in claims.list_claims()]
    course = coverage.Course.of(ROOT / "chapters", ids, list_models())
    return coverage.page(coverage.load(ROOT / "book" / "coverage.yml", course), course)


_PLURALS = {
    "holds": "hold",
    "holds with conditions": "hold with conditions",
    "does not hold here": "do not hold here",
}

PIECES = {
    "claims.md": _claims,
    "takeaways.md": _takeaways,
    "coverage.md": _coverage,
    "data.md": _data_cards,
    "landing.html": _landing,
}

if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
