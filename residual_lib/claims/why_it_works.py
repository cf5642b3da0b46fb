"""What chapter 6 claims about four explanations of the skip."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pandas as pd

from residual_lib.claims import Claim, above, below, between

DEPTH = 32
LATE = 5  # how many of the last blocks count as late
BLOCKS = (DEPTH - 2) // 2
# What a rectifier lets vary of a normal number: E[relu^2] - E[relu]^2 = 1/2 - 1/(2 pi), times the
# weights' 2 of He's initialisation.
KEPT = 1 - 1 / math.pi

# --- from table to numbers ------------------------------------------------------------------


def singular(table: pd.DataFrame, kind: str, scope: str, metric: str) -> pd.DataFrame:
    """A statistic of the singular values: seeds x blocks (from 1)."""
    rows = table[(table["kind"] == kind) & (table["scope"] == scope) & (table["metric"] == metric)]
    return rows.pivot(index="seed", columns="index", values="value")


def smallest_of_one_block(table: pd.DataFrame) -> pd.Series:
    """The smallest singular value of a block at He's scale, mean over the blocks."""
    return singular(table, "one", "block", "smallest").mean(axis=1)


def doublings_a_block(kind: str, table: pd.DataFrame) -> pd.Series:
    """By how many doublings a block raises the mean square of a gradient of random direction."""
    mean = singular(table, kind, "block", "mean_square").mean(axis=1)
    return pd.Series(np.log2(mean.to_numpy()), index=mean.index)


def decades_of_spread(kind: str, table: pd.DataFrame) -> pd.Series:
    """log10 of largest over smallest singular value of all blocks together."""
    ends = [
        singular(table, kind, "network", metric).iloc[:, -1] for metric in ("largest", "smallest")
    ]
    return (ends[0] / ends[1]).map(math.log10)


def farthest_from_one(kind: str, table: pd.DataFrame) -> pd.Series:
    """The largest factor, up or down, by which all blocks together change any direction."""
    largest = singular(table, kind, "network", "largest").iloc[:, -1]
    smallest = singular(table, kind, "network", "smallest").iloc[:, -1]
    return pd.concat([largest, 1 / smallest], axis=1).max(axis=1)


def kind_for_kind(old: str, new: str, table: pd.DataFrame) -> pd.DataFrame:
    """The measurements of the kind `new` in the place of those of the kind `old`."""
    copies = table[table["kind"] == new]
    copies = copies.assign(kind=old, variant=copies["variant"].str.replace(new, old, regex=False))
    return pd.concat([table[table["kind"] != old], copies], ignore_index=True)


def autocorrelations(table: pd.DataFrame, lag: int = 1) -> pd.DataFrame:
    """Autocorrelation on the line of inputs: seeds x variants."""
    rows = table[(table["metric"] == "autocorrelation") & (table["index"] == lag)]
    return rows.pivot(index="seed", columns="variant", values="value")


def lag_one(variant: str, table: pd.DataFrame) -> pd.Series:
    """Lag-1 autocorrelation of one net."""
    return autocorrelations(table)[variant]


def lag_one_gain(more: str, less: str, table: pd.DataFrame) -> pd.Series:
    """How much more one net's neighbouring gradients are alike than another's."""
    values = autocorrelations(table)
    return values[more] - values[less]


def correlations(table: pd.DataFrame, kind: str, metric: str = "correlation") -> pd.DataFrame:
    """A metric of the pairs of inputs: seeds x depth."""
    rows = table[(table["kind"] == kind) & (table["metric"] == metric)]
    return rows.pivot(index="seed", columns="index", values="value")


def rate(kind: str, table: pd.DataFrame) -> pd.Series:
    """The factor a layer by which the correlation falls: a line fitted to its logarithm."""
    values = correlations(table, kind)
    slopes = np.polyfit(values.columns.to_numpy(float), np.log(values.to_numpy()).T, 1)[0]
    return pd.Series(np.exp(slopes), index=values.index)


