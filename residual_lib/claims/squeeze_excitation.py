"""What chapter 12 claims about channel attention."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from residual_lib.claims import Claim, above, below, between
from residual_lib.claims.framework.reading import final, in_place, worse

# --- from table to numbers ------------------------------------------------------------------


def more(metric: str, gated: str, without: str, table: pd.DataFrame) -> pd.Series:
    """What a gated net takes more than one without, as a share of the latter."""
    counts = final(table, metric)
    return counts[gated] / counts[without] - 1


def in_last_stage(variant: str, table: pd.DataFrame) -> pd.Series:
    """The share of the gates' parameters that the last stage has."""
    return final(table, "last")[variant] / final(table, "gates")[variant]


def of_gates(table: pd.DataFrame, metric: str, variant: str = "se") -> pd.DataFrame:
    """A metric of the gates: seeds x blocks."""
    rows = table[(table["variant"] == variant) & (table["metric"] == metric)]
    return rows.pivot(index="seed", columns="block", values="value")


def in_stage(stage: int, metric: str, table: pd.DataFrame) -> pd.Series:
    """A metric of the gates, mean over the two blocks of a stage (0, 1 or 2)."""
    return of_gates(table, metric)[[2 * stage, 2 * stage + 1]].mean(axis=1)


def from_half(table: pd.DataFrame) -> pd.Series:
    """How far the mean gate of the first stage is from 1/2."""
    return in_stage(0, "mean", table) - 0.5


def last_over_first(table: pd.DataFrame) -> pd.Series:
    """log2 of the gates' spread over examples in the last stage over that in the first."""
    ratio = in_stage(2, "examples", table) / in_stage(0, "examples", table)
    return ratio.map(np.log2)


def later_knows_more(table: pd.DataFrame) -> pd.Series:
    """The class's share of the gates' variance in the last stage minus that in the first."""
    return in_stage(2, "explained", table) - in_stage(0, "explained", table)


def in_last_block(metric: str, table: pd.DataFrame) -> pd.Series:
    """A metric of the gates of the last block."""
    values = of_gates(table, metric)
    return values[values.columns.max()]


def lesions(table: pd.DataFrame) -> pd.DataFrame:
    """Test errors with the gates replaced: seeds x what by."""
    rows = table[(table["variant"] == "se") & (table["metric"] == "lesion")]
    return rows.pivot(index="seed", columns="gates", values="value")


def harm(gates: str, table: pd.DataFrame) -> pd.Series:
    """By how much replacing the gates raises the test error."""
    errors = lesions(table)
    return errors[gates] - errors["own"]


def product(variant: str, table: pd.DataFrame) -> pd.Series:
    """What all mean gates together leave of the stream."""
    return final(table, "product")[variant]


# --- sabotage -------------------------------------------------------------------------------


def gates_mattered(variant: str, table: pd.DataFrame) -> pd.DataFrame:
    """As if a net had the error of the trained one whose gates were taken out."""
    errors = (table["metric"] == "test_error") & (table["variant"] == variant)
    taken = lesions(table)["open"]
    return table.assign(value=table["value"].where(~errors, table["seed"].map(taken)))


def turned_round(table: pd.DataFrame) -> pd.DataFrame:
    """As if the blocks stood in the reverse order."""
    last = table["block"].max()
    return table.assign(block=last - table["block"])


def open_at_the_end(table: pd.DataFrame) -> pd.DataFrame:
    """As if the gates had opened: 1 in the place of each number about them."""
    rows = table["metric"].isin(("mean", "open", "explained"))
    return table.assign(value=table["value"].where(~rows, 1.0))


def half_shut(table: pd.DataFrame) -> pd.DataFrame:
    """As if no gate had opened."""
    return table.assign(value=table["value"].where(table["metric"] != "open", 0.0))


