"""The six takeaways: reads and checks `book/takeaways.yml`, and sets each with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .errors import BuildError

VERDICTS = {"stands": "It stands", "half": "Half of the truth", "wrong": "Wrong as it stands"}
_FIELDS = {"takeaway", "verdict", "text", "claims"}


class TakeawayError(BuildError):
    """The file is wrong; the message has a line for each thing to mend."""


@dataclass(frozen=True)
class Takeaway:
    """One of the sentences; see the head of `book/takeaways.yml`."""

    takeaway: str
    verdict: str
    text: str
    claims: tuple[str, ...]


def load(path: Path, claims: Collection[str]) -> tuple[Takeaway, ...]:
    """Read the takeaways; `claims` are the ids that there are.

    Raises:
        TakeawayError: something isn't as it should be.
    """
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))["takeaways"]
    complaints: list[str] = []
    for number, row in enumerate(rows, start=1):
        complaints += [f"{path.name}, takeaway {number}: {line}" for line in _faults(row, claims)]
    if complaints:
        raise TakeawayError("\n".join(complaints))
    return tuple(Takeaway(**{**row, "claims": tuple(row["claims"])}) for row in rows)


def _faults(row: Any, claims: Collection[str]) -> list[str]:
    if not isinstance(row, dict) or set(row) != _FIELDS:
        return [f"it must have {', '.join(sorted(_FIELDS))} and nothing else, got {row!r}"]
    found = []
    if row["verdict"] not in VERDICTS:
        found.append(f"verdict must be one of {', '.join(VERDICTS)}, got {row['verdict']!r}")
    if not isinstance(row["claims"], list) or not row["claims"]:
        found.append(f"claims must be a list of ids, got {row['claims']!r}")
    else:
        found += [f"there is no claim {id!r}" for id in row["claims"] if id not in claims]
    return found


def page(takeaways: Collection[Takeaway], evidence: Callable[[Collection[str]], str]) -> str:
    """What `book/takeaways.md` includes; `evidence` sets claims as HTML."""
    return "\n\n".join(
        f"## {number}. {one.takeaway}\n\n**{VERDICTS[one.verdict]}.** {one.text}\n\n"
        f"```{{raw}} html\n{evidence(one.claims)}\n```"
        for number, one in enumerate(takeaways, start=1)
    )
