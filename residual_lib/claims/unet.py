"""What chapter 8 claims about the skips of a U-Net."""

from __future__ import annotations

import math
from functools import partial

import pandas as pd

from residual_lib.claims import Claim, above, below, between

PAPER = "Ronneberger et al. 2015 (arXiv 1505.04597)"
CELLS = "skips_of_a_unet"

# --- from table to numbers ---------------------------------------------------------------------


def measured(table: pd.DataFrame, metric: str, variant: str, case: str = "intact") -> pd.Series:
    """One measure of one net: a number a seed."""
    rows = table[
        (table["metric"] == metric) & (table["variant"] == variant) & (table["case"] == case)
    ]
    return rows.set_index("seed")["value"].sort_index()


def of_one(metric: str, variant: str, table: pd.DataFrame) -> pd.Series:
    """A measure of one net as it is."""
    return measured(table, metric, variant)


def gain(metric: str, better: str, worse: str, table: pd.DataFrame) -> pd.Series:
    """By how much one net's measure is above another's."""
    return measured(table, metric, better) - measured(table, metric, worse)


def gradient_kept(table: pd.DataFrame) -> pd.Series:
    """log2 of the first layer's gradient norm before training: without skips over with all."""
    ratio = measured(table, "gradient", "none") / measured(table, "gradient", "all")
    return ratio.map(math.log2)


def cost(metric: str, variant: str, case: str, table: pd.DataFrame) -> pd.Series:
    """By how much a measure is lower in a case than in the net as it is."""
    return measured(table, metric, variant) - measured(table, metric, variant, case)


def follows(metric: str, table: pd.DataFrame) -> pd.Series:
    """The finest skip moved: a measure against the moved truth, minus against the truth."""
    there, here = (measured(table, metric, "all", case) for case in ("moved truth", "moved"))
    return there - here


def loses_more(noise: float, table: pd.DataFrame) -> pd.Series:
    """IoU that noise takes from the net with all skips, minus that from the one without."""
    with_skips, without = (
        cost("iou", name, f"noise {noise}", table) for name in ("all", "none, longer")
    )
    return with_skips - without


def worse_in_noise(noise: float, table: pd.DataFrame) -> pd.Series:
    """Share of wrong pixels in the noise: with all skips, minus that of the net without."""
    with_skips, without = (
        measured(table, "pixel_error", name, f"noise {noise}") for name in ("all", "none, longer")
    )
    return with_skips - without


# --- the mechanism taken away ------------------------------------------------------------------


def net_for_net(old: str, new: str, table: pd.DataFrame) -> pd.DataFrame:
    """The measurements of the variant `new` in the place of those of `old`."""
    copies = table[table["variant"] == new].assign(variant=old)
    return pd.concat([table[table["variant"] != old], copies], ignore_index=True)


def case_for_case(old: str, new: str, table: pd.DataFrame) -> pd.DataFrame:
    """What was measured in the case `new` in the place of what was in the case `old`."""
    copies = table[table["case"] == new].assign(case=old)
    return pd.concat([table[table["case"] != old], copies], ignore_index=True)


def gradient_vanished(table: pd.DataFrame) -> pd.DataFrame:
    """Without skips a hundredth of the gradient arrives at the first layer."""
    lost = (table["metric"] == "gradient") & (table["variant"] == "none")
    return table.assign(value=table["value"].where(~lost, table["value"] / 100))


