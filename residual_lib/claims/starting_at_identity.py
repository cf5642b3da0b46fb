"""What chapter 10 claims, and the formulas that its measurements are held against."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from residual_lib.claims import Claim, above, below, between
from residual_lib.claims.framework.reading import kind_in_place

# --- theory ---------------------------------------------------------------------------------


def growth(alpha: float, blocks: int) -> float:
    """By what `blocks` blocks x + alpha F(x) multiply the mean square, if F keeps it."""
    return (1 + alpha**2) ** blocks


# --- from table to numbers: before training -------------------------------------------------


def mean_squares(table: pd.DataFrame, scheme: str, blocks: int) -> pd.DataFrame:
    """Mean square of the signal: seeds x blocks passed."""
    rows = table[(table["variant"] == f"{scheme}-{blocks}") & (table["metric"] == "mean_square")]
    return rows.pivot(index="seed", columns="index", values="value")


def grown(scheme: str, blocks: int, table: pd.DataFrame) -> pd.Series:
    """By what the stack multiplies the mean square."""
    squares = mean_squares(table, scheme, blocks)
    return squares[blocks] / squares[0]


def doublings_a_block(table: pd.DataFrame) -> pd.Series:
    """log2 of that in the plain sum of 32 blocks, a block."""
    return np.log2(grown("sum", 32, table)) / 32


def stretches(table: pd.DataFrame, scheme: str, blocks: int) -> pd.DataFrame:
    """Singular values of the stack's Jacobian: seeds x index, the largest first."""
    rows = table[(table["variant"] == f"{scheme}-{blocks}") & (table["metric"] == "singular_value")]
    return rows.pivot(index="seed", columns="index", values="value")


def spread(scheme: str, blocks: int, table: pd.DataFrame, leave_out: int = 0) -> pd.Series:
    """log10 of the largest singular value over the smallest, `leave_out` of which are left out."""
    values = stretches(table, scheme, blocks)
    quotients: pd.Series = values[0] / values.iloc[:, -1 - leave_out]
    return quotients.map(np.log10)


def farthest_from_one(scheme: str, table: pd.DataFrame) -> pd.Series:
    """How far the farthest singular value of 32 blocks lies from 1."""
    return (stretches(table, scheme, 32) - 1).abs().max(axis=1)


def wider(scheme: str, blocks: int, than: int, table: pd.DataFrame) -> pd.Series:
    """log10 of the spread at one depth over that at another."""
    return spread(scheme, blocks, table) - spread(scheme, than, table)


def spreads_apart(scheme: str, other: str, table: pd.DataFrame) -> pd.Series:
    """log10 of the spread of one scheme at 32 blocks over that of another; the two smallest values,
    which a LayerNorm behind the sum makes 0, are left out in both."""
    return spread(scheme, 32, table, 2) - spread(other, 32, table, 2)


# --- from table to numbers: training --------------------------------------------------------


def losses(table: pd.DataFrame, variant: str) -> pd.DataFrame:
    """Loss of the batches: seeds x steps. Who diverged has infinity from there on."""
    rows = table[table["variant"] == variant]
    wide = rows[rows["metric"] == "loss"].pivot(index="seed", columns="step", values="value")
    return wide.fillna(np.inf)


def last(table: pd.DataFrame, variant: str) -> pd.Series:
    """The loss at the end: mean of the last 20 steps."""
    return losses(table, variant).iloc[:, -2:].mean(axis=1)


def lower(variant: str, than: str, table: pd.DataFrame) -> pd.Series:
    """By how much one loss ends below another."""
    return last(table, than) - last(table, variant)


def final_loss(variant: str, table: pd.DataFrame) -> pd.Series:
    """The loss at the end."""
    return last(table, variant)


def explosion(variant: str, table: pd.DataFrame) -> pd.Series:
    """log10 of the mean loss of the first ten steps."""
    return np.log10(losses(table, variant).iloc[:, 0].clip(upper=1e30))


def worst_moment(variant: str, table: pd.DataFrame) -> pd.Series:
    """log10 of the highest mean loss of ten steps, behind the first ten."""
    return np.log10(losses(table, variant).iloc[:, 1:].max(axis=1).clip(upper=1e30))


def rougher(variant: str, than: str, table: pd.DataFrame) -> pd.Series:
    """By how much log10 of one net's worst loss is above another's."""
    return worst_moment(variant, table) - worst_moment(than, table)


STARTS = ("depth", "layer_scale", "rezero", "zero")


