"""What chapter 5 claims about shortcuts that multiply, and about the order of norm and ReLU."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from residual_lib import experiments
from residual_lib.claims import Claim, above, below, between

#: What a run counts whose training diverged: the error of guessing one of ten classes.
GUESSING = 0.9

#: He et al. 2016, test error in %, ResNet-110 on CIFAR-10, medians of 5 runs. Tables 1 and 2.
PUBLISHED_SHORTCUTS = {
    "identity": 6.61,
    "scaling": 12.35,
    "exclusive gate": 8.70,
    "gate, bias 0": 12.86,
    "gate, bias -6": 6.91,
    "1x1": 12.22,
    "dropout": np.inf,  # "fail": above 20 %, so it ranks last
}
PUBLISHED_ORDERS = {
    "identity": 6.61,
    "norm after": 8.17,
    "ReLU before": 7.84,
    "ReLU only": 6.71,
    "pre-activation": 6.37,
}
PUBLISHED = PUBLISHED_SHORTCUTS | PUBLISHED_ORDERS

# --- from table to numbers ------------------------------------------------------------------


def final_error(table: pd.DataFrame, metric: str = "train_error") -> pd.DataFrame:
    """An error after training, seeds x variants; a run that diverged counts as guessing."""
    rows = table[table["metric"] == metric]
    errors = rows.pivot(index="seed", columns="variant", values="value")
    seeds, variants = sorted(table["seed"].unique()), list(table["variant"].unique())
    errors = errors.reindex(index=seeds, columns=variants)
    for variant, lost in experiments.diverged(table).items():
        errors.loc[lost, variant] = GUESSING
    return errors


def rank_correlation(
    published: dict[str, float], table: pd.DataFrame, metric: str = "train_error"
) -> pd.Series:
    """Spearman's rank correlation of a paper's column with one seed's errors: one a seed."""
    errors = final_error(table, metric)[list(published)]
    theirs = pd.Series(published).rank()
    ranks = errors.rank(axis=1)
    return ranks.apply(lambda row: float(np.corrcoef(row, theirs)[0, 1]), axis=1)


def worse(variant: str, than: str, table: pd.DataFrame) -> pd.Series:
    """By how much one variant's training error is higher than another's."""
    errors = final_error(table)
    return errors[variant] - errors[than]


def multipliers(table: pd.DataFrame) -> pd.Series:
    """Mean training error of scaling, the gate of bias 0, 1x1 and dropout, minus identity's."""
    errors = final_error(table)
    group = errors[["scaling", "gate, bias 0", "1x1", "dropout"]]
    return group.mean(axis=1) - errors["identity"]


def gap(depth: int, table: pd.DataFrame) -> pd.Series:
    """The original order's training error minus pre-activation's."""
    return worse(f"original-{depth}", f"pre-activation-{depth}", table)


def gap_grows(table: pd.DataFrame) -> pd.Series:
    """By how much that gap is larger at depth 110 than at 20."""
    return gap(110, table) - gap(20, table)


def last_batches(table: pd.DataFrame) -> pd.DataFrame:
    """The error on the last batches of training, seeds x variants; a diverged run is guessing."""
    rows = table[table["metric"] == "curve"]
    rows = rows[rows["step"] == rows["step"].max()].assign(metric="last")
    return final_error(pd.concat([rows, table[table["metric"] == "diverged"]]), "last")


def learns(order: str, table: pd.DataFrame) -> pd.Series:
    """How far below guessing the error on the last batches is."""
    return GUESSING - last_batches(table)[order]


def deep_gap(table: pd.DataFrame) -> pd.Series:
    """The original order's error on the last batches minus pre-activation's."""
    errors = last_batches(table)
    return errors["original"] - errors["pre-activation"]


def gains(table: pd.DataFrame) -> pd.DataFrame:
    """The factor a block on a gradient's norm, geometric mean over blocks: seeds x variants."""
    rows = table[table["metric"] == "gain"]
    logs = rows.assign(value=np.log(rows["value"])).groupby(["seed", "variant"])["value"]
    return np.exp(logs.mean()).unstack()


def gain(variant: str, table: pd.DataFrame) -> pd.Series:
    """That factor of one variant."""
    return gains(table)[variant]


def gates_apart(table: pd.DataFrame) -> pd.Series:
    """The factor a block with a bias of -6 minus that with 0."""
    factors = gains(table)
    return factors["gate, bias -6"] - factors["gate, bias 0"]


def by_block(table: pd.DataFrame, kind: str, metric: str = "mean_square") -> pd.DataFrame:
    """A metric of one kind of stack: seeds x blocks."""
    rows = table[(table["metric"] == metric) & (table["variant"] == kind)]
    return rows.pivot(index="seed", columns="block", values="value")


