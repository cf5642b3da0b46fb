"""What chapter 2 claims."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from residual_lib.claims import Claim, above, below, between


def reached(table: pd.DataFrame, metric: str = "train_error") -> pd.DataFrame:
    """What training ended at: seeds x variants."""
    rows = table[table["metric"] == metric]
    return rows.pivot(index="seed", columns="variant", values="value")


def difference(table: pd.DataFrame, of: str, less: str, metric: str = "train_error") -> pd.Series:
    """A metric of one variant minus that of another, for each seed."""
    ends = reached(table, metric)
    return ends[of] - ends[less]


def difference_of_rises(table: pd.DataFrame) -> pd.Series:
    """By how much more the training error rises from 8 to 56 layers without the skip."""
    ends = reached(table)
    plain = ends["plain-56"] - ends["plain-8"]
    return plain - (ends["residual-56"] - ends["residual-8"])


def overfitting(table: pd.DataFrame) -> pd.Series:
    """Test error minus training error of the plain net of 56 layers."""
    return reached(table, "test_error")["plain-56"] - reached(table)["plain-56"]


def spread(table: pd.DataFrame, *, training: bool) -> pd.Series:
    """Orders of magnitude between the layers' weight gradients in the plain net of 56 layers.

    log10 of the largest over the smallest: before training, or the worst of the moments during it.
    """
    rows = table[(table["metric"] == "weight_gradient") & (table["variant"] == "plain-56")]
    rows = rows[rows["step"] > 0] if training else rows[rows["step"] == 0]
    norms = rows.groupby(["seed", "step"])["value"].agg(["max", "min"])
    ratio = (norms["max"] / norms["min"]).groupby("seed").max()
    return pd.Series(np.log10(ratio), index=ratio.index)


def construction_error(table: pd.DataFrame, variant: str = "identity") -> pd.Series:
    """How far the deepened net's loss is from the shallow net's, in nats, at 56 layers."""
    rows = table[(table["variant"] == variant) & (table["depth"] == 56)]
    losses = rows.pivot(index="seed", columns="metric", values="value")
    return (losses["deep_loss"] - losses["shallow_loss"]).abs()


def gained_by_training_on(table: pd.DataFrame, variant: str) -> pd.Series:
    """Training error of the shallow net minus that of the deepened net, trained on."""
    rows = table[table["variant"] == variant]
    ends = rows.pivot_table(index="seed", columns="metric", values="value")
    return ends["shallow_error"] - ends["train_error"]


# --- sabotage: what the tables would be if the mechanism were not there ------------------------


def renamed(table: pd.DataFrame, **names: str) -> pd.DataFrame:
    """`table` with the rows of one variant in the place of another's: ``new=old``, _ for -."""
    pairs = {new.replace("_", "-"): old.replace("_", "-") for new, old in names.items()}
    kept = table[~table["variant"].isin(pairs)]
    moved = [table[table["variant"] == old].assign(variant=new) for new, old in pairs.items()]
    return pd.concat([kept, *moved], ignore_index=True)


def depth_makes_the_difference(table: pd.DataFrame) -> pd.DataFrame:
    """The nets of 56 layers in the place of those of 8."""
    return renamed(table, plain_8="plain-56", residual_8="residual-56")


def as_if_overfitted(table: pd.DataFrame) -> pd.DataFrame:
    """The deep net with the training error of the shallow one, and its own test error."""
    own = (table["variant"] == "plain-56") & (table["metric"] == "train_error")
    shallow = table[(table["variant"] == "plain-8") & (table["metric"] == "train_error")]
    return pd.concat([table[~own], shallow.assign(variant="plain-56")], ignore_index=True)


def as_before_training(table: pd.DataFrame) -> pd.DataFrame:
    """The gradients of the first moment at every moment."""
    norms = table[(table["metric"] == "weight_gradient") & (table["step"] == 0)]
    later = table[(table["metric"] == "weight_gradient") & (table["step"] > 0)]["step"].unique()
    others = table[table["metric"] != "weight_gradient"]
    return pd.concat([others, *(norms.assign(step=step) for step in later)], ignore_index=True)


def random_layers(table: pd.DataFrame) -> pd.DataFrame:
    """Layers that copy nothing in the place of those that copy their input."""
    return renamed(table, identity="random")


def at_the_high_rate(table: pd.DataFrame) -> pd.DataFrame:
    """The net trained on at the high rate in the place of the one at the low rate."""
    name = "identity, trained on slowly"
    kept = table[table["variant"] != name]
    high = table[table["variant"] == "identity, trained on"]
    return pd.concat([kept, high.assign(variant=name)], ignore_index=True)


def no_more_steps(table: pd.DataFrame) -> pd.DataFrame:
    """The net that was trained as long as the others in the place of the one trained longer."""
    kept = table[table["variant"] != "three times the steps"]
    once = table[table["variant"] == "plain"]
    return pd.concat([kept, once.assign(variant="three times the steps")], ignore_index=True)