CLAIMS = (
    # What the skips are worth
    Claim(
        id="8.1",
        statement=(
            "On touching cells all skips raise the IoU by over 12 points, after the same number of "
            "steps."
        ),
        source="ours",
        experiment=CELLS,
        statistic=partial(gain, "iou", "all", "none"),
        holds_if=above(0.12),
    ),
    Claim(
        id="8.2",
        statement="They raise the recall of gaps one pixel wide by over 50 points.",
        source="ours",
        experiment=CELLS,
        statistic=partial(gain, "thin", "all", "none"),
        holds_if=above(0.5),
    ),
    Claim(
        id="8.3",
        statement="They raise the F-score of the outlines (1 pixel) by over 30 points.",
        source="ours",
        experiment=CELLS,
        statistic=partial(gain, "boundary", "all", "none"),
        holds_if=above(0.3),
    ),
    Claim(
        id="8.4",
        statement=(
            "Three times the steps don't make up for the skips: the recall of gaps stays over 30 "
            "points below."
        ),
        source="ours",
        experiment=CELLS,
        statistic=partial(gain, "thin", "all", "none, longer"),
        holds_if=above(0.3),
    ),
    Claim(
        id="8.5",
        statement=(
            "The finest skip alone finds the gaps as well as all three, to within 10 points of "
            "recall."
        ),
        source="ours",
        experiment=CELLS,
        statistic=partial(gain, "thin", "one", "all"),
        holds_if=above(-0.1),
        sabotage=partial(net_for_net, "one", "coarsest"),
    ),
    Claim(
        id="8.6",
        statement="The coarsest skip alone stays over 25 points of recall below the finest alone.",
        source="ours",
        experiment=CELLS,
        statistic=partial(gain, "thin", "one", "coarsest"),
        holds_if=above(0.25),
    ),
    Claim(
        id="8.7",
        statement=(
            "All skips have at least the IoU of the finest alone, but for 1 point; on the mean of "
            "the seeds it is 2 points higher here."
        ),
        source="ours",
        experiment=CELLS,
        statistic=partial(gain, "iou", "all", "one"),
        holds_if=above(-0.01),
        sabotage=partial(net_for_net, "all", "coarsest"),
    ),
    Claim(
        id="8.8",
        statement="Concatenated or added: the IoU with all skips is the same to within 6 points.",
        source="ours",
        experiment=CELLS,
        statistic=partial(gain, "iou", "all", "all, added"),
        holds_if=between(-0.06, 0.06),
        sabotage=partial(net_for_net, "all, added", "none"),
    ),
    # Position, and not only gradient
    Claim(
        id="8.9",
        statement=(
            "Without skips the gradient reaches the first layer all the same: before training its "
            "norm there is over an eighth of that with all skips."
        ),
        source="ours",
        experiment=CELLS,
        statistic=gradient_kept,
        holds_if=above(-3),
        sabotage=gradient_vanished,
    ),
    Claim(
        id="8.10",
        statement=(
            "Deleting the finest skip of the trained net costs over 30 points of the outlines' "
            "F-score: no gradient is needed any more, but the skip is."
        ),
        source="ours",
        experiment=CELLS,
        statistic=partial(cost, "boundary", "all", "without skip 0"),
        holds_if=above(0.3),
        sabotage=partial(case_for_case, "without skip 0", "without skip 2"),
    ),
    Claim(
        id="8.11",
        statement="Deleting the coarsest skip changes the IoU by less than 3 points.",
        source="ours",
        experiment=CELLS,
        statistic=partial(cost, "iou", "all", "without skip 2"),
        holds_if=between(-0.03, 0.03),
        sabotage=partial(case_for_case, "without skip 2", "without skip 0"),
    ),
    Claim(
        id="8.12",
        statement=(
            "What the finest skip brings is a position: moved by 2 pixels after training, it moves "
            "the gaps. Their recall is over 25 points higher against the moved truth."
        ),
        source="ours",
        experiment=CELLS,
        statistic=partial(follows, "thin"),
        holds_if=above(0.25),
        sabotage=partial(case_for_case, "moved truth", "moved"),
    ),
    Claim(
        id="8.13",
        statement=(
            "It moves all of the outlines: against the moved truth their F-score is that of the "
            "net as it is, to within 4 points."
        ),
        source="ours",
        experiment=CELLS,
        statistic=partial(cost, "boundary", "all", "moved truth"),
        holds_if=between(-0.04, 0.04),
        sabotage=partial(case_for_case, "moved truth", "moved"),
    ),
    Claim(
        id="8.14",
        statement=(
            "The levels below are indispensable: deleting all of them after training costs over "
            "15 points of IoU."
        ),
        source="popular",
        experiment=CELLS,
        statistic=partial(cost, "iou", "all", "only skip 0"),
        holds_if=above(0.15),
        sabotage=partial(case_for_case, "only skip 0", "intact"),
    ),
    # Weights
    Claim(
        id="8.15",
        statement="Border weights raise the recall of the gaps, by over 3 points.",
        source=f"{PAPER}, section 3 and eq. 2",
        experiment=CELLS,
        statistic=partial(gain, "thin", "all, weighted", "all"),
        holds_if=above(0.03),
    ),
    Claim(
        id="8.16",
        statement=(
            "Border weights raise the Rand score, which counts merged cells, by over 3 points."
        ),
        source=f"{PAPER}, section 3 and eq. 2",
        experiment=CELLS,
        statistic=partial(gain, "rand", "all, weighted", "all"),
        holds_if=above(0.03),
    ),
    Claim(
        id="8.17",
        statement="Border weights leave the IoU as it is, to within 5 points.",
        source="ours",
        experiment=CELLS,
        statistic=partial(gain, "iou", "all, weighted", "all"),
        holds_if=between(-0.05, 0.05),
        sabotage=partial(net_for_net, "all, weighted", "none"),
    ),
    # Where skips hurt
    Claim(
        id="8.18",
        statement=(
            "Noise that wasn't there in training takes over 4 points of IoU more from the net "
            "with all skips than from one without that was trained three times as long."
        ),
        source="ours",
        experiment=CELLS,
        statistic=partial(loses_more, 0.8),
        holds_if=above(0.04),
        sabotage=partial(net_for_net, "all", "none"),
    ),
    Claim(
        id="8.19",
        statement="In that noise the net with all skips has more wrong pixels than the other.",
        source="popular",
        experiment=CELLS,
        statistic=partial(worse_in_noise, 0.8),
        holds_if=above(0),
        sabotage=partial(case_for_case, "noise 0.8", "intact"),
    ),
    Claim(
        id="8.20",
        statement=(
            "Asked for the noisy image that it sees, a net with skips hands the noise on: what it "
            "leaves out is less than half of the noise's variance."
        ),
        source="ours",
        experiment="noise_copied",
        statistic=partial(of_one, "to_noisy", "all"),
        holds_if=below(0.5),
    ),
    Claim(
        id="8.21",
        statement=(
            "Without skips the same net can't: its answer lies near the clean image, within 40 % "
            "of the noise's variance."
        ),
        source="ours",
        experiment="noise_copied",
        statistic=partial(of_one, "to_clean", "none"),
        holds_if=below(0.4),
    ),
    Claim(
        id="8.22",
        statement=(
            "So here the skips hurt: the distance from the clean image is larger with them, by "
            "over a quarter of the noise's variance."
        ),
        source="ours",
        experiment="noise_copied",
        statistic=partial(gain, "to_clean", "all", "none"),
        holds_if=above(0.25),
    ),
)
