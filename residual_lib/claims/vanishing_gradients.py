"""What chapter 1 claims, and the formulas that its measurements are held against."""

from __future__ import annotations

import math
from functools import lru_cache, partial

import numpy as np
import pandas as pd
import torch

from residual_lib.claims import Claim, above, below, between
from residual_lib.nn import create_activation

# --- theory ---------------------------------------------------------------------------------


def relu_growth(batch: int) -> float:
    """Growth per layer of the gradient's squared norm through ReLU and BatchNorm.

    Yang et al. 2019 (arXiv 1902.08129), theorem 3.10 (alpha = 1): wide layers with random
    weights, the statistics of one batch of `batch` examples, at initialisation, deep inside the
    net. It falls to pi / (pi - 1) for large batches.

    Raises:
        ValueError: `batch` is below 4, where the theorem says nothing.
    """
    if batch < 4:
        raise ValueError(f"batch must be at least 4, got {batch}")
    # Mean-free over the batch, two examples have this correlation once the net is deep.
    c = -1 / (batch - 1)
    angle = math.pi - math.acos(c)
    kernel, slope = (math.sqrt(1 - c * c) + angle * c) / math.pi, angle / math.pi
    top = slope + batch - 1
    return top / ((batch - 3) * (1 - kernel)) - 1 / (batch - 3)


def linear_growth(batch: int) -> float:
    """The same without an activation: (B - 2) / (B - 3) (Yang et al. 2019, theorem 3.10).

    Raises:
        ValueError: `batch` is below 4, where the theorem says nothing.
    """
    if batch < 4:
        raise ValueError(f"batch must be at least 4, got {batch}")
    return (batch - 2) / (batch - 3)


@lru_cache
def large_batch_growth(activation: str) -> float:
    """The same for any activation and a large batch: E[phi'(z)^2] / Var[phi(z)], z ~ N(0, 1)."""
    z = torch.linspace(-10, 10, 200_001, dtype=torch.float64, requires_grad=True)
    h = create_activation(activation)(z)
    (slope,) = torch.autograd.grad(h.sum(), z)
    weight = torch.exp(-(z.detach() ** 2) / 2)
    weight /= weight.sum()
    h = h.detach()
    variance = (weight * h**2).sum() - (weight * h).sum() ** 2
    return ((weight * slope**2).sum() / variance).item()


def naive_sigmoid_growth(width: int) -> float:
    """Growth per layer of the gradient's squared norm through sigmoids with N(0, 1) weights.

    sqrt(width) / (6 sqrt(pi)): derived in the chapter for wide layers, whose sums have a standard
    deviation far above 1, so that most units are saturated. It is 1 at a width of 36 pi = 113.
    """
    return math.sqrt(width) / (6 * math.sqrt(math.pi))


# --- from table to numbers ------------------------------------------------------------------


def decades(table: pd.DataFrame, depth: int = 50) -> pd.DataFrame:
    """log10 of the gradient's norm in h_1 over that in h_(L-1): seeds x variants.

    -3 means that the gradient is a thousand times smaller at the first hidden layer.
    """
    rows = table[table["layer"].isin((1, depth - 1))]
    if "depth" in rows:
        rows = rows[rows["depth"] == depth]
    norm = rows.pivot(index="seed", columns=["layer", "variant"], values="value")
    return np.log10(norm[1]) - np.log10(norm[depth - 1])


def growth(table: pd.DataFrame, depth: int = 50) -> pd.DataFrame:
    """Factor per layer of the gradient's squared norm on its way back: seeds x variants."""
    return 10 ** (2 * decades(table, depth) / (depth - 2))


def decades_of(variant: str, table: pd.DataFrame, depth: int = 50) -> pd.Series:
    """`decades` of one variant."""
    return decades(table, depth)[variant]