def starts_apart(table: pd.DataFrame) -> pd.Series:
    """How far apart the four starts without a norm end: the highest loss minus the lowest."""
    ends = pd.concat([last(table, f"{start}-0.01") for start in STARTS], axis=1)
    return ends.max(axis=1) - ends.min(axis=1)


def steps_to(variant: str, level: pd.Series, table: pd.DataFrame) -> pd.Series:
    """Steps until the mean loss of ten steps is at most `level`, a number for each seed; who never
    gets there counts with all steps."""
    curve = losses(table, variant)
    below_level = curve.le(level, axis=0)
    first = below_level.idxmax(axis=1)
    return first.where(below_level.any(axis=1), curve.columns[-1]).astype(float)


def ratio_of_steps(variant: str, than: str, table: pd.DataFrame) -> pd.Series:
    """Steps of the net `than` to the loss at which it ends, over those of `variant` to there."""
    level = last(table, than)
    return steps_to(than, level, table) / steps_to(variant, level, table)


def alphas(table: pd.DataFrame, variant: str, step: int | None = None) -> pd.DataFrame:
    """Size of what is learned on each branch: seeds x blocks, at the end or at a step."""
    rows = table[(table["variant"] == variant) & (table["metric"] == "alpha")]
    rows = rows[rows["step"] == (rows["step"].max() if step is None else step)]
    return rows.pivot(index="seed", columns="index", values="value")


def sum_of_squares(variant: str, table: pd.DataFrame) -> pd.Series:
    """The sum of alpha^2 over the blocks at the end."""
    return (alphas(table, variant) ** 2).sum(axis=1)


def mlp_over_attention(variant: str, table: pd.DataFrame) -> pd.Series:
    """The mean alpha of the MLPs over that of the attentions."""
    values = alphas(table, variant)
    return values.iloc[:, 1::2].mean(axis=1) / values.iloc[:, ::2].mean(axis=1)


def early_over_late(variant: str, table: pd.DataFrame) -> pd.Series:
    """The mean alpha of the first third of the MLPs over that of the last third."""
    values = alphas(table, variant).iloc[:, 1::2]
    third = values.shape[1] // 3
    return values.iloc[:, :third].mean(axis=1) / values.iloc[:, -third:].mean(axis=1)


# --- sabotage -------------------------------------------------------------------------------


def alike(table: pd.DataFrame) -> pd.DataFrame:
    """Every alpha of a seed and step is the mean over its blocks."""
    chosen = table["metric"] == "alpha"
    means = table[chosen].groupby(["variant", "seed", "step"])["value"].transform("mean")
    return table.assign(value=means.reindex(table.index).fillna(table["value"]))


def tenfold(table: pd.DataFrame) -> pd.DataFrame:
    """Every alpha is ten times as large."""
    chosen = table["metric"] == "alpha"
    return table.assign(value=table["value"].where(~chosen, 10 * table["value"]))


# --- claims ---------------------------------------------------------------------------------

