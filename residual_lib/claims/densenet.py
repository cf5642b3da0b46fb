"""What chapter 7 claims about concatenation."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from residual_lib.claims import Claim, above, below, between
from residual_lib.claims.framework.reading import final, in_place, worse

# --- from table to numbers ------------------------------------------------------------------


def by_links(table: pd.DataFrame, mode: str, metric: str) -> pd.DataFrame:
    """Bytes or FLOPs of a block: seeds x links."""
    rows = table[(table["mode"] == mode) & (table["metric"] == metric)]
    return rows.pivot(index="seed", columns="links", values="value")


def twice_the_links(mode: str, metric: str, table: pd.DataFrame) -> pd.Series:
    """By what 48 links multiply what 24 take."""
    values = by_links(table, mode, metric)
    return values[48] / values[24]


def recomputing(metric: str, table: pd.DataFrame) -> pd.Series:
    """What 48 links take if they are recomputed, over what they take otherwise."""
    return by_links(table, "recomputed", metric)[48] / by_links(table, "kept", metric)[48]


def norms(table: pd.DataFrame, merge: str, metric: str) -> pd.DataFrame:
    """Norm of a gradient in the features before training: seeds x links."""
    rows = table[(table["merge"] == merge) & (table["metric"] == metric)]
    return rows.pivot(index="seed", columns="link", values="value")


def straight_share(merge: str, table: pd.DataFrame, link: int = 12) -> pd.Series:
    """The squared norm of the part of a gradient that comes straight, over that of the whole."""
    parts = [norms(table, merge, metric)[link] for metric in ("straight", "whole")]
    return (parts[0] / parts[1]) ** 2


def shadows_apart(table: pd.DataFrame) -> pd.Series:
    """That share in the dense block minus that in the residual one."""
    return straight_share("dense", table) - straight_share("add", table)


def doublings_back(merge: str, table: pd.DataFrame) -> pd.Series:
    """log2 of the gradient's norm at the first link over that at the last."""
    whole = norms(table, merge, "whole")
    growth = whole[1] / whole[whole.columns.max()]
    return growth.map(np.log2)


def steeper(more: str, less: str, table: pd.DataFrame) -> pd.Series:
    """Those doublings of one block minus those of another."""
    return doublings_back(more, table) - doublings_back(less, table)


def times(variant: str, than: str, metric: str, table: pd.DataFrame) -> pd.Series:
    """By what one net's count is larger than another's."""
    counts = final(table, metric)
    return counts[variant] / counts[than]


def links_of(table: pd.DataFrame, variant: str, metric: str, block: int) -> pd.DataFrame:
    """A metric of the connections of one block: seeds x (target, source)."""
    rows = table[(table["variant"] == variant) & (table["metric"] == metric)]
    rows = rows[rows["block"] == block]
    return rows.pivot(index="seed", columns=["target", "source"], values="value")


def late_over_early(variant: str, table: pd.DataFrame) -> pd.Series:
    """The head's weights on the last link's features over those on the last block's input."""
    weights = links_of(table, variant, "weight", 2)
    last = int(weights.columns.get_level_values("target").max())
    return weights[last, last - 1] / weights[last, 0]


def weight_on_input(variant: str, table: pd.DataFrame) -> pd.Series:
    """The weights that the links of blocks 2 and 3 put on their block's input, mean over the links;
    1 is the mean over all of a link's weights."""
    found = []
    for block in (1, 2):
        weights = links_of(table, variant, "weight", block)
        last = int(weights.columns.get_level_values("target").max())
        found.append(weights[[(target, 0) for target in range(2, last)]])
    return pd.concat(found, axis=1).mean(axis=1)


def unevenness(variant: str, table: pd.DataFrame) -> pd.Series:
    """The spread (standard deviation) of the heat map around its mean, which is about 1."""
    rows = table[(table["variant"] == variant) & (table["metric"] == "weight")]
    return rows[rows["target"] > 1].groupby("seed")["value"].std()


def size_tells_use(variant: str, table: pd.DataFrame) -> pd.Series:
    """Spearman's rank correlation, over connections, of weight and damage."""
    rows = table[(table["variant"] == variant) & table["metric"].isin(("weight", "damage"))]
    wide = rows.pivot(index=["seed", "block", "target", "source"], columns="metric", values="value")
    ranks = wide.groupby("seed").rank()
    grouped = ranks.groupby("seed")
    return grouped.apply(lambda part: float(np.corrcoef(part["weight"], part["damage"])[0, 1]))


def input_matters(table: pd.DataFrame) -> pd.Series:
    """log2 of the damage of cutting a link from the block's input over that of cutting it from an
    earlier link, means over all connections to links, without decay."""
    rows = table[(table["variant"] == "dense") & (table["metric"] == "damage")]
    rows = rows[(rows["target"] > 1) & (rows["target"] < rows["target"].max())]
    means = rows.groupby(["seed", rows["source"] == 0])["value"].mean().unstack()
    return np.log2(means[True] / means[False])