def growth_a_block(kind: str, table: pd.DataFrame) -> pd.Series:
    """What a block adds to the mean square, over the whole stack."""
    squares = by_block(table, kind)
    last = int(squares.columns.max())
    return (squares[last] - squares[0]) / last


def doublings_a_block(kind: str, table: pd.DataFrame) -> pd.Series:
    """log2 of the growth of the mean square, a block."""
    squares = by_block(table, kind)
    last = int(squares.columns.max())
    growth = squares[last] / squares[0]
    return growth.map(np.log2) / last


def growth_in_all(kind: str, table: pd.DataFrame) -> pd.Series:
    """The mean square after the last block over that before the first."""
    squares = by_block(table, kind)
    return squares[squares.columns.max()] / squares[0]


def falls(kind: str, table: pd.DataFrame) -> pd.Series:
    """The share of numbers that a block lowers, mean over the blocks."""
    return by_block(table, kind, "fell").mean(axis=1)


def mean_grows(table: pd.DataFrame) -> pd.Series:
    """The mean of the signal after the last block: the original order minus pre-activation."""
    means = [by_block(table, kind, "mean") for kind in ("original", "pre-activation")]
    last = means[0].columns.max()
    return means[0][last] - means[1][last]


def original_instead(table: pd.DataFrame) -> pd.DataFrame:
    """The original order's measurements under every name."""
    rows = table[table["variant"] == "original"]
    names = table["variant"].unique()
    return pd.concat([rows.assign(variant=each) for each in names], ignore_index=True)


# --- claims ---------------------------------------------------------------------------------

