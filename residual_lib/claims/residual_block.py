"""What chapter 3 claims, and the formulas that its measurements are held against."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pandas as pd

from residual_lib.claims import Claim, above, below, between

GOAL = 0.02  # of the target's mean square: the error at which a block has learned its target

# --- theory ---------------------------------------------------------------------------------


def pulled(wanted: float, decay: float, skip: bool) -> float:
    """The slope of H(x) = F(x) or x + F(x), where F(x) = u v x, that weight decay settles for.

    It is the minimum of (slope - wanted)^2 + decay (u^2 + v^2): the branch's own slope is pulled
    towards 0 by `decay`, and is exactly 0 where it was no larger.
    """
    branch = wanted - skip
    return skip + math.copysign(max(abs(branch) - decay, 0.0), branch)


def kept_by_gates(bias: float, blocks: int) -> float:
    """What `blocks` highway blocks whose gates are sigmoid(bias) let through of their input."""
    return (1 - 1 / (1 + math.exp(-bias))) ** blocks


# --- from table to numbers ------------------------------------------------------------------


def steps_needed(table: pd.DataFrame, goal: float = GOAL) -> pd.DataFrame:
    """Steps until the error on fresh inputs is at most `goal`: seeds x variants.

    Each variant has the learning rate with which its mean over seeds is least. Who never gets
    there, or diverges, counts with the steps of the whole training: then it is a lower bound.
    """
    rows = table[table["metric"] == "error"]
    keys = ["variant", "rate", "seed"]
    steps = 0.0 * rows.groupby(keys)["step"].max() + table["step"].max()
    steps.update(rows[rows["value"] <= goal].groupby(keys)["step"].min())
    means = steps.groupby(["variant", "rate"]).mean()
    best = means.groupby("variant").idxmin()
    chosen = [steps.loc[variant, rate].rename(variant) for variant, rate in best]
    return pd.concat(chosen, axis=1)


def times_as_many(slow: str, fast: str, table: pd.DataFrame) -> pd.Series:
    """Steps that one variant needs over those of another; each counts with ten at least."""
    table = table[table["variant"].isin((slow, fast))]
    steps = steps_needed(table).clip(lower=10)  # errors are known at every tenth step only
    return steps[slow] / steps[fast]


def error_at(step: int, table: pd.DataFrame, rate: float = 0.3) -> pd.DataFrame:
    """The error after so many steps with one learning rate: seeds x variants."""
    rows = table[(table["metric"] == "error") & (table["step"] == step) & (table["rate"] == rate)]
    return rows.pivot(index="seed", columns="variant", values="value")


def error_ratio(one: str, other: str, step: int, table: pd.DataFrame) -> pd.Series:
    """The error of one variant over that of another after so many steps, rate 0.3."""
    errors = error_at(step, table)
    return errors[one] / errors[other]


def start_error(variant: str, table: pd.DataFrame) -> pd.Series:
    """The error before the first step."""
    return error_at(0, table)[variant]


def slopes(table: pd.DataFrame, decay: float) -> pd.DataFrame:
    """<H(x), x> / <x, x> with one weight decay: seeds x variants."""
    rows = table[(table["metric"] == "slope") & (table["decay"] == decay)]
    return rows.pivot(index="seed", columns="variant", values="value")


def slope_of(variant: str, decay: float, table: pd.DataFrame) -> pd.Series:
    """`slopes` of one variant."""
    return slopes(table, decay)[variant]


def slope_difference(one: str, other: str, decay: float, table: pd.DataFrame) -> pd.Series:
    """The slope of one variant less that of another."""
    found = slopes(table, decay)
    return found[one] - found[other]


def farthest_from_half(table: pd.DataFrame) -> pd.Series:
    """Largest distance of a highway block's slope from 1/2 under the largest decay."""
    found = slopes(table, table["decay"].max())
    return (found[["highway x", "highway negative"]] - 0.5).abs().max(axis=1)


def value(metric: str, variant: str, table: pd.DataFrame) -> pd.Series:
    """A metric that a trial has once, of one variant."""
    rows = table[(table["metric"] == metric) & (table["variant"] == variant)]
    return rows.set_index("seed")["value"]