def lesions(table: pd.DataFrame, variant: str) -> pd.DataFrame:
    """By how much deleting a link, or a block's branch, raises the test error: seeds x place."""
    rows = table[(table["variant"] == variant) & (table["metric"] == "lesion")]
    values = rows.pivot(index="seed", columns="block", values="value")
    return values.drop(columns=-1).sub(values[-1], axis=0)


def milder(table: pd.DataFrame) -> pd.Series:
    """Damage by deleting a block of the residual net minus that by deleting a link, means."""
    return lesions(table, "add").mean(axis=1) - lesions(table, "dense").mean(axis=1)


def first_block_matters(table: pd.DataFrame) -> pd.Series:
    """Damage by deleting a link of the first block minus that of the last block's, means."""
    values = lesions(table, "dense")
    third = values.shape[1] // 3
    return values.iloc[:, :third].mean(axis=1) - values.iloc[:, -third:].mean(axis=1)


# --- sabotage -------------------------------------------------------------------------------


def damage_by_size(table: pd.DataFrame) -> pd.DataFrame:
    """As if the damage were proportional to the weights."""
    keys = ["variant", "seed", "block", "target", "source"]
    weights = table[table["metric"] == "weight"]
    rest = table[table["metric"] != "damage"]
    assert not weights.duplicated(keys).any()
    return pd.concat([rest, weights.assign(metric="damage")], ignore_index=True)


def flat(table: pd.DataFrame) -> pd.DataFrame:
    """As if all weights were of one size."""
    return table.assign(value=table["value"].where(table["metric"] != "weight", 1.0))


def turned_round(table: pd.DataFrame) -> pd.DataFrame:
    """As if what a layer reads stood in the reverse order, the block's input last."""
    turned = (table["target"] - 1 - table["source"]).where(table["metric"] == "damage")
    return table.assign(source=turned.fillna(table["source"]))


def first_last(table: pd.DataFrame) -> pd.DataFrame:
    """As if the links stood in the reverse order."""
    hurt = (table["metric"] == "lesion") & (table["block"] >= 0)
    last = table.loc[hurt, "block"].max()
    return table.assign(block=table["block"].where(~hurt, last - table["block"]))


# --- claims ---------------------------------------------------------------------------------

