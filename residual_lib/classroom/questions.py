"""The three kinds of question, read from a file that anybody may have written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from residual_lib.explore.curve import FEWEST, MOST
from residual_lib.explore.predictions import ALLOWED_ID

LARGEST = 1e30  # beyond it, axes overflow
LONGEST_ID, LONGEST_TEXT, LONGEST_LABEL = 80, 500, 100
MOST_CHOICES = 12


@dataclass(frozen=True)
class Question:
    """What was asked.

    Attributes:
        id: as in `predict`.
        text: the question.
    """

    id: str
    text: str


@dataclass(frozen=True)
class Choices(Question):
    """One of a few texts; `answer` is the one that the measurement bears out, if known."""

    choices: tuple[str, ...]
    answer: str | None

    def accepts(self, value: Any) -> str | None:
        """The answer if it is one, else None."""
        value = _tidy(value) if isinstance(value, str) else None
        return value if value in self.choices else None


@dataclass(frozen=True)
class Number(Question):
    """A number from `low` to `high`; `measured` is None if the file doesn't say it."""

    low: float
    high: float
    unit: str
    measured: float | None

    def accepts(self, value: Any) -> float | None:
        """The answer if it is one, else None."""
        try:
            number = _number("answer", value)
        except ValueError:
            return None
        return number if self.low <= number <= self.high else None


@dataclass(frozen=True)
class Drawn(Question):
    """A curve: a value from `low` to `high` for each point.

    Attributes:
        names, ticks: of the points, in full and as written at the axis.
        low, high: the axis' ends.
        log: whether it is logarithmic.
        unit: of the values, with its space.
        xlabel, ylabel: texts of the axes.
        measured: a value for each point, or None.
        band: ends of their 95 % intervals, or None.
    """

    names: tuple[str, ...]
    ticks: tuple[str, ...]
    low: float
    high: float
    log: bool
    unit: str
    xlabel: str
    ylabel: str
    measured: tuple[float, ...] | None
    band: tuple[tuple[float, ...], tuple[float, ...]] | None

    def accepts(self, value: Any) -> tuple[float, ...] | None:
        """The answer if it is one, else None."""
        try:
            values = _numbers("answer", value, len(self.names))
        except ValueError:
            return None
        return values if all(self.low <= each <= self.high for each in values) else None


def parse(id: Any, given: Any) -> Choices | Number | Drawn:
    """A question from a file's data.

    Raises:
        ValueError: it isn't one; says what is wrong.
    """
    if not isinstance(id, str) or not ALLOWED_ID.fullmatch(id) or len(id) > LONGEST_ID:
        raise ValueError(f"{str(id)[:LONGEST_ID]!r} isn't the id of a prediction")
    if not isinstance(given, dict):
        raise ValueError(f"the question {id} must be an object")
    text = _text("question", given.get("question"), LONGEST_TEXT)
    if "choices" in given:
        choices = _texts("choices", given["choices"], 2, MOST_CHOICES)
        answer = given.get("answer")
        return Choices(id, text, choices, answer if answer in choices else None)
    low, high = _number("low", given.get("low")), _number("high", given.get("high"))
    if low >= high:
        raise ValueError("low must be below high")
    unit = f" {_text('unit', given['unit'], LONGEST_LABEL)}" if given.get("unit") else ""
    measured = given.get("measured")
    if "names" not in given:
        known = None if measured is None else _number("measured", measured)
        return Number(id, text, low, high, unit, known)
    names = _texts("names", given["names"], FEWEST, MOST)
    ticks = _texts("ticks", given.get("ticks"), len(names), len(names))
    if not isinstance(given.get("log"), bool) or (given["log"] and low <= 0):
        raise ValueError("log must be true or false, and true only with positive values")
    values = None if measured is None else _numbers("measured", measured, len(names))
    if values is not None and given["log"] and min(values) <= 0:
        raise ValueError("measured must be positive on a logarithmic axis")
    return Drawn(
        id,
        text,
        names,
        ticks,
        low,
        high,
        given["log"],
        unit,
        _text("xlabel", given.get("xlabel"), LONGEST_LABEL),
        _text("ylabel", given.get("ylabel"), LONGEST_LABEL),
        values,
        None if values is None else _band(given.get("band"), len(names)),
    )


def _band(given: Any, count: int) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Both ends; None where an end isn't known, as after a single seed."""
    try:
        low, high = given
        return _numbers("band", low, count), _numbers("band", high, count)
    except (TypeError, ValueError):
        return None


def name_of(given: Any) -> str:
    """A student's name, or "" if there is none worth the name."""
    return _tidy(given)[:60].strip() if isinstance(given, str) else ""


def _tidy(text: str) -> str:
    """One line of what can be printed: no control characters, none that turn the direction."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _text(name: str, given: Any, longest: int) -> str:
    tidy = _tidy(given) if isinstance(given, str) and len(given) <= longest else ""
    if not tidy:
        raise ValueError(f"{name} must be a text of at most {longest} characters")
    return tidy


def _texts(name: str, given: Any, fewest: int, most: int) -> tuple[str, ...]:
    if not isinstance(given, list) or not fewest <= len(given) <= most:
        raise ValueError(f"{name} must be a list of {fewest} to {most} texts")
    texts = tuple(_text(name, each, LONGEST_TEXT) for each in given)
    if len(set(texts)) < len(texts):
        raise ValueError(f"{name} must be different texts")
    return texts


def _number(name: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise ValueError(f"{name} must be a number")
    try:
        number = float(given)
    except OverflowError:
        number = math.inf
    if not abs(number) <= LARGEST:
        raise ValueError(f"{name} must be finite, and no larger than {LARGEST:g}")
    return number


def _numbers(name: str, given: Any, count: int) -> tuple[float, ...]:
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != count:
        raise ValueError(f"{name} must be {count} numbers")
    return tuple(_number(name, each) for each in given)
