"""What chapter 15 claims."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from residual_lib.claims import Claim, above, below, between
from residual_lib.claims.framework.reading import final, in_place, worse

# --- statistics -----------------------------------------------------------------------------


def by_depth(table: pd.DataFrame, kind: str, metric: str = "test_error") -> pd.DataFrame:
    """A number of the nets of a kind: seeds x depth."""
    rows = table[(table["metric"] == metric) & (table["kind"] == kind)]
    return rows.pivot(index="seed", columns="depth", values="value")


def behind_all(table: pd.DataFrame, variant: str) -> pd.Series:
    """The mean cosine behind the last block, before training."""
    rows = table[(table["metric"] == "cosine") & (table["variant"] == variant)]
    rows = rows[rows["layer"] == rows["layer"].max()]
    return rows.set_index("seed")["value"]


def halving_costs(variant: str, table: pd.DataFrame) -> pd.Series:
    """By how much going through the blocks in half steps raises the test error."""
    return final(table, "half_steps")[variant] - final(table)[variant]


def most(metric: str, variant: str, table: pd.DataFrame) -> pd.Series:
    """A number of one variant."""
    return final(table, metric)[variant]


def maps(table: pd.DataFrame, block: str, skip: bool) -> pd.DataFrame:
    """Feature maps at the worst moment: seeds x layers."""
    rows = table[(table["block"] == block) & (table["skip"] == skip)]
    return rows.pivot(index="seed", columns="layers", values="value")


def skip_costs(block: str, table: pd.DataFrame) -> float:
    """What the skip multiplies the maps by, on the mean of the depths. Counted: no seed matters."""
    return float((maps(table, block, True) / maps(table, block, False)).mean(axis=1).mean())


def of_step(table: pd.DataFrame, metric: str, recompute: bool) -> pd.DataFrame:
    """Bytes or FLOPs of a training step: seeds x blocks."""
    rows = table[(table["metric"] == metric) & (table["recompute"] == recompute)]
    return rows.pivot(index="seed", columns="blocks", values="value")


def growth(metric: str, recompute: bool, table: pd.DataFrame) -> float:
    """A number with 32 blocks over that with 4. Counted: no seed matters."""
    found = of_step(table, metric, recompute)
    return float((found[32] / found[4]).mean())


def recomputing(metric: str, table: pd.DataFrame) -> float:
    """A number with inputs computed anew over that with inputs kept, at 32 blocks. Counted."""
    return float((of_step(table, metric, True)[32] / of_step(table, metric, False)[32]).mean())


def by_layer(table: pd.DataFrame, kind: str, metric: str) -> pd.DataFrame:
    """A number of the propagation: seeds x layers."""
    rows = table[(table["kind"] == kind) & (table["metric"] == metric)]
    return rows.pivot(index="seed", columns="layer", values="value")


def second(table: pd.DataFrame, kind: str) -> pd.Series:
    """The second eigenvalue of each seed's graph."""
    rows = table[(table["kind"] == kind) & (table["metric"] == "eigenvalue")]
    return rows.set_index("seed")["value"]


def rate(table: pd.DataFrame, kind: str) -> pd.Series:
    """By what the spread is multiplied, a layer, from layer 48 to 64."""
    found = by_layer(table, kind, "spread")
    return (found[64] / found[48]) ** (1 / 16)


def rate_over_derived(kind: str, table: pd.DataFrame) -> pd.Series:
    """That rate over the one that follows from the second eigenvalue."""
    eigenvalue = second(table, kind)
    derived = eigenvalue if kind == "plain" else (1 + eigenvalue) / 2
    return rate(table, kind) / derived


def left(kind: str, layer: int, table: pd.DataFrame) -> pd.Series:
    """The spread at a layer over that at the start."""
    return by_layer(table, kind, "spread")[layer]


def read_worse(kind: str, later: int, earlier: int, table: pd.DataFrame) -> pd.Series:
    """A linear head's error behind one number of layers minus that behind another."""
    errors = by_layer(table, kind, "test_error")
    return errors[later] - errors[earlier]


def keeps(kind: str, table: pd.DataFrame) -> pd.Series:
    """By how much the error behind 64 plain layers is above that of another kind."""
    errors = [by_layer(table, name, "test_error")[64] for name in ("plain", kind)]
    return errors[0] - errors[1]


def order(method: str, table: pd.DataFrame) -> pd.Series:
    """Minus the slope of log error on log steps, from 128 to 512 steps."""
    rows = table[table["method"] == method]
    errors = rows.pivot(index="seed", columns="steps", values="value")
    return (errors[128] / errors[512]).map(np.log2) / 2


# --- sabotage -------------------------------------------------------------------------------


# --- claims ---------------------------------------------------------------------------------

