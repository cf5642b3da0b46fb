"""What chapter 11 claims about stochastic depth."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from residual_lib.claims import Claim, above, below, between
from residual_lib.claims.framework.reading import final, in_place, worse

# --- from table to numbers ------------------------------------------------------------------


def saved(per: str, metric: str, table: pd.DataFrame) -> pd.Series:
    """The share of branches or FLOPs that a net without drops takes and this one doesn't."""
    values = final(table, metric)
    return 1 - values[per] / values["none"]


def spread(table: pd.DataFrame) -> pd.Series:
    """Standard deviation over steps of how many branches a step computes, one draw a batch."""
    rows = table[(table["metric"] == "branches of a step") & (table["variant"] == "batch")]
    return rows.groupby("seed")["value"].std()


def moments(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """What a stack of random blocks makes of the mean square: seeds x (variant, mode)."""
    rows = table[table["metric"] == metric]
    return rows.pivot(index="seed", columns=["variant", "mode"], values="value")


def apart(variant: str, metric: str, table: pd.DataFrame) -> pd.Series:
    """The mean square in training over that in evaluation."""
    values = moments(table, metric)
    return values[variant, "training"] / values[variant, "evaluation"]


def forgotten_mean(table: pd.DataFrame) -> pd.Series:
    """The mean's square in evaluation without the factor, over that in training of b F(x).

    Blocks that divide in training leave the branch as it is in evaluation, with the same weights.
    """
    values = moments(table, "mean")
    forgotten = values["divided in training", "evaluation"]
    return forgotten / values["multiplied in evaluation", "training"]


def noisier(batch: int, table: pd.DataFrame) -> pd.Series:
    """The gradient's noise by one draw a batch over that by a draw an example."""
    noise = final(table, "noise")
    return noise[f"batch-{batch}"] / noise[f"example-{batch}"]


def better(variant: str, than: str, table: pd.DataFrame) -> pd.Series:
    """By how much one net's test error is below another's."""
    return -worse(variant, than, table)


def with_drops(examples: int, table: pd.DataFrame) -> pd.Series:
    """Test error with drops, mean over the rates, minus that without."""
    errors = final(table)
    names = [f"{examples}-{rate}" for rate in (0.3, 0.5, 0.8)]
    return errors[names].mean(axis=1) - errors[f"{examples}-0"]


def harder_to_fit(table: pd.DataFrame) -> pd.Series:
    """log2 of the loss on the images learnt from, with drops over without: mean over the rates, on
    all images."""
    logs = final(table, "own_loss").map(np.log2)
    return logs[[f"898-{rate}" for rate in (0.3, 0.5, 0.8)]].mean(axis=1) - logs["898-0"]


def forgotten(variant: str, table: pd.DataFrame) -> pd.Series:
    """log2 of the test loss without the factor over that with it."""
    return (final(table, "forgotten_loss") / final(table, "test_loss"))[variant].map(np.log2)


def forgotten_errors(variant: str, table: pd.DataFrame) -> pd.Series:
    """The test error without the factor minus that with it."""
    return (final(table, "forgotten_error") - final(table, "test_error"))[variant]


def lesions(table: pd.DataFrame, variant: str) -> pd.DataFrame:
    """By how much deleting a block's branch raises the test error: seeds x block."""
    rows = table[(table["variant"] == variant) & (table["metric"] == "lesion")]
    values = rows.pivot(index="seed", columns="block", values="value")
    return values.drop(columns=-1).sub(values[-1], axis=0)


def milder(table: pd.DataFrame) -> pd.Series:
    """Damage by deleting one of the last four branches of the net trained without drops, minus that
    of the net trained with them."""
    without, dropped = (lesions(table, f"898-{rate}").iloc[:, -4:] for rate in ("0", "0.5"))
    return without.mean(axis=1) - dropped.mean(axis=1)


# --- sabotage -------------------------------------------------------------------------------


def factor_forgotten(table: pd.DataFrame) -> pd.DataFrame:
    """As if the blocks that multiply in evaluation didn't."""
    evaluated = table["mode"] == "evaluation"
    copies = table[evaluated & (table["variant"] == "divided in training")]
    kept = table[~(evaluated & (table["variant"] == "multiplied in evaluation"))]
    copies = copies.assign(variant="multiplied in evaluation", rescale="evaluation")
    return pd.concat([kept, copies], ignore_index=True)


def the_same_each_step(table: pd.DataFrame) -> pd.DataFrame:
    """As if every step computed as many branches as the first."""
    return table.assign(
        value=table["value"].where(
            table["metric"] != "branches of a step",
            table.groupby(["variant", "seed", "metric"])["value"].transform("first"),
        )
    )


def guessing(table: pd.DataFrame) -> pd.DataFrame:
    """As if a net guessed without the factor."""
    return table.assign(value=table["value"].where(table["metric"] != "forgotten_error", 0.9))


# --- claims ---------------------------------------------------------------------------------

HUANG = "Huang et al. 2016 (arXiv 1603.09382)"
CLAIMS = (
    Claim(
        id="11.1",
        statement=(
            "With one draw a batch, survival from 1 to 0.5 leaves 20 to 30 % of ResNet-110's "
            "branches uncomputed."
        ),
        source=f"{HUANG}, section 3",
        experiment="branches_computed",
        statistic=partial(saved, "batch", "branches"),
        holds_if=between(0.2, 0.3),
    ),
    Claim(
        id="11.2",
        statement="It saves 20 to 30 % of the forward pass's FLOPs.",
        source="derived on the page",
        experiment="branches_computed",
        statistic=partial(saved, "batch", "forward"),
        holds_if=between(0.2, 0.3),
    ),
    Claim(
        id="11.3",
        statement="It saves 20 to 30 % of the backward pass's.",
        source="derived on the page",
        experiment="branches_computed",
        statistic=partial(saved, "batch", "backward"),
        holds_if=between(0.2, 0.3),
    ),
    Claim(
        id="11.4",
        statement="With a draw an example less than 1 % of the forward pass's FLOPs is saved.",
        source="popular says otherwise",
        experiment="branches_computed",
        statistic=partial(saved, "example", "forward"),
        holds_if=below(0.01),
        sabotage=partial(in_place, "example", "batch"),
    ),
    Claim(
        id="11.5",
        statement=(
            "From step to step the number of computed branches has a standard deviation between "
            "1.8 and 4.2; derived: 3."
        ),
        source="derived on the page",
        experiment="branches_computed",
        statistic=spread,
        holds_if=between(1.8, 4.2),
        sabotage=the_same_each_step,
    ),
    Claim(
        id="11.6",
        statement=(
            "With the factor in evaluation, 20 linear blocks have the same mean in training and "
            "in evaluation: its square to within 3 %."
        ),
        source=f"{HUANG}, equation 5",
        experiment="drop_moments",
        statistic=partial(apart, "multiplied in evaluation", "mean"),
        holds_if=between(0.97, 1.03),
        sabotage=factor_forgotten,
    ),
    Claim(
        id="11.7",
        statement="Without the factor the mean's square is over 1.5 times as large; derived: 2.07.",
        source="derived on the page",
        experiment="drop_moments",
        statistic=forgotten_mean,
        holds_if=above(1.5),
    ),
    Claim(
        id="11.8",
        statement=(
            "Divided in training, the mean square itself is 2.1 to 3.2 times as large in training "
            "as in evaluation; derived: 2.54."
        ),
        source="derived on the page",
        experiment="drop_moments",
        statistic=partial(apart, "divided in training", "square"),
        holds_if=between(2.1, 3.2),
    ),
    Claim(
        id="11.9",
        statement=(
            "Multiplied in evaluation, it is 1.2 to 1.36 times as large in training; derived: 1.28."
        ),
        source="derived on the page",
        experiment="drop_moments",
        statistic=partial(apart, "multiplied in evaluation", "square"),
        holds_if=between(1.2, 1.36),
    ),
    Claim(
        id="11.10",
        statement=(
            "With 64 examples one draw a batch makes the gradient over 1.25 times as noisy as a "
            "draw an example."
        ),
        source="ours",
        experiment="drop_noise",
        statistic=partial(noisier, 64),
        holds_if=above(1.25),
        sabotage=partial(in_place, "batch-64", "example-64"),
    ),
    Claim(
        id="11.11",
        statement="It makes the gradient over 8 times as noisy.",
        source="ours, from the variance of a mean",
        experiment="drop_noise",
        statistic=partial(noisier, 64),
        holds_if=above(8),
    ),
    Claim(
        id="11.12",
        statement=(
            "With 100 training images, drops up to 0.5 lower the test error by more than 2 points."
        ),
        source=f"{HUANG}, in other words",
        experiment="few_digits",
        statistic=partial(better, "100-0.5", "100-0"),
        holds_if=above(0.02),
    ),
    Claim(
        id="11.13",
        statement=(
            "With 100 training images, drops change the test error by less than 7 points, on the "
            "mean of three rates."
        ),
        source="ours",
        experiment="few_digits",
        statistic=partial(with_drops, 100),
        holds_if=between(-0.07, 0.07),
        sabotage=partial(in_place, "100-0", "898-0"),
    ),
    Claim(
        id="11.14",
        statement=(
            "Drops make it harder to fit: with all images the loss on them is over 1.2 times as "
            "large."
        ),
        source="ours",
        experiment="few_digits",
        statistic=harder_to_fit,
        holds_if=above(np.log2(1.2)),
    ),
    Claim(
        id="11.15",
        statement=(
            "Of 300 images of which 30 % have a wrong label, nets with drops up to 0.8 get over 5 "
            "points fewer of the given labels."
        ),
        source="ours",
        experiment="few_digits",
        statistic=partial(worse, "wrong-0.8", "wrong-0", metric="own_error"),
        holds_if=above(0.05),
    ),
    Claim(
        id="11.16",
        statement="That lowers their test error by more than 4 points.",
        source="popular",
        experiment="few_digits",
        statistic=partial(better, "wrong-0.8", "wrong-0"),
        holds_if=above(0.04),
    ),
    Claim(
        id="11.17",
        statement=(
            "Trained on 100 images with drops up to 0.8, a net whose factor is forgotten has over "
            "1.3 times the test loss."
        ),
        source="ours",
        experiment="few_digits",
        statistic=partial(forgotten, "100-0.8"),
        holds_if=above(np.log2(1.3)),
    ),
    Claim(
        id="11.18",
        statement="Its test error changes by less than 4 points.",
        source="ours",
        experiment="few_digits",
        statistic=partial(forgotten_errors, "100-0.8"),
        holds_if=between(-0.04, 0.04),
        sabotage=guessing,
    ),
    Claim(
        id="11.19",
        statement=(
            "In a net trained with drops up to 0.5, deleting one of the last four branches costs "
            "over half a point less than in one trained without."
        ),
        source="ours",
        experiment="few_digits",
        statistic=milder,
        holds_if=above(0.005),
        sabotage=partial(in_place, "898-0", "898-0.5"),
    ),
    Claim(
        id="11.20",
        statement=(
            "After 80 steps a net of 8 layers has an error over 2 points higher with drops up to "
            "0.5."
        ),
        source="ours",
        experiment="shallow_and_short",
        statistic=partial(worse, "8-80-0.5", "8-80-0"),
        holds_if=above(0.02),
    ),
    Claim(
        id="11.21",
        statement="So has one of 18 layers.",
        source="ours",
        experiment="shallow_and_short",
        statistic=partial(worse, "18-80-0.5", "18-80-0"),
        holds_if=above(0.02),
    ),
    Claim(
        id="11.22",
        statement="After 400 steps the two nets of 8 layers differ by less than 2 points.",
        source="ours",
        experiment="shallow_and_short",
        statistic=partial(worse, "8-400-0.5", "8-400-0"),
        holds_if=between(-0.02, 0.02),
        sabotage=partial(in_place, "8-400-0.5", "8-80-0.5"),
    ),
)
