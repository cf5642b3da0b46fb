"""What chapter 13 claims: of published figures read like with like, of counts, and of depth."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from residual_lib import published
from residual_lib.claims import Claim, above, below, between
from residual_lib.claims.framework.reading import final, in_place, worse

# --- from table to numbers: published ---------------------------------------------------------

Entry = tuple[str, str, str]  # network, protocol, training
#: The small table that everybody knows. Its rows have three protocols, and it doesn't say so.
FAMOUS: dict[str, Entry] = {
    "VGG": ("VGG-19", "single-scale", "own"),
    "ResNet-34": ("ResNet-34", "multi-scale", "own"),
    "ResNet-152": ("ResNet-152", "multi-scale", "own"),
}
LIKE_WITH_LIKE: dict[str, dict[str, Entry]] = {
    "10-crop": {
        "VGG": ("VGG-16", "10-crop", "own"),
        "ResNet-34": ("ResNet-34", "10-crop", "own"),
        "ResNet-152": ("ResNet-152", "10-crop", "own"),
    },
    "multi-scale": {
        "VGG": ("VGG-19", "multi-scale", "own"),
        "ResNet-34": ("ResNet-34", "multi-scale", "own"),
        "ResNet-152": ("ResNet-152", "multi-scale", "own"),
    },
    "single crop": {
        "VGG": ("VGG-16", "single crop", "own"),
        "ResNet-152": ("ResNet-152", "single crop", "own"),
    },
    "one recipe": {
        "VGG": ("VGG-16", "single crop", "Hu"),
        "ResNet-152": ("ResNet-152", "single crop", "Hu"),
    },
}


def error(table: pd.DataFrame, entry: Entry, metric: str = "top5") -> pd.Series:
    """A published error in percent, once for each seed."""
    network, protocol, training = entry
    rows = table[(table["network"] == network) & (table["protocol"] == protocol)]
    rows = rows[(rows["training"] == training) & (rows["metric"] == metric)]
    return rows.set_index("seed")["value"]


def gap(
    table: pd.DataFrame, entries: dict[str, Entry], start: str = "VGG", end: str = "ResNet-152"
) -> pd.Series:
    """By how many points of top-5 error the second network is better."""
    return error(table, entries[start]) - error(table, entries[end])


def share_left(way: str, end: str, table: pd.DataFrame) -> pd.Series:
    """The gap from VGG to a network measured one way, over the famous table's."""
    return gap(table, LIKE_WITH_LIKE[way], end=end) / gap(table, FAMOUS, end=end)


def protocol_against_depth(table: pd.DataFrame) -> pd.Series:
    """What going from 10 crops to many scales gives ResNet-34, minus what 118 layers give it."""
    crops, scales = LIKE_WITH_LIKE["10-crop"], LIKE_WITH_LIKE["multi-scale"]
    looks = error(table, crops["ResNet-34"]) - error(table, scales["ResNet-34"])
    return looks - gap(table, crops, "ResNet-34")


def trainings_apart(table: pd.DataFrame) -> pd.Series:
    """Largest minus smallest top-5 error of ResNet-50 at a single crop, over who trained it."""
    rows = table[(table["network"] == "ResNet-50") & (table["protocol"] == "single crop")]
    values = rows[rows["metric"] == "top5"].groupby("seed")["value"]
    return values.max() - values.min()


def densenet_behind(table: pd.DataFrame) -> pd.Series:
    """Top-5 error of DenseNet-201 minus that of a ResNet-101 trained by the same code."""
    dense = error(table, ("DenseNet-201", "single crop", "Torch"))
    return dense - error(table, ("ResNet-101", "single crop", "Torch"))


def deeper_with_the_order(table: pd.DataFrame) -> pd.Series:
    """What the step from 152 to 200 layers costs in the original order, minus in the other one."""

    def top1(network: str) -> pd.Series:
        return error(table, (network, "crop of 320", "own"), "top1")

    original = top1("ResNet-200, original") - top1("ResNet-152")
    return original - (top1("ResNet-200, pre-activation") - top1("ResNet-152, pre-activation"))


# --- counted --------------------------------------------------------------------------------