HE = "He et al. 2016"
CLAIMS = (
    Claim(
        id="5.1",
        statement=(
            "Before training, a gated shortcut with a bias of 0 takes more than a quarter off the "
            "norm of a gradient, a block."
        ),
        source=f"{HE}, section 3",
        experiment="shortcut_product",
        statistic=partial(gain, "gate, bias 0"),
        holds_if=below(0.75),
    ),
    Claim(
        id="5.2",
        statement="With a bias of -6 such a shortcut changes the norm by less than 3 % a block.",
        source=f"{HE}, section 3",
        experiment="shortcut_product",
        statistic=partial(gain, "gate, bias -6"),
        holds_if=between(0.97, 1.03),
    ),
    Claim(
        id="5.3",
        statement=(
            "Dropout of rate 0.5 on the shortcut multiplies the norm by 1.25 to 1.75 a block; "
            "derived: 1.41."
        ),
        source="derived on the page",
        experiment="shortcut_product",
        statistic=partial(gain, "dropout"),
        holds_if=between(1.25, 1.75),
    ),
    Claim(
        id="5.4",
        statement=(
            "A 1x1 convolution and a norm on the shortcut make the gradient longer by over 10 % a "
            "block."
        ),
        source="ours",
        experiment="shortcut_product",
        statistic=partial(gain, "1x1"),
        holds_if=above(1.1),
    ),
    Claim(
        id="5.5",
        statement=(
            "Before training each of 54 pre-activation blocks adds 0.8 to 1.2 to the mean square "
            "of the signal; derived: 1."
        ),
        source="derived on the page",
        experiment="forward_signal",
        statistic=partial(growth_a_block, "pre-activation"),
        holds_if=between(0.8, 1.2),
    ),
    Claim(
        id="5.6",
        statement=(
            "Without norms it grows exponentially: each block multiplies it by 1.6 to 2.1; "
            "derived: 2."
        ),
        source="derived on the page",
        experiment="forward_signal",
        statistic=partial(doublings_a_block, "no norm"),
        holds_if=between(0.7, 1.1),
    ),
    Claim(
        id="5.7",
        statement=(
            "In the original order the mean drifts up: after 54 blocks it is higher than with "
            "pre-activation by more than 2.5."
        ),
        source="ours",
        experiment="forward_signal",
        statistic=mean_grows,
        holds_if=above(2.5),
    ),
    Claim(
        id="5.8",
        statement="With the ReLU before the addition no block lowers any number of the signal.",
        source=f"{HE}, section 4.1",
        experiment="forward_signal",
        statistic=partial(falls, "ReLU before"),
        holds_if=below(0.001),
        sabotage=original_instead,
    ),
    Claim(
        id="5.9",
        statement=(
            "Identity shortcuts keep the size of the signal: after 54 pre-activation blocks its "
            "mean square is less than twice that at the start."
        ),
        source="popular",
        experiment="forward_signal",
        statistic=partial(growth_in_all, "pre-activation"),
        holds_if=below(2),
    ),
    Claim(
        id="5.10",
        statement=(
            "Ranked by training error here and by the paper's test error, the eleven variants "
            "have a rank correlation above 0.4."
        ),
        source=f"{HE}, Tables 1 and 2",
        experiment="preactivation_variants",
        statistic=partial(rank_correlation, PUBLISHED),
        holds_if=above(0.4),
    ),
    Claim(
        id="5.11",
        statement="The seven shortcuts alone have a rank correlation above 0.4.",
        source=f"{HE}, Table 1",
        experiment="preactivation_variants",
        statistic=partial(rank_correlation, PUBLISHED_SHORTCUTS),
        holds_if=above(0.4),
    ),
    Claim(
        id="5.12",
        statement="The five orders alone have a rank correlation above 0.1.",
        source=f"{HE}, Table 2",
        experiment="preactivation_variants",
        statistic=partial(rank_correlation, PUBLISHED_ORDERS),
        holds_if=above(0.1),
    ),
    Claim(
        id="5.13",
        statement=(
            "Scaling, a gate with a bias of 0, a 1x1 convolution and dropout on the shortcut "
            "have, on their mean, a training error more than 5 points above the identity's."
        ),
        source=f"{HE}, Table 1",
        experiment="preactivation_variants",
        statistic=multipliers,
        holds_if=above(0.05),
    ),
    Claim(
        id="5.14",
        statement=(
            "The same gate trains worse from a bias of 0 than from -6, by more than 15 points."
        ),
        source=f"{HE}, Table 1",
        experiment="preactivation_variants",
        statistic=partial(worse, "gate, bias 0", "gate, bias -6"),
        holds_if=above(0.15),
    ),
    Claim(
        id="5.15",
        statement=(
            "A gate on the shortcut can learn to be the identity, so even from a bias of 0 it "
            "changes the training error by less than 5 points."
        ),
        source="popular",
        experiment="preactivation_variants",
        statistic=partial(worse, "gate, bias 0", "identity"),
        holds_if=between(-0.05, 0.05),
    ),
    Claim(
        id="5.16",
        statement=(
            "Exclusive gating with a bias of -6 has a higher training error than the identity, by "
            "more than 2 points."
        ),
        source=f"{HE}, Table 1",
        experiment="preactivation_variants",
        statistic=partial(worse, "exclusive gate", "identity"),
        holds_if=above(0.02),
    ),
    Claim(
        id="5.17",
        statement="A norm after the addition raises the training error by more than 10 points.",
        source=f"{HE}, Table 2",
        experiment="preactivation_variants",
        statistic=partial(worse, "norm after", "identity"),
        holds_if=above(0.1),
    ),
    Claim(
        id="5.18",
        statement=(
            "At 110 layers pre-activation has a training error more than 3 points below the "
            "original order's."
        ),
        source=f"{HE}, Tables 2 and 3",
        experiment="preactivation_depth",
        statistic=partial(gap, 110),
        holds_if=above(0.03),
    ),
    Claim(
        id="5.19",
        statement="At 20 layers the two orders differ by less than 8 points.",
        source="ours",
        experiment="preactivation_depth",
        statistic=partial(gap, 20),
        holds_if=between(-0.08, 0.08),
    ),
    Claim(
        id="5.20",
        statement=(
            "From 20 to 110 layers the advantage of pre-activation grows by more than 3 points."
        ),
        source=f"{HE}, Table 3",
        experiment="preactivation_depth",
        statistic=gap_grows,
        holds_if=above(0.03),
    ),
    Claim(
        id="5.21",
        statement="At 56 layers pre-activation is already ahead, by more than 10 points.",
        source="popular",
        experiment="preactivation_depth",
        statistic=partial(gap, 56),
        holds_if=above(0.1),
    ),
    Claim(
        id="5.22",
        statement=(
            "Full pre-activation has a lower training error than ReLU-only pre-activation at 56 "
            "layers, by more than 2 points."
        ),
        source=f"{HE}, Table 2",
        experiment="preactivation_variants",
        statistic=partial(worse, "ReLU only", "pre-activation"),
        holds_if=above(0.02),
    ),
    Claim(
        id="5.23",
        statement=(
            "With pre-activation 200 layers begin to learn in 25 steps: the error on the last "
            "five batches is more than 10 points below guessing."
        ),
        source="ours",
        experiment="thousand_layers",
        statistic=partial(learns, "pre-activation"),
        holds_if=above(0.1),
        sabotage=original_instead,
    ),
    Claim(
        id="5.24",
        statement=(
            "At 200 layers, after 25 steps, the error in the original order is more than 3 points "
            "higher."
        ),
        source="ours",
        experiment="thousand_layers",
        statistic=deep_gap,
        holds_if=above(0.03),
    ),
)
