"""Sabotage: what a claim says when the mechanism that it speaks of is taken away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from residual_lib import experiments
from residual_lib.claims.framework.claim import Claim
from residual_lib.claims.framework.registry import list_claims
from residual_lib.claims.framework.verdict import StatisticError, values_of
from residual_lib.statistics import bootstrap_interval

PERMUTATIONS = 200
#: Five seeds and two variants give the true labels in 1 of 32 permutations; the same labels but
#: for one seed, with a large effect, may pass too. Above this rate it isn't chance.
LIMIT = 0.10
#: Beyond this share of permutations on which the statistic can't be computed at all, shuffled
#: labels say nothing about the claim.
MOST_UNDEFINED = 0.5


@dataclass(frozen=True)
class Sabotage:
    """How often a claim still holds without its mechanism.

    Attributes:
        claim: what was claimed.
        kind: name of the claim's own sabotage, or ``'labels shuffled'``.
        trials: number of sabotaged tables.
        held: on how many of them the claim held.
        undefined: on how many its statistic could not be computed.
        limit: the rate of `held` that chance allows.
    """

    claim: Claim
    kind: str
    trials: int
    held: int
    undefined: int
    limit: float

    @property
    def rate(self) -> float:
        """Share of sabotaged tables on which the claim held."""
        return self.held / self.trials

    @property
    def says_nothing(self) -> bool:
        """Whether the statistic was undefined too often for the test to mean something."""
        return self.undefined > MOST_UNDEFINED * self.trials

    @property
    def survives(self) -> bool:
        """Whether the claim is in doubt: it holds without its mechanism, or wasn't tested."""
        return self.rate > self.limit or self.says_nothing

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "id": self.claim.id,
            "kind": self.kind,
            "tables": self.trials,
            "held": self.held,
            "undefined": self.undefined,
            "limit": self.limit,
            "survives": self.survives,
        }

    def __str__(self) -> str:
        word = "SURVIVES" if self.survives else "refuted"
        line = (
            f"{self.claim.id}  {word}  holds on {self.held} of {self.trials} tables ({self.kind}; "
            f"chance allows {self.limit:.0%})"
        )
        if self.says_nothing:
            line += f"; undefined on {self.undefined}: give the claim a sabotage of its own"
        return line


def sabotage(
    claim: Claim,
    table: pd.DataFrame | None = None,
    *,
    profile: str = "quick",
    permutations: int = PERMUTATIONS,
    limit: float = LIMIT,
    seed: int = 0,
    progress: bool = True,
) -> Sabotage:
    """Judge a claim on data without its mechanism.

    Args:
        claim: what to test.
        table: its experiment's table. Default: `Experiment.at_hand(profile)`.
        profile: the profile of the table.
        permutations: number of shuffled tables. A claim's own sabotage is one table.
        limit: the rate of 'holds' that chance allows. 0 for a claim's own sabotage.
        seed: seed of the shuffling.
        progress: whether measuring missing trials shows a bar.

    Raises:
        ValueError: the claim's own sabotage leaves the table as it was.
    """
    if permutations < 1:
        raise ValueError(f"permutations must be at least 1, got {permutations}")
    experiment = experiments.get(claim.experiment)
    if table is None:
        table = experiment.at_hand(profile, progress=progress)
    if claim.sabotage is not None:
        kind, limit = getattr(claim.sabotage, "__name__", "its own sabotage"), 0.0
        changed = claim.sabotage(table.copy())
        if changed.equals(table):
            raise ValueError(f"sabotage of claim {claim.id}, {kind}, changes nothing in the table")
        tables: Iterator[pd.DataFrame] = iter([changed])
    else:
        kind = "labels shuffled"
        tables = shuffled(table, experiment, permutations, np.random.default_rng(seed))
    seeds = sorted(table["seed"].unique())
    diverged = {s for some in experiments.diverged(table).values() for s in some}
    values, undefined = [], 0
    for sabotaged in tables:
        try:
            values.append(values_of(claim, sabotaged, seeds, diverged))
        except (StatisticError, ValueError):
            undefined += 1
    held = 0
    if values:  # one bootstrap for all
        low, high = bootstrap_interval(np.stack(values, axis=1))
        held = sum(claim.holds_if.met_by(ends) for ends in zip(low, high, strict=True))
    return Sabotage(claim, kind, len(values) + undefined, held, undefined, limit)


def sabotage_all(
    chapter: int | str | None = None,
    profile: str = "quick",
    permutations: int = PERMUTATIONS,
    progress: bool = True,
) -> list[Sabotage]:
    """`sabotage` for every claim, or for those of one chapter."""
    tables: dict[str, pd.DataFrame] = {}
    found = []
    for claim in tqdm(list_claims(chapter), "sabotage", disable=not progress, leave=False):
        if claim.experiment not in tables:
            tables[claim.experiment] = experiments.get(claim.experiment).at_hand(
                profile, progress=False
            )
        table = tables[claim.experiment]
        found.append(sabotage(claim, table, profile=profile, permutations=permutations))
    return found


def shuffled(
    table: pd.DataFrame,
    experiment: experiments.Experiment,
    permutations: int,
    generator: np.random.Generator,
) -> Iterator[pd.DataFrame]:
    """Yield tables whose trials change their variants, within each seed.

    The measured rows of a trial stay together; the variant's name and parameters are another's.
    """
    variants = list(experiment.variants)
    labels = experiments.with_variant(np.array(variants, dtype=object), experiment.variants)
    seeds, rows_seed = np.unique(table["seed"].to_numpy(), return_inverse=True)
    rows_variant = pd.Index(variants).get_indexer(pd.Index(table["variant"]))
    measured = table.drop(columns=list(labels.columns))
    for _ in range(permutations):
        new = np.argsort(generator.random((len(seeds), len(variants))), axis=1)
        renamed = labels.take(new[rows_seed, rows_variant])
        renamed.index = measured.index
        shuffled_table = pd.concat([renamed, measured], axis=1)
        shuffled_table.attrs = table.attrs
        yield shuffled_table
