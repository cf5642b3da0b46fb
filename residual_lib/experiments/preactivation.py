"""Chapter 5: what may stand on the shortcut, and where norm and activation belong.

The variants are those of He et al. 2016 (arXiv 1603.05027), Tables 1 and 2, on an image of 8 x 8
pixels read as a signal of length 8 with a channel for each row.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import nn

from residual_lib import data
from residual_lib.experiments import Experiment, Settings, mark_diverged
from residual_lib.experiments.projection_shortcuts import shortcut_gain
from residual_lib.models import create_model
from residual_lib.nn import create_norm, in_order, initialise_
from residual_lib.residual import Residual
from residual_lib.train import train

COLUMNS = ["seed", "step", "metric", "value"]
SHORTCUTS: dict[str, dict[str, Any]] = {  # name -> arguments of the network
    "identity": {"shortcut": "A"},
    "scaling": {"shortcut": "constant_scaling"},
    "exclusive gate": {"shortcut": "exclusive_gating", "shortcut_args": {"bias": -6.0}},
    "gate, bias 0": {"shortcut": "shortcut_only_gating", "shortcut_args": {"bias": 0.0}},
    "gate, bias -6": {"shortcut": "shortcut_only_gating", "shortcut_args": {"bias": -6.0}},
    "1x1": {"shortcut": "C"},
    "dropout": {"shortcut": "dropout"},
}
ORDERS = {
    "original": "original",
    "norm after": "norm_after_addition",
    "ReLU before": "act_before_addition",
    "ReLU only": "act_only_preactivation",
    "pre-activation": "preactivation",
}
DEPTHS = (20, 56, 110)
SIGNALS = ("pre-activation", "original", "ReLU before", "no norm")


def rows_as_channels() -> data.Data:
    """The digits with each image as a signal: 8 channels, its rows, of 8 positions."""
    digits = data.load("digits")
    return dataclasses.replace(
        digits, x_train=digits.x_train.squeeze(1), x_test=digits.x_test.squeeze(1)
    )


def network(shortcut: str, order: str, depth: int, width: int) -> nn.Module:
    """Three stages of n basic blocks: 6 n + 2 layers.

    Args:
        shortcut: a key of `SHORTCUTS`.
        order: a key of `ORDERS`.
        depth: layers with weights.
        width: channels of the first stage.
    """
    blocks, rest = divmod(depth - 2, 6)
    if rest or blocks < 1:
        raise ValueError(f"depth must be 6 n + 2, such as 20 or 56, got {depth!r}")
    return create_model(
        "small_resnet1d",
        in_chans=8,
        width=width,
        blocks=(blocks,) * 3,
        order=ORDERS[order],
        **SHORTCUTS[shortcut],
    )


def run_training(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train one variant.

    Metrics: ``"train_error"`` and ``"test_error"`` at the end, and ``"curve"``, the error on the
    batches, mean of so many steps as the profile's ``window`` says, at the last of them.
    """
    profile = settings.profile
    build = partial(network, **params, width=profile["width"])
    return _trained(build, seeds, settings)