def gain_of_he(table: pd.DataFrame) -> pd.Series:
    """Orders of magnitude that He's initialisation saves against Xavier's, for ReLU."""
    lost = decades(table)
    return lost["none-relu-he"] - lost["none-relu-xavier"]


def loss_of_narrow_layers(table: pd.DataFrame) -> pd.Series:
    """Orders of magnitude that 16 ReLU units with He's weights lose against 256."""
    lost = decades(table)
    return lost["relu-he-256"] - lost["relu-he-16"]


def worst_deviation(table: pd.DataFrame) -> pd.Series:
    """Largest relative deviation from the theorem over all batch sizes."""
    measured = growth(table)
    deviations = [
        (measured[f"relu-{batch}"] / relu_growth(batch) - 1).abs() for batch in (8, 16, 32, 64, 128)
    ]
    return pd.concat(deviations, axis=1).max(axis=1)


def worst_deviation_over_depths(table: pd.DataFrame) -> pd.Series:
    """Largest relative deviation of the whole growth, in orders of magnitude, over all depths."""
    deviations = []
    for depth in (8, 20, 50, 100, 200):
        theory = (depth - 2) / 2 * math.log10(relu_growth(64))
        deviations.append((decades(table, depth)["batch-relu-he"] / theory - 1).abs())
    return pd.concat(deviations, axis=1).max(axis=1)


def deviation_from_large_batch(table: pd.DataFrame) -> pd.Series:
    """Largest relative deviation from E[phi'^2] / Var[phi] over four activations."""
    measured = growth(table)
    deviations = [
        (measured[f"{name}-128"] / large_batch_growth(name) - 1).abs()
        for name in ("relu", "tanh", "sigmoid", "identity")
    ]
    return pd.concat(deviations, axis=1).max(axis=1)


def spread_over_initialisations(table: pd.DataFrame) -> pd.Series:
    """Largest difference between initialisations, in orders of magnitude, for ReLU + BatchNorm."""
    lost = decades(table)[[f"batch-relu-{init}" for init in ("naive", "xavier", "he")]]
    return lost.max(axis=1) - lost.min(axis=1)


def without_batch_norm(table: pd.DataFrame) -> pd.DataFrame:
    """The nets without normalisation in the place of those with BatchNorm."""
    without = table[table["norm"] == "none"]
    variant = without["variant"].str.replace("none-", "batch-", n=1)
    return pd.concat([without, without.assign(norm="batch", variant=variant)], ignore_index=True)


def at_the_end(metric: str, table: pd.DataFrame) -> pd.DataFrame:
    """A metric at the last step: seeds x variants."""
    rows = table[table["metric"] == metric]
    rows = rows[rows["step"] == rows["step"].max()]
    return rows.pivot(index="seed", columns="variant", values="value")


def difference(metric: str, first: str, second: str, table: pd.DataFrame) -> pd.Series:
    """A metric at the last step: the first variant's minus the second's."""
    values = at_the_end(metric, table)
    return values[first] - values[second]


def agreement_with_batch_norm(table: pd.DataFrame) -> pd.Series:
    """Mean cosine between the gradients of neighbours at 20 layers, ReLU with BatchNorm."""
    return at_the_end("neighbours", table)["batch-20"]


def similarity_of_outputs(table: pd.DataFrame) -> pd.Series:
    """Mean cosine between the outputs for two digits at 100 layers, ReLU with He's weights."""
    return at_the_end("outputs", table)["none-100"]


def change_of_size(table: pd.DataFrame) -> pd.Series:
    """log10 of the size of the gradient in the input at 100 layers over that at 8."""
    size = np.log10(at_the_end("gradient_norm", table))
    return size["none-100"] - size["none-8"]


# --- claims ---------------------------------------------------------------------------------