DERIVED = "derived on the page"
TAT = "Zhang et al. 2022 (arXiv 2203.08120)"
REPVGG = "Ding et al. 2021 (arXiv 2101.03697)"
REVNET = "Gomez et al. 2017 (arXiv 1707.04585)"
CLAIMS = (
    Claim(
        id="15.1",
        statement=(
            "At 8 layers the skip changes the test error of a fully connected net on the digits by "
            "less than 4 points."
        ),
        source="ours",
        experiment="without_skips",
        statistic=partial(worse, "residual-8", "plain-8"),
        holds_if=between(-0.04, 0.04),
        sabotage=partial(in_place, "residual-8", "plain-64"),
    ),
    Claim(
        id="15.2",
        statement=(
            "At 64 layers without normalisation, skips with branches times 1 / sqrt(blocks) take "
            "more than 25 points off it."
        ),
        source="ours",
        experiment="without_skips",
        statistic=partial(worse, "plain-64", "residual-64"),
        holds_if=above(0.25),
    ),
    Claim(
        id="15.3",
        statement=(
            "Before training, two orthogonal inputs leave 62 plain ReLU layers with a cosine above "
            "0.95."
        ),
        source=DERIVED,
        experiment="without_skips",
        statistic=partial(behind_all, variant="plain-64"),
        holds_if=above(0.95),
        sabotage=partial(in_place, "plain-64", "tanh-64"),
    ),
    Claim(
        id="15.4",
        statement=(
            "Without any skip, a tailored rectifier and orthogonal weights take more than 25 "
            "points off the test error of 64 plain layers."
        ),
        source=TAT,
        experiment="without_skips",
        statistic=partial(worse, "plain-64", "tailored-64"),
        holds_if=above(0.25),
    ),
    Claim(
        id="15.5",
        statement="The tailored net of 64 layers is level with the residual one, to 4 points.",
        source=TAT,
        experiment="without_skips",
        statistic=partial(worse, "tailored-64", "residual-64"),
        holds_if=between(-0.04, 0.04),
        sabotage=partial(in_place, "tailored-64", "plain-64"),
    ),
    Claim(
        id="15.6",
        statement=(
            "Before training, the tailored net of 64 layers takes orthogonal inputs to a cosine "
            "between 0.7 and 0.97; derived for a wide net: 0.9."
        ),
        source=DERIVED,
        experiment="without_skips",
        statistic=partial(behind_all, variant="tailored-64"),
        holds_if=between(0.7, 0.97),
        sabotage=partial(in_place, "tailored-64", "plain-64"),
    ),
    Claim(
        id="15.7",
        statement=(
            "Folded into single convolutions, a trained RepVGG gives the same logits: the largest "
            "difference is below 1e-5 of the largest logit."
        ),
        source=REPVGG,
        experiment="folded_branches",
        statistic=partial(most, "difference", "both"),
        holds_if=below(1e-5),
        sabotage=partial(in_place, "difference", "test_error", column="metric"),
    ),
    Claim(
        id="15.8",
        statement="Trained with both branches, it errs less than without: by over 5 points.",
        source=REPVGG,
        experiment="folded_branches",
        statistic=partial(worse, "none", "both"),
        holds_if=above(0.05),
    ),
    Claim(
        id="15.9",
        statement=(
            "Without normalisation, skips whose branches aren't scaled don't do: at 16 layers the "
            "test error is over 15 points above that with branches times 1 / sqrt(blocks)."
        ),
        source="ours",
        experiment="without_skips",
        statistic=partial(worse, "residual, unscaled-16", "residual-16"),
        holds_if=above(0.15),
    ),
    Claim(
        id="15.10",
        statement=(
            "At inference, skips around each two convolutions multiply the feature maps at the "
            "worst moment by 1.5."
        ),
        source=REPVGG,
        experiment="inference_memory",
        statistic=partial(skip_costs, "basic"),
        holds_if=between(1.49, 1.51),
        sabotage=partial(in_place, True, False, column="skip"),
    ),
    Claim(
        id="15.11",
        statement="Around bottlenecks they multiply them by more than 2.",
        source="ours",
        experiment="inference_memory",
        statistic=partial(skip_costs, "bottleneck"),
        holds_if=above(2),
        sabotage=partial(in_place, True, False, column="skip"),
    ),
    Claim(
        id="15.12",
        statement=(
            "What reversible blocks keep for the backward pass doesn't grow with their number: "
            "from 4 to 32 by less than 2 %."
        ),
        source=REVNET,
        experiment="reversible_memory",
        statistic=partial(growth, "kept", True),
        holds_if=between(0.98, 1.02),
        sabotage=partial(in_place, True, False, column="recompute"),
    ),
    Claim(
        id="15.13",
        statement="At 32 blocks the peak of a training step is less than an eighth.",
        source=REVNET,
        experiment="reversible_memory",
        statistic=partial(recomputing, "peak"),
        holds_if=below(1 / 8),
        sabotage=partial(in_place, True, False, column="recompute"),
    ),
    Claim(
        id="15.14",
        statement="It takes a third more FLOPs, to within 3 points.",
        source=DERIVED,
        experiment="reversible_memory",
        statistic=partial(recomputing, "flops"),
        holds_if=between(1.303, 1.363),
        sabotage=partial(in_place, True, False, column="recompute"),
    ),
    Claim(
        id="15.15",
        statement=(
            "Averaging over neighbours, the nodes' spread shrinks by the second eigenvalue a "
            "layer, to within 3 %."
        ),
        source=DERIVED,
        experiment="over_smoothing",
        statistic=partial(rate_over_derived, "plain"),
        holds_if=between(0.97, 1.03),
        sabotage=partial(in_place, "plain", "initial", column="kind"),
    ),
    Claim(
        id="15.16",
        statement=(
            "With a skip it shrinks all the same, by half of one plus the second eigenvalue, to "
            "within 2 %."
        ),
        source=DERIVED,
        experiment="over_smoothing",
        statistic=partial(rate_over_derived, "skip"),
        holds_if=between(0.98, 1.02),
        sabotage=partial(in_place, "skip", "plain", column="kind"),
    ),
    Claim(
        id="15.17",
        statement="With a tenth of the first features mixed in, 64 layers keep over 10 % of it.",
        source="Gasteiger et al. 2019 (arXiv 1810.05997)",
        experiment="over_smoothing",
        statistic=partial(left, "initial", 64),
        holds_if=above(0.1),
        sabotage=partial(in_place, "initial", "skip", column="kind"),
    ),
    Claim(
        id="15.18",
        statement=(
            "At first averaging helps: two layers take over 20 points off a linear head's error."
        ),
        source="ours",
        experiment="over_smoothing",
        statistic=partial(read_worse, "plain", 2, 0),
        holds_if=below(-0.2),
        sabotage=partial(in_place, 2.0, 64.0, column="layer"),
    ),
    Claim(
        id="15.19",
        statement=(
            "Then it harms: behind 64 layers the error is over 15 points above that behind 4."
        ),
        source="Li et al. 2018 (arXiv 1801.07606)",
        experiment="over_smoothing",
        statistic=partial(read_worse, "plain", 64, 4),
        holds_if=above(0.15),
        sabotage=partial(in_place, "plain", "initial", column="kind"),
    ),
    Claim(
        id="15.20",
        statement=(
            "A skip only delays it: behind 64 layers the two errors differ by less than 5 points."
        ),
        source="ours",
        experiment="over_smoothing",
        statistic=partial(keeps, "skip"),
        holds_if=between(-0.05, 0.05),
        sabotage=partial(in_place, "skip", "initial", column="kind"),
    ),
    Claim(
        id="15.21",
        statement=(
            "With the first features mixed in, the error behind 64 layers is over 10 points lower "
            "than without."
        ),
        source="Chen et al. 2020 (arXiv 2007.02133)",
        experiment="over_smoothing",
        statistic=partial(keeps, "initial"),
        holds_if=above(0.1),
        sabotage=partial(in_place, "initial", "skip", column="kind"),
    ),
    Claim(
        id="15.22",
        statement="The residual block as a step is of order 1: between 0.95 and 1.15.",
        source=DERIVED,
        experiment="order_of_steps",
        statistic=partial(order, "euler"),
        holds_if=between(0.95, 1.15),
        sabotage=partial(in_place, "euler", "heun", column="method"),
    ),
    Claim(
        id="15.23",
        statement="With a branch that looks ahead (Heun) it is of order 2: between 1.95 and 2.05.",
        source=DERIVED,
        experiment="order_of_steps",
        statistic=partial(order, "heun"),
        holds_if=between(1.95, 2.05),
        sabotage=partial(in_place, "heun", "euler", column="method"),
    ),
    Claim(
        id="15.24",
        statement=(
            "A trained residual net of 16 layers with branches times 1 is no solver of a "
            "differential equation: in half steps its test error rises by over 10 points."
        ),
        source="ours",
        experiment="without_skips",
        statistic=partial(halving_costs, "residual, unscaled-16"),
        holds_if=above(0.1),
        sabotage=partial(in_place, "residual, unscaled-16", "residual-16"),
    ),
    Claim(
        id="15.25",
        statement=(
            "With 64 layers and branches times 1 / sqrt(blocks) half steps change the test error "
            "by less than 3 points."
        ),
        source="ours",
        experiment="without_skips",
        statistic=partial(halving_costs, "residual-64"),
        holds_if=between(-0.03, 0.03),
        sabotage=partial(in_place, "residual-64", "residual, unscaled-16"),
    ),
)
