"""A claim: one empirical sentence, and the test that it has to pass."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isnan

import pandas as pd

Statistic = Callable[[pd.DataFrame], "pd.Series | float"]


@dataclass(frozen=True)
class Condition:
    """Where the whole interval has to lie: strictly between `low` and `high`."""

    low: float = -inf
    high: float = inf

    def __post_init__(self) -> None:
        if isnan(self.low) or isnan(self.high) or not self.low < self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")

    def met_by(self, interval: tuple[float, float]) -> bool:
        """Whether the interval lies inside; one with NaN doesn't."""
        return bool(self.low < interval[0] and interval[1] < self.high)

    def __str__(self) -> str:
        if self.high == inf:
            return f"above {self.low:.4g}"
        if self.low == -inf:
            return f"below {self.high:.4g}"
        return f"between {self.low:.4g} and {self.high:.4g}"


def above(low: float) -> Condition:
    """The statistic is above `low`, with its whole interval."""
    return Condition(low=low)


def below(high: float) -> Condition:
    """The statistic is below `high`, with its whole interval."""
    return Condition(high=high)


def between(low: float, high: float) -> Condition:
    """The statistic lies between `low` and `high`, with its whole interval."""
    return Condition(low, high)


@dataclass(frozen=True)
class Claim:
    """One sentence of the course that a measurement can refute.

    Args:
        id: chapter and number, such as ``'2.1'``.
        statement: the sentence, as the reader sees it.
        source: paper and table, or ``'ours'``.
        experiment: the name of the experiment whose table it is about.
        statistic: table -> one number a seed, as a Series with the seeds as its index; or one
            number, where it doesn't vary with the seed (a count, an exact identity).
        holds_if: `above`, `below` or `between`. An effect that must be absent is `between`.
        conditions: under what conditions it holds, where it does not hold in general.
        sabotage: table -> table in which the mechanism is taken away, and on which the claim
            must not hold. Default: the variants' labels are shuffled within each seed.

    Raises:
        TypeError, ValueError: an argument is wrong; the message names it.
    """

    id: str
    statement: str
    source: str
    experiment: str
    statistic: Statistic
    holds_if: Condition
    conditions: str | None = None
    sabotage: Callable[[pd.DataFrame], pd.DataFrame] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not re.fullmatch(r"[1-9]\d*\.[1-9]\d*", self.id):
            raise ValueError(f"id must be like '2.1': chapter and number, got {self.id!r}")
        for name in ("statement", "source", "experiment"):
            text = getattr(self, name)
            if not isinstance(text, str) or not text.strip() or "\n" in text:
                raise ValueError(f"{name} of claim {self.id} must be one line, got {text!r}")
        if not callable(self.statistic):
            raise TypeError(f"statistic of claim {self.id} must be a function of the table")
        if not isinstance(self.holds_if, Condition):
            raise TypeError(
                f"holds_if of claim {self.id} must be above(x), below(x) or between(a, b), "
                f"got {self.holds_if!r}"
            )
        if self.sabotage is not None and not callable(self.sabotage):
            raise TypeError(f"sabotage of claim {self.id} must be a function table -> table")

    @property
    def chapter(self) -> int:
        """The chapter's number, from the id."""
        return int(self.id.split(".")[0])

    @property
    def order(self) -> tuple[int, int]:
        """The place in the ledger."""
        chapter, number = self.id.split(".")
        return int(chapter), int(number)