CLAIMS = (
    Claim(
        id="1.1",
        statement=(
            "Sigmoid, weights N(0, 1), 50 layers of 64 units: at the first hidden layer the "
            "gradient is more than 30 times smaller than at the last."
        ),
        source="ours",
        experiment="gradient_scale",
        statistic=partial(decades_of, "none-sigmoid-naive"),
        holds_if=below(-1.5),
        conditions="narrow layers, see 1.2.",
    ),
    Claim(
        id="1.2",
        statement=(
            "With 256 units in place of 64 the same net's gradient grows on its way back, "
            "more than 1,000 times."
        ),
        source="ours",
        experiment="gradient_width",
        statistic=partial(decades_of, "sigmoid-naive-256"),
        holds_if=above(3),
    ),
    Claim(
        id="1.3",
        statement=(
            "Sigmoid with Xavier's initialisation loses more than 25 orders of magnitude over "
            "50 layers."
        ),
        source="ours",
        experiment="gradient_scale",
        statistic=partial(decades_of, "none-sigmoid-xavier"),
        holds_if=below(-25),
    ),
    Claim(
        id="1.4",
        statement=(
            "He's initialisation keeps the gradient of 50 ReLU layers of 64 units within a factor "
            "of 10."
        ),
        source="He et al. 2015 (arXiv 1502.01852), section 2.2",
        experiment="gradient_scale",
        statistic=partial(decades_of, "none-relu-he"),
        holds_if=between(-1, 1),
        conditions="layers about as wide as the net is deep; a net that is deeper loses more.",
    ),
    Claim(
        id="1.5",
        statement=(
            "He's initialisation saves a ReLU net of 50 layers 7.0 to 7.5 orders of magnitude "
            "against Xavier's; the theory says 7.2."
        ),
        source="He et al. 2015 (arXiv 1502.01852), section 2.2",
        experiment="gradient_scale",
        statistic=gain_of_he,
        holds_if=between(7.0, 7.5),
    ),
    Claim(
        id="1.6",
        statement=(
            "Through ReLU and BatchNorm the gradient grows at the rate that Yang et al. derive, "
            "within 5 % at each batch size from 8 to 128."
        ),
        source="Yang et al. 2019 (arXiv 1902.08129), theorem 3.10",
        experiment="batch_norm_growth",
        statistic=worst_deviation,
        holds_if=below(0.05),
    ),
    Claim(
        id="1.7",
        statement=(
            "With a batch of 128, E[phi'^2] / Var[phi] gives the growth within 6 % for ReLU, tanh, "
            "sigmoid and no activation."
        ),
        source="derived on the page; the large-batch limit of Yang et al. 2019, theorem 3.9",
        experiment="batch_norm_growth",
        statistic=deviation_from_large_batch,
        holds_if=below(0.06),
    ),
    Claim(
        id="1.8",
        statement=(
            "With BatchNorm the initial scale makes no difference: naive, Xavier and He differ by "
            "less than half an order of magnitude over 50 ReLU layers."
        ),
        source="Yang et al. 2019 (arXiv 1902.08129), abstract",
        experiment="gradient_scale",
        statistic=spread_over_initialisations,
        holds_if=below(0.5),
        sabotage=without_batch_norm,
    ),
    Claim(
        id="1.9",
        statement=(
            "BatchNorm keeps the gradient of 50 ReLU layers with He's initialisation within a "
            "factor of 10."
        ),
        source="popular",
        experiment="gradient_scale",
        statistic=partial(decades_of, "batch-relu-he"),
        holds_if=between(-1, 1),
    ),
    Claim(
        id="1.10",
        statement=(
            "BatchNorm takes the loss of claim 1.3 away: the gradient of 50 sigmoid layers stays "
            "within a factor of 30."
        ),
        source="ours",
        experiment="gradient_scale",
        statistic=partial(decades_of, "batch-sigmoid-xavier"),
        holds_if=between(-1.5, 1.5),
    ),
    Claim(
        id="1.11",
        statement=(
            "LayerNorm doesn't: 50 sigmoid layers with it still lose more than 15 orders of "
            "magnitude."
        ),
        source="ours",
        experiment="gradient_scale",
        statistic=partial(decades_of, "layer-sigmoid-xavier"),
        holds_if=below(-15),
    ),
    Claim(
        id="1.12",
        statement=(
            "A ReLU net of 30 layers learns the digits with He's initialisation and not with "
            "Xavier's: the training error differs by more than 25 points."
        ),
        source="He et al. 2015 (arXiv 1502.01852), figure 3",
        experiment="thirty_layers",
        statistic=partial(difference, "train_error", "relu-xavier-none", "relu-he-none"),
        holds_if=above(0.25),
    ),
    Claim(
        id="1.13",
        statement=(
            "BatchNorm lowers the training error of 30 sigmoid layers by more than 70 points."
        ),
        source="ours",
        experiment="thirty_layers",
        statistic=partial(difference, "train_error", "sigmoid-xavier-none", "sigmoid-xavier-batch"),
        holds_if=above(0.7),
    ),
    Claim(
        id="1.14",
        statement=(
            "ReLU with He's initialisation: the gradients in the input at two neighbouring inputs "
            "agree less in direction at 100 layers than at 8, by more than 0.15 in the cosine."
        ),
        source="ours; compare Balduzzi et al. 2017",
        experiment="gradient_direction",
        statistic=partial(difference, "neighbours", "none-8", "none-100"),
        holds_if=above(0.15),
    ),
    Claim(
        id="1.15",
        statement="In size these gradients differ by less than a factor of 10.",
        source="ours",
        experiment="gradient_direction",
        statistic=change_of_size,
        holds_if=between(-1, 1),
    ),
    Claim(
        id="1.16",
        statement=(
            "At 100 layers that net gives nearly the same output whatever the digit: two outputs "
            "have a cosine above 0.95."
        ),
        source="ours",
        experiment="gradient_direction",
        statistic=similarity_of_outputs,
        holds_if=above(0.95),
    ),
    Claim(
        id="1.17",
        statement=(
            "With BatchNorm the agreement is gone at 20 layers already: the cosine lies within "
            "0.15 of 0."
        ),
        source="ours; compare Balduzzi et al. 2017",
        experiment="gradient_direction",
        statistic=agreement_with_batch_norm,
        holds_if=between(-0.15, 0.15),
    ),
    Claim(
        id="1.18",
        statement=(
            "Of two nets of 30 layers with gradients in scale, the one (ReLU, He) ends with a "
            "training error more than 15 points above the other's (tanh, orthogonal)."
        ),
        source="ours",
        experiment="thirty_layers",
        statistic=partial(difference, "train_error", "relu-he-none", "tanh-orthogonal-none"),
        holds_if=above(0.15),
    ),
    Claim(
        id="1.19",
        statement=(
            "In a net much deeper than wide He's initialisation loses: over 50 ReLU layers of 16 "
            "units the gradient falls 0.2 to 3 orders of magnitude below that of 256 units."
        ),
        source="ours",
        experiment="gradient_width",
        statistic=loss_of_narrow_layers,
        holds_if=between(0.2, 3),
    ),
    Claim(
        id="1.20",
        statement=(
            "BatchNorm keeps the outputs apart: at 100 layers the cosine of two outputs is lower "
            "with it by more than 0.3."
        ),
        source="ours",
        experiment="gradient_direction",
        statistic=partial(difference, "outputs", "none-100", "batch-100"),
        holds_if=above(0.3),
    ),
    Claim(
        id="1.21",
        statement=(
            "At each depth from 8 to 200 the theorem of claim 1.6 gives the whole growth, counted "
            "in orders of magnitude, within 20 %."
        ),
        source="Yang et al. 2019 (arXiv 1902.08129), theorem 3.10",
        experiment="gradient_scale",
        statistic=worst_deviation_over_depths,
        holds_if=below(0.2),
    ),
)
