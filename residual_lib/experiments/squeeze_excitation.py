"""Chapter 12: channel attention counted, held against its controls, moved about, and looked into.

Three experiments: what gates cost in networks for ImageNet; small nets on digits with gates, with
the same layers but no gate, and with a constant in the gates' place; and the four places of Hu et
al. 2018 (arXiv 1709.01507), figure 5, on signals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from residual_lib import data
from residual_lib.experiments import Experiment, Settings, mark_diverged
from residual_lib.experiments.densenet import IN_CHANS, folded
from residual_lib.experiments.projection_shortcuts import cost
from residual_lib.models import create_model
from residual_lib.nn import EfficientChannelAttention, Scale, SqueezeExcitation
from residual_lib.objective import error
from residual_lib.probes.tap import parts_of, tap, untouched
from residual_lib.residual import Residual, iter_residuals
from residual_lib.train import train

Row = tuple[Any, ...]
COLUMNS = ["seed", "step", "metric", "value"]
ATTENTION = (SqueezeExcitation, EfficientChannelAttention)

# --- counted by hand --------------------------------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """What squeeze-and-excitation adds to the blocks of one stage.

    Attributes:
        channels: of each block's output.
        middle: units of the layer in the middle.
        parameters: weights and biases of all of its blocks' gates.
        flops: of their two layers, for one input; a multiplication and an addition count as two.
    """

    channels: int
    middle: int
    parameters: int
    flops: int


def count(blocks: Mapping[int, int], reduction: int) -> list[Stage]:
    """Count the gates of a network, stage by stage.

    Args:
        blocks: channels of a stage's output -> its blocks, stage by stage.
        reduction: r.
    """
    stages = []
    for channels, number in blocks.items():
        middle = max(1, channels // reduction)
        weights = 2 * channels * middle
        stages.append(
            Stage(channels, middle, number * (weights + middle + channels), number * 2 * weights)
        )
    return stages


#: Channels of each stage's output -> blocks, of networks by name.
STAGES: dict[str, dict[int, int]] = {
    "small_resnet2d": {8: 2, 16: 2, 32: 2},
    "resnet18": {64: 2, 128: 2, 256: 2, 512: 2},
    "resnet50": {256: 3, 512: 4, 1024: 6, 2048: 3},
    "resnet101": {256: 3, 512: 4, 1024: 23, 2048: 3},
}


def run_cost(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Count one network for ImageNet. Nothing here depends on the seed.

    Metrics: ``"parameters"``; ``"flops"`` for one image; ``"last"``, the parameters of the last
    stage's gates; ``"gates"``, those of all gates.
    """
    with torch.device("meta"):  # shapes without numbers
        options = (
            {} if params["attention"] == "none" else {"channel_attention": params["attention"]}
        )
        model: Any = create_model(params["model"], reduction=params["reduction"], **options)
    size = settings.profile["size"]
    found: dict[str, float] = dict(cost(model, (3, size, size)))

    def gates_in(part: nn.Module) -> int:
        gates = [module for module in part.modules() if isinstance(module, ATTENTION)]
        return sum(p.numel() for gate in gates for p in gate.parameters())

    found |= {"gates": gates_in(model), "last": gates_in(model.stages[-1])}
    rows = [(seed, 0, metric, value) for seed in seeds for metric, value in found.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


# --- the nets and their controls --------------------------------------------------------------

WIDTH, BLOCKS = 8, (2, 2, 2)
OPEN = 4.0  # a bias with which a gate starts at 0.98


class Ungated(nn.Module):
    """The layers of squeeze-and-excitation, and what they say is added, not multiplied.

    The last of them starts with weights 0, so that the block starts as if nothing were there.

    Args:
        gate: a `SqueezeExcitation` that gives its layers away.
        pooled: whether they read the channels' means, or each position by itself.
    """

    def __init__(self, gate: SqueezeExcitation, *, pooled: bool) -> None:
        super().__init__()
        parts: Any = gate.gate
        layers = [parts.fc1, parts.act, parts.fc2]
        nn.init.zeros_(parts.fc2.weight)
        self.layers = nn.Sequential(*([parts.pool] if pooled else []), *layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def network(
    kind: str, *, dims: int = 2, reduction: int = 4, blocks: Sequence[int] = BLOCKS
) -> nn.Module:
    """A small ResNet; what stands on its branches or elsewhere is the kind.

    Args:
        kind: ``"none"``; ``"half"``, branches times 1/2; ``"se"``, ``"eca"``; ``"se, pre"``,
            ``"se, post"``, ``"se, identity"`` in other places, and with ``", open"`` behind it with
            gates that start near 1; ``"added"``, the layers of ``"se"`` with their output added;
            ``"spread"``, the same without the mean over positions.
        dims: 2 for the digits, 1 for the folded signals of chapter 7.
        reduction: r.
        blocks: in each stage.

    Raises:
        ValueError: there is no such kind.
    """
    name, *rest = kind.split(", ")
    if name not in ("none", "half", "se", "eca", "added", "spread"):
        raise ValueError(f"kind must begin with none, half, se, eca, added or spread, got {kind!r}")
    options: dict[str, Any] = {"in_chans": IN_CHANS if dims == 1 else 1}
    if name not in ("none", "half"):
        attention = "eca" if name == "eca" else "se"
        place = next((part for part in rest if part != "open"), "standard")
        options |= {"channel_attention": attention, "attention_place": place}
    model = create_model(
        f"small_resnet{dims}d", width=WIDTH, blocks=blocks, reduction=reduction, **options
    )
    for _, block in iter_residuals(model):
        if name == "half":
            block.scale = Scale(0.5)
        elif name in ("added", "spread"):
            assert isinstance(block.scale, SqueezeExcitation)
            block.scale = Ungated(block.scale, pooled=name == "added")
    if "open" in rest:
        for module in model.modules():
            if isinstance(module, SqueezeExcitation):
                nn.init.constant_(module.gate.fc2.bias, OPEN)  # type: ignore[union-attr, arg-type]
    return model


# --- what gates do ----------------------------------------------------------------------------


@torch.no_grad()
def gates_of(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """What each `SqueezeExcitation` multiplies its channels by: name -> (examples, channels)."""
    parts: dict[str, nn.Module] = {
        name: part.gate
        for name, part in parts_of(model, (SqueezeExcitation,)).items()
        if isinstance(part, SqueezeExcitation)
    }
    with untouched(model, training=False), tap(parts) as taps:
        model(x)
    return {name: output.flatten(1) for name, output in taps.outputs.items()}


@contextmanager
def gates_set(model: nn.Module, change: Callable[[str, Tensor], Tensor]) -> Iterator[None]:
    """While open, gates (examples, channels, 1, ...) of the part called `name` are
    ``change(name, gates)``."""

    def replacing(name: str) -> Callable[..., Tensor]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            return change(name, output)

        return hook

    parts = parts_of(model, (SqueezeExcitation,))
    handles = [
        part.gate.register_forward_hook(replacing(name))  # type: ignore[union-attr]
        for name, part in parts.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


#: What the gates (examples, channels) of a part become in a lesion.
CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "own": lambda gates: gates,
    "mean": lambda gates: gates.mean(0, keepdim=True).expand_as(gates),  # of each channel
    "other": lambda gates: gates.roll(1, 0),  # those of the example before
    "one": lambda gates: gates.mean().expand_as(gates),  # for all channels and examples
    "open": torch.ones_like,
}


@torch.no_grad()
def gate_lesions(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, float]:
    """The error with all gates replaced by what `CHANGES` makes of those of the intact net."""
    intact = gates_of(model, batch[0])
    found = {}
    with untouched(model, training=False):
        for name, change in CHANGES.items():
            changed = {part: change(gates) for part, gates in intact.items()}
            with gates_set(model, lambda part, old: changed[part].view_as(old)):  # noqa: B023
                found[name] = error(model(batch[0]), batch[1]).item()
    return found


def explained(gates: Tensor, labels: Tensor) -> float:
    """Share of the variance over examples, summed over channels, that is between classes.

    Shapes: gates (examples, channels), labels (examples,). 1: examples of a class have equal gates.
    """
    within = torch.zeros((), dtype=gates.dtype)
    for label in labels.unique():
        own = gates[labels == label]
        within += (own - own.mean(0)).square().sum()
    return 1 - (within / (gates - gates.mean(0)).square().sum()).item()


def look(model: nn.Module, batch: tuple[Tensor, Tensor]) -> pd.DataFrame:
    """Describe the gates of a trained net, see `run_gates`."""
    x, y = batch
    rows: list[Row] = []
    for block, gates in enumerate(gates_of(model, x).values()):
        for label in y.unique().tolist():
            means = gates[y == label].mean(0).tolist()
            rows += [("gate", block, label, c, value) for c, value in enumerate(means)]
        numbers = {
            "explained": explained(gates, y),
            "mean": gates.mean().item(),
            "channels": gates.mean(0).std(correction=0).item(),
            "examples": gates.std(0, correction=0).mean().item(),
            "open": (gates > 0.9).double().mean().item(),
        }
        rows += [(metric, block, -1, -1, value) for metric, value in numbers.items()]
    return pd.DataFrame(rows, columns=["metric", "block", "label", "channel", "value"])


def run_gates(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train one net on the digits and look at its gates.

    Metrics: errors at the end; ``"parameters"`` and ``"flops"``. Of the nets of the kind ``"se"``
    with the ordinary r besides: ``"lesion"``, the test error with all gates replaced, by ``gates``,
    see `CHANGES`; ``"gate"``, the mean over the test examples of one class, by ``block`` (from 0),
    ``label`` and ``channel``; and by block ``"mean"``, ``"channels"`` (spread of the channels'
    means), ``"examples"`` (mean spread over examples), ``"open"`` (share above 0.9) and
    ``"explained"`` (see `explained`).
    """
    profile, digits = settings.profile, data.load("digits")
    build = partial(network, params["kind"], reduction=params["reduction"])
    training = train(
        build,
        digits,
        seeds,
        steps=profile["steps"],
        batch_size=profile["batch"],
        device=settings.device,
        progress=settings.progress,
    )
    history = training.history
    tables = [history[history["metric"].isin(("train_error", "test_error"))]]
    counted = pd.DataFrame(list(cost(build(), (1, 8, 8)).items()), columns=["metric", "value"])
    test = digits.x_test, digits.y_test
    for seed, model in zip(seeds, training.models, strict=True):
        looked = [counted]
        if model is not None and params["kind"] == "se" and params["reduction"] == 4:
            lesions = gate_lesions(model.cpu(), test)
            table = pd.DataFrame(list(lesions.items()), columns=["gates", "value"])
            looked += [table.assign(metric="lesion"), look(model.cpu(), test)]
        tables.append(pd.concat(looked, ignore_index=True).assign(seed=seed, step=profile["steps"]))
    return mark_diverged(pd.concat(tables, ignore_index=True), training.diverged)


def run_places(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train one net on the folded signals.

    Metrics: errors at the end; where there are gates, ``"product"``: the product over the blocks of
    their mean gates, on test examples.
    """
    profile, signals = settings.profile, folded()
    training = train(
        partial(network, params["kind"], dims=1, blocks=profile["blocks"]),
        signals,
        seeds,
        steps=profile["steps"],
        batch_size=profile["batch"],
        lr=profile["lr"],
        device=settings.device,
        progress=settings.progress,
    )
    history = training.history
    tables = [history[history["metric"].isin(("train_error", "test_error"))]]
    for seed, model in zip(seeds, training.models, strict=True):
        if model is not None and params["kind"] != "none":
            gates = gates_of(model.cpu(), signals.x_test)
            product = torch.stack([gate.mean() for gate in gates.values()]).prod().item()
            row = (seed, profile["steps"], "product", product)
            tables.append(pd.DataFrame([row], columns=COLUMNS))
    return mark_diverged(pd.concat(tables, ignore_index=True), training.diverged)


def halved(blocks: int, place: str, channels: int = 8) -> pd.DataFrame:
    """How much of x is left behind `blocks` blocks whose branches give 0 and whose gates are new.

    Args:
        blocks: how many.
        place: ``"standard"``, ``"post"`` or ``"identity"``.
        channels: of x, which is positive.

    Returns:
        A table of ``block`` (0: the input) and ``value``, the norm over that of x.
    """
    torch.manual_seed(0)
    x = h = torch.rand(4, channels, 6)
    norms = [1.0]
    for _ in range(blocks):
        gate = SqueezeExcitation(channels, reduction=4, dims=1)
        nn.init.zeros_(gate.gate.fc2.bias)  # type: ignore[union-attr, arg-type]
        slot = {"standard": "scale", "post": "after", "identity": "shortcut"}[place]
        slots: dict[str, Any] = {slot: gate}
        h = Residual(torch.zeros_like, **slots)(h)
        norms.append((h.norm() / x.norm()).item())
    return pd.DataFrame({"block": range(blocks + 1), "value": norms})


# --- experiments ------------------------------------------------------------------------------

REDUCTIONS = (2, 4, 16)

COST = Experiment(
    name="gate_cost",
    chapter=12,
    title="Parameters and FLOPs with and without channel attention: network x gate",
    variants={
        **{
            f"{model}, none": {"model": model, "attention": "none", "reduction": 16}
            for model in ("resnet18", "resnet50", "resnet101")
        },
        **{
            f"{model}, se-16": {"model": model, "attention": "se", "reduction": 16}
            for model in ("resnet18", "resnet50", "resnet101")
        },
        **{
            f"resnet50, se-{r}": {"model": "resnet50", "attention": "se", "reduction": r}
            for r in (4, 8, 32)
        },
        "resnet50, eca": {"model": "resnet50", "attention": "eca", "reduction": 16},
    },
    run=run_cost,
    # Seeds that all agree: with one there would be no interval.
    profiles={"quick": {"seeds": 5, "size": 224}, "full": {"seeds": 5, "size": 224}},
    cost=lambda params: 0.2,
)

GATES = Experiment(
    name="channel_gates",
    chapter=12,
    title="Six blocks on digits: gates, the same layers without a gate, a constant",
    variants={
        **{
            kind: {"kind": kind, "reduction": 4}
            for kind in ("none", "half", "se", "added", "spread", "eca")
        },
        **{f"se, r = {r}": {"kind": "se", "reduction": r} for r in REDUCTIONS if r != 4},
    },
    run=run_gates,
    profiles={
        "quick": {"seeds": 5, "steps": 110, "batch": 32},
        "full": {"seeds": 20, "steps": 2000, "batch": 128},
    },
    cost=lambda params: 4.0,
)

PLACES = Experiment(
    name="gate_places",
    chapter=12,
    title="Nine blocks on signals: the gate's place, and gates that start open",
    variants={
        kind: {"kind": kind}
        for kind in (
            *("none", "se", "se, pre", "se, post", "se, identity"),
            *("se, post, open", "se, identity, open"),
        )
    },
    run=run_places,
    profiles={
        "quick": {"seeds": 5, "blocks": [3, 3, 3], "steps": 130, "batch": 32, "lr": 0.03},
        "full": {"seeds": 20, "blocks": [9, 9, 9], "steps": 6000, "batch": 128, "lr": 0.1},
    },
    cost=lambda params: 4.0,
)

EXPERIMENTS = (COST, GATES, PLACES)
