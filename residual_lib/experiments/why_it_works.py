"""Chapter 6: what each of four explanations of the skip predicts, measured.

Four experiments: Jacobians of residual blocks before training; the derivative of random rectifier
nets along a line of inputs (Balduzzi et al. 2017); the correlation of gradients at two inputs, by
depth; and small trained nets on which lesions, paths, branch norms and the loss around the solution
are measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from residual_lib import data, objective
from residual_lib.experiments import Experiment, Settings, mark_diverged
from residual_lib.models import create_model
from residual_lib.models.rectifier import Centre
from residual_lib.nn import LearnedScale, Scale
from residual_lib.probes import (
    autocorrelation,
    identityness,
    jacobian_by_depth,
    jacobian_singular_values,
    landscape,
    lesion,
    lesion_random,
    noise,
    paths,
    shattering,
)
from residual_lib.probes.masking import blocks_of
from residual_lib.probes.tap import tap, untouched
from residual_lib.residual import Residual, add, branch_only, iter_residuals
from residual_lib.train import train

Row = tuple[Any, ...]
COLUMNS = ["seed", "step", "metric", "index", "value"]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from `seed` for a while, and leave the state of the generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@torch.no_grad()
def settle(model: nn.Module, x: Tensor) -> nn.Module:
    """Set every running statistic of `model` to that of the batch `x`; evaluation mode after.

    So an untrained net can be looked at one example at a time, as it treats this batch.
    """
    for part in model.modules():
        if getattr(part, "running_mean", None) is not None:
            part.momentum = 1.0  # type: ignore[assignment]
    model.train()(x)
    return model.eval()


# --- singular values of I + J ----------------------------------------------------------------

SCALES = {"one": 1.0, "root": "1/sqrt(L)", "inverse": "1/L"}


def residual_stack(kind: str, blocks: int, width: int) -> nn.Sequential:
    """Blocks x + beta W2 relu(W1 x) with He's weights, which keep the mean square on average.

    beta is 1 for ``"one"``, 1/sqrt(blocks) for ``"root"``, 1/blocks for ``"inverse"``; the kind
    ``"plain"`` has beta 1 and no skip.

    Raises:
        ValueError: there is no such kind.
    """
    betas = {"plain": 1.0, "one": 1.0, "root": blocks**-0.5, "inverse": 1 / blocks}
    if kind not in betas:
        raise ValueError(f"kind must be one of {list(betas)}, got {kind!r}")
    merge = branch_only if kind == "plain" else add

    def block() -> Residual:
        layers = [nn.Linear(width, width, bias=False) for _ in range(2)]
        # The second is not followed by a rectifier, which would halve its mean square.
        nn.init.kaiming_normal_(layers[0].weight, nonlinearity="linear")
        nn.init.kaiming_normal_(layers[1].weight, nonlinearity="relu")
        branch = nn.Sequential(layers[0], nn.ReLU(), layers[1])
        return Residual(branch, scale=Scale(betas[kind]), merge=merge)

    return nn.Sequential(*(block() for _ in range(blocks)))


def run_jacobians(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Singular values of one block (``scope`` "block") and of all blocks so far ("network").

    Metrics ``"smallest"``, ``"median"``, ``"largest"``, ``"mean_square"`` (of all singular values:
    the mean factor on the squared length of a gradient of random direction); index counts blocks
    from 1.
    """
    profile = settings.profile
    rows: list[Row] = []
    for seed in seeds:
        with seeded(seed):
            model = residual_stack(params["kind"], profile["blocks"], profile["width"]).double()
            x = torch.randn(1, profile["width"], dtype=torch.float64)
        table = jacobian_by_depth(model, (x, x), examples=1, progress=False)
        for (scope, depth), values in table.groupby(["metric", "depth"])["value"]:
            found = {
                "smallest": values.min(),
                "median": values.median(),
                "largest": values.max(),
                "mean_square": (values**2).mean(),
            }
            rows += [(seed, 0, metric, depth, value, scope) for metric, value in found.items()]
    return pd.DataFrame(rows, columns=[*COLUMNS, "scope"])


