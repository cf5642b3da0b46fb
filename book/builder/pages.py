"""Pieces of pages that are made from the library: the ledger, the data cards, the explorer."""

from __future__ import annotations

from pathlib import Path


def write_all(folder: Path) -> None:
    """Write every generated piece into a folder, from which the pages include them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PIECES.items():
        (folder / name).write_text(make(), encoding="utf-8")


def _claims() -> str:
    from residual_lib import claims

    return claims.ledger().to_markdown() + "\n"


def _data_cards() -> str:
    from residual_lib import data

    return "\n\n".join(data.card(name).markdown() for name in data.list_data()) + "\n"


PIECES = {
    "claims.md": _claims,
    "data.md": _data_cards,
}
