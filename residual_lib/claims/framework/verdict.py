"""What measurements say of a claim."""

from __future__ import annotations

import numbers
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from residual_lib import experiments
from residual_lib.claims.framework.claim import Claim
from residual_lib.statistics import bootstrap_interval

HOLDS = "holds"
HOLDS_IF = "holds with conditions"
FAILS = "does not hold here"


class StatisticError(RuntimeError):
    """A claim's statistic raised an error, which is the cause of this one."""


@dataclass(frozen=True)
class Verdict:
    """A claim, the estimate with its 95 % interval, and what follows.

    Attributes:
        claim: what was claimed.
        estimate: mean of the statistic over seeds; NaN if a diverged seed leaves it undefined.
        interval: 95 % bootstrap interval of that mean over seeds, (low, high).
        verdict: `HOLDS`, `HOLDS_IF` or `FAILS`.
        profile: the profile of the measurement.
        seeds: number of seeds.
        note: what a reader must know besides, such as seeds that diverged.
    """

    claim: Claim
    estimate: float
    interval: tuple[float, float]
    verdict: str
    profile: str
    seeds: int
    note: str = ""


def evaluate(
    claim: Claim, table: pd.DataFrame | None = None, profile: str = "quick", progress: bool = True
) -> Verdict:
    """Judge a claim by its experiment's table.

    It holds if the whole 95 % bootstrap interval of the statistic's mean over seeds meets
    ``holds_if``. Diverged seeds are never left out: the statistic sees their rows and may count
    them as it says. Where it gives NaN for a seed that diverged, the claim does not hold here.

    Args:
        claim: what to judge.
        table: the experiment's table. Default: `Experiment.at_hand(profile)`.
        profile: the profile of the table.
        progress: whether measuring missing trials shows a bar.

    Raises:
        ValueError: there is no such experiment, or the statistic does not give one number for
            each seed.
        StatisticError: the statistic raised an error.
    """
    if table is None:
        table = experiments.get(claim.experiment).at_hand(profile, progress=progress)
    diverged = experiments.diverged(table)
    seeds = sorted(table["seed"].unique())
    # A copy, so that a statistic that works in place spoils nobody else's table.
    values = values_of(claim, table.copy(), seeds, {s for some in diverged.values() for s in some})
    low, high = bootstrap_interval(values)
    note = ""
    if np.isnan(values).any():
        note = "undefined, as training diverged: " + ", ".join(
            f"{variant} (seeds {', '.join(map(str, some))})" for variant, some in diverged.items()
        )
    holds = claim.holds_if.met_by((float(low), float(high)))
    return Verdict(
        claim=claim,
        estimate=float(values.mean()),
        interval=(float(low), float(high)),
        verdict=FAILS if not holds else HOLDS_IF if claim.conditions else HOLDS,
        profile=profile,
        seeds=len(seeds),
        note=note,
    )


def values_of(
    claim: Claim, table: pd.DataFrame, seeds: Sequence[int], diverged: Collection[int]
) -> np.ndarray:
    """The statistic of `table` as an array: one value for each of its `seeds`, in their order.

    A value that doesn't vary with the seed stands once for each. NaN, or no value, passes for the
    seeds that have `diverged` in some variant and for no other.

    Raises:
        ValueError: the statistic does not give one number for each seed.
        StatisticError: it raised an error.
    """
    try:
        result = claim.statistic(table)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise StatisticError(f"the statistic of claim {claim.id} failed: {reason}") from error
    if isinstance(result, numbers.Real):
        result = pd.Series(float(result), index=list(seeds))
    if not isinstance(result, pd.Series):
        raise ValueError(
            f"the statistic of claim {claim.id} must give a Series by seed or a number, "
            f"got {type(result).__name__}"
        )
    given = list(result.index)
    absent = set(seeds) - set(given) - set(diverged)
    if absent or set(given) - set(seeds) or len(given) != len(set(given)):
        raise ValueError(
            f"the statistic of claim {claim.id} must give one value for each of the seeds "
            f"{[int(seed) for seed in seeds]}, got the index {given}"
        )
    values = result.reindex(list(seeds)).to_numpy(dtype=float)
    undefined = [int(s) for s, v in zip(seeds, values, strict=True) if np.isnan(v)]
    if unexplained := sorted(set(undefined) - set(diverged)):
        raise ValueError(f"the statistic of claim {claim.id} is NaN for the seeds {unexplained}")
    return values