CLAIMS = (
    Claim(
        id="2.1",
        statement=(
            "On MNIST-1D a plain net of 56 layers ends with a training error at least 10 points "
            "above that of a plain net of 20 layers."
        ),
        source="He et al. 2015 (arXiv 1512.03385), Figure 1, left",
        experiment="degradation",
        statistic=partial(difference, of="plain-56", less="plain-20"),
        holds_if=above(0.10),
    ),
    Claim(
        id="2.2",
        statement=(
            "On MNIST-1D a plain net of 20 layers ends with a training error at least 5 points "
            "above that of a plain net of 8 layers."
        ),
        source="ours",
        experiment="degradation",
        statistic=partial(difference, of="plain-20", less="plain-8"),
        holds_if=above(0.05),
    ),
    Claim(
        id="2.3",
        statement=(
            "With the skip, 56 layers end with a training error at least 25 points below that of "
            "the same 56 layers without it."
        ),
        source="He et al. 2015, Figure 6, middle",
        experiment="degradation",
        statistic=partial(difference, of="plain-56", less="residual-56"),
        holds_if=above(0.25),
    ),
    Claim(
        id="2.4",
        statement=(
            "From 8 to 56 layers the training error rises by at least 25 points more without the "
            "skip than with it."
        ),
        source="He et al. 2015, Figure 6, left and middle",
        experiment="degradation",
        statistic=difference_of_rises,
        holds_if=above(0.25),
    ),
    Claim(
        id="2.5",
        statement="At 8 layers the skip changes the training error by less than 15 points.",
        source="ours",
        experiment="degradation",
        statistic=partial(difference, of="plain-8", less="residual-8"),
        holds_if=between(-0.15, 0.15),
        sabotage=depth_makes_the_difference,
    ),
    Claim(
        id="2.6",
        statement=(
            "The 56-layer plain net does not overfit: its test error is within 5 points of its "
            "training error."
        ),
        source="He et al. 2015, section 1",
        experiment="degradation",
        statistic=overfitting,
        holds_if=between(-0.05, 0.05),
        sabotage=as_if_overfitted,
    ),
    Claim(
        id="2.7",
        statement=(
            "Before training, the weight gradients of its layers are spread over more than 3.5 "
            "orders of magnitude."
        ),
        source="chapter 1; Yang et al. 2019 (arXiv 1902.08129)",
        experiment="degradation",
        statistic=partial(spread, training=False),
        holds_if=above(3.5),
        sabotage=partial(renamed, plain_56="plain-20"),
    ),
    Claim(
        id="2.8",
        statement=(
            "From step 100 on, its layers' weight gradients stay within 3.5 orders of magnitude of "
            "each other."
        ),
        source="He et al. 2015, section 4.1",
        experiment="degradation",
        statistic=partial(spread, training=True),
        holds_if=below(3.5),
        sabotage=as_before_training,
    ),
    Claim(
        id="2.9",
        statement=(
            "On the digits a trained net of 8 layers, deepened to 56 by layers that copy their "
            "input, keeps its loss to within 0.001."
        ),
        source="He et al. 2015, section 1",
        experiment="construction",
        statistic=construction_error,
        holds_if=below(1e-3),
        sabotage=random_layers,
    ),
    Claim(
        id="2.10",
        statement=(
            "Trained from scratch, 56 plain layers end with a training loss at least 0.8 above "
            "that of 8 layers, which the construction shows that they could have."
        ),
        source="He et al. 2015, section 1",
        experiment="degradation_digits",
        statistic=partial(difference, of="plain-56", less="plain-8", metric="train_loss"),
        holds_if=above(0.8),
    ),
    Claim(
        id="2.11",
        statement=(
            "Trained on at a tenth of the rate, a constructed net of 32 layers ends with a lower "
            "training error than the 8 layers that it was made from."
        ),
        source="ours",
        experiment="construction",
        statistic=partial(gained_by_training_on, variant="identity, trained on slowly"),
        holds_if=above(0.0),
        sabotage=at_the_high_rate,
    ),
    Claim(
        id="2.12",
        statement=(
            "On the digits, too, 56 plain layers end with a training error at least 40 points "
            "above that of 8 layers."
        ),
        source="ours",
        experiment="degradation_digits",
        statistic=partial(difference, of="plain-56", less="plain-8"),
        holds_if=above(0.40),
    ),
    Claim(
        id="2.13",
        statement=(
            "On the digits, too, the skip takes at least 40 points off the training error of 56 "
            "layers."
        ),
        source="ours",
        experiment="degradation_digits",
        statistic=partial(difference, of="plain-56", less="residual-56"),
        holds_if=above(0.40),
    ),
    Claim(
        id="2.14",
        statement=(
            "On the digits the skip changes the training error of 8 layers by less than 3 points."
        ),
        source="ours; compare He et al. 2015, Table 2, 18 layers",
        experiment="degradation_digits",
        statistic=partial(difference, of="plain-8", less="residual-8"),
        holds_if=between(-0.03, 0.03),
        sabotage=depth_makes_the_difference,
    ),
    Claim(
        id="2.15",
        statement=(
            "A third of the learning rate takes at least 5 points off the training error of 20 "
            "plain layers."
        ),
        source="ours",
        experiment="remedies",
        statistic=partial(difference, of="plain", less="a third of the rate"),
        holds_if=above(0.05),
    ),
    Claim(
        id="2.16",
        statement=(
            "Three times the steps bring 20 plain layers to within 4 points of 20 residual layers "
            "that had one times the steps."
        ),
        source="ours",
        experiment="remedies",
        statistic=partial(difference, of="three times the steps", less="residual"),
        holds_if=between(-0.04, 0.04),
        sabotage=no_more_steps,
    ),
)