REZERO = "Bachlechner et al. 2020"
CLAIMS = (
    # Before training
    Claim(
        id="10.1",
        statement="Each of 32 blocks x + F(x) doubles the signal's mean square.",
        source="derived on the page",
        experiment="identity_start",
        statistic=doublings_a_block,
        holds_if=between(0.9, 1.1),
        sabotage=partial(kind_in_place, "sum", "depth"),
    ),
    Claim(
        id="10.2",
        statement=(
            "With the scale 1/sqrt(L) all 32 blocks together multiply it by 2 to 3.6; derived: 2.7."
        ),
        source="derived on the page",
        experiment="identity_start",
        statistic=partial(grown, "depth", 32),
        holds_if=between(2, 3.6),
        sabotage=partial(kind_in_place, "depth", "sum"),
    ),
    Claim(
        id="10.3",
        statement=(
            "With weights smaller by 1/sqrt(2L) they multiply it by 1.35 to 2; derived: 1.6."
        ),
        source="derived on the page",
        experiment="identity_start",
        statistic=partial(grown, "half", 32),
        holds_if=between(1.35, 2),
        sabotage=partial(kind_in_place, "half", "depth"),
    ),
    Claim(
        id="10.4",
        statement="In ReZero's start every singular value of the whole stack's Jacobian is 1.",
        source=f"{REZERO}, section 3",
        experiment="identity_start",
        statistic=partial(farthest_from_one, "rezero"),
        holds_if=below(1e-9),
        sabotage=partial(kind_in_place, "rezero", "layer_scale"),
    ),
    Claim(
        id="10.5",
        statement=(
            "In the plain sum of 32 blocks the largest singular value is over a million times the "
            "smallest."
        ),
        source="ours",
        experiment="identity_start",
        statistic=partial(spread, "sum", 32),
        holds_if=above(6),
    ),
    Claim(
        id="10.6",
        statement=(
            "A scale of 1/sqrt(L) keeps the signal's size and is no isometry: the largest singular "
            "value is over 10 times the smallest."
        ),
        source="ours",
        experiment="identity_start",
        statistic=partial(spread, "depth", 32),
        holds_if=above(1),
        sabotage=partial(kind_in_place, "depth", "layer_scale"),
    ),
    Claim(
        id="10.7",
        statement=(
            "Its spread doesn't grow with the depth: from 8 to 32 blocks it changes by less than a "
            "factor of 3."
        ),
        source="derived on the page",
        experiment="identity_start",
        statistic=partial(wider, "depth", 32, 8),
        holds_if=between(-np.log10(3), np.log10(3)),
        sabotage=partial(kind_in_place, "depth", "sum"),
    ),
    Claim(
        id="10.8",
        statement=(
            "LayerScale's does: its constant 0.1 doesn't know the depth, and from 4 to 32 blocks "
            "the spread more than doubles."
        ),
        source="ours",
        experiment="identity_start",
        statistic=partial(wider, "layer_scale", 32, 4),
        holds_if=above(np.log10(2)),
        sabotage=partial(kind_in_place, "layer_scale", "depth"),
    ),
    Claim(
        id="10.9",
        statement=(
            "DeepNorm's start is as spread as that with 1/sqrt(2L), to within a factor of 2.5, the "
            "two directions left out that a LayerNorm removes."
        ),
        source="derived on the page",
        experiment="identity_start",
        statistic=partial(spreads_apart, "deep_norm", "half"),
        holds_if=between(-np.log10(2.5), np.log10(2.5)),
        sabotage=partial(kind_in_place, "deep_norm", "post_norm"),
    ),
    # Fully connected, 32 layers
    Claim(
        id="10.10",
        statement=(
            "Without norm and scale the residual net of 32 layers explodes: the loss of its first "
            "steps is above 10,000."
        ),
        source="ours",
        experiment="identity_training",
        statistic=partial(explosion, "residual-0.01"),
        holds_if=above(4),
        sabotage=partial(kind_in_place, "residual", "depth"),
    ),
    Claim(
        id="10.11",
        statement=(
            "With ReZero it learns, and after 100 steps is over 0.12 nats ahead of the residual "
            "net with BatchNorm."
        ),
        source=REZERO,
        experiment="identity_training",
        statistic=partial(lower, "rezero-0.01", "norm, residual-0.01"),
        holds_if=above(0.12),
    ),
    Claim(
        id="10.12",
        statement=(
            "Which small start it is hardly matters: 1/sqrt(L), LayerScale, ReZero and a last "
            "layer of zeros end within 0.3 nats of each other."
        ),
        source="ours",
        experiment="identity_training",
        statistic=starts_apart,
        holds_if=below(0.3),
        sabotage=partial(kind_in_place, "depth", "plain"),
    ),
    Claim(
        id="10.13",
        statement="Without skips the same layers are still above 1.4 nats.",
        source="ours",
        experiment="identity_training",
        statistic=partial(final_loss, "plain-0.01"),
        holds_if=above(1.4),
    ),
    Claim(
        id="10.14",
        statement="ReZero helps the net with BatchNorm too: over 0.08 nats lower.",
        source="ours",
        experiment="identity_training",
        statistic=partial(lower, "norm, rezero-0.01", "norm, residual-0.01"),
        holds_if=above(0.08),
    ),
    Claim(
        id="10.15",
        statement="At ten times the rate it is over 0.3 nats lower.",
        source=f"{REZERO}: higher rates",
        experiment="identity_training",
        statistic=partial(lower, "norm, rezero-0.1", "norm, residual-0.1"),
        holds_if=above(0.3),
    ),
    Claim(
        id="10.16",
        statement=("There BatchNorm without ReZero takes over twice the steps to where it ends."),
        source=REZERO,
        experiment="identity_training",
        statistic=partial(ratio_of_steps, "norm, rezero-0.1", "norm, residual-0.1"),
        holds_if=above(2),
        sabotage=partial(kind_in_place, "norm, rezero", "norm, residual"),
    ),
    Claim(
        id="10.17",
        statement=(
            "Without BatchNorm ReZero doesn't stand that rate as well: its worst ten steps have "
            "over 1.12 times the loss."
        ),
        source="ours",
        experiment="identity_training",
        statistic=partial(rougher, "rezero-0.1", "norm, rezero-0.1"),
        holds_if=above(0.05),
    ),
    Claim(
        id="10.18",
        statement=(
            "ReZero's scales stay small: after 100 steps the squares of all 15 sum to less than 1."
        ),
        source="ours",
        experiment="identity_training",
        statistic=partial(sum_of_squares, "rezero-0.01"),
        holds_if=below(1),
        sabotage=tenfold,
    ),
    # Characters
    Claim(
        id="10.19",
        statement=(
            "A character model of 24 layers with neither norms nor scales explodes: a loss above "
            "1,000 in its first ten steps."
        ),
        source="ours",
        experiment="identity_characters",
        statistic=partial(explosion, "none-24-large"),
        holds_if=above(3),
    ),
    Claim(
        id="10.20",
        statement=(
            "With 12 layers ReZero without norms ends over 0.2 nats below post-LN with warm-up."
        ),
        source=REZERO,
        experiment="identity_characters",
        statistic=partial(lower, "rezero-12-large", "post, warm-12-large"),
        holds_if=above(0.2),
        sabotage=partial(kind_in_place, "rezero", "post, warm"),
    ),
    Claim(
        id="10.21",
        statement=(
            "To the loss at which post-LN ends it takes over 1.2 times the steps that ReZero takes."
        ),
        source=f"{REZERO}, abstract: 56 % faster",
        experiment="identity_characters",
        statistic=partial(ratio_of_steps, "rezero-12-large", "post, warm-12-large"),
        holds_if=above(1.2),
        sabotage=partial(kind_in_place, "rezero", "post, warm"),
    ),
    Claim(
        id="10.22",
        statement=(
            "With embeddings of the size 1/sqrt(n) ReZero ends over 0.1 nats below pre-LN as well."
        ),
        source=REZERO,
        experiment="identity_characters",
        statistic=partial(lower, "rezero-12-large", "pre-12-large"),
        holds_if=above(0.1),
        sabotage=partial(kind_in_place, "rezero", "pre"),
    ),
    Claim(
        id="10.23",
        statement="With GPT-2's small embeddings, 0.02, it ends below pre-LN, too.",
        source="popular",
        experiment="identity_characters",
        statistic=partial(lower, "rezero-12-small", "pre-12-small"),
        holds_if=above(0),
        sabotage=partial(kind_in_place, "rezero", "pre"),
    ),
    Claim(
        id="10.24",
        statement=(
            "It is ReZero that minds the embeddings' size: with the small ones it ends over 0.15 "
            "nats higher."
        ),
        source="ours",
        experiment="identity_characters",
        statistic=partial(lower, "rezero-12-large", "rezero-12-small"),
        holds_if=above(0.15),
        sabotage=partial(kind_in_place, "rezero", "pre"),
    ),
    Claim(
        id="10.25",
        statement="With 24 layers ReZero is over 0.05 nats ahead of pre-LN after 50 steps.",
        source=REZERO,
        experiment="identity_characters",
        statistic=partial(lower, "rezero-24-large", "pre-24-large"),
        holds_if=above(0.05),
        sabotage=partial(kind_in_place, "rezero", "pre"),
    ),
    Claim(
        id="10.26",
        statement="There DeepNorm and pre-LN are equal, to within 0.05 nats.",
        source="ours",
        experiment="identity_characters",
        statistic=partial(lower, "deep_norm-24-large", "pre-24-large"),
        holds_if=between(-0.05, 0.05),
        sabotage=partial(kind_in_place, "deep_norm", "rezero"),
    ),
    Claim(
        id="10.27",
        statement=(
            "In the character model of 12 layers the scales of the MLPs have grown over 1.4 times "
            "as far as those of the attentions."
        ),
        source="ours",
        experiment="identity_characters",
        statistic=partial(mlp_over_attention, "rezero-12-large"),
        holds_if=above(1.4),
        sabotage=alike,
    ),
    Claim(
        id="10.28",
        statement=(
            "Those of the first four MLPs have grown over 1.1 times as far as those of the last "
            "four."
        ),
        source="ours",
        experiment="identity_characters",
        statistic=partial(early_over_late, "rezero-12-large"),
        holds_if=above(1.1),
        sabotage=alike,
    ),
    Claim(
        id="10.29",
        statement=(
            "Post-LN of 32 blocks squashes directions: the two removed ones left out, the largest "
            "singular value is over a million times the smallest."
        ),
        source="ours",
        experiment="identity_start",
        statistic=partial(spread, "post_norm", 32, leave_out=2),
        holds_if=above(6),
        sabotage=partial(kind_in_place, "post_norm", "deep_norm"),
    ),
)