def growth(variant: str, table: pd.DataFrame) -> pd.Series:
    """Mean square of what the last block gives over that of what the first is given."""
    rows = table[table["metric"] == "mean_square"]
    squares = rows.pivot(index="seed", columns=["variant", "block"], values="value")[variant]
    return squares[squares.columns.max()] / squares[0]


def straightness(variant: str, table: pd.DataFrame) -> pd.Series:
    """R^2 of a straight line through the mean squares by block."""
    rows = table[table["metric"] == "mean_square"]
    squares = rows.pivot(index="seed", columns=["variant", "block"], values="value")[variant]
    blocks = squares.columns.to_numpy(dtype=float)
    return squares.apply(lambda row: np.corrcoef(blocks, row)[0, 1] ** 2, axis=1)


def gradient_inside(step: int, variant: str, table: pd.DataFrame) -> pd.Series:
    """Norm of the gradient in the branches' convolutions after so many steps."""
    rows = table[(table["metric"] == "inside") & (table["step"] == step)]
    return rows.pivot(index="seed", columns="variant", values="value")[variant]


def gain_of_zero(rate: float, table: pd.DataFrame) -> pd.Series:
    """Loss over the last ten steps: the usual start's less the zero start's."""
    rows = table[(table["metric"] == "loss") & (table["step"] == table["step"].max())]
    loss = rows.pivot(index="seed", columns="variant", values="value")
    return loss[f"usual {rate}"] - loss[f"zero {rate}"]


def kept(table: pd.DataFrame) -> pd.DataFrame:
    """What is left of the input after the last highway block: seeds x variants."""
    rows = table[(table["metric"] == "kept") & (table["block"] == table["block"].max())]
    return rows.pivot(index="seed", columns="variant", values="value")


def kept_with(bias: str, table: pd.DataFrame) -> pd.Series:
    """`kept` of one bias."""
    return kept(table)[bias]


def deviation_from_gates(table: pd.DataFrame) -> pd.Series:
    """Largest distance of `kept` from (1 - sigmoid(bias))^blocks over all biases."""
    blocks = int(table["block"].max())
    found = kept(table)
    theory = pd.Series({str(bias): kept_by_gates(float(str(bias)), blocks) for bias in found})
    return (found - theory).abs().max(axis=1)


# --- sabotage -------------------------------------------------------------------------------


def _replaced(table: pd.DataFrame, variant: str, by: str) -> pd.DataFrame:
    """The rows of one variant measured on another."""
    taken = table[table["variant"] == by].assign(variant=variant)
    return pd.concat([table[table["variant"] != variant], taken], ignore_index=True)


def skip_added_to_plain(table: pd.DataFrame) -> pd.DataFrame:
    """The plain block on x is the residual one."""
    return _replaced(table, "plain x", "residual x")


def target_turned(table: pd.DataFrame) -> pd.DataFrame:
    """The residual block that was asked for -x is the one that was asked for x."""
    return _replaced(table, "residual negative", "residual x")


def usual_start_trained(table: pd.DataFrame) -> pd.DataFrame:
    """With the smaller learning rate the last scales start at 1."""
    return _replaced(table, "zero 0.1", "usual 0.1")


def no_normalisation(table: pd.DataFrame) -> pd.DataFrame:
    """The net with BatchNorm is the one without."""
    return _replaced(table, "batch", "none")


def batch_statistics(table: pd.DataFrame) -> pd.DataFrame:
    """The frozen BatchNorm normalises by its batch."""
    return _replaced(table, "frozen", "batch")


def usual_start(table: pd.DataFrame) -> pd.DataFrame:
    """The last scales start at 1, as they usually do."""
    return _replaced(table, "zero", "usual")


def zero_start(table: pd.DataFrame) -> pd.DataFrame:
    """The last scales start at 0."""
    return _replaced(table, "usual", "zero")


