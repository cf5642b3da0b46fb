"""What chapter 4 claims about shortcuts where the shape changes."""

from __future__ import annotations

from functools import partial

import pandas as pd

from residual_lib.claims import Claim, above, below, between
from residual_lib.claims.framework.reading import final

BOUNDARY = 3  # the first block of the second stage, of three blocks in each

# --- from table to numbers ------------------------------------------------------------------


def seen(table: pd.DataFrame, path: str) -> pd.DataFrame:
    """Share of pixels that receive any gradient through a path: seeds x variants."""
    rows = table[(table["metric"] == "energy") & (table["path"] == path)]
    rows = rows.assign(value=rows["value"] > 0)
    return rows.groupby(["seed", "variant"])["value"].mean().unstack()


def on_grid(table: pd.DataFrame, path: str = "block") -> pd.DataFrame:
    """Share of the gradient that lands on the pixels a stride of 2 hits: seeds x variants."""
    rows = table[(table["metric"] == "energy") & (table["path"] == path)]
    rows = rows[(rows["row"] % 2 == 0) & (rows["col"] % 2 == 0)]
    return rows.groupby(["seed", "variant"])["value"].sum().unstack()


def ranks(table: pd.DataFrame, path: str = "shortcut") -> pd.DataFrame:
    """Share of all directions that a path passes: seeds x variants."""
    rows = table[(table["metric"] == "rank") & (table["path"] == path)]
    return rows.pivot(index="seed", columns="variant", values="value")


def seen_gain(path: str, more: str, less: str, table: pd.DataFrame) -> pd.Series:
    """How much larger a share of pixels one variant sees than another."""
    values = seen(table, path)
    return values[more] - values[less]


def off_grid(table: pd.DataFrame) -> pd.Series:
    """How much less of the gradient lands on the grid with D than with B, basic block."""
    values = on_grid(table)
    return values["basic-B"] - values["basic-D"]


def rank_gain(table: pd.DataFrame) -> pd.Series:
    """How many more of all directions D's shortcut passes than B's."""
    values = ranks(table)
    return values["basic-D"] - values["basic-B"]


def largest_rank(table: pd.DataFrame) -> pd.Series:
    """The largest share of directions that a shortcut passes, over options A, B and D."""
    return ranks(table)[["basic-A", "basic-B", "basic-D"]].max(axis=1)


def blocks_for_shortcuts(table: pd.DataFrame) -> pd.DataFrame:
    """The whole block in the place of its shortcut."""
    kept = table[table["path"] != "shortcut"]
    whole = table[table["path"] == "block"].assign(path="shortcut")
    return pd.concat([kept, whole], ignore_index=True)


def price_of_c(table: pd.DataFrame) -> float:
    """FLOPs of C over those of B: ResNet-50's ratio minus ResNet-34's."""
    rows = table[table["metric"] == "flops"]
    flops = rows.pivot(index="seed", columns="variant", values="value")
    ratio = {net: flops[f"{net}-C"] / flops[f"{net}-B"] for net in ("resnet34", "resnet50")}
    return float((ratio["resnet50"] - ratio["resnet34"]).mean())


def gain_of_skips(table: pd.DataFrame) -> pd.Series:
    """The plain net's test error minus the mean of options A, B and C."""
    error = final(table)
    return error["none"] - error[["A", "B", "C"]].mean(axis=1)


def gain_against_choice(table: pd.DataFrame) -> pd.Series:
    """What a shortcut brings, minus how far options A, B and C are apart."""
    error = final(table)[["A", "B", "C"]]
    return gain_of_skips(table) - (error.max(axis=1) - error.min(axis=1))


def order_of_the_paper(table: pd.DataFrame) -> pd.Series:
    """The smaller of A minus B and B minus C: above 0 where A > B > C."""
    error = final(table)
    return pd.concat([error["A"] - error["B"], error["B"] - error["C"]], axis=1).min(axis=1)


def by_block(table: pd.DataFrame, metric: str, variant: str) -> pd.DataFrame:
    """A metric of one variant at its first recorded step: seeds x blocks."""
    rows = table[(table["metric"] == metric) & (table["variant"] == variant)]
    rows = rows[rows["step"] == rows["step"].min()]
    return rows.pivot(index="seed", columns="block", values="value")


def loss_at_boundary(table: pd.DataFrame) -> pd.Series:
    """The gain of the shortcut before the boundary minus that at it, option A, untrained."""
    gain = by_block(table, "gain", "A")
    return gain[BOUNDARY - 1] - gain[BOUNDARY]


def lesion_at_boundary(table: pd.DataFrame) -> pd.Series:
    """The error with the boundary's branch deleted minus that of its neighbours', option B."""
    error = by_block(table, "lesion", "B")
    return error[BOUNDARY] - error[[BOUNDARY - 1, BOUNDARY + 1]].mean(axis=1)


def lesion_of_projections(table: pd.DataFrame) -> pd.Series:
    """The error with a branch inside a stage deleted: C minus B, mean over the middle blocks."""
    inside = [1, BOUNDARY - 1, BOUNDARY + 1]
    errors = [by_block(table, "lesion", name)[inside].mean(axis=1) for name in ("C", "B")]
    return errors[0] - errors[1]