# --- shattering on a line of inputs ----------------------------------------------------------

# kind -> model and options; depth counts layers with weights, first and last included.
NETS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("plain_rectifier", {}),
    "plain, centred": ("plain_rectifier", {"norm_layer": "centre"}),
    "residual": ("residual_rectifier", {}),
    "residual, centred": ("residual_rectifier", {"norm_layer": "centre"}),
    "residual, BatchNorm": ("residual_rectifier", {"norm_layer": "batch"}),
    "residual, BatchNorm, beta 0.1": ("residual_rectifier", {"norm_layer": "batch", "beta": 0.1}),
}
OTHERS = ("no biases", "small biases", "small biases, centred")
NOISES = ("white noise", "brown noise")
DEPTHS = (3, 5, 10, 24, 50)


def small_biases(depth: int, width: int, centred: bool = False) -> nn.Sequential:
    """A plain net whose weights and biases all have variance 1/width, in every layer.

    So in notebook 11.1 of Prince's 'Understanding Deep Learning', which asks its readers why its
    gradients don't shatter as in the paper. `centred` subtracts each unit's mean over the batch
    before its rectifier, and changes nothing else.
    """
    sizes = [1, *[width] * (depth - 1), 1]
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        linear = nn.Linear(inputs, outputs)
        nn.init.normal_(linear.weight, std=width**-0.5)
        nn.init.normal_(linear.bias, std=width**-0.5)
        layers += [linear, Centre(outputs) if centred else nn.Identity(), nn.ReLU()]
    return nn.Sequential(*layers[:-2])


def line_net(kind: str, depth: int, width: int) -> nn.Module:
    """A random net from a number to a number.

    Raises:
        ValueError: there is no such kind.
    """
    if kind.startswith("small biases"):
        return small_biases(depth, width, centred=kind.endswith("centred"))
    if kind == "no biases":
        model = create_model("plain_rectifier", depth=depth, width=width)
        nn.init.zeros_(model.get_parameter("stem.bias"))
        return model
    if kind not in NETS:
        raise ValueError(f"kind must be one of {[*NETS, *OTHERS]}, got {kind!r}")
    name, options = NETS[kind]
    return create_model(name, depth=depth, width=width, **options)