def classes_alike(table: pd.DataFrame) -> pd.DataFrame:
    """As if gates were the same for all classes."""
    rows = table["metric"] == "explained"
    return table.assign(value=table["value"].where(~rows, 0.0))


# --- claims ---------------------------------------------------------------------------------

HU = "Hu et al. 2018 (arXiv 1709.01507)"
CLAIMS = (
    Claim(
        id="12.1",
        statement=(
            "With r = 16, squeeze-and-excitation adds 9 to 11 % to the parameters of ResNet-50."
        ),
        source=f"{HU}, section 4",
        experiment="gate_cost",
        statistic=partial(more, "parameters", "resnet50, se-16", "resnet50, none"),
        holds_if=between(0.09, 0.11),
    ),
    Claim(
        id="12.2",
        statement="It adds less than a thousandth to the FLOPs of convolutions and linear layers.",
        source="derived on the page",
        experiment="gate_cost",
        statistic=partial(more, "flops", "resnet50, se-16", "resnet50, none"),
        holds_if=between(0, 0.001),
        sabotage=partial(in_place, "resnet50, se-16", "resnet101, se-16"),
    ),
    Claim(
        id="12.3",
        statement="Over half of what it adds is in the last stage, which has 3 of 16 blocks.",
        source="derived on the page",
        experiment="gate_cost",
        statistic=partial(in_last_stage, "resnet50, se-16"),
        holds_if=above(0.5),
        sabotage=partial(in_place, "resnet50, se-16", "resnet101, se-16"),
    ),
    Claim(
        id="12.4",
        statement=(
            "On digits, squeeze-and-excitation lowers the test error by 1.5 points, as it does for "
            "ResNet-50 on ImageNet."
        ),
        source=f"{HU}, Table 2",
        experiment="channel_gates",
        statistic=partial(worse, "none", "se"),
        holds_if=above(0.015),
    ),
    Claim(
        id="12.5",
        statement="With it and without it the test errors differ by less than 2.5 points.",
        source="ours",
        experiment="channel_gates",
        statistic=partial(worse, "se", "none"),
        holds_if=between(-0.025, 0.025),
        sabotage=partial(gates_mattered, "se"),
    ),
    Claim(
        id="12.6",
        statement=(
            "The same layers with their output added, not multiplied, are within 2.5 points of it "
            "too."
        ),
        source="ours",
        experiment="channel_gates",
        statistic=partial(worse, "added", "se"),
        holds_if=between(-0.025, 0.025),
        sabotage=partial(gates_mattered, "added"),
    ),
    Claim(
        id="12.7",
        statement="So is a constant 1/2 in the gates' place.",
        source="ours",
        experiment="channel_gates",
        statistic=partial(worse, "half", "se"),
        holds_if=between(-0.025, 0.025),
        sabotage=partial(gates_mattered, "half"),
    ),
    Claim(
        id="12.8",
        statement="So is ECA.",
        source="Wang et al. 2020 (arXiv 1910.03151), on ImageNet",
        experiment="channel_gates",
        statistic=partial(worse, "eca", "se"),
        holds_if=between(-0.025, 0.025),
        sabotage=partial(gates_mattered, "eca"),
    ),
    Claim(
        id="12.9",
        statement="From r = 2 to r = 16 the test error changes by less than 2.5 points.",
        source=f"{HU}, section 6, on ImageNet",
        experiment="channel_gates",
        statistic=partial(worse, "se, r = 16", "se, r = 2"),
        holds_if=between(-0.025, 0.025),
        sabotage=partial(gates_mattered, "se, r = 16"),
    ),
    Claim(
        id="12.10",
        statement=(
            "In the first stage trained gates stay where they started: their mean is within 0.1 of "
            "1/2."
        ),
        source="ours",
        experiment="channel_gates",
        statistic=from_half,
        holds_if=between(-0.1, 0.1),
        sabotage=open_at_the_end,
    ),
    Claim(
        id="12.11",
        statement=(
            "From example to example gates vary over 3 times as much in the last stage as in the "
            "first."
        ),
        source=f"{HU}, figure 7",
        experiment="channel_gates",
        statistic=last_over_first,
        holds_if=above(np.log2(3)),
        sabotage=turned_round,
    ),
    Claim(
        id="12.12",
        statement="In the last block the class explains over 0.7 of the gates' variance.",
        source="ours",
        experiment="channel_gates",
        statistic=partial(in_last_block, "explained"),
        holds_if=above(0.7),
        sabotage=classes_alike,
    ),
    Claim(
        id="12.13",
        statement="That share is more than 0.1 higher in the last stage than in the first.",
        source=f"{HU}, figure 6",
        experiment="channel_gates",
        statistic=later_knows_more,
        holds_if=above(0.1),
        sabotage=turned_round,
    ),
    Claim(
        id="12.14",
        statement="In the last block over half of the gates are wide open, above 0.9.",
        source=f"{HU}, figure 6, on ImageNet",
        experiment="channel_gates",
        statistic=partial(in_last_block, "open"),
        holds_if=above(0.5),
        sabotage=half_shut,
    ),
    Claim(
        id="12.15",
        statement=(
            "With one fixed number for each channel in the gates' place a trained net's test error "
            "rises by less than 2.5 points."
        ),
        source="ours",
        experiment="channel_gates",
        statistic=partial(harm, "mean"),
        holds_if=below(0.025),
        sabotage=partial(in_place, "mean", "open", column="gates"),
    ),
    Claim(
        id="12.16",
        statement="Even with one number for all channels of a block: by less than 2.5 points.",
        source="ours",
        experiment="channel_gates",
        statistic=partial(harm, "one"),
        holds_if=below(0.025),
        sabotage=partial(in_place, "one", "open", column="gates"),
    ),
    Claim(
        id="12.17",
        statement="Taking the gates out after training raises it by over 5 points.",
        source="ours",
        experiment="channel_gates",
        statistic=partial(harm, "open"),
        holds_if=above(0.05),
        sabotage=partial(in_place, "open", "one", column="gates"),
    ),
    Claim(
        id="12.18",
        statement=(
            "With gates on the sum (SE-post) the test error on signals is over 8 points above that "
            "without gates."
        ),
        source=f"{HU}, section 6, on ImageNet",
        experiment="gate_places",
        statistic=partial(worse, "se, post", "none"),
        holds_if=above(0.08),
    ),
    Claim(
        id="12.19",
        statement="With gates on the shortcut (SE-identity) it is over 3 points higher.",
        source="ours",
        experiment="gate_places",
        statistic=partial(worse, "se, identity", "none"),
        holds_if=above(0.03),
    ),
    Claim(
        id="12.20",
        statement="Gates that start open take over 5 points of the error of SE-post away.",
        source="ours",
        experiment="gate_places",
        statistic=partial(worse, "se, post", "se, post, open"),
        holds_if=above(0.05),
    ),
    Claim(
        id="12.21",
        statement="They take over 5 points of that of SE-identity away.",
        source="ours",
        experiment="gate_places",
        statistic=partial(worse, "se, identity", "se, identity, open"),
        holds_if=above(0.05),
    ),
    Claim(
        id="12.22",
        statement=(
            "After training the nine gates on the shortcuts together still leave less than a "
            "fiftieth of the stream."
        ),
        source="ours",
        experiment="gate_places",
        statistic=partial(product, "se, identity"),
        holds_if=below(0.02),
        sabotage=partial(in_place, "se, identity", "se, identity, open"),
    ),
    Claim(
        id="12.23",
        statement="Those that started open leave over 0.3 of it.",
        source="ours",
        experiment="gate_places",
        statistic=partial(product, "se, identity, open"),
        holds_if=above(0.3),
        sabotage=partial(in_place, "se, identity, open", "se, identity"),
    ),
)