def boundary_elsewhere(table: pd.DataFrame) -> pd.DataFrame:
    """The boundary and the block before it under each other's numbers."""
    places = {BOUNDARY: BOUNDARY - 1, BOUNDARY - 1: BOUNDARY}
    return table.assign(block=table["block"].replace(places))


def no_projections(table: pd.DataFrame) -> pd.DataFrame:
    """Option D, whose shortcuts inside a stage are identities, in the place of option C."""
    others = table[table["variant"] != "C"]
    d = table[table["variant"] == "D"].assign(variant="C", shortcut="C")
    return pd.concat([others, d], ignore_index=True)


# --- claims ---------------------------------------------------------------------------------

HE, BAG = "He et al. 2015", "He et al. 2018 (arXiv 1812.01187)"
CLAIMS = (
    Claim(
        id="4.1",
        statement=(
            "At a boundary in two dimensions the shortcut of option B passes no gradient to three "
            "quarters of the pixels, and that of option D passes some to all."
        ),
        source=f"{BAG}, section 4.2",
        experiment="boundary_sight",
        statistic=partial(seen_gain, "shortcut", "basic-D", "basic-B"),
        holds_if=between(0.74, 0.76),
    ),
    Claim(
        id="4.2",
        statement=(
            "A bottleneck boundary with the stride in its first 1x1, as published, is blind to "
            "three quarters of the pixels as a whole; with the stride in the 3x3 it sees all."
        ),
        source=f"{BAG}, section 4.2",
        experiment="boundary_sight",
        statistic=partial(seen_gain, "block", "bottleneck, v1.5-B", "bottleneck, as published-B"),
        holds_if=between(0.74, 0.76),
    ),
    Claim(
        id="4.3",
        statement=(
            "With option B more of the gradient of a basic boundary block lands on one pixel in "
            "four than with option D, by over 35 points of the whole."
        ),
        source="ours",
        experiment="boundary_sight",
        statistic=off_grid,
        holds_if=above(0.35),
    ),
    Claim(
        id="4.4",
        statement=(
            "The average of option D loses less: its shortcut passes more directions than B's."
        ),
        source="popular",
        experiment="boundary_sight",
        statistic=rank_gain,
        holds_if=above(0.01),
    ),
    Claim(
        id="4.5",
        statement=(
            "No shortcut of options A, B and D passes more than a quarter of the directions in "
            "which its input can change."
        ),
        source="ours",
        experiment="boundary_sight",
        statistic=largest_rank,
        holds_if=below(0.26),
        sabotage=blocks_for_shortcuts,
    ),
    Claim(
        id="4.6",
        statement=(
            "Option C in the place of B raises ResNet-34's FLOPs by 5 % and ResNet-50's by 60 %: "
            "the two differ by 54 to 57 points."
        ),
        source=f"{HE}, section 4.1, says of bottlenecks that projections would double the model",
        experiment="shortcut_cost",
        statistic=price_of_c,
        holds_if=between(0.54, 0.57),
    ),
    Claim(
        id="4.7",
        statement=(
            "Options A, B and C have a test error more than 5 points below that of the same net "
            "without shortcuts, on the mean of the three."
        ),
        source=f"{HE}, Table 3",
        experiment="shortcut_options",
        statistic=gain_of_skips,
        holds_if=above(0.05),
    ),
    Claim(
        id="4.8",
        statement=(
            "They differ less among themselves: the worst of the three is nearer to the best than "
            "their mean is to the plain net."
        ),
        source=f"{HE}, section 4.1",
        experiment="shortcut_options",
        statistic=gain_against_choice,
        holds_if=above(0),
    ),
    Claim(
        id="4.9",
        statement="The order of the paper shows: B has a lower test error than A, and C than B.",
        source=f"{HE}, Table 3",
        experiment="shortcut_options",
        statistic=order_of_the_paper,
        holds_if=above(0),
    ),
    Claim(
        id="4.10",
        statement=(
            "Option A carries a gradient unchanged inside a stage, and takes more than 15 % off "
            "its norm at the boundary."
        ),
        source="ours",
        experiment="shortcut_options",
        statistic=loss_at_boundary,
        holds_if=above(0.15),
        sabotage=boundary_elsewhere,
    ),
    Claim(
        id="4.11",
        statement=(
            "After training with option B, deleting the boundary's branch costs more than deleting "
            "a neighbour's, by more than 10 points of test error."
        ),
        source="ours; compare Veit et al. 2016, section 4",
        experiment="shortcut_options",
        statistic=lesion_at_boundary,
        holds_if=above(0.10),
        sabotage=boundary_elsewhere,
    ),
    Claim(
        id="4.12",
        statement=(
            "With projections on every shortcut (C), deleting a branch inside a stage costs over 5 "
            "points of test error more than with B."
        ),
        source="ours",
        experiment="shortcut_options",
        statistic=lesion_of_projections,
        holds_if=above(0.05),
        sabotage=no_projections,
    ),
)