def counts(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Parameters or multiply-adds: seeds x networks."""
    rows = table[table["metric"] == metric]
    return rows.pivot(index="seed", columns="variant", values="value")


def published_macs() -> pd.Series:
    """Multiply-adds in billions that Hu et al. 2018 print, by the library's name."""
    listed = published.read("imagenet")
    listed = listed[(listed["training"] == "Hu") & listed["counted_as"].notna()]
    return listed.set_index("counted_as")["gmacs"]


def off_the_published(table: pd.DataFrame) -> pd.Series:
    """Largest deviation of the counted multiply-adds from the published ones, as a share."""
    wanted = published_macs()
    counted = counts(table, "macs as published")[list(wanted.index)] / 1e9
    return (counted / wanted - 1).abs().max(axis=1)


def ratio(network: str, other: str, metric: str, table: pd.DataFrame) -> pd.Series:
    """A count of one network over that of another."""
    found = counts(table, metric)
    return found[network] / found[other]


def costlier(network: str, other: str, table: pd.DataFrame) -> pd.Series:
    """The larger of the two ratios of parameters and of multiply-adds."""
    ratios = [ratio(network, other, metric, table) for metric in ("parameters", "macs")]
    return pd.concat(ratios, axis=1).max(axis=1)


#: Single crop, each network as its authors (DenseNet: in the code they used) trained it.
SINGLE_CROP = {
    "vgg16": ("VGG-16", "own"),
    "resnet50": ("ResNet-50", "own"),
    "resnet101": ("ResNet-101", "own"),
    "resnet152": ("ResNet-152", "own"),
    "densenet121": ("DenseNet-121", "Torch"),
    "densenet169": ("DenseNet-169", "Torch"),
    "densenet201": ("DenseNet-201", "Torch"),
}


def single_crop_errors() -> pd.Series:
    """Published top-5 errors of these networks at a single crop, by the library's name."""
    listed = published.read("imagenet")
    listed = listed[listed["protocol"] == "single crop"].set_index(["network", "training"])
    return pd.Series({name: listed["top5"][entry] for name, entry in SINGLE_CROP.items()})


def size_ranks(metric: str, table: pd.DataFrame) -> pd.Series:
    """Spearman's rank correlation of a count with the published error."""
    errors = single_crop_errors()
    ranks = counts(table, metric)[list(errors.index)].rank(axis=1)
    wanted = errors.rank()
    return ranks.apply(lambda row: float(np.corrcoef(row, wanted)[0, 1]), axis=1)


# --- a thousand layers ----------------------------------------------------------------------

GUESSING = 0.9


def below_guessing(variant: str, table: pd.DataFrame) -> pd.Series:
    """By how much a tower's test error is below that of guessing."""
    return GUESSING - final(table)[variant]


def updates(variant: str, table: pd.DataFrame) -> pd.Series:
    """Updates that a tower made before its loss was no number any more."""
    return final(table, "steps")[variant]


def gradient(variant: str, table: pd.DataFrame) -> pd.Series:
    """log10 of the norm of the gradient in the first layer, before training."""
    return final(table, "gradient")[variant]


def powers_apart(more: str, less: str, table: pd.DataFrame) -> pd.Series:
    """log10 of the gradient of one tower over that of another."""
    return gradient(more, table) - gradient(less, table)


# --- sabotage -------------------------------------------------------------------------------


def as_famous(table: pd.DataFrame) -> pd.DataFrame:
    """As if the figures of the famous table had been found by every protocol."""
    figures = {"VGG-16": 9.0, "VGG-19": 9.0, "ResNet-34": 5.71, "ResNet-152": 4.49}
    same = table["network"].map(figures).where(table["metric"] == "top5")
    return table.assign(value=same.fillna(table["value"]))


def one_protocol(table: pd.DataFrame) -> pd.DataFrame:
    """As if many scales gave what 10 crops give."""
    scales = table["protocol"] == "multi-scale"
    return table.assign(value=table["value"].where(~scales, table["value"] + 1.5))


def no_gain(table: pd.DataFrame) -> pd.DataFrame:
    """As if ResNet-34 were no better than VGG-19 at many scales."""
    rows = (table["network"] == "ResNet-34") & (table["protocol"] == "multi-scale")
    return table.assign(value=table["value"].where(~(rows & (table["metric"] == "top5")), 7.1))


def one_training(table: pd.DataFrame) -> pd.DataFrame:
    """As if only the authors had trained networks."""
    return table[table["training"] == "own"].reset_index(drop=True)


def own_code(table: pd.DataFrame) -> pd.DataFrame:
    """As if the ResNets of one code base had the errors of their authors' first training."""
    resnet = table["network"] == "ResNet-101"
    kept = table[~(resnet & (table["training"] == "Torch"))]
    copies = table[resnet & (table["training"] == "own")].assign(training="Torch")
    return pd.concat([kept, copies], ignore_index=True)


def order_without_effect(table: pd.DataFrame) -> pd.DataFrame:
    """As if pre-activation had the errors of the original order."""
    names = {
        "ResNet-152, pre-activation": "ResNet-152",
        "ResNet-200, pre-activation": "ResNet-200, original",
    }
    kept = table[~table["network"].isin(names)]
    copies = [kept[kept["network"] == of].assign(network=name) for name, of in names.items()]
    return pd.concat([kept, *copies], ignore_index=True)


def stride_elsewhere(table: pd.DataFrame) -> pd.DataFrame:
    """As if bottlenecks had their stride where today's code has it."""
    kept = table[table["metric"] != "macs as published"]
    copies = kept[kept["metric"] == "macs"].assign(metric="macs as published")
    return pd.concat([kept, copies], ignore_index=True)


def sorted_by_size(table: pd.DataFrame) -> pd.DataFrame:
    """As if networks with fewer errors had more parameters."""
    errors = single_crop_errors()
    size = (100 - table["variant"].map(errors)) * 1e6
    return table.assign(value=size.fillna(table["value"]))


# --- claims ---------------------------------------------------------------------------------

TABLES = "He et al. 2015, Tables 3 and 4; Simonyan and Zisserman 2014, Tables 3 and 5"
CLAIMS = (
    Claim(
        id="13.1",
        statement=(
            "With 10 crops for both, less than 85 % of the famous table's gap from VGG to "
            "ResNet-152 is left."
        ),
        source=TABLES,
        experiment="protocols",
        statistic=partial(share_left, "10-crop", "ResNet-152"),
        holds_if=below(0.85),
        sabotage=as_famous,
    ),
    Claim(
        id="13.2",
        statement="With many scales for both, less than 60 % of it is left.",
        source=TABLES,
        experiment="protocols",
        statistic=partial(share_left, "multi-scale", "ResNet-152"),
        holds_if=below(0.6),
        sabotage=as_famous,
    ),
    Claim(
        id="13.3",
        statement="Of the gap from VGG-19 to ResNet-34 more than half is left at many scales.",
        source="popular",
        experiment="protocols",
        statistic=partial(share_left, "multi-scale", "ResNet-34"),
        holds_if=above(0.5),
        sabotage=no_gain,
    ),
    Claim(
        id="13.4",
        statement=(
            "With a single crop, one training recipe and batch normalisation in both, less than "
            "60 % of the gap to ResNet-152 is left."
        ),
        source="Hu et al. 2018, Table 2",
        experiment="protocols",
        statistic=partial(share_left, "one recipe", "ResNet-152"),
        holds_if=below(0.6),
        sabotage=as_famous,
    ),
    Claim(
        id="13.5",
        statement=(
            "Many scales instead of 10 crops give ResNet-34 what 118 more layers give it, to "
            "within 0.1 points."
        ),
        source="He et al. 2015, Tables 3 and 4",
        experiment="protocols",
        statistic=protocol_against_depth,
        holds_if=between(-0.1, 0.1),
        sabotage=one_protocol,
    ),
    Claim(
        id="13.6",
        statement=(
            "Four published trainings of ResNet-50 differ by more than 0.6 points of top-5 error "
            "at a single crop."
        ),
        source="four sources, see the table",
        experiment="protocols",
        statistic=trainings_apart,
        holds_if=above(0.6),
        sabotage=one_training,
    ),
    Claim(
        id="13.7",
        statement=(
            "From 152 to 200 layers pre-activation gains over the original order by more than "
            "0.5 points of top-1 error."
        ),
        source="He et al. 2016, Table 5",
        experiment="protocols",
        statistic=deeper_with_the_order,
        holds_if=above(0.5),
        sabotage=order_without_effect,
    ),
    Claim(
        id="13.8",
        statement=(
            "The library's ResNet-50, 101 and 152, with the stride where the paper has it, take "
            "the published multiply-adds to within 1 %."
        ),
        source="Hu et al. 2018, Table 2",
        experiment="network_costs",
        statistic=off_the_published,
        holds_if=below(0.01),
        sabotage=stride_elsewhere,
    ),
    Claim(
        id="13.9",
        statement="ResNet-152 takes less than 65 % of the multiply-adds of VGG-19.",
        source="He et al. 2015, section 4.1",
        experiment="network_costs",
        statistic=partial(ratio, "resnet152", "vgg19", "macs"),
        holds_if=below(0.65),
    ),
    Claim(
        id="13.10",
        statement=(
            "Over seven networks, more parameters go with a lower error: the rank correlation is "
            "below -0.5."
        ),
        source="popular",
        experiment="network_costs",
        statistic=partial(size_ranks, "parameters"),
        holds_if=below(-0.5),
    ),
    Claim(
        id="13.11",
        statement="In one code base DenseNet-201 and ResNet-101 differ by less than 0.2 points.",
        source="Huang et al. 2017, Table 3; the repository fb.resnet.torch",
        experiment="protocols",
        statistic=densenet_behind,
        holds_if=between(-0.2, 0.2),
        sabotage=own_code,
    ),
    Claim(
        id="13.12",
        statement="DenseNet-201 takes less than 60 % of ResNet-101's parameters and multiply-adds.",
        source="Huang et al. 2017, Figure 3",
        experiment="network_costs",
        statistic=partial(costlier, "densenet201", "resnet101"),
        holds_if=below(0.6),
    ),
    Claim(
        id="13.13",
        statement=(
            "With skips 1002 layers learn in 60 steps: the test error is more than 12 points below "
            "guessing."
        ),
        source="ours",
        experiment="thousand_narrow_layers",
        statistic=partial(below_guessing, "residual-1002"),
        holds_if=above(0.12),
        sabotage=partial(in_place, "residual-1002", "plain-1002"),
    ),
    Claim(
        id="13.14",
        statement="Without skips they make less than 3 updates before their loss is no number.",
        source="ours",
        experiment="thousand_narrow_layers",
        statistic=partial(updates, "plain-1002"),
        holds_if=below(3),
    ),
    Claim(
        id="13.15",
        statement=(
            "Before training the gradient in the first of 102 layers is over 100,000 times as "
            "long without skips as with them."
        ),
        source="ours",
        experiment="thousand_narrow_layers",
        statistic=partial(powers_apart, "plain-102", "residual-102"),
        holds_if=above(5),
    ),
    Claim(
        id="13.16",
        statement="With skips it grows by less than a factor of 1000 from 12 layers to 1002.",
        source="ours",
        experiment="thousand_narrow_layers",
        statistic=partial(powers_apart, "residual-1002", "residual-12"),
        holds_if=below(3),
        sabotage=partial(in_place, "residual-1002", "plain-102"),
    ),
    Claim(
        id="13.17",
        statement="At 102 layers the test error is more than 25 points higher without skips.",
        source="ours",
        experiment="thousand_narrow_layers",
        statistic=partial(worse, "plain-102", "residual-102"),
        holds_if=above(0.25),
    ),
    Claim(
        id="13.18",
        statement="A thousand layers work: with skips, 1002 have a lower test error than 12.",
        source="popular",
        experiment="thousand_narrow_layers",
        statistic=partial(worse, "residual-1002", "residual-12"),
        holds_if=below(0),
        sabotage=partial(in_place, "residual-1002", "plain-1002"),
    ),
    Claim(
        id="13.19",
        statement="After the same 60 steps their test error is more than 12 points higher.",
        source="ours",
        experiment="thousand_narrow_layers",
        statistic=partial(worse, "residual-1002", "residual-12"),
        holds_if=above(0.12),
    ),
    Claim(
        id="13.20",
        statement=(
            "Without skips and norms, but from weights near the identity, 1002 layers learn: the "
            "test error is more than 4 points below guessing."
        ),
        source="ours, after Xiao et al. 2018",
        experiment="thousand_narrow_layers",
        statistic=partial(below_guessing, "near the identity-1002"),
        holds_if=above(0.04),
        sabotage=partial(in_place, "near the identity-1002", "plain-1002"),
    ),
)
