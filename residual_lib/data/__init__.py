"""Data sets by name, each made or shipped here: nothing is downloaded.

>>> from residual_lib import data
>>> data.load("mnist1d")
Data(mnist1d: classification, 4000 train and 1000 test samples of shape (1, 40))
"""

from __future__ import annotations

import difflib
import inspect
from fnmatch import fnmatchcase
from typing import Any

from residual_lib.data import cells, digits, mnist1d, shakespeare, speechlike, toy_regression
from residual_lib.data.base import Data, Source
from residual_lib.data.cards import Card, make_card

__all__ = ["Card", "Data", "card", "list_data", "load"]

_SOURCES: dict[str, Source] = {
    "mnist1d": mnist1d.SOURCE,
    "digits": digits.SOURCE,
    "toy_regression": toy_regression.SOURCE,
    "shakespeare": shakespeare.SOURCE,
    "cells": cells.SOURCE,
    "speechlike": speechlike.SOURCE,
}


def load(name: str, **options: Any) -> Data:
    """Load a data set: the same name and options give the same tensors, always fresh ones.

    Args:
        name: one of `list_data()`.
        **options: see the `load` function of the module of that name, such as
            `residual_lib.data.mnist1d.load`: most have ``seed``.

    Raises:
        ValueError: there is no data set of that name, or an option is out of range.
        TypeError: the data set doesn't have such an option, or it is of the wrong type.
    """
    source = _source(name)
    allowed = list(inspect.signature(source.load).parameters)
    for option in options:
        if option not in allowed:
            hint = _nearest(option, allowed)
            raise TypeError(f"{name} has no option {option!r}{hint}; it has: {', '.join(allowed)}")
    return source.load(**options)


def list_data(pattern: str = "*") -> list[str]:
    """Names of the data sets that match a shell pattern such as ``'*mnist*'``."""
    return [name for name in _SOURCES if fnmatchcase(name, pattern)]


def card(name: str, **options: Any) -> Card:
    """The data card of `load(name, **options)`: source, licence, shapes, class balance, limits.

    Raises:
        ValueError, TypeError: as `load`.
    """
    return make_card(_source(name), load(name, **options))


def _source(name: str) -> Source:
    if name not in _SOURCES:
        hint = _nearest(name, list(_SOURCES))
        raise ValueError(
            f"name: there is no data set {name!r}{hint}; there are: {', '.join(_SOURCES)}"
        )
    return _SOURCES[name]


def _nearest(word: object, words: list[str]) -> str:
    near = difflib.get_close_matches(str(word), words, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
