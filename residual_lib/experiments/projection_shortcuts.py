"""Chapter 4: what a shortcut does where a block changes the shape, and what it costs.

Options A, B and C are those of He et al. 2015, section 3.3; D is ResNet-D's (He et al. 2018).
A boundary is the first block of a stage but the first: it halves each position axis and doubles
the channels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from residual_lib import data, objective
from residual_lib.experiments import Experiment, Settings, mark_diverged
from residual_lib.models import create_model
from residual_lib.models.resnet import EXPANSION
from residual_lib.probes import lesion
from residual_lib.probes.masking import blocks_of, merging
from residual_lib.probes.tap import tap, untouched
from residual_lib.residual import Merge, Residual
from residual_lib.train import train

OPTIONS = ("A", "B", "C", "D")
BLOCKS: dict[str, dict[str, Any]] = {  # name -> arguments of the network
    "basic": {"block": "basic"},
    "bottleneck, as published": {"block": "bottleneck", "stride_in_1x1": True},
    "bottleneck, v1.5": {"block": "bottleneck", "stride_in_1x1": False},
}
PATHS = ("shortcut", "branch", "block")

# --- what it costs --------------------------------------------------------------------------


def cost(model: nn.Module, size: tuple[int, ...]) -> dict[str, int]:
    """Parameters, and FLOPs for one input of shape `size` (batch left out), by PyTorch's counter.

    The counter takes a multiplication and an addition as two, and knows of convolutions and
    matrix products only: normalisations, activations, additions and poolings are left out.
    """
    model = model.to("meta").eval()  # shapes without numbers, so that nothing is computed
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(torch.empty(1, *size, device="meta"))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {"parameters": parameters, "flops": counter.get_total_flops()}


def run_cost(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Count one network with one option. Nothing here depends on the seed."""
    with torch.device("meta"):
        model = create_model(params["model"], shortcut=params["shortcut"])
    counted = cost(model, (3, settings.profile["size"], settings.profile["size"]))
    rows = [(seed, 0, metric, value) for seed in seeds for metric, value in counted.items()]
    return pd.DataFrame(rows, columns=["seed", "step", "metric", "value"])


# --- what it sees ---------------------------------------------------------------------------


def paths_of(block: Residual) -> dict[str, Callable[[Tensor], Tensor]]:
    """The two paths of a block, and what both give together before the last activation."""
    assert isinstance(block.shortcut, nn.Module)
    shortcut, branch = block.shortcut, block.branch
    return {"shortcut": shortcut, "branch": branch, "block": lambda x: shortcut(x) + branch(x)}


def energy(path: Callable[[Tensor], Tensor], x: Tensor, seed: int = 0) -> Tensor:
    """What arrives at each position of `x` if white noise is sent back through `path`.

    Shapes: x is (B, C, H, W) -> (H, W), the mean over the batch of the squared gradient, summed
    over channels, as a share of the whole.
    """
    x = x.detach().requires_grad_()
    y = path(x)
    noise = torch.randn(y.shape, generator=torch.Generator().manual_seed(seed), dtype=y.dtype)
    (gradient,) = torch.autograd.grad(y, x, noise)
    arrived = gradient.square().sum(1).mean(0)
    return arrived / arrived.sum()


