"""Chapter 13: what skips made possible, in published figures, in counts, and in a thousand layers.

Four experiments: published errors by the protocol that they were measured by; parameters and FLOPs
of the networks, counted; seconds of a forward pass, which no claim rests on; and towers of up to
1002 layers trained with skips, without, and without but from weights near the identity.
"""

from __future__ import annotations

import dataclasses
import time
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from residual_lib import data, objective, published
from residual_lib.experiments import Experiment, Settings, mark_diverged
from residual_lib.experiments.projection_shortcuts import cost
from residual_lib.models import create_model
from residual_lib.nn import initialise_
from residual_lib.residual import Residual, add, branch_only
from residual_lib.train import train

COLUMNS = ["seed", "step", "metric", "value"]

# --- published ------------------------------------------------------------------------------


def run_protocols(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Published errors of one protocol, by ``network`` and ``training``, in percent.

    Metrics: ``"top1"`` and ``"top5"``. Nothing here depends on the seed.
    """
    table = published.read("imagenet")
    table = table[table["protocol"] == params["protocol"]]
    kept = ["network", "training"]
    long = table.melt(kept, ["top1", "top5"], var_name="metric").dropna()
    return pd.concat([long.assign(seed=seed, step=0) for seed in seeds], ignore_index=True)


# --- counted --------------------------------------------------------------------------------

VGG = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
DENSENETS = ("densenet121", "densenet169", "densenet201")
NETWORKS = (*VGG, *RESNETS, *DENSENETS)


def vgg(stages: tuple[int, ...]) -> nn.Sequential:
    """The plain networks D and E of Simonyan and Zisserman 2014, Table 1, for 1000 classes."""
    parts: list[nn.Module] = []
    inputs = 3
    for layers, width in zip(stages, (64, 128, 256, 512, 512), strict=True):
        for _ in range(layers):
            parts += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
            inputs = width
        parts.append(nn.MaxPool2d(2))
    parts += [nn.AdaptiveAvgPool2d(7), nn.Flatten()]  # the pooling does nothing at 224 pixels
    parts += [nn.Linear(512 * 49, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU()]
    return nn.Sequential(*parts, nn.Linear(4096, 1000))


def build(network: str, stride: str = "3x3") -> nn.Module:
    """One of `NETWORKS`, with shapes and no numbers.

    Args:
        network: its name.
        stride: the layer of a bottleneck that has the stride: ``"3x3"``, as in today's code, or
            ``"1x1"``, as in the paper.
    """
    with torch.device("meta"):
        if network in VGG:
            return vgg(VGG[network])
        if stride == "1x1":
            return create_model(network, stride_in_1x1=True)
        return create_model(network)


def run_costs(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Parameters and multiply-adds of a forward pass for one image. They don't vary with the seed.

    Metrics: ``"parameters"``; ``"macs"``; ``"macs as published"``: with a bottleneck's stride where
    the paper has it.
    """
    size = (3, settings.profile["size"], settings.profile["size"])
    counted = cost(build(params["network"]), size)
    found = {"parameters": counted["parameters"], "macs": counted["flops"] / 2}
    if params["network"] in RESNETS:
        found["macs as published"] = cost(build(params["network"], "1x1"), size)["flops"] / 2
    rows = [(seed, 0, metric, value) for seed in seeds for metric, value in found.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


@torch.no_grad()
def run_seconds(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Seconds of a forward pass for one image; a seed is a repetition. Metric ``"seconds"``.

    All weights are 0, which takes a processor as long as others.
    """
    model = build(params["network"]).to_empty(device="cpu").eval()
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.zero_()
    image = torch.zeros(1, 3, settings.profile["size"], settings.profile["size"])
    model(image)
    rows = []
    for seed in seeds:
        start = time.perf_counter()
        model(image)
        rows.append((seed, 0, "seconds", time.perf_counter() - start))
    return pd.DataFrame(rows, columns=COLUMNS)


# --- a thousand layers ----------------------------------------------------------------------

KINDS = ("residual", "plain", "near the identity")
DEPTHS = (12, 102, 1002)


def flat_digits() -> data.Data:
    """The digits as vectors of 64 numbers."""
    digits = data.load("digits")
    return dataclasses.replace(
        digits, x_train=digits.x_train.flatten(1), x_test=digits.x_test.flatten(1)
    )


class Tower(nn.Module):
    """Many narrow layers on top of each other, from 64 numbers to 10 classes.

    Kinds ``"residual"`` and ``"plain"``: pre-activation blocks of two layers with one norm, in
    front: norm, ReLU, layer, ReLU, layer; and the shortcut, or none. Kind ``"near the identity"``:
    no shortcut and no norm: layer, ReLU, where the layer's weights start as the identity plus
    a tenth of He's weights over the root of the number of layers.

    Shapes: (batch, 64) -> (batch, 10).

    Args:
        kind: one of `KINDS`.
        depth: layers with weights, the first and the head included; even.
        width: numbers in a layer.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(self, kind: str, depth: int, width: int) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {list(KINDS)}, got {kind!r}")
        if depth < 4 or depth % 2:
            raise ValueError(f"depth must be an even number from 4, got {depth!r}")

        def layer() -> nn.Linear:
            return nn.Linear(width, width, bias=False)

        inner = depth - 2
        near = kind == "near the identity"
        if near:
            blocks = [Residual(layer(), merge=branch_only, after=nn.ReLU()) for _ in range(inner)]
        else:
            merge = add if kind == "residual" else branch_only
            blocks = [
                Residual(
                    nn.Sequential(nn.BatchNorm1d(width), nn.ReLU(), layer(), nn.ReLU(), layer()),
                    merge=merge,
                )
                for _ in range(inner // 2)
            ]
        self.stem = nn.Linear(64, width)
        # What a ReLU lets pass unchanged has to be positive.
        self.lead = nn.ReLU() if near else nn.Identity()
        self.blocks = nn.Sequential(*blocks)
        self.final = nn.Identity() if near else nn.Sequential(nn.BatchNorm1d(width), nn.ReLU())
        self.head = nn.Linear(width, 10)
        initialise_(self, "he")
        if near:
            with torch.no_grad():
                for block in blocks:
                    assert isinstance(block.branch, nn.Linear)
                    block.branch.weight.mul_(0.1 / inner**0.5).add_(torch.eye(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.final(self.blocks(self.lead(self.stem(x)))))


def gradient_in_the_stem(model: Tower, batch: tuple[Tensor, Tensor]) -> float:
    """log10 of the norm of the loss's gradient in the first layer's weights; may be infinite."""
    loss = objective.loss(model.train()(batch[0]), batch[1])
    (gradient,) = torch.autograd.grad(loss, [model.stem.weight])
    return gradient.double().norm().log10().item()


def run_ladder(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train one tower.

    Metrics: ``"train_error"`` and ``"test_error"`` at the end (a seed that diverged guesses: 0.9),
    ``"curve"``, the error on the batches, five steps at a time, ``"gradient"``, see
    `gradient_in_the_stem`, before training, where finite, and ``"steps"``, the updates made.
    """
    profile, digits = settings.profile, flat_digits()
    near = params["kind"] == "near the identity"
    make = partial(Tower, params["kind"], params["depth"], profile["width"])
    rows: list[tuple[int, int, str, float]] = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = make()
            chosen = torch.randperm(len(digits.x_train))[: profile["batch"]]
        batch = digits.x_train[chosen], digits.y_train[chosen]
        rows.append((seed, 0, "gradient", gradient_in_the_stem(model, batch)))
    training = train(
        make,
        digits,
        seeds,
        steps=profile["steps"],
        batch_size=profile["batch"],
        lr=0.01 if near else 0.1,
        clip_norm=0.3 if near else None,
        device=settings.device,
        progress=settings.progress,
    )
    history = training.history
    ends = history[history["metric"].isin(("train_error", "test_error"))]
    curve = history[history["metric"] == "batch_error"]
    window = profile["window"]
    curve = curve.assign(step=curve["step"] // window * window + window)
    curve = curve.groupby(["seed", "step"], as_index=False)["value"].mean().assign(metric="curve")
    for seed in seeds:
        made = training.diverged.get(seed, profile["steps"])
        rows.append((seed, profile["steps"], "steps", made))
        if seed in training.diverged:
            rows += [(seed, made, f"{split}_error", 0.9) for split in ("train", "test")]
    extra = pd.DataFrame(rows, columns=COLUMNS)
    table = pd.concat([ends, curve, extra], ignore_index=True)
    return mark_diverged(table, training.diverged)


# --- experiments ----------------------------------------------------------------------------

PROTOCOLS = Experiment(
    name="protocols",
    chapter=13,
    title="Published errors on ImageNet, by protocol",
    variants={name: {"protocol": name} for name in published.PROTOCOLS},
    run=run_protocols,
    # Seeds that all agree: with one there would be no interval.
    profiles={
        name: {"seeds": 5, "table": published.digest("imagenet")} for name in ("quick", "full")
    },
    cost=lambda params: 0.1,
)

COSTS = Experiment(
    name="network_costs",
    chapter=13,
    title="Parameters and multiply-adds, counted",
    variants={name: {"network": name} for name in NETWORKS},
    run=run_costs,
    profiles={name: {"seeds": 5, "size": 224} for name in ("quick", "full")},
    cost=lambda params: 0.3,
)

SECONDS = Experiment(
    name="forward_seconds",
    chapter=13,
    title="Seconds of a forward pass, one image",
    variants={name: {"network": name} for name in NETWORKS},
    run=run_seconds,
    profiles={"quick": {"seeds": 5, "size": 128}, "full": {"seeds": 10, "size": 224}},
    cost=lambda params: 1.0,
)

LADDER = Experiment(
    name="thousand_narrow_layers",
    chapter=13,
    title="12, 102 and 1002 layers with skips and without; 1002 from weights near the identity",
    variants={
        f"{kind}-{depth}": {"kind": kind, "depth": depth}
        for kind in KINDS
        for depth in (DEPTHS if kind != "near the identity" else DEPTHS[-1:])
    },
    run=run_ladder,
    profiles={
        "quick": {"seeds": 5, "width": 8, "batch": 64, "steps": 60, "window": 5},
        "full": {"seeds": 5, "width": 8, "batch": 64, "steps": 300, "window": 10},
    },
    cost=lambda params: 1.0 + 0.015 * params["depth"],
)

EXPERIMENTS = (PROTOCOLS, COSTS, SECONDS, LADDER)
