"""What chapter 14 claims."""

from __future__ import annotations

import math
from functools import partial

import pandas as pd

from residual_lib.claims import Claim, above, below, between
from residual_lib.claims.framework.reading import final, in_place, kind_in_place, worse

# --- from table to numbers ------------------------------------------------------------------


def left_of_the_mlp(table: pd.DataFrame) -> pd.Series:
    """What the MLP without skips has learnt, in nats below an even guess among ten classes, as a
    share of what the one with a single stream has."""
    losses = final(table, "test_loss")
    return (math.log(10) - losses["plain"]) / (math.log(10) - losses["residual"])


def learnt(field: str, kind: str, table: pd.DataFrame) -> pd.Series:
    """By how much the test loss is below that of a guess by frequency, in nats."""
    name = f"{field}-{kind}"
    return final(table, "guess")[name] - final(table, "test_loss")[name]


def left(field: str, table: pd.DataFrame) -> pd.Series:
    """What the net without skips has learnt, as a share of what the net with skips has."""
    return learnt(field, "plain", table) / learnt(field, "skip", table)


def left_apart(more: str, less: str, table: pd.DataFrame) -> pd.Series:
    """By how much that share is larger in one field than in another."""
    return left(more, table) - left(less, table)


def skips_for_all(table: pd.DataFrame) -> pd.DataFrame:
    """The nets with skips in the place of those without."""
    copies = table[table["variant"].str.endswith("-skip")]
    names = copies["variant"].str.replace("-skip", "-plain", regex=False)
    return pd.concat([copies, copies.assign(variant=names, skip=False)], ignore_index=True)


def least_first_over_last(table: pd.DataFrame) -> pd.Series:
    """Before training and without skips: the gradient in the first block over that in the last, of
    the field where it is least."""
    ratio = final(table, "gradient_first") / final(table, "gradient_last")
    return ratio.filter(like="-plain").min(axis=1)


def vanished(table: pd.DataFrame) -> pd.DataFrame:
    """No gradient in the first block."""
    return table.assign(value=table["value"].where(table["metric"] != "gradient_first", 0.0))


def told_the_time(table: pd.DataFrame) -> pd.DataFrame:
    """The denoiser that knows the time in the place of the one that doesn't."""
    copies = table[table["variant"] == "denoiser"].assign(variant="denoiser, no time")
    return pd.concat([table[table["variant"] != "denoiser, no time"], copies], ignore_index=True)


# --- claims ---------------------------------------------------------------------------------

CLAIMS = (
    Claim(
        id="14.1",
        statement="Without its skips the MBConv net's test error is higher by more than 15 points.",
        source="ours",
        experiment="skips_by_field",
        statistic=partial(worse, "mbconv-plain", "mbconv-skip"),
        holds_if=above(0.15),
    ),
    Claim(
        id="14.2",
        statement=(
            "Without its skips the BERT learns less than a third of what it learns with them, in "
            "nats below a guess by frequency."
        ),
        source="ours",
        experiment="skips_by_field",
        statistic=partial(left, "bert"),
        holds_if=below(0.33),
        sabotage=skips_for_all,
    ),
    Claim(
        id="14.3",
        statement="Without its skips the GPT learns less than a third of what it learns with them.",
        source="ours",
        experiment="skips_by_field",
        statistic=partial(left, "gpt"),
        holds_if=below(0.33),
        sabotage=skips_for_all,
    ),
    Claim(
        id="14.4",
        statement="Without its skips the Conformer's test error is higher by more than 30 points.",
        source="ours",
        experiment="skips_by_field",
        statistic=partial(worse, "conformer-plain", "conformer-skip"),
        holds_if=above(0.3),
    ),
    Claim(
        id="14.5",
        statement=(
            "Convolutions lose less than attention: of what it learns with skips the MBConv net "
            "keeps a share that is larger than the GPT's by more than 0.05."
        ),
        source="ours",
        experiment="skips_by_field",
        statistic=partial(left_apart, "mbconv", "gpt"),
        holds_if=above(0.05),
        sabotage=partial(kind_in_place, "mbconv", "gpt"),
    ),
    Claim(
        id="14.6",
        statement="Without skips the denoiser's mean squared error is higher by more than 0.25.",
        source="ours",
        experiment="forward_looks",
        statistic=partial(worse, "denoiser, plain", "denoiser", metric="test_loss"),
        holds_if=above(0.25),
    ),
    Claim(
        id="14.7",
        statement="If its branches aren't told the time, the error is higher by more than 0.01.",
        source="ours",
        experiment="forward_looks",
        statistic=partial(worse, "denoiser, no time", "denoiser", metric="test_loss"),
        holds_if=above(0.01),
        sabotage=told_the_time,
    ),
    Claim(
        id="14.8",
        statement=(
            "Two streams that are mixed by learned weights have a test loss below that of one "
            "stream by more than 0.05 nats."
        ),
        source="Zhu et al. 2024 (arXiv 2409.19606), figure 1, at 1 B active parameters",
        experiment="forward_looks",
        statistic=partial(worse, "residual", "hyper", metric="test_loss"),
        holds_if=above(0.05),
    ),
    Claim(
        id="14.9",
        statement="At this size one stream and two differ by less than 0.1 nats of test loss.",
        source="ours",
        experiment="forward_looks",
        statistic=partial(worse, "hyper", "residual", metric="test_loss"),
        holds_if=between(-0.1, 0.1),
        sabotage=partial(in_place, "hyper", "plain"),
    ),
    Claim(
        id="14.10",
        statement="Without skips the MLP learns less than half of what it learns with one stream.",
        source="ours",
        experiment="forward_looks",
        statistic=left_of_the_mlp,
        holds_if=below(0.5),
        sabotage=partial(in_place, "plain", "residual"),
    ),
    Claim(
        id="14.11",
        statement=(
            "Before training, in none of the four nets without skips is the gradient in the first "
            "block less than a tenth of that in the last."
        ),
        source="ours",
        experiment="skips_by_field",
        statistic=least_first_over_last,
        holds_if=above(0.1),
        sabotage=vanished,
    ),
)