def compounded(table: pd.DataFrame) -> pd.DataFrame:
    """Each block multiplies the mean square by the same factor, and the ends stay."""
    factors = table["metric"] == "mean_square"
    last = table["block"].max()
    for _, rows in table[factors].groupby(["variant", "seed"]):
        squares = rows.set_index("block")["value"]
        rate = (squares[last] / squares[0]) ** (1 / last)
        table.loc[rows.index, "value"] = squares[0] * rate ** rows["block"]
    return table


def no_steps(table: pd.DataFrame) -> pd.DataFrame:
    """The gradients after a step are those before it."""
    before = table[(table["step"] == 0) & (table["metric"] != "mean_square")]
    return pd.concat([table[table["step"] != 1], before.assign(step=1)], ignore_index=True)


def no_gates(table: pd.DataFrame) -> pd.DataFrame:
    """The highway blocks are plain ones: nothing sets their slope to a half."""
    for target in ("x", "negative"):
        table = _replaced(table, f"highway {target}", f"plain {target}")
    return table


# --- claims ---------------------------------------------------------------------------------

CLAIMS = (
    Claim(
        id="3.1",
        statement="To represent x, a plain block needs more than 3 times a residual block's steps.",
        source="He et al. 2015 (arXiv 1512.03385), section 1: the hypothesis",
        experiment="easy_identity",
        statistic=partial(times_as_many, "plain x", "residual x"),
        holds_if=above(3),
    ),
    Claim(
        id="3.2",
        statement=(
            "To represent x + small, a plain block needs more than 3 times a residual block's "
            "steps."
        ),
        source="He et al. 2015 (arXiv 1512.03385), section 3.1: the hypothesis",
        experiment="easy_identity",
        statistic=partial(times_as_many, "plain near", "residual near"),
        holds_if=above(3),
    ),
    Claim(
        id="3.3",
        statement=(
            "To represent -x nothing is saved: the two blocks' steps differ by less than 25 %."
        ),
        source="ours",
        experiment="easy_identity",
        statistic=partial(times_as_many, "residual negative", "plain negative"),
        holds_if=between(0.8, 1.25),
        sabotage=target_turned,
    ),
    Claim(
        id="3.4",
        statement="For a plain block x is as hard as -x: the steps differ by less than 30 %.",
        source="ours",
        experiment="easy_identity",
        statistic=partial(times_as_many, "plain x", "plain negative"),
        holds_if=between(1 / 1.3, 1.3),
        sabotage=skip_added_to_plain,
    ),
    Claim(
        id="3.5",
        statement=(
            "A residual block with He's weights starts as the identity, to within 10 % of the "
            "mean square."
        ),
        source="popular",
        experiment="easy_identity",
        statistic=partial(start_error, "residual x"),
        holds_if=below(0.1),
    ),
    Claim(
        id="3.6",
        statement=(
            "With a weight decay of 0.12 the slopes of the two blocks that were asked for x "
            "differ by more than 0.95: the plain block gives 0, the residual one x."
        ),
        source="ours",
        experiment="decay_pull",
        statistic=partial(slope_difference, "residual x", "plain x", 0.12),
        holds_if=above(0.95),
    ),
    Claim(
        id="3.7",
        statement=(
            "Asked for -x with a weight decay of 0.25, a residual block gives x: its slope is "
            "within 0.05 of 1."
        ),
        source="ours",
        experiment="decay_pull",
        statistic=partial(slope_of, "residual negative", 0.25),
        holds_if=between(0.95, 1.05),
    ),
    Claim(
        id="3.8",
        statement=(
            "The same decay pulls a highway block to x / 2, whether x or -x was asked for: its "
            "slope is within 0.1 of 1/2."
        ),
        source="ours",
        experiment="decay_pull",
        statistic=farthest_from_half,
        holds_if=below(0.1),
        sabotage=no_gates,
    ),
    Claim(
        id="3.9",
        statement=(
            "Of a bias's gradient before BatchNorm less than a millionth is left after "
            "cancellation, in single precision."
        ),
        source="derived on the page",
        experiment="bias_gradient",
        statistic=partial(value, "float32", "batch"),
        holds_if=below(1e-6),
        sabotage=no_normalisation,
    ),
    Claim(
        id="3.10",
        statement="In double precision less than 1e-14 is left: it is rounding.",
        source="derived on the page",
        experiment="bias_gradient",
        statistic=partial(value, "float64", "batch"),
        holds_if=below(1e-14),
        sabotage=no_normalisation,
    ),
    Claim(
        id="3.11",
        statement=(
            "Before a BatchNorm in evaluation mode the bias's gradient is no rounding: more than "
            "3 % is left."
        ),
        source="ours",
        experiment="bias_gradient",
        statistic=partial(value, "float32", "frozen"),
        holds_if=above(0.03),
        sabotage=batch_statistics,
    ),
    Claim(
        id="3.12",
        statement=(
            "Sixty steps of SGD change the biases before BatchNorm by less than 0.01 % of their "
            "length."
        ),
        source="derived on the page",
        experiment="bias_training",
        statistic=partial(value, "moved", "batch"),
        holds_if=below(1e-4),
        sabotage=no_normalisation,
    ),
    Claim(
        id="3.13",
        statement="Without a normalisation the same steps change them by more than 20 %.",
        source="ours",
        experiment="bias_training",
        statistic=partial(value, "moved", "none"),
        holds_if=above(0.2),
        sabotage=partial(_replaced, variant="none", by="batch"),
    ),
    Claim(
        id="3.14",
        statement=(
            "Through 20 residual blocks the mean square of the signal grows more than 20 times "
            "before training."
        ),
        source="ours",
        experiment="residual_start",
        statistic=partial(growth, "usual"),
        holds_if=above(20),
        sabotage=zero_start,
    ),
    Claim(
        id="3.15",
        statement="It grows by the same amount a block: a straight line explains more than 98 %.",
        source="derived on the page",
        experiment="residual_start",
        statistic=partial(straightness, "usual"),
        holds_if=above(0.98),
        sabotage=compounded,
    ),
    Claim(
        id="3.16",
        statement=(
            "With a last scale of 0 the convolutions inside the branches have no gradient at the "
            "first step, exactly."
        ),
        source="derived on the page",
        experiment="residual_start",
        statistic=partial(gradient_inside, 0, "zero"),
        holds_if=below(1e-30),
        sabotage=usual_start,
    ),
    Claim(
        id="3.17",
        statement="At the second step they have one.",
        source="derived on the page",
        experiment="residual_start",
        statistic=partial(gradient_inside, 1, "zero"),
        holds_if=above(1e-4),
        sabotage=no_steps,
    ),
    Claim(
        id="3.18",
        statement=(
            "With a learning rate of 1 the loss after 50 steps is lower from a last scale of 0, "
            "by more than 0.1."
        ),
        source="popular; compare Goyal et al. 2017 (arXiv 1706.02677)",
        experiment="zero_training",
        statistic=partial(gain_of_zero, 1.0),
        holds_if=above(0.1),
        conditions="a large learning rate, see 3.19.",
    ),
    Claim(
        id="3.19",
        statement="With a learning rate of 0.1, too, the loss is lower from a last scale of 0.",
        source="popular",
        experiment="zero_training",
        statistic=partial(gain_of_zero, 0.1),
        holds_if=above(0),
        sabotage=usual_start_trained,
    ),
    Claim(
        id="3.20",
        statement=(
            "Before training, 20 highway blocks with a gate bias of -1 let less than 1 % of "
            "their input through."
        ),
        source="ours",
        experiment="highway_start",
        statistic=partial(kept_with, "-1"),
        holds_if=below(0.01),
    ),
    Claim(
        id="3.21",
        statement=(
            "What gates let through is (1 - sigmoid(bias))^blocks, within 0.02, for biases from "
            "0 to -6."
        ),
        source="derived on the page",
        experiment="highway_start",
        statistic=deviation_from_gates,
        holds_if=below(0.02),
    ),
    Claim(
        id="3.22",
        statement=(
            "Asked for -x, after 50 steps with a learning rate of 0.3 the residual block's error "
            "is more than 1.2 times the plain one's."
        ),
        source="ours",
        experiment="easy_identity",
        statistic=partial(error_ratio, "residual negative", "plain negative", 50),
        holds_if=above(1.2),
        sabotage=target_turned,
    ),
)