def run_shattering(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """The derivative on a grid of inputs, and its autocorrelation (index: point, or lag)."""
    profile, kind = settings.profile, params["kind"]
    tables = []
    for seed in seeds:
        if kind.endswith("noise"):
            values = noise(kind.removesuffix(" noise"), profile["points"], seed)[0]
            rows = [("gradient", i, value) for i, value in enumerate(values)]
            lags = autocorrelation(values, profile["lags"])
            rows += [("autocorrelation", i, value) for i, value in enumerate(lags)]
            table = pd.DataFrame(rows, columns=["metric", "index", "value"])
        else:
            with seeded(seed):
                model = line_net(kind, params["depth"], profile["width"])
            table = shattering(model, points=profile["points"], lags=profile["lags"])
        tables.append(table.assign(seed=seed, step=0)[COLUMNS])
    return pd.concat(tables, ignore_index=True)


# --- correlation of gradients at two inputs, by depth -----------------------------------------

RATES: dict[str, tuple[int, ...]] = {
    "plain": (1, 2, 4, 8, 16, 32),
    "plain, centred": (1, 2, 3, 4, 5, 6),
    "residual": (1, 2, 4, 8, 16, 32),
    "residual, centred": (2, 4, 6, 8, 10, 12),
    "residual, BatchNorm": (1, 2, 4, 8, 16, 32, 64),
}
SEPARATION_STEP = 1e-6


def gradient_correlation(model: nn.Module, x: Tensor) -> float:
    """Mean product of the gradients at two different inputs over their mean square.

    Shapes: x is (B, D), D large. The gradients are those of each output of `model`, which is in
    evaluation mode; products are averaged over all pairs of inputs and over the outputs.
    """
    x = x.detach().requires_grad_()
    output = model(x)
    products = squares = 0.0
    for column in output.unbind(1):
        (gradient,) = torch.autograd.grad(column.sum(), x, retain_graph=True)
        square = gradient.square().sum().item()
        products += (gradient.sum(0).square().sum().item() - square) / (len(x) - 1)
        squares += square
    return products / squares


@torch.no_grad()
def rectifier_inputs(model: nn.Module, x: Tensor) -> list[Tensor]:
    """What enters each ReLU of `model`, first to last."""
    layers: dict[str, nn.Module] = {
        name: part for name, part in model.named_modules() if isinstance(part, nn.ReLU)
    }
    with tap(layers) as taps:
        model(x)
    return [taps.inputs[name] for name in layers]


def both_open(a: Tensor) -> float:
    """Share of units that are open for both of two different inputs. a: (B, n)."""
    count = (a > 0).double().sum(0)
    return ((count * (count - 1)).mean() / (len(a) * (len(a) - 1))).item()


def run_rates(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """``"correlation"`` by number of rectifier layers or blocks L; in the deepest net by layer:
    ``"both_open"``, and ``"separation"``, the squared distance of two close inputs over the mean
    square of what enters a rectifier, in units of that of the first."""
    profile, kind = settings.profile, params["kind"]
    name, options = NETS[kind]
    rows: list[Row] = []
    for seed in seeds:
        for count in RATES[kind]:
            with seeded(seed):
                model = create_model(
                    name,
                    in_features=profile["width"],
                    num_classes=profile["outputs"],
                    depth=count + 2,
                    width=profile["width"],
                    **options,
                )
                x = torch.randn(profile["batch"], profile["width"])
                step = SEPARATION_STEP * torch.randn_like(x, dtype=torch.float64)
            settle(model, x)
            rows.append((seed, 0, "correlation", count, gradient_correlation(model, x)))
        model, x = model.double(), x.double()
        here, there = rectifier_inputs(model, x), rectifier_inputs(model, x + step)
        pairs = zip(here, there, strict=True)
        far = [((b - a).square().mean() / a.square().mean()).item() for a, b in pairs]
        for layer, a in enumerate(here, start=1):
            rows.append((seed, 0, "both_open", layer, both_open(a)))
            rows.append((seed, 0, "separation", layer, far[layer - 1] / far[0]))
    return pd.DataFrame(rows, columns=COLUMNS)


# --- trained nets ----------------------------------------------------------------------------


KINDS: dict[str, dict[str, Any]] = {
    "plain": {"skip": False},
    "residual": {},
    "scaled": {"shortcut": "constant_scaling", "shortcut_args": {"shortcut": 0.5, "branch": 1.0}},
    "rezero": {"norm_layer": None},
    "no norm": {"norm_layer": None},
}


def trained_net(kind: str, depth: int, width: int) -> nn.Module:
    """A net of pre-activation blocks on MNIST-1D: behind the sum stands nothing, so a block's
    Jacobian is that of its shortcut plus that of its branch.

    Raises:
        ValueError: there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {list(KINDS)}, got {kind!r}")
    model = create_model(
        "small_resnet1d",
        width=width,
        blocks=((depth - 2) // 2,),
        order="preactivation",
        **KINDS[kind],
    )
    if kind == "rezero":
        for _, block in iter_residuals(model):
            block.scale = LearnedScale()
    return model


def gradient_gains(model: nn.Module, batch: tuple[Tensor, Tensor]) -> list[float]:
    """For each block, first to last, the norm of the loss's gradient at its input over that at its
    output; the norm is over the whole batch, the model in evaluation mode."""
    blocks = blocks_of(model)
    x = batch[0].detach().requires_grad_()
    with untouched(model, training=False), tap({**blocks}) as taps:
        loss = objective.loss(model(x), batch[1])
        ends = [*taps.inputs.values(), list(taps.outputs.values())[-1]]
        gradients = torch.autograd.grad(loss, ends)
    norms = [gradient.norm().item() for gradient in gradients]
    return [before / after for before, after in pairwise(norms)]


def run_explanations(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train one kind of net and look at it before (step 0) and after.

    Metrics besides the errors, index in brackets: ``"ratio"`` (block), branch over shortcut, see
    `residual_lib.probes.identityness`; ``"gain"`` (block), see `gradient_gains`; ``"smallest"``
    and ``"largest"`` (block): singular values of a block's Jacobian; ``"autocorrelation"`` (lag):
    of a derivative along lines between test examples. After training only: ``"lesion"`` (block; -1
    for none) and ``"lesion_several"`` (how many): test error; ``"share"``, ``"gradient_share"``,
    ``"contribution"`` (length): see `residual_lib.probes.paths`; ``"loss"`` by ``a`` and ``b``, see
    `residual_lib.probes.landscape`.
    """
    profile, sequences = settings.profile, data.load("mnist1d")
    kind, steps = params["kind"], profile["steps"]
    build = partial(trained_net, kind, params["depth"], profile["width"])
    training = train(
        build,
        sequences,
        seeds,
        steps=steps,
        batch_size=profile["batch"],
        clip_norm=profile["clip_norm"],
        device=settings.device,
        progress=settings.progress,
    )
    history = training.history
    tables = [history[history["metric"].isin(("train_error", "test_error"))]]
    test = sequences.x_test[: profile["examples"]], sequences.y_test[: profile["examples"]]
    for seed, trained in zip(seeds, training.models, strict=True):
        with seeded(seed):
            fresh = build()
        settle(fresh, sequences.x_train[: profile["examples"]])
        tables.append(look(fresh, test).assign(seed=seed, step=0))
        if trained is None or kind == "no norm":  # which learns next to nothing
            continue
        model = trained.cpu()
        found = [look(model, test), lesions(model, test, profile["draws"])]
        if kind != "plain":
            found.append(by_length(model, test, profile["path_examples"]))
        if kind in ("plain", "residual") and params["depth"] == profile["landscape_depth"]:
            train_part = (
                sequences.x_train[: profile["landscape_examples"]],
                sequences.y_train[: profile["landscape_examples"]],
            )
            surface = landscape(
                model, train_part, points=profile["points"], seed=seed, progress=False
            )
            found.append(surface[surface["metric"] == "loss"])
        tables.append(pd.concat(found, ignore_index=True).assign(seed=seed, step=steps))
    table = pd.concat(tables, ignore_index=True)
    return mark_diverged(table.reindex(columns=[*COLUMNS, "a", "b"]), training.diverged)


def look(model: nn.Module, batch: tuple[Tensor, Tensor], lines: int = 3) -> pd.DataFrame:
    """What is measured both before and after training. Columns metric, index, value."""
    rows: list[tuple[str, int, float]] = []
    ratios = identityness(model, batch, training=False)
    ratios = ratios[ratios["metric"] == "ratio"]
    rows += [("ratio", i, v) for i, v in zip(ratios["index"], ratios["value"], strict=True)]
    rows += [("gain", i, value) for i, value in enumerate(gradient_gains(model, batch))]
    # A Jacobian of 6 positions is 48 x 48, one of all 40 would be 320 x 320.
    short = batch[0][:1, :, 17:23], batch[1][:1]
    names = list(blocks_of(model))
    values = jacobian_singular_values(model, short, parts=names, examples=1)
    for index, name in enumerate(names):
        some = values[values["layer"] == name]["value"]
        rows += [("smallest", index, some.min()), ("largest", index, some.max())]
    curves = []
    for line in range(lines):
        pair = tuple(part[2 * line : 2 * line + 2] for part in batch)
        table = shattering(model, pair, training=False)  # type: ignore[arg-type]
        curves.append(table[table["metric"] == "autocorrelation"]["value"].to_numpy())
    rows += [("autocorrelation", lag, v) for lag, v in enumerate(np.mean(curves, axis=0))]
    return pd.DataFrame(rows, columns=["metric", "index", "value"])


def lesions(model: nn.Module, batch: tuple[Tensor, Tensor], draws: int) -> pd.DataFrame:
    """Test error with one block deleted, and with several: the mean over `draws` random sets."""
    single = lesion(model, batch, progress=False)
    single = single[single["metric"] == "error"].assign(metric="lesion")
    count = len(blocks_of(model))
    numbers = [number for number in (0, 1, 2, 4, 6, 8, 12, 15) if number <= count]
    several = lesion_random(model, batch, numbers=numbers, draws=draws, progress=False)
    several = several[several["metric"] == "error"]
    means = several.groupby("deleted")["value"].mean().rename_axis("index").reset_index()
    table = pd.concat([single, means.assign(metric="lesion_several")], ignore_index=True)
    return table[["metric", "index", "value"]]


def by_length(model: nn.Module, batch: tuple[Tensor, Tensor], examples: int) -> pd.DataFrame:
    """Share of paths, and of the gradient, by length."""
    table = paths(model, (batch[0][:examples], batch[1][:examples]), samples=8, progress=False)
    table = table[table["metric"].isin(("share", "gradient_share", "contribution"))]
    return table.rename(columns={"length": "index"})


# --- experiments -----------------------------------------------------------------------------

JACOBIANS = Experiment(
    name="block_jacobians",
    chapter=6,
    title="Singular values of random residual blocks and of their product",
    variants={kind: {"kind": kind} for kind in ("plain", "one", "root", "inverse")},
    run=run_jacobians,
    profiles={
        "quick": {"seeds": 5, "width": 32, "blocks": 32},
        "full": {"seeds": 20, "width": 256, "blocks": 64},
    },
    cost=lambda params: 1.0,
)

SHATTERING = Experiment(
    name="shattered_gradients",
    chapter=6,
    title="Derivative along a line of inputs: kind of net x depth, and two noises",
    variants={
        **{f"{kind}, {depth}": {"kind": kind, "depth": depth} for kind in NETS for depth in DEPTHS},
        **{
            f"{kind}, {depth}": {"kind": kind, "depth": depth}
            for kind in OTHERS
            for depth in (24, 50)
        },
        **{kind: {"kind": kind, "depth": 0} for kind in NOISES},
    },
    run=run_shattering,
    profiles={
        "quick": {"seeds": 5, "width": 200, "points": 256, "lags": 15},
        "full": {"seeds": 100, "width": 200, "points": 256, "lags": 15},
    },
    cost=lambda params: 0.02 * params["depth"],
)

CORRELATION = Experiment(
    name="gradient_correlation",
    chapter=6,
    title="Correlation of the gradients at two inputs: kind of net x depth",
    variants={kind: {"kind": kind} for kind in RATES},
    run=run_rates,
    profiles={
        "quick": {"seeds": 5, "width": 200, "batch": 128, "outputs": 8},
        "full": {"seeds": 20, "width": 1000, "batch": 256, "outputs": 8},
    },
    cost=lambda params: 2.0,
)

EXPLANATIONS = Experiment(
    name="explanations",
    chapter=6,
    title="Trained on MNIST-1D: plain, residual, scaled shortcut, ReZero, no normalisation",
    variants={
        f"{kind}-{depth}": {"kind": kind, "depth": depth}
        for kind, depth in [
            ("plain", 8),
            ("residual", 8),
            *((kind, 32) for kind in KINDS),
        ]
    },
    run=run_explanations,
    profiles={
        "quick": {
            "seeds": 5,
            "width": 8,
            "batch": 32,
            "steps": 200,
            "clip_norm": 1.0,
            "examples": 200,
            "draws": 4,
            "path_examples": 16,
            "landscape_depth": 32,
            "landscape_examples": 64,
            "points": 9,
        },
        "full": {
            "seeds": 20,
            "width": 16,
            "batch": 128,
            "steps": 6000,
            "clip_norm": 1.0,
            "examples": 1000,
            "draws": 20,
            "path_examples": 64,
            "landscape_depth": 32,
            "landscape_examples": 1000,
            "points": 31,
        },
    },
    cost=lambda params: params["depth"] / 2.5,
)

EXPERIMENTS = (JACOBIANS, SHATTERING, CORRELATION, EXPLANATIONS)
