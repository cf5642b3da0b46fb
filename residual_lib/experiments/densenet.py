"""Chapter 7: concatenation against addition, and what a dense network keeps, reuses and costs.

Three experiments: bytes and FLOPs of one dense block by its number of links; gradients in an
untrained block, by the way on which they arrive; and nets that differ in their merge alone, trained
at equal parameters, equal FLOPs and equal memory.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from residual_lib import data, objective
from residual_lib.experiments import Experiment, Settings, mark_diverged
from residual_lib.experiments.projection_shortcuts import cost
from residual_lib.models import DenseNet
from residual_lib.nn import initialise_
from residual_lib.probes import lesion
from residual_lib.probes.masking import silenced
from residual_lib.probes.memory import kept_for_backward, peak_memory
from residual_lib.probes.scores import scores
from residual_lib.probes.tap import tap, untouched
from residual_lib.residual import Merge, Residual, add, branch_only
from residual_lib.train import train

Row = tuple[Any, ...]
COLUMNS = ["seed", "step", "metric", "value"]

# --- counted by hand --------------------------------------------------------------------------


@dataclass(frozen=True)
class Counts:
    """What a DenseNet-BC for images of 32 x 32 pixels takes, counted without building it.

    Attributes:
        channels: for each block, the channels in front of its first link, its second, ..., and
            behind its last.
        parameters: weights of convolutions and head, scales and shifts of normalisations.
        flops: of the convolutions and the head, for one image; a multiplication and an addition
            count as two.
        kept: bytes for one image that autograd keeps in float32: whatever enters a normalisation,
            a convolution or a pooling.
        kept_once: the same where links are computed anew: each feature once.
    """

    channels: list[list[int]]
    parameters: int
    flops: int
    kept: int
    kept_once: int


def count(growth: int, links: int, *, blocks: int = 3, size: int = 32, classes: int = 10) -> Counts:
    """Count a DenseNet-BC of 2 * blocks * links + blocks + 1 layers: bottleneck 4, compression 0.5.

    Args:
        growth: k, new channels a link.
        links: links in each block.
        blocks: dense blocks.
        size: height and width of the image.
        classes: outputs.
    """
    k, channels = growth, 2 * growth
    places = size**2
    weights = 27 * channels
    parameters, flops = weights, 2 * places * weights
    kept = kept_once = 3 * places  # the image: the first convolution reads it
    staircase: list[list[int]] = []
    for block in range(blocks):
        steps = [channels]
        kept_once += channels * places
        for _ in range(links):
            weights = channels * 4 * k + 9 * 4 * k * k
            parameters += weights + 2 * channels + 2 * 4 * k
            flops += 2 * places * weights
            kept += 2 * (channels + 4 * k) * places
            kept_once += k * places
            channels += k
            steps.append(channels)
        kept_once -= k * places  # no link is left that would read the last one's again
        staircase.append(steps)
        # What follows reads all of the block: a norm, a ReLU, and then a convolution or the mean.
        kept += 2 * channels * places
        kept_once += 2 * channels * places
        parameters += 2 * channels
        if block < blocks - 1:
            half = channels // 2
            parameters += channels * half
            flops += 2 * places * channels * half
            kept += half * places
            kept_once += half * places
            channels, places = half, places // 4
    parameters += channels * classes + classes
    flops += 2 * channels * classes
    kept, kept_once = kept + channels, kept_once + channels  # what the head reads
    return Counts(staircase, parameters, flops, 4 * kept, 4 * kept_once)


# --- one block by its links -------------------------------------------------------------------


def one_block(links: int, growth: int, memory_efficient: bool = False, dims: int = 2) -> DenseNet:
    """A dense network of a single block with bottlenecks."""
    return DenseNet(
        3,
        growth_rate=growth,
        block_config=(links,),
        num_classes=10,
        stem="cifar",
        memory_efficient=memory_efficient,
        dims=dims,
    )


def run_memory(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Bytes and FLOPs of a training step. Nothing here depends on the seed.

    Metrics: ``"kept"``, bytes between forward and backward pass; ``"peak"``, the most at any
    moment; ``"flops"`` of both passes, as PyTorch counts them.
    """
    profile = settings.profile
    with torch.device("meta"):  # shapes without numbers
        model = one_block(params["links"], profile["growth"], params["mode"] == "recomputed")
        x = torch.empty(profile["batch"], 3, profile["size"], profile["size"])
    counter = FlopCounterMode(display=False)
    with counter:
        model(x).sum().backward()
    found = {
        "kept": kept_for_backward(model, x),
        "peak": peak_memory(model, x),
        "flops": counter.get_total_flops(),
    }
    rows = [(seed, 0, metric, value) for seed in seeds for metric, value in found.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


# --- which way a gradient comes ---------------------------------------------------------------


def run_ways(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """The gradient in each link's features before training, and the part that comes straight.

    Metrics, by ``link`` (0: the block's input; then the links): ``"whole"``, the norm of the loss's
    gradient in the features, over the root of their channels; ``"straight"``, that of the part
    which comes from what follows the block, and not by way of later links.
    """
    profile, signals = settings.profile, folded()
    rows: list[Row] = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            width = profile["growth"] if params["merge"] == "dense" else profile["width"]
            model = network(params["merge"], (width,), profile["links"])
            chosen = torch.randperm(len(signals.x_train))[: profile["batch"]]
        batch = signals.x_train[chosen], signals.y_train[chosen]
        for link, whole, straight in ways(model, batch):
            rows += [(seed, 0, "whole", whole, link), (seed, 0, "straight", straight, link)]
    return pd.DataFrame(rows, columns=[*COLUMNS, "link"])


def ways(model: nn.Module, batch: tuple[Tensor, Tensor]) -> list[tuple[int, float, float]]:
    """For the input of the last block and for what each of its links makes: number, norm of the
    loss's gradient, norm of the part that comes straight from behind the block.

    Norms are divided by the root of the number of channels.
    """
    links = last_block(model).links
    names = {f"link {number}": link.branch for number, link in enumerate(links, start=1)}
    with untouched(model, training=True), tap({"block": links, **names}) as taps:
        loss = objective.loss(model(batch[0].detach().requires_grad_()), batch[1])
        output = taps.outputs["block"]
        pieces = [taps.inputs["block"], *(taps.outputs[name] for name in names)]
        (arriving,) = torch.autograd.grad(loss, output, retain_graph=True)
        gradients = torch.autograd.grad(loss, pieces)
    dense = output.shape[1] > pieces[0].shape[1]
    plain = links[0].merge is branch_only
    found, start = [], 0
    for number, (piece, gradient) in enumerate(zip(pieces, gradients, strict=True)):
        channels = piece.shape[1]
        # A sum hands what arrives to each of its terms; without skips it reaches the last alone.
        straight = arriving[:, start : start + channels] if dense else arriving
        if plain and number < len(links):
            straight = torch.zeros(1)
        root = channels**0.5
        found.append((number, gradient.norm().item() / root, straight.norm().item() / root))
        start += channels
    return found


# --- nets that differ in their merge ----------------------------------------------------------

LENGTH, IN_CHANS = 20, 2  # of the signals, see `folded`
LINKS, GROWTH = 6, 6  # of the dense net: three blocks
BUDGETS = ("parameters", "flops", "memory", "memory, recomputed")


def folded() -> data.Data:
    """MNIST-1D with each signal of 40 numbers as 2 channels, the even and the odd places, of 20."""
    signals = data.load("mnist1d")

    def fold(x: Tensor) -> Tensor:
        return x.squeeze(1).unflatten(1, (LENGTH, IN_CHANS)).transpose(1, 2).contiguous()

    return dataclasses.replace(signals, x_train=fold(signals.x_train), x_test=fold(signals.x_test))


class Stacked(nn.Module):
    """The skeleton of a DenseNet without bottlenecks, with blocks of constant width.

    Stem, transitions, final normalisation and head are those of `residual_lib.models.DenseNet`, and
    so are their names. A block is `layers` times normalisation, ReLU, convolution of size 3.

    Args:
        widths: channels of each stage.
        blocks: residual blocks in each stage.
        layers: convolutions in each block.
        merge: `add`, or `branch_only` for the plain net.
    """

    def __init__(
        self, widths: Sequence[int], blocks: int, layers: int = 1, merge: Merge = add
    ) -> None:
        super().__init__()

        def conv(inputs: int, outputs: int, size: int) -> list[nn.Module]:
            layer = nn.Conv1d(inputs, outputs, size, padding=size // 2, bias=False)
            return [nn.BatchNorm1d(inputs), nn.ReLU(), layer]

        def block(width: int) -> Residual:
            parts = [part for _ in range(layers) for part in conv(width, width, 3)]
            return Residual(nn.Sequential(*parts), merge=merge)

        self.stem = nn.Conv1d(IN_CHANS, widths[0], 3, padding=1, bias=False)
        stages = []
        for number, width in enumerate(widths, start=1):
            stage: OrderedDict[str, nn.Module] = OrderedDict()
            stage["links"] = nn.Sequential(*(block(width) for _ in range(blocks)))
            if number < len(widths):
                stage["transition"] = nn.Sequential(
                    *conv(width, widths[number], 1), nn.AvgPool1d(2)
                )
            stages.append(nn.Sequential(stage))
        self.stages = nn.Sequential(*stages)
        self.final = nn.Sequential(nn.BatchNorm1d(widths[-1]), nn.ReLU())
        self.head = nn.Linear(widths[-1], 10)
        initialise_(self, "he", activation="relu")

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.final(self.stages(self.stem(x))).mean(-1))


def last_block(model: nn.Module) -> Any:
    """The last stage, whose `links` are the links or residual blocks."""
    return model.stages[-1]  # type: ignore[index]


def network(kind: str, widths: Sequence[int], links: int) -> nn.Module:
    """A net on the folded signals.

    Args:
        kind: ``"dense"``; ``"no short way"``, the same, except that from behind a block gradients
            reach the last link alone; ``"add"``, ``"plain"``: blocks of one layer with a skip or
            none; ``"add, two layers"``: half as many blocks, of two layers.
        widths: channels of each stage; for the dense kinds the growth rate, once for each.
        links: layers in each stage.

    Raises:
        ValueError: there is no such kind.
    """
    if kind in ("dense", "no short way"):
        model = DenseNet(
            IN_CHANS,
            10,
            growth_rate=widths[0],
            block_config=(links,) * len(widths),
            bn_size=None,
            stem="cifar",
            dims=1,
        )
        if kind == "no short way":
            for stage in model.stages.children():
                links_here: Any = stage.links
                # Behind the block all features are read as before; the older ones as constants.
                links_here[-1].shortcut = nn.Identity()
                links_here[-1].shortcut.register_forward_hook(_without_gradient)
        return model
    kinds: dict[str, Callable[[], nn.Module]] = {
        "add": lambda: Stacked(widths, links),
        "plain": lambda: Stacked(widths, links, merge=branch_only),
        "add, two layers": lambda: Stacked(widths, links // 2, layers=2),
    }
    if kind not in kinds:
        raise ValueError(f"kind must be one of {['dense', 'no short way', *kinds]}, got {kind!r}")
    return kinds[kind]()


def _without_gradient(part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return output.detach()


def spent(model: nn.Module) -> dict[str, float]:
    """What a net on the folded signals takes: parameters, FLOPs of one forward pass, and bytes that
    autograd keeps, for one example."""
    examples = 64
    kept = kept_for_backward(model.train(), torch.zeros(examples, IN_CHANS, LENGTH)) / examples
    counted = cost(model, (IN_CHANS, LENGTH))
    return {"parameters": counted["parameters"], "flops": counted["flops"], "memory": kept}


def spent_by(widths: Sequence[int], links: int) -> dict[str, float]:
    """What `spent` says of a `Stacked` of these widths, counted by hand.

    The bytes leave out what each normalisation keeps once for a batch.
    """
    places = [LENGTH // 2**stage for stage in range(len(widths))]
    parameters = 3 * IN_CHANS * widths[0]
    flops = 2 * places[0] * parameters
    kept = IN_CHANS * LENGTH
    for stage, (width, there) in enumerate(zip(widths, places, strict=True)):
        parameters += links * (3 * width**2 + 2 * width) + 2 * width
        flops += 2 * there * links * 3 * width**2
        kept += 2 * (links + 1) * width * there
        if stage + 1 < len(widths):
            parameters += width * widths[stage + 1]
            flops += 2 * there * width * widths[stage + 1]
            kept += widths[stage + 1] * there
    parameters += 10 * widths[-1] + 10
    flops += 2 * 10 * widths[-1]
    return {"parameters": parameters, "flops": flops, "memory": 4 * (kept + widths[-1])}


@cache
def dense_spends(links: int, growth: int) -> dict[str, float]:
    """What the dense net takes, by budget."""
    found = spent(network("dense", (growth,) * 3, links))
    model = DenseNet(
        IN_CHANS,
        10,
        growth_rate=growth,
        block_config=(links,) * 3,
        bn_size=None,
        stem="cifar",
        dims=1,
        memory_efficient=True,
    )
    return found | {"memory, recomputed": spent(model)["memory"]}


@cache
def matched(budget: str, links: int, growth: int) -> tuple[int, ...]:
    """Widths with which a `Stacked` takes, of one budget, what the dense net takes.

    From stage to stage they double, as in a ResNet, to within a few channels: of all such widths
    those that come nearest.
    """
    target = dense_spends(links, growth)[budget]
    counted = budget.partition(",")[0]
    tried = [
        (width, 2 * width + more, 4 * width + most)
        for width in range(2, 65)
        for more in range(-2, 3)
        for most in range(-3, 4)
    ]
    return min(tried, key=lambda widths: abs(spent_by(widths, links)[counted] - target))


def run_merges(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train one net on the folded signals and look at it.

    Metrics: errors at the end; ``"parameters"``, ``"flops"``, ``"memory"``: see `spent`. Of a dense
    net and of one with a block a layer: ``"lesion"``, the test error with one branch deleted, by
    ``block`` (from 0; -1: intact). Of a dense net besides, by ``block`` (of three), ``source`` (0:
    the block's input, then its links) and ``target`` (its links; then what follows the block):
    ``"weight"``, the mean size of the weights with which the target reads the source, over that of
    all its weights; ``"damage"``, by how much the test loss rises when they are set to 0.
    """
    profile, signals, kind = settings.profile, folded(), params["kind"]
    links, growth = profile["links"], profile["growth"]
    dense = kind in ("dense", "no short way")
    widths = (growth,) * 3 if dense else matched(params["budget"], links, growth)
    build = partial(network, kind, widths, links)
    training = train(
        build,
        signals,
        seeds,
        steps=profile["steps"],
        batch_size=profile["batch"],
        weight_decay=params["decay"],
        device=settings.device,
        progress=settings.progress,
    )
    history = training.history
    tables = [history[history["metric"].isin(("train_error", "test_error"))]]
    taken = pd.DataFrame(list(spent(build()).items()), columns=["metric", "value"])
    test = signals.x_test[: profile["examples"]], signals.y_test[: profile["examples"]]
    for seed, model in zip(seeds, training.models, strict=True):
        looked = [taken]
        if model is not None and kind in ("dense", "add"):
            table = lesion(model.cpu(), test, progress=False).query("metric == 'error'")
            table = table.assign(metric="lesion").drop(columns="block")
            looked.append(table.rename(columns={"index": "block"}))
        if model is not None and kind == "dense":
            looked.append(connections(model.cpu(), test))
        tables.append(pd.concat(looked, ignore_index=True).assign(seed=seed, step=profile["steps"]))
    return mark_diverged(pd.concat(tables, ignore_index=True), training.diverged)


def connections(model: Any, batch: tuple[Tensor, Tensor]) -> pd.DataFrame:
    """For each pair of a feature and a layer that reads it: size of the weights, and their use.

    Columns ``block``, ``source``, ``target``, ``metric`` and ``value``, see `run_merges`. `model`
    is a `DenseNet` without bottlenecks.
    """
    rows: list[Row] = []
    stages = list(model.stages)
    with untouched(model, training=False), torch.no_grad():
        h, y = model.stem(batch[0]), batch[1]
        for block, stage in enumerate(stages):
            rest = nn.Sequential(*stages[block:], model.final)

            def output(h: Tensor, rest: nn.Module = rest) -> Tensor:
                return model.head(rest(h).mean(-1))

            intact = scores(output, (h, y))["loss"]
            links = list(stage.links)
            after = stage.transition.layer if hasattr(stage, "transition") else model.head
            readers = [*(link.branch.layer1 for link in links), after]
            starts = [0, *(link.branch.norm1.num_features for link in links)]
            starts.append(starts[-1] + links[-1].branch.layer1.out_channels)
            for target, reader in enumerate(readers, start=1):
                size = reader.weight.detach().abs()
                for source in range(target):
                    channels = slice(starts[source], starts[source + 1])
                    weight = (size[:, channels].mean() / size.mean()).item()
                    with silenced(reader, channels, axis=1):
                        damage = scores(output, (h, y))["loss"] - intact
                    rows.append((block, source, target, "weight", weight))
                    rows.append((block, source, target, "damage", damage))
            h = stage(h)
    return pd.DataFrame(rows, columns=["block", "source", "target", "metric", "value"])


# --- experiments ------------------------------------------------------------------------------

MEMORY = Experiment(
    name="dense_memory",
    chapter=7,
    title="Bytes and FLOPs of a training step of one dense block: links x mode",
    variants={
        f"{mode}-{links}": {"mode": mode, "links": links}
        for mode in ("kept", "recomputed")
        for links in (6, 12, 24, 48)
    },
    run=run_memory,
    # Seeds that all agree: with one there would be no interval.
    profiles={
        "quick": {"seeds": 5, "growth": 12, "batch": 64, "size": 32},
        "full": {"seeds": 5, "growth": 12, "batch": 64, "size": 32},
    },
    cost=lambda params: 0.02 * params["links"],
)

WAYS = Experiment(
    name="short_ways",
    chapter=7,
    title="Gradients in an untrained block of 24 links, by the way on which they arrive",
    variants={merge: {"merge": merge} for merge in ("dense", "add", "plain")},
    run=run_ways,
    profiles={
        "quick": {"seeds": 5, "links": 24, "growth": 6, "width": 24, "batch": 64},
        "full": {"seeds": 20, "links": 48, "growth": 12, "width": 48, "batch": 256},
    },
    cost=lambda params: 0.5,
)

MERGES = Experiment(
    name="merges",
    chapter=7,
    title="Concatenate or add: trained at equal parameters, FLOPs and memory",
    variants={
        "dense": {"kind": "dense", "budget": "all", "decay": 0.0},
        "dense, decay": {"kind": "dense", "budget": "all", "decay": 0.04},
        "no short way": {"kind": "no short way", "budget": "all", "decay": 0.0},
        "plain": {"kind": "plain", "budget": "parameters", "decay": 0.0},
        "add": {"kind": "add", "budget": "parameters", "decay": 0.0},
        **{
            f"equal {budget}": {"kind": "add, two layers", "budget": budget, "decay": 0.0}
            for budget in BUDGETS
        },
    },
    run=run_merges,
    profiles={
        "quick": {
            "seeds": 5,
            "links": LINKS,
            "growth": GROWTH,
            "steps": 200,
            "batch": 32,
            "examples": 300,
        },
        "full": {
            "seeds": 20,
            "links": LINKS,
            "growth": 2 * GROWTH,
            "steps": 6000,
            "batch": 128,
            "examples": 1000,
        },
    },
    cost=lambda params: 5.0,
)

EXPERIMENTS = (MEMORY, WAYS, MERGES)
