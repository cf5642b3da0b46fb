"""The ledger: verdicts of many claims, as text, Markdown, HTML and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from math import isfinite
from typing import Any

import pandas as pd

from residual_lib import experiments
from residual_lib.claims.framework.claim import Claim
from residual_lib.claims.framework.registry import list_claims
from residual_lib.claims.framework.verdict import Verdict, evaluate

CAPTION = (
    "Estimate: mean over seeds, with its 95 % bootstrap interval over seeds in brackets. "
    "A claim holds if the whole interval meets the condition."
)


@dataclass(frozen=True)
class Ledger:
    """Verdicts in the order of their claims."""

    verdicts: tuple[Verdict, ...]

    def __repr__(self) -> str:
        """One line a claim, without the numbers, which vary from machine to machine."""
        if not self.verdicts:
            return "no claims yet"
        ids = max(len(verdict.claim.id) for verdict in self.verdicts)
        words = max(len(verdict.verdict) for verdict in self.verdicts)
        return "\n".join(
            f"{verdict.claim.id:<{ids}}  {verdict.verdict:<{words}}  {sentence(verdict)}"
            for verdict in self.verdicts
        )

    def to_text(self) -> str:
        """The ledger with its numbers, for a terminal."""
        blocks = []
        for verdict in self.verdicts:
            claim = verdict.claim
            lines = [
                f"{claim.id}  {verdict.verdict.upper()}: {sentence(verdict)}",
                f"{numbers(verdict)}; holds if {claim.holds_if}",
                f"{claim.experiment} ({verdict.profile}, {verdict.seeds} seeds); "
                f"source: {claim.source}",
                *([verdict.note] if verdict.note else []),
            ]
            blocks.append("\n     ".join(lines))
        return "\n\n".join(blocks) or "no claims yet"

    def to_json(self) -> str:
        """A list of objects, one a claim. A number that is not finite is null."""
        return json.dumps([_as_dict(verdict) for verdict in self.verdicts], indent=1)

    def to_markdown(self) -> str:
        """A Markdown table."""
        rows = [_HEADINGS, tuple("---" for _ in _HEADINGS), *map(_cells, self.verdicts)]
        return "".join("| " + " | ".join(map(_escaped, row)) + " |\n" for row in rows)

    def to_html(self, anchors: bool = True) -> str:
        """An HTML table of three columns, for pages and phones.

        Args:
            anchors: whether links can lead to a row, as ``#claim-7.1``. A page may have one once.
        """
        head = "".join(
            f'<th scope="col">{name}</th>' for name in ("Claim", "Statement", "Measured")
        )
        body = "".join(_row(verdict, anchors) for verdict in self.verdicts)
        return (
            f'<table class="rl-ledger"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        )

    def _repr_html_(self) -> str:
        return f"{self.to_html()}<p><small>{CAPTION}</small></p>"


def ledger(
    chapter: int | str | None = None, profile: str = "quick", progress: bool = True
) -> Ledger:
    """Judge every claim, or those of one chapter; trials that are missing are measured first.

    Where an experiment can't run here, its recorded run stands in.

    Args:
        chapter: number or module name. Default: all.
        profile: the profile of the measurements.
        progress: whether measuring shows a bar, and a line for each experiment.
    """
    return judged(list_claims(chapter), profile, progress)


def judged(claims: Iterable[Claim], profile: str = "quick", progress: bool = True) -> Ledger:
    """The ledger of these claims. Each experiment's table is read once."""
    tables: dict[str, pd.DataFrame] = {}
    verdicts = []
    for claim in claims:
        if claim.experiment not in tables:
            experiment = experiments.get(claim.experiment)
            tables[claim.experiment] = experiment.at_hand(profile, progress=progress)
        table = tables[claim.experiment]
        kept = table.attrs["provenance"].get("recorded")
        verdicts.append(evaluate(claim, table, "recorded" if kept else profile))
    return Ledger(tuple(verdicts))


def show_verdicts(chapter: int | str, profile: str = "quick") -> None:
    """Print a chapter's verdicts: id, verdict and statement, nothing that varies by machine."""
    print(ledger(chapter, profile, progress=False))


def sentence(verdict: Verdict) -> str:
    """The statement, with its conditions."""
    conditions = verdict.claim.conditions
    return verdict.claim.statement + (f" Conditions: {conditions}" if conditions else "")


def numbers(verdict: Verdict) -> str:
    """Estimate and interval, such as ``'0.71 [0.66, 0.75]'``."""
    low, high = verdict.interval
    return f"{verdict.estimate:.3g} [{low:.3g}, {high:.3g}]"


_HEADINGS = ("Claim", "Verdict", "Statement", "Measured", "Holds if", "Source", "Experiment")


def _cells(verdict: Verdict) -> tuple[str, ...]:
    claim = verdict.claim
    measured = numbers(verdict) + (f" ({verdict.note})" if verdict.note else "")
    origin = f"{claim.experiment} ({verdict.profile}, {verdict.seeds} seeds)"
    words = (claim.id, verdict.verdict, sentence(verdict), measured, str(claim.holds_if))
    return (*words, claim.source, origin)


def _row(verdict: Verdict, anchor: bool) -> str:
    number, word, statement, measured, holds_if, source, origin = map(escape, _cells(verdict))
    place = f' id="claim-{number}"' if anchor else ""
    return (
        f'<tr{place}><td><b>{number}</b><br><span class="rl-verdict">{word}</span></td>'
        f"<td>{statement}<br><small>{source}; {origin}</small></td>"
        f"<td>{measured}<br><small>holds if {holds_if}</small></td></tr>"
    )


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|")


def _as_dict(verdict: Verdict) -> dict[str, Any]:
    claim = verdict.claim
    return {
        "id": claim.id,
        "chapter": claim.chapter,
        "statement": claim.statement,
        "source": claim.source,
        "experiment": claim.experiment,
        "estimate": _finite(verdict.estimate),
        "interval": [_finite(end) for end in verdict.interval],
        "verdict": verdict.verdict,
        "profile": verdict.profile,
        "conditions": claim.conditions,
        "holds_if": str(claim.holds_if),
        "seeds": verdict.seeds,
        "note": verdict.note,
    }


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