def rank_share(path: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """Rank of d(path)/dx, at one example, as a share of the numbers in that example.

    Shape: x is (1, C, ...). 0.25 means: of all directions in which x can change, three quarters
    change nothing. Singular values below 1e-9 times the largest count as zero.
    """

    def flat(one: Tensor) -> Tensor:
        return path(one.reshape(x.shape)).flatten()

    jacobian = torch.autograd.functional.jacobian(flat, x.flatten(), vectorize=True)
    values = torch.linalg.svdvals(jacobian)
    return (values > 1e-9 * values[0]).sum().item() / x.numel()


def run_sight(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Look through one boundary block, before training, at what entered it.

    Metrics, each with a ``path``: ``"energy"`` by ``row`` and ``col``, see `energy`; ``"rank"``,
    see `rank_share`.
    """
    profile, digits = settings.profile, data.load("digits")
    rows: list[tuple[Any, ...]] = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = create_model(
                "small_resnet2d",
                width=profile["channels"] // EXPANSION[BLOCKS[params["block"]]["block"]],
                blocks=(1, 1),
                shortcut=params["shortcut"],
                **BLOCKS[params["block"]],
            )
            chosen = torch.randperm(len(digits.x_train))[: profile["batch"]]
        model = model.double().eval()
        name, block = list(blocks_of(model).items())[-1]
        with torch.no_grad(), tap({name: block}) as taps:
            model(digits.x_train[chosen].double())
        x = taps.inputs[name].detach()
        for path, function in paths_of(block).items():
            arrived = energy(function, x, seed).tolist()
            places = product(range(x.shape[2]), range(x.shape[3]))
            rows += [(seed, 0, "energy", path, i, j, arrived[i][j]) for i, j in places]
            rows.append((seed, 0, "rank", path, -1, -1, rank_share(function, x[:1])))
    columns = ["seed", "step", "metric", "path", "row", "col", "value"]
    return pd.DataFrame(rows, columns=columns)


# --- what it does in training ---------------------------------------------------------------


def shortcut_gain(model: nn.Module, batch: tuple[Tensor, Tensor]) -> pd.DataFrame:
    """How much of the loss's gradient comes through each block's shortcut: a probe.

    g is the gradient of the loss at a block's sum, behind shortcut and branch. Columns ``block``
    (0 for the first), ``metric`` and ``value``; metrics, for the gradient that g becomes at the
    block's input by way of the shortcut alone:

    - ``"gain"``: its norm over that of g;
    - ``"seen"``: the share of positions at which it is not zero.

    Both are 1 for the identity, and 0 in a plain network, whose blocks pass nothing that way.
    """
    blocks, shortcuts = blocks_of(model), {}

    def keeping(name: str, merge: Merge) -> Merge:
        def merge_and_keep(shortcut: Tensor, branch: Tensor) -> Tensor:
            # A node of its own: the identity's output is the block's input, which has two ways on.
            shortcut = shortcut.view_as(shortcut)
            merged = merge(shortcut, branch)
            shortcuts[name] = shortcut, merged
            return merged

        return merge_and_keep

    x = batch[0].detach().requires_grad_()
    rows: list[tuple[int, str, float]] = []
    with untouched(model, training=True), tap({**blocks}) as taps:
        with merging(model, blocks, keeping):
            loss = objective.loss(model(x), batch[1])
        for index, name in enumerate(shortcuts):
            shortcut, merged = shortcuts[name]
            (g,) = torch.autograd.grad(loss, merged, retain_graph=True)
            (through,) = torch.autograd.grad(
                merged, shortcut, g, retain_graph=True, allow_unused=True
            )
            gain = seen = 0.0
            if through is not None:
                entered = taps.inputs[name]
                (back,) = torch.autograd.grad(shortcut, entered, through, retain_graph=True)
                gain = (back.norm() / g.norm()).item()
                alive = g.abs().amax((0, 1)) > 0
                seen = (back.abs().amax((0, 1)) > 0).sum().item()
                seen /= alive.sum().item() * entered[0, 0].numel() / alive.numel()
            rows += [(index, "gain", gain), (index, "seen", seen)]
    return pd.DataFrame(rows, columns=["block", "metric", "value"])


def run_options(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train one option on MNIST-1D.

    Metrics: errors at the end; ``"gain"`` and ``"seen"`` by block before and after training, see
    `shortcut_gain`; ``"lesion"``, the test error with one block's branch deleted after training.
    """
    profile, sequences = settings.profile, data.load("mnist1d")
    option = params["shortcut"]
    build = partial(
        create_model,
        "small_resnet1d",
        width=profile["width"],
        blocks=(profile["blocks"],) * 2,
        # A projection in a plain network would be thrown away.
        shortcut="A" if option == "none" else option,
        skip=option != "none",
    )
    training = train(
        build,
        sequences,
        seeds,
        steps=profile["steps"],
        batch_size=profile["batch"],
        probes={"gain": shortcut_gain},
        probe_every=profile["steps"],
        device=settings.device,
        progress=settings.progress,
    )
    history = training.history
    history = history[history["metric"].isin(("train_error", "test_error"))]
    tables = [history, training.probes.drop(columns="probe")]
    if option != "none":  # without a skip nothing can be taken out of a boundary
        count = profile["examples"]
        test = sequences.x_test[:count], sequences.y_test[:count]
        for seed, model in zip(seeds, training.models, strict=True):
            if model is not None:
                tables.append(_deletions(model.cpu(), test, seed, profile["steps"]))
    return mark_diverged(pd.concat(tables, ignore_index=True), training.diverged)


def _deletions(
    model: nn.Module, batch: tuple[Tensor, Tensor], seed: int, step: int
) -> pd.DataFrame:
    table = lesion(model, batch, progress=False)
    table = table[(table["metric"] == "error") & (table["index"] >= 0)]
    return pd.DataFrame(
        {"block": table["index"], "metric": "lesion", "value": table["value"]}
    ).assign(seed=seed, step=step)


# --- experiments ----------------------------------------------------------------------------

COST = Experiment(
    name="shortcut_cost",
    chapter=4,
    title="Parameters and FLOPs: network x option",
    variants={
        f"{model}-{option}": {"model": model, "shortcut": option}
        for model in ("resnet18", "resnet34", "resnet50")
        for option in OPTIONS
    },
    run=run_cost,
    # Seeds that all agree: with one there would be no interval.
    profiles={"quick": {"seeds": 5, "size": 224}, "full": {"seeds": 5, "size": 224}},
    cost=lambda params: 0.1,
)

SIGHT = Experiment(
    name="boundary_sight",
    chapter=4,
    title="What a boundary block sees of its input: block x option",
    variants={
        f"{block}-{option}": {"block": block, "shortcut": option}
        for block in BLOCKS
        for option in ("A", "B", "D")
    },
    run=run_sight,
    profiles={
        # Channels of what enters the boundary, the same for every kind of block.
        "quick": {"seeds": 5, "channels": 8, "batch": 64},
        "full": {"seeds": 20, "channels": 16, "batch": 256},
    },
    cost=lambda params: 0.7,
)

OPTION = Experiment(
    name="shortcut_options",
    chapter=4,
    title="Two stages on MNIST-1D: no shortcut and options A to D",
    variants={option: {"shortcut": option} for option in ("none", *OPTIONS)},
    run=run_options,
    profiles={
        "quick": {
            "seeds": 5,
            "blocks": 3,
            "width": 8,
            "batch": 32,
            "steps": 300,
            "examples": 500,
        },
        "full": {
            "seeds": 20,
            "blocks": 3,
            "width": 16,
            "batch": 128,
            "steps": 6000,
            "examples": 1000,
        },
    },
    cost=lambda params: 8.0,
)

EXPERIMENTS = (COST, SIGHT, OPTION)
