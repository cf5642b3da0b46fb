"""The numbers that a figure draws, kept beside it: for who can't see it, or wants to work on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import pandas as pd
from matplotlib.figure import Figure

DIGITS = 4  # significant; more than can be read off a figure
_kept: WeakKeyDictionary[Figure, list[pd.DataFrame]] = WeakKeyDictionary()

Cell = str | int | float | None
Column = tuple[Cell, ...]  # its head first


def keep(figure: Figure, table: pd.DataFrame) -> None:
    """Hand over numbers that the figure draws.

    `curves`, `points`, `heatmap` and `histogram` do so by themselves; call it for what you draw
    by hand. A figure of several panels keeps a table for each.

    Args:
        figure: the figure.
        table: a row a mark; the columns' names are the table's heads.

    Raises:
        TypeError: not a figure, or not a table.
    """
    if not isinstance(figure, Figure):
        raise TypeError(f"figure must be a matplotlib Figure, got {type(figure).__name__}")
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"table must be a DataFrame, got {type(table).__name__}")
    _kept.setdefault(figure, []).append(table)


def kept(figure: Figure) -> list[list[Column]]:
    """The figure's tables, each as its columns: head and cells as text, number or None."""
    return [
        [
            (str(head), *(_cell(value) for value in table.iloc[:, place]))
            for place, head in enumerate(table.columns)
        ]
        for table in _kept.get(figure, [])
    ]


def rows(columns: Sequence[Column]) -> list[tuple[str, ...]]:
    """The table's rows as text, its heads first."""
    return [
        tuple("" if cell is None else str(cell) for cell in row)
        for row in zip(*columns, strict=True)
    ]


def _cell(value: Any) -> Cell:
    """Whole numbers as they are, others with 4 digits, nothing where nothing was measured."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if isinstance(value, float) and not value.is_integer():
        value = float(f"{value:.{DIGITS}g}")
    return int(value) if float(value).is_integer() and abs(value) < 1e15 else value