def run_deep(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train a net of three stages of bottlenecks, 9 n + 2 layers. Metrics as in `run_training`."""
    profile = settings.profile
    blocks, rest = divmod(profile["depth"] - 2, 9)
    assert not rest, profile["depth"]
    build = partial(
        create_model,
        "small_resnet1d",
        in_chans=8,
        width=profile["width"],
        block="bottleneck",
        blocks=(blocks,) * 3,
        shortcut="B",
        order=ORDERS[params["order"]],
    )
    return _trained(build, seeds, settings)


def _trained(build: Any, seeds: list[int], settings: Settings) -> pd.DataFrame:
    profile = settings.profile
    training = train(
        build,
        rows_as_channels(),
        seeds,
        steps=profile["steps"],
        batch_size=profile["batch"],
        device=settings.device,
        progress=settings.progress,
    )
    history = training.history
    ends = history[history["metric"].isin(("train_error", "test_error"))]
    curve = history[history["metric"] == "batch_error"]
    window = profile["window"]
    curve = curve.assign(step=curve["step"] // window * window + window)
    curve = curve.groupby(["seed", "step"], as_index=False)["value"].mean().assign(metric="curve")
    return mark_diverged(pd.concat([ends, curve], ignore_index=True), training.diverged)


# --- before training ------------------------------------------------------------------------


def run_product(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """By what factor one kind of shortcut multiplies the norm of a gradient, block by block.

    Metric ``"gain"``, see `shortcut_gain`, before training; ``block`` counts from 0. The first
    block of a later stage, which changes the shape, is left out.
    """
    profile, digits = settings.profile, rows_as_channels()
    tables = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = network(params["shortcut"], "original", profile["depth"], profile["width"])
            chosen = torch.randperm(len(digits.x_train))[: profile["batch"]]
            batch = digits.x_train[chosen], digits.y_train[chosen]
            table = shortcut_gain(model, batch)
        table = table[table["metric"] == "gain"]
        a_stage = (profile["depth"] - 2) // 6
        inside = (table["block"] % a_stage > 0) | (table["block"] == 0)
        tables.append(table[inside].assign(seed=seed, step=0))
    return pd.concat(tables, ignore_index=True)


def signal_net(kind: str, blocks: int, width: int) -> nn.Sequential:
    """Blocks of one stage, with He's weights, on signals of `width` channels.

    Kinds: a key of `ORDERS`, with BatchNorm, or ``"no norm"``, which is pre-activation with nothing
    in the place of the norms.
    """

    def block() -> Residual:
        layers = [nn.Conv1d(width, width, 3, padding=1, bias=False) for _ in range(2)]
        order = ORDERS.get(kind, "preactivation")
        name = None if kind == "no norm" else "batch"
        parts = in_order(layers, [width] * 3, partial(create_norm, name, dims=1), nn.ReLU, order)
        after = nn.Sequential(parts.after) if parts.after else None
        return Residual(nn.Sequential(parts.lead | parts.body), after=after)

    net = nn.Sequential(*(block() for _ in range(blocks)))
    initialise_(net, "he")
    return net


@torch.no_grad()
def run_signal(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """What the blocks of one stage pass on before training, by ``block`` (0: the stage's input).

    The input is the ReLU of normal noise, scaled to a mean square of 1. Metrics:
    ``"mean_square"`` over examples, channels and positions; ``"mean"``; ``"added"``: the mean
    square of what the block's branch adds; ``"fell"``: the share of numbers that the block lowers.
    """
    profile = settings.profile
    rows: list[tuple[int, int, str, float, int]] = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = signal_net(params["kind"], profile["blocks"], profile["width"])
            h = torch.randn(profile["batch"], profile["width"], profile["length"]).relu()
        h = h / h.square().mean().sqrt()
        for number in range(profile["blocks"] + 1):
            if number:
                block = net[number - 1]
                assert isinstance(block, Residual)
                before, added = h, block.branch(h)
                h = block(h)
                rows.append((seed, 0, "added", added.square().mean().item(), number))
                rows.append((seed, 0, "fell", (h < before).float().mean().item(), number))
            rows.append((seed, 0, "mean_square", h.square().mean().item(), number))
            rows.append((seed, 0, "mean", h.mean().item(), number))
    return pd.DataFrame(rows, columns=[*COLUMNS, "block"])


# --- experiments ----------------------------------------------------------------------------

_TRAINING: dict[str, dict[str, Any]] = {
    "quick": {"seeds": 5, "width": 8, "batch": 32, "steps": 100, "window": 10},
    "full": {"seeds": 20, "width": 16, "batch": 128, "steps": 4000, "window": 100},
}


def _cost(params: Any) -> float:
    return 0.08 * params["depth"]


VARIANTS = Experiment(
    name="preactivation_variants",
    chapter=5,
    title="Six shortcuts and five orders at depth 56",
    variants={name: {"shortcut": name, "order": "original", "depth": 56} for name in SHORTCUTS}
    | {
        name: {"shortcut": "identity", "order": name, "depth": 56}
        for name in ORDERS
        if name != "original"
    },
    run=run_training,
    profiles=_TRAINING,
    cost=_cost,
)

DEPTH = Experiment(
    name="preactivation_depth",
    chapter=5,
    title="Original order or pre-activation: depth",
    # Those of depth 56 are trials of VARIANTS: measured there, they are found in the store.
    variants={
        f"{order}-{depth}": {"shortcut": "identity", "order": order, "depth": depth}
        for order in ("original", "pre-activation")
        for depth in DEPTHS
    },
    run=run_training,
    profiles=_TRAINING,
    cost=_cost,
)

DEEP = Experiment(
    name="thousand_layers",
    chapter=5,
    title="Bottlenecks, three stages: 200 layers, or 1001",
    variants={order: {"order": order} for order in ("original", "pre-activation")},
    run=run_deep,
    profiles={
        "quick": {"seeds": 5, "depth": 200, "width": 4, "batch": 32, "steps": 25, "window": 5},
        "full": {"seeds": 5, "depth": 1001, "width": 4, "batch": 32, "steps": 100, "window": 10},
    },
    cost=lambda params: 6.0,
)

PRODUCT = Experiment(
    name="shortcut_product",
    chapter=5,
    title="What each shortcut multiplies a gradient by, before training",
    variants={name: {"shortcut": name} for name in SHORTCUTS},
    run=run_product,
    profiles={
        "quick": {"seeds": 5, "depth": 32, "width": 8, "batch": 64},
        "full": {"seeds": 20, "depth": 110, "width": 16, "batch": 128},
    },
    cost=lambda params: 1.0,
)

SIGNAL = Experiment(
    name="forward_signal",
    chapter=5,
    title="Mean square of the signal by block, before training",
    variants={kind: {"kind": kind} for kind in SIGNALS},
    run=run_signal,
    profiles={
        "quick": {"seeds": 5, "width": 32, "batch": 64, "length": 16, "blocks": 54},
        "full": {"seeds": 20, "width": 128, "batch": 128, "length": 32, "blocks": 500},
    },
    cost=lambda params: 1.0,
)

EXPERIMENTS = (VARIANTS, DEPTH, DEEP, PRODUCT, SIGNAL)