HUANG = "Huang et al. 2017"
CLAIMS = (
    Claim(
        id="7.1",
        statement="From 24 links to 48 what a dense block keeps for the backward pass triples.",
        source="Pleiss et al. 2017 (arXiv 1707.06990)",
        experiment="dense_memory",
        statistic=partial(twice_the_links, "kept", "kept"),
        holds_if=above(3),
    ),
    Claim(
        id="7.2",
        statement="If links are recomputed, it grows by a factor between 1.8 and 2.05.",
        source="Pleiss et al. 2017 (arXiv 1707.06990)",
        experiment="dense_memory",
        statistic=partial(twice_the_links, "recomputed", "kept"),
        holds_if=between(1.8, 2.05),
    ),
    Claim(
        id="7.3",
        statement="So does the peak of a whole training step: a factor between 1.8 and 2.05.",
        source="Pleiss et al. 2017 (arXiv 1707.06990)",
        experiment="dense_memory",
        statistic=partial(twice_the_links, "recomputed", "peak"),
        holds_if=between(1.8, 2.05),
    ),
    Claim(
        id="7.4",
        statement="At 48 links recomputing lowers the peak to less than an eighth.",
        source="ours",
        experiment="dense_memory",
        statistic=partial(recomputing, "peak"),
        holds_if=below(1 / 8),
    ),
    Claim(
        id="7.5",
        statement="It costs less than a third more FLOPs, and over a fifth.",
        source="derived on the page",
        experiment="dense_memory",
        statistic=partial(recomputing, "flops"),
        holds_if=between(1.2, 4 / 3),
    ),
    Claim(
        id="7.6",
        statement=(
            "At equal parameters the residual net has a higher test error than the dense one, by "
            "more than 10 points."
        ),
        source=f"{HUANG}, Table 2",
        experiment="merges",
        statistic=partial(worse, "equal parameters", "dense"),
        holds_if=above(0.1),
    ),
    Claim(
        id="7.7",
        statement="At equal FLOPs it has a higher test error too, by more than 4 points.",
        source=f"{HUANG}, on ImageNet",
        experiment="merges",
        statistic=partial(worse, "equal flops", "dense"),
        holds_if=above(0.04),
    ),
    Claim(
        id="7.8",
        statement="At equal memory the dense net still wins, by more than 3 points.",
        source="popular",
        experiment="merges",
        statistic=partial(worse, "equal memory", "dense"),
        holds_if=above(0.03),
    ),
    Claim(
        id="7.9",
        statement="At equal memory the two differ by less than 5 points.",
        source="ours",
        experiment="merges",
        statistic=partial(worse, "equal memory", "dense"),
        holds_if=between(-0.05, 0.05),
    ),
    Claim(
        id="7.10",
        statement=(
            "At equal memory with links recomputed the residual net has a higher test error, by "
            "more than 6 points."
        ),
        source="ours",
        experiment="merges",
        statistic=partial(worse, "equal memory, recomputed", "dense"),
        holds_if=above(0.06),
    ),
    Claim(
        id="7.11",
        statement="At equal memory the residual net has over 8 times the dense net's parameters.",
        source="ours",
        experiment="merges",
        statistic=partial(times, "equal memory", "dense", "parameters"),
        holds_if=above(8),
    ),
    Claim(
        id="7.12",
        statement="Without any skip the same layers have a test error over 10 points higher still.",
        source="ours",
        experiment="merges",
        statistic=partial(worse, "plain", "add"),
        holds_if=above(0.10),
    ),
    Claim(
        id="7.13",
        statement=(
            "In the middle of 24 untrained links over a quarter of a gradient's mean square comes "
            "straight from the head."
        ),
        source=f"{HUANG}, section 5",
        experiment="short_ways",
        statistic=partial(straight_share, "dense"),
        holds_if=above(0.25),
        sabotage=partial(in_place, "dense", "plain", column="merge"),
    ),
    Claim(
        id="7.14",
        statement="In the residual block that share is the same, to within 0.2.",
        source="ours",
        experiment="short_ways",
        statistic=shadows_apart,
        holds_if=between(-0.2, 0.2),
        sabotage=partial(in_place, "add", "plain", column="merge"),
    ),
    Claim(
        id="7.15",
        statement=(
            "On its way back through 24 links the gradient grows by over 2 doublings more without "
            "skips than in the dense block."
        ),
        source="ours",
        experiment="short_ways",
        statistic=partial(steeper, "plain", "dense"),
        holds_if=above(2),
    ),
    Claim(
        id="7.16",
        statement="Without the short way for gradients the test error is over 8 points higher.",
        source=f"{HUANG}, section 5",
        experiment="merges",
        statistic=partial(worse, "no short way", "dense"),
        holds_if=above(0.08),
    ),
    Claim(
        id="7.17",
        statement=(
            "Trained without weight decay, the head puts over 1.5 times the weight on the last "
            "link's features that it puts on the block's input."
        ),
        source=f"{HUANG}, figure 5",
        experiment="merges",
        statistic=partial(late_over_early, "dense"),
        holds_if=above(1.5),
        sabotage=flat,
    ),
    Claim(
        id="7.18",
        statement="Trained with weight decay, it does.",
        source=f"{HUANG}, figure 5",
        experiment="merges",
        statistic=partial(late_over_early, "dense, decay"),
        holds_if=above(1.5),
        sabotage=partial(in_place, "dense, decay", "dense"),
    ),
    Claim(
        id="7.19",
        statement=(
            "With weight decay the links of blocks 2 and 3 put less than 0.95 times their mean "
            "weight on what the transition in front gives them."
        ),
        source=f"{HUANG}, figure 5",
        experiment="merges",
        statistic=partial(weight_on_input, "dense, decay"),
        holds_if=below(0.95),
        sabotage=partial(in_place, "dense, decay", "dense"),
    ),
    Claim(
        id="7.20",
        statement=(
            "Without weight decay the size of weights hardly tells which connections are needed: "
            "the rank correlation of weight and damage is below 0.35."
        ),
        source="ours",
        experiment="merges",
        statistic=partial(size_tells_use, "dense"),
        holds_if=below(0.35),
        sabotage=damage_by_size,
    ),
    Claim(
        id="7.21",
        statement="With weight decay that correlation is above 0.35.",
        source="ours",
        experiment="merges",
        statistic=partial(size_tells_use, "dense, decay"),
        holds_if=above(0.35),
        sabotage=partial(in_place, "dense, decay", "dense"),
    ),
    Claim(
        id="7.22",
        statement=(
            "To cut a link off from its block's input harms over twice as much as to cut it off "
            "from an earlier link."
        ),
        source="ours",
        experiment="merges",
        statistic=input_matters,
        holds_if=above(1),
        sabotage=turned_round,
    ),
    Claim(
        id="7.23",
        statement=(
            "Deleting a link of the dense net costs less than deleting a block of the residual net "
            "with the same parameters and layers, by more than a point on the mean."
        ),
        source="ours",
        experiment="merges",
        statistic=milder,
        holds_if=above(0.01),
        sabotage=partial(in_place, "dense", "add"),
    ),
    Claim(
        id="7.24",
        statement=(
            "Links of the first dense block matter more than those of the last: deleting one costs "
            "over 10 points more."
        ),
        source="ours",
        experiment="merges",
        statistic=first_block_matters,
        holds_if=above(0.1),
        sabotage=first_last,
    ),
)
