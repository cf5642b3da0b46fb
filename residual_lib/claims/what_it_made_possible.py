"""What chapter 13 claims: of published figures read like with like, of counts, and of depth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from residual_lib import published

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
    listed = listed[listed["protocol"] == "single crop"].set_index(["network", "training"])["top5"]
    return pd.Series({name: listed[entry] for name, entry in SINGLE_CROP.items()})


def size_ranks(metric: str, table: pd.DataFrame) -> pd.Series:
    """Spearman's rank correlation of a count with the published error."""
    errors = single_crop_errors()
    ranks = counts(table, metric)[list(errors.index)].rank(axis=1)
    wanted = errors.rank()
    return ranks.apply(lambda row: float(np.corrcoef(row, wanted)[0, 1]), axis=1)


# --- a thousand layers ----------------------------------------------------------------------

GUESSING = 0.9


def ends(table: pd.DataFrame, metric: str = "test_error") -> pd.DataFrame:
    """A number of each tower at the end of training: seeds x variants."""
    rows = table[table["metric"] == metric]
    return rows.pivot(index="seed", columns="variant", values="value")


def below_guessing(variant: str, table: pd.DataFrame) -> pd.Series:
    """By how much a tower's test error is below that of guessing."""
    return GUESSING - ends(table)[variant]


def worse(variant: str, than: str, table: pd.DataFrame, metric: str = "test_error") -> pd.Series:
    """By how much one tower's error is above another's."""
    errors = ends(table, metric)
    return errors[variant] - errors[than]


def updates(variant: str, table: pd.DataFrame) -> pd.Series:
    """Updates that a tower made before its loss was no number any more."""
    return ends(table, "steps")[variant]


def gradient(variant: str, table: pd.DataFrame) -> pd.Series:
    """log10 of the norm of the gradient in the first layer, before training."""
    return ends(table, "gradient")[variant]


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


def one_training(table: pd.DataFrame) -> pd.DataFrame:
    """As if only the authors had trained networks."""
    return table[table["training"] == "own"].reset_index(drop=True)


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


def in_place(old: str, new: str, table: pd.DataFrame) -> pd.DataFrame:
    """The measurements of one tower in the place of another's."""
    copies = table[table["variant"] == new].assign(variant=old)
    return pd.concat([table[table["variant"] != old], copies], ignore_index=True)