def exponent(kind: str, table: pd.DataFrame, start: int = 8) -> pd.Series:
    """The power of the depth with which the correlation falls, fitted from `start` on."""
    values = correlations(table, kind)
    depths = values.columns.to_numpy(float)
    deep = depths >= start
    logs = np.log(values.to_numpy()[:, deep])
    slopes = np.polyfit(np.log(depths[deep]), logs.T, 1)[0]
    return pd.Series(slopes, index=values.index)


def normalised_law(depth: int, added: float = KEPT, beta: float = 1.0, start: float = 2.0) -> float:
    """Correlation of gradients behind `depth` blocks x + beta W relu(BatchNorm(x)).

    Each block adds `added` beta^2 to the variance that the next normalisation divides by: 1 - 1/pi
    if the mean over the batch is taken away, 1 if it is forgotten to do so. `start` is the variance
    that enters the first block: 2 with He's weights and inputs of variance 1.
    """
    variances = start + added * beta**2 * np.arange(depth)
    steps = beta**2 / variances
    return float(np.prod((1 + steps / 2) / (1 + steps)))


def off_the_law(added: float, table: pd.DataFrame) -> pd.Series:
    """log2 of measured over derived correlation at the greatest depth, with BatchNorm."""
    values = correlations(table, "residual, BatchNorm")
    depth = int(values.columns.max())
    return np.log2(values[depth] / normalised_law(depth, added))


def rate_at_the_end(kind: str, table: pd.DataFrame) -> pd.Series:
    """The factor a layer by which the correlation falls from half the greatest depth to it."""
    values = correlations(table, kind)
    last = int(values.columns.max())
    return (values[last] / values[last // 2]) ** (1 / (last - last // 2))


def open_for_both(kind: str, table: pd.DataFrame) -> pd.Series:
    """Share of the last layer's rectifiers that are open for both of two inputs."""
    return correlations(table, kind, "both_open").iloc[:, -1]


def separation_a_layer(kind: str, table: pd.DataFrame) -> pd.Series:
    """The factor a layer by which two close inputs move apart, in squared distance."""
    values = correlations(table, kind, "separation")
    first, last = int(values.columns.min()), int(values.columns.max())
    return (values[last] / values[first]) ** (1 / (last - first))


def at(table: pd.DataFrame, metric: str, variant: str, step: str = "after") -> pd.DataFrame:
    """A metric of a net before or after training: seeds x index."""
    rows = table[(table["metric"] == metric) & (table["variant"] == variant)]
    wanted = rows["step"] == 0 if step == "before" else rows["step"] > 0
    return rows[wanted].pivot(index="seed", columns="index", values="value")


def error(table: pd.DataFrame, variant: str, metric: str = "test_error") -> pd.Series:
    """An error after training."""
    rows = table[(table["metric"] == metric) & (table["variant"] == variant)]
    return rows.set_index("seed")["value"]


def worse_by(worse: str, better: str, table: pd.DataFrame) -> pd.Series:
    """By how much the test error of one net is above another's."""
    return error(table, worse) - error(table, better)


def skip_saves_with_depth(table: pd.DataFrame) -> pd.Series:
    """The plain net's error minus the residual net's: at 32 layers minus at 8."""
    deep, shallow = (worse_by(f"plain-{d}", f"residual-{d}", table) for d in (32, 8))
    return deep - shallow


def gradient_growth(variant: str, table: pd.DataFrame) -> pd.Series:
    """log2 of the gradient's norm at the first block over that behind the last, untrained."""
    return np.log2(at(table, "gain", variant, "before")).sum(axis=1)


def growth_gap(table: pd.DataFrame) -> pd.Series:
    """Doublings of the gradient's norm over 15 blocks: plain minus residual."""
    return gradient_growth("plain-32", table) - gradient_growth("residual-32", table)


def most_preserving_block(table: pd.DataFrame) -> pd.Series:
    """Of the trained residual net's blocks, the largest of their smallest singular values."""
    return at(table, "smallest", "residual-32").max(axis=1)


def branch_size(variant: str, table: pd.DataFrame, step: str = "after") -> pd.Series:
    """Branch over shortcut, in norm: median over the blocks."""
    return at(table, "ratio", variant, step).median(axis=1)


def smaller_when_deep(table: pd.DataFrame) -> pd.Series:
    """Size of the branches after training: 32 layers over 8."""
    return branch_size("residual-32", table) / branch_size("residual-8", table)


def growth_of_branches(variant: str, table: pd.DataFrame) -> pd.Series:
    """Size of the branches: after training over before."""
    return branch_size(variant, table) / branch_size(variant, table, "before")


def damage(table: pd.DataFrame, variant: str, metric: str = "lesion") -> pd.DataFrame:
    """By how much a lesion raises the test error: seeds x block, or number of blocks."""
    values = at(table, metric, variant)
    intact = at(table, "lesion", variant)[-1]
    return values.drop(columns=-1, errors="ignore").sub(intact, axis=0)


def damage_of_late(table: pd.DataFrame) -> pd.Series:
    """Damage of deleting one of the last five blocks of the residual net, mean."""
    return damage(table, "residual-32").iloc[:, -LATE:].mean(axis=1)


def damage_of_first(table: pd.DataFrame) -> pd.Series:
    """Damage of deleting the first block of the residual net."""
    return damage(table, "residual-32")[0]


def damage_gap(table: pd.DataFrame) -> pd.Series:
    """Damage of deleting one block, mean over blocks: 8 layers minus 32, residual."""
    shallow, deep = (damage(table, f"residual-{depth}").mean(axis=1) for depth in (8, 32))
    return shallow - deep


def plain_damage_gap(table: pd.DataFrame) -> pd.Series:
    """Damage of deleting one block, mean over the blocks: plain minus residual, 8 layers."""
    plain, residual = (damage(table, f"{kind}-8").mean(axis=1) for kind in ("plain", "residual"))
    return plain - residual


def damage_of_several(number: int, table: pd.DataFrame) -> pd.Series:
    """Damage of deleting so many blocks at once, drawn at random."""
    return damage(table, "residual-32", "lesion_several")[number]


def mean_length(variant: str, table: pd.DataFrame, metric: str = "contribution") -> pd.Series:
    """Mean length of a path, weighted by its part of the gradient."""
    weights = at(table, metric, variant).fillna(0)
    return (weights * weights.columns.to_numpy(float)).sum(axis=1) / weights.sum(axis=1)


def shorter_than_counted(variant: str, table: pd.DataFrame) -> pd.Series:
    """Mean length by number of paths minus mean length by gradient."""
    return mean_length(variant, table, "share") - mean_length(variant, table)


def trained_lag_one(variant: str, step: str, table: pd.DataFrame) -> pd.Series:
    """Lag-1 autocorrelation of the derivative between test examples."""
    return at(table, "autocorrelation", variant, step)[1]


def smoothed_by_training(variant: str, table: pd.DataFrame) -> pd.Series:
    """Lag-1 autocorrelation after training minus before."""
    after, before = (trained_lag_one(variant, step, table) for step in ("after", "before"))
    return after - before


def surface(table: pd.DataFrame, variant: str, seed: int) -> pd.DataFrame:
    """Loss on the plane of two random directions: b x a."""
    rows = table[(table["metric"] == "loss") & (table["variant"] == variant)]
    return rows[rows["seed"] == seed].pivot(index="b", columns="a", values="value")


def rise(variant: str, table: pd.DataFrame) -> pd.Series:
    """Mean loss on the plane minus the loss in its middle, by seed."""
    rows = table[(table["metric"] == "loss") & (table["variant"] == variant)]
    middle = rows[(rows["a"] == 0) & (rows["b"] == 0)].set_index("seed")["value"]
    return rows.groupby("seed")["value"].mean() - middle


def flatter(table: pd.DataFrame) -> pd.Series:
    """How much less the loss rises around the residual net than around the plain one."""
    return rise("plain-32", table) - rise("residual-32", table)


def bent_down(variant: str, table: pd.DataFrame) -> pd.Series:
    """Share of places on the plane where the loss curves down along one of the two axes."""
    found = {}
    for seed in sorted(table["seed"].unique()):
        z = surface(table, variant, seed).to_numpy()
        along = z[1:-1, 2:] - 2 * z[1:-1, 1:-1] + z[1:-1, :-2]
        across = z[2:, 1:-1] - 2 * z[1:-1, 1:-1] + z[:-2, 1:-1]
        found[seed] = ((along < 0) | (across < 0)).mean()
    return pd.Series(found)


def before_and_after_swapped(table: pd.DataFrame) -> pd.DataFrame:
    """What was measured before training as if it were after, and the other way round."""
    last = table["step"].max()
    return table.assign(step=table["step"].map(lambda step: last - step))


def blocks_reversed(table: pd.DataFrame) -> pd.DataFrame:
    """The deep nets' blocks in the opposite order."""
    turned = (table["metric"] == "lesion") & (table["index"] >= 0) & (table["depth"] == DEPTH)
    index = table["index"].where(~turned, BLOCKS - 1 - table["index"])
    return table.assign(index=index)


def one_for_four(table: pd.DataFrame) -> pd.DataFrame:
    """The error after deleting one block where that after deleting four belongs."""
    kept = table[(table["metric"] != "lesion_several") | (table["index"] != 4)]
    ones = table[(table["metric"] == "lesion_several") & (table["index"] == 1)].assign(index=4.0)
    return pd.concat([kept, ones], ignore_index=True)


def net_for_net(old: str, new: str, table: pd.DataFrame) -> pd.DataFrame:
    """The measurements of the variant `new` in the place of those of `old`."""
    copies = table[table["variant"] == new].assign(variant=old)
    return pd.concat([table[table["variant"] != old], copies], ignore_index=True)


def depths_swapped(table: pd.DataFrame) -> pd.DataFrame:
    """The residual nets of 8 and of 32 layers under each other's names."""
    names = {"residual-8": "residual-32", "residual-32": "residual-8"}
    return table.assign(variant=table["variant"].replace(names))


def depths_of_plain_swapped(table: pd.DataFrame) -> pd.DataFrame:
    """The plain nets of 8 and of 32 layers under each other's names."""
    names = {"plain-8": "plain-32", "plain-32": "plain-8"}
    return table.assign(variant=table["variant"].replace(names))


def identities_for_blocks(table: pd.DataFrame) -> pd.DataFrame:
    """ReZero's blocks before training, which are identities, as if residual blocks after it."""
    others = table[table["variant"] != "residual-32"]
    rows = table[(table["variant"] == "rezero-32") & (table["step"] == 0)]
    copies = rows.assign(variant="residual-32", step=table["step"].max())
    return pd.concat([others, copies], ignore_index=True)


# --- claims ---------------------------------------------------------------------------------

BALDUZZI = "Balduzzi et al. 2017"
VEIT = "Veit et al. 2016"
CLAIMS = (
    # The gradient highway
    Claim(
        id="6.1",
        statement=(
            "A residual block never shrinks a gradient: with He's weights the smallest singular "
            "value of I + J is at least 1."
        ),
        source="popular",
        experiment="block_jacobians",
        statistic=smallest_of_one_block,
        holds_if=above(1),
    ),
    Claim(
        id="6.2",
        statement=(
            "On average over all directions a residual block with He's weights doubles the mean "
            "square of a gradient, to within 15 % of a doubling."
        ),
        source="derived on the page",
        experiment="block_jacobians",
        statistic=partial(doublings_a_block, "one"),
        holds_if=between(0.85, 1.15),
    ),
    Claim(
        id="6.3",
        statement=(
            "Behind 32 residual blocks with He's weights the largest singular value is over 10 "
            "powers of ten above the smallest."
        ),
        source="ours",
        experiment="block_jacobians",
        statistic=partial(decades_of_spread, "one"),
        holds_if=above(10),
    ),
    Claim(
        id="6.4",
        statement=(
            "With branches scaled by 1/L, 32 blocks together change no direction by more than a "
            "factor of 2."
        ),
        source="ours",
        experiment="block_jacobians",
        statistic=partial(farthest_from_one, "inverse"),
        holds_if=below(2),
    ),
    Claim(
        id="6.5",
        statement=(
            "In the trained residual net of 32 layers every block shrinks some direction by more "
            "than 5 %."
        ),
        source="ours",
        experiment="explanations",
        statistic=most_preserving_block,
        holds_if=below(0.95),
        sabotage=identities_for_blocks,
    ),
    Claim(
        id="6.6",
        statement=(
            "Before training, the gradient grows from the last block to the first by over 3 "
            "doublings more in the plain net of 32 layers than in the residual one."
        ),
        source="ours",
        experiment="explanations",
        statistic=growth_gap,
        holds_if=above(3),
    ),
    Claim(
        id="6.7",
        statement="In the plain net of 32 layers the gradient vanishes on its way back.",
        source="popular",
        experiment="explanations",
        statistic=partial(gradient_growth, "plain-32"),
        holds_if=below(-1),
    ),
    # Easy identity
    Claim(
        id="6.8",
        statement=(
            "After training, branches are smaller beside their shortcuts in 32 layers than in 8: "
            "less than 0.6 times the size."
        ),
        source="He et al. 2015, section 4.2 and figure 7",
        experiment="explanations",
        statistic=smaller_when_deep,
        holds_if=below(0.6),
        sabotage=depths_swapped,
    ),
    Claim(
        id="6.9",
        statement="Training brings the blocks of the residual net of 8 layers nearer to identity.",
        source="popular",
        experiment="explanations",
        statistic=partial(growth_of_branches, "residual-8"),
        holds_if=below(1),
        sabotage=partial(net_for_net, "residual-8", "residual-32"),
    ),
    Claim(
        id="6.10",
        statement=(
            "ReZero, whose blocks start as identities, learns in 32 layers without normalisation: "
            "its test error is over 10 points below that of the same net without its scales."
        ),
        source="Bachlechner et al. 2020",
        experiment="explanations",
        statistic=partial(worse_by, "no norm-32", "rezero-32"),
        holds_if=above(0.1),
    ),
    # Ensemble of shallow nets
    Claim(
        id="6.11",
        statement=(
            "Deleting one of the last five blocks of the residual net of 32 layers costs less than "
            "15 points of test error, on average."
        ),
        source=f"{VEIT}, section 4",
        experiment="explanations",
        statistic=damage_of_late,
        holds_if=below(0.15),
        sabotage=blocks_reversed,
    ),
    Claim(
        id="6.12",
        statement=(
            "Deleting the first block of the residual net of 32 layers costs more than 40 points."
        ),
        source="ours",
        experiment="explanations",
        statistic=damage_of_first,
        holds_if=above(0.4),
        sabotage=blocks_reversed,
    ),
    Claim(
        id="6.13",
        statement=(
            "A deleted block takes half of all paths whatever the depth, but costs over 20 points "
            "more in 8 layers than in 32, on the mean of all blocks."
        ),
        source="ours",
        experiment="explanations",
        statistic=damage_gap,
        holds_if=above(0.2),
        sabotage=depths_swapped,
    ),
    Claim(
        id="6.14",
        statement=(
            "In 8 layers, deleting a block costs a residual net as much as a plain one, to within "
            "20 points."
        ),
        source="ours",
        experiment="explanations",
        statistic=plain_damage_gap,
        holds_if=between(-0.2, 0.2),
        sabotage=partial(net_for_net, "residual-8", "residual-32"),
    ),
    Claim(
        id="6.15",
        statement=(
            "Four of the 15 blocks deleted at random cost the residual net of 32 layers over 30 "
            "points."
        ),
        source=f"ours; {VEIT} report a smooth rise with the number, figure 5a",
        experiment="explanations",
        statistic=partial(damage_of_several, 4),
        holds_if=above(0.3),
        sabotage=one_for_four,
    ),
    Claim(
        id="6.16",
        statement=(
            "In the trained residual net of 32 layers the gradient comes by short paths: their "
            "mean length, weighted by the part of the gradient, is over 2 blocks below that of all "
            "paths."
        ),
        source=f"{VEIT}, section 5",
        experiment="explanations",
        statistic=partial(shorter_than_counted, "residual-32"),
        holds_if=above(2),
        sabotage=partial(net_for_net, "residual-32", "scaled-32"),
    ),
    Claim(
        id="6.17",
        statement=(
            "With shortcuts scaled by 0.5 the gradient comes by long paths: their mean length is "
            "over a block above that of all paths."
        ),
        source="derived on the page",
        experiment="explanations",
        statistic=partial(shorter_than_counted, "scaled-32"),
        holds_if=below(-1),
        sabotage=partial(net_for_net, "scaled-32", "residual-32"),
    ),
    # Shattered gradients
    Claim(
        id="6.18",
        statement=(
            "The gradients of the mean-centred plain net of 24 layers look like white noise: "
            "autocorrelation at lag 1 within 0.2 of 0."
        ),
        source=f"{BALDUZZI}, figures 1 and 2",
        experiment="shattered_gradients",
        statistic=partial(lag_one, "plain, centred, 24"),
        holds_if=between(-0.2, 0.2),
    ),
    Claim(
        id="6.19",
        statement=(
            "The gradients of the residual net of 50 layers with BatchNorm and beta = 0.1 keep to "
            "their neighbours: autocorrelation at lag 1 above 0.6."
        ),
        source=f"{BALDUZZI}, figures 1 and 2",
        experiment="shattered_gradients",
        statistic=partial(lag_one, "residual, BatchNorm, beta 0.1, 50"),
        holds_if=above(0.6),
        sabotage=partial(net_for_net, "residual, BatchNorm, beta 0.1, 50", "residual, centred, 50"),
    ),
    Claim(
        id="6.20",
        statement=(
            "Mean-centring makes the shattering: without it the plain net of 24 layers has an "
            "autocorrelation at lag 1 over 0.5 higher."
        ),
        source="ours",
        experiment="shattered_gradients",
        statistic=partial(lag_one_gain, "plain, 24", "plain, centred, 24"),
        holds_if=above(0.5),
    ),
    Claim(
        id="6.21",
        statement=(
            "50 layers with weights and biases of variance 1/width, not centred, don't shatter: "
            "autocorrelation at lag 1 above 0.8."
        ),
        source="set-up of notebook 11.1 of Understanding Deep Learning",
        experiment="shattered_gradients",
        statistic=partial(lag_one, "small biases, 50"),
        holds_if=above(0.8),
        sabotage=partial(net_for_net, "small biases, 50", "plain, centred, 50"),
    ),
    Claim(
        id="6.22",
        statement=(
            "The skip alone doesn't prevent shattering: the mean-centred residual net of 50 layers "
            "has an autocorrelation at lag 1 within 0.2 of 0."
        ),
        source="ours",
        experiment="shattered_gradients",
        statistic=partial(lag_one, "residual, centred, 50"),
        holds_if=between(-0.2, 0.2),
    ),
    Claim(
        id="6.23",
        statement=(
            "In the centred plain net the correlation of the gradients at two inputs falls by 0.46 "
            "to 0.54 a layer; derived: 1/2."
        ),
        source=f"{BALDUZZI}; derived on the page",
        experiment="gradient_correlation",
        statistic=partial(rate, "plain, centred"),
        holds_if=between(0.46, 0.54),
        sabotage=partial(kind_for_kind, "plain, centred", "residual, centred"),
    ),
    Claim(
        id="6.24",
        statement=(
            "In the centred residual net, which doesn't divide by a variance, the correlation "
            "falls by 0.72 to 0.78 a block; derived: 3/4."
        ),
        source=f"{BALDUZZI}; derived on the page",
        experiment="gradient_correlation",
        statistic=partial(rate, "residual, centred"),
        holds_if=between(0.72, 0.78),
        sabotage=partial(kind_for_kind, "residual, centred", "plain, centred"),
    ),
    Claim(
        id="6.25",
        statement=(
            "With batch-normalised branches the correlation falls as the inverse square root: "
            "behind 64 blocks it is within 20 % of what follows if each branch adds its mean "
            "square."
        ),
        source=f"{BALDUZZI}, as retold",
        experiment="gradient_correlation",
        statistic=partial(off_the_law, 1.0),
        holds_if=between(math.log2(0.8), math.log2(1.2)),
        sabotage=partial(kind_for_kind, "residual, BatchNorm", "residual, centred"),
    ),
    Claim(
        id="6.26",
        statement=(
            "With batch-normalised branches the correlation falls as a power of about 0.73: it is "
            "within 20 % of what follows if each branch adds its variance."
        ),
        source="derived on the page",
        experiment="gradient_correlation",
        statistic=partial(off_the_law, KEPT),
        holds_if=between(math.log2(0.8), math.log2(1.2)),
        sabotage=partial(kind_for_kind, "residual, BatchNorm", "residual, centred"),
    ),
    Claim(
        id="6.27",
        statement=(
            "Without centring the plain net doesn't shatter like that: from 16 to 32 layers the "
            "correlation falls by less than 15 % a layer, where independent rectifiers take half."
        ),
        source="ours",
        experiment="gradient_correlation",
        statistic=partial(rate_at_the_end, "plain"),
        holds_if=above(0.85),
        sabotage=partial(kind_for_kind, "plain", "residual, centred"),
    ),
    Claim(
        id="6.28",
        statement=(
            "Centring drives close inputs apart: their squared distance grows by 1.40 to 1.54 a "
            "layer in the centred plain net; derived: 1.47."
        ),
        source="derived on the page",
        experiment="gradient_correlation",
        statistic=partial(separation_a_layer, "plain, centred"),
        holds_if=between(1.40, 1.54),
        sabotage=partial(kind_for_kind, "plain, centred", "plain"),
    ),
    Claim(
        id="6.29",
        statement=(
            "Shattering is no reason for the failure without normalisation: before training that "
            "net's autocorrelation at lag 1 is above 0.5."
        ),
        source="ours",
        experiment="explanations",
        statistic=partial(trained_lag_one, "no norm-32", "before"),
        holds_if=above(0.5),
        sabotage=partial(net_for_net, "no norm-32", "plain-32"),
    ),
    Claim(
        id="6.30",
        statement=(
            "Scaling the shortcuts by 0.5 shatters the gradients at the start: autocorrelation at "
            "lag 1 within 0.2 of 0."
        ),
        source="derived on the page",
        experiment="explanations",
        statistic=partial(trained_lag_one, "scaled-32", "before"),
        holds_if=between(-0.2, 0.2),
    ),
    Claim(
        id="6.31",
        statement=(
            "Training mends what was shattered: with scaled shortcuts the autocorrelation at lag 1 "
            "rises by over 0.3."
        ),
        source="ours",
        experiment="explanations",
        statistic=partial(smoothed_by_training, "scaled-32"),
        holds_if=above(0.3),
        sabotage=before_and_after_swapped,
    ),
    # What training makes of them
    Claim(
        id="6.32",
        statement=(
            "What the skip saves is a matter of depth: the plain net's test error is over 20 "
            "points farther above the residual net's at 32 layers than at 8."
        ),
        source="He et al. 2015, section 4.1 and figure 6",
        experiment="explanations",
        statistic=skip_saves_with_depth,
        holds_if=above(0.2),
        sabotage=depths_of_plain_swapped,
    ),
    Claim(
        id="6.33",
        statement=(
            "At 32 layers the plain net's test error is more than 30 points above the residual "
            "net's."
        ),
        source="He et al. 2015, figure 6",
        experiment="explanations",
        statistic=partial(worse_by, "plain-32", "residual-32"),
        holds_if=above(0.3),
    ),
    Claim(
        id="6.34",
        statement="Scaling the shortcuts by 0.5 costs more than 15 points at 32 layers.",
        source="He et al. 2016, Table 1",
        experiment="explanations",
        statistic=partial(worse_by, "scaled-32", "residual-32"),
        holds_if=above(0.15),
    ),
    Claim(
        id="6.35",
        statement=(
            "On a plane of two filter-normalised random directions the loss rises less around the "
            "residual net of 32 layers than around the plain one."
        ),
        source="Li et al. 2018, as retold",
        experiment="explanations",
        statistic=flatter,
        holds_if=above(0),
        sabotage=partial(net_for_net, "plain-32", "residual-32"),
    ),
    Claim(
        id="6.36",
        statement=(
            "At 8 layers the plain net isn't shattered at the start: autocorrelation at lag 1 "
            "above 0.7."
        ),
        source="ours",
        experiment="explanations",
        statistic=partial(trained_lag_one, "plain-8", "before"),
        holds_if=above(0.7),
        sabotage=partial(net_for_net, "plain-8", "plain-32"),
    ),
    Claim(
        id="6.37",
        statement=(
            "At 32 layers the plain net is shattered at the start: autocorrelation at lag 1 within "
            "0.2 of 0."
        ),
        source=f"{BALDUZZI}, here with BatchNorm and convolutions",
        experiment="explanations",
        statistic=partial(trained_lag_one, "plain-32", "before"),
        holds_if=between(-0.2, 0.2),
    ),
    Claim(
        id="6.38",
        statement=(
            "With shortcuts scaled by 0.5 the gradient vanishes on its way back through 15 blocks, "
            "before training."
        ),
        source="popular, after He et al. 2016, section 3.1, on the product of the shortcuts",
        experiment="explanations",
        statistic=partial(gradient_growth, "scaled-32"),
        holds_if=below(-1),
    ),
    Claim(
        id="6.39",
        statement=(
            "In ReZero the gradient arrives at the first block as it left the last, before "
            "training."
        ),
        source="Bachlechner et al. 2020",
        experiment="explanations",
        statistic=partial(gradient_growth, "rezero-32"),
        holds_if=between(-0.01, 0.01),
        sabotage=partial(net_for_net, "rezero-32", "residual-32"),
    ),
    Claim(
        id="6.40",
        statement="ReZero's start isn't shattered: autocorrelation at lag 1 above 0.9.",
        source="derived on the page",
        experiment="explanations",
        statistic=partial(trained_lag_one, "rezero-32", "before"),
        holds_if=above(0.9),
        sabotage=partial(net_for_net, "rezero-32", "plain-32"),
    ),
    Claim(
        id="6.41",
        statement=(
            "After training, ReZero's gradient comes by short paths too: over 2 blocks below the "
            "mean length of all paths."
        ),
        source="ours",
        experiment="explanations",
        statistic=partial(shorter_than_counted, "rezero-32"),
        holds_if=above(2),
        sabotage=partial(net_for_net, "rezero-32", "scaled-32"),
    ),
    Claim(
        id="6.42",
        statement=(
            "Without centring two inputs come to open the same rectifiers: behind 32 layers over "
            "35 % are open for both, where independent ones would be 25 %."
        ),
        source="ours",
        experiment="gradient_correlation",
        statistic=partial(open_for_both, "plain"),
        holds_if=above(0.35),
        sabotage=partial(kind_for_kind, "plain", "residual, centred"),
    ),
    Claim(
        id="6.43",
        statement=(
            "Centring those 50 layers, and changing nothing else, takes over 0.5 off the "
            "autocorrelation at lag 1."
        ),
        source="ours, on notebook 11.1 of Understanding Deep Learning",
        experiment="shattered_gradients",
        statistic=partial(lag_one_gain, "small biases, 50", "small biases, centred, 50"),
        holds_if=above(0.5),
    ),
    Claim(
        id="6.44",
        statement=(
            "In 32 layers training leaves the branches as large beside their shortcuts as they "
            "were, to within 30 %."
        ),
        source="ours",
        experiment="explanations",
        statistic=partial(growth_of_branches, "residual-32"),
        holds_if=between(0.7, 1.3),
        sabotage=partial(net_for_net, "residual-32", "residual-8"),
    ),
)
