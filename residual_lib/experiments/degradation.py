"""Chapter 2: the training error of plain nets rises with depth, and one line mends it.

The table of the experiment ``degradation`` has, for each depth, plain and residual, the training
curve (metrics ``batch_loss`` and ``batch_error``, means over windows of steps), what was reached
(``train_loss``, ``train_error``, ``test_error``, at the last step, on the whole split) and the
gradient's norm at each layer's weights (``weight_gradient``, column ``layer`` from 1 at the input).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residual_lib import data
from residual_lib.experiments import Experiment, Settings, mark_diverged
from residual_lib.models import ConvNet, create_model
from residual_lib.probes import gradient_norms
from residual_lib.residual import iter_residuals
from residual_lib.train import Training, evaluate, train

DEPTHS = (8, 20, 32, 56)
SHALLOW = 8  # layers of the net that `run_construction` deepens


def net(depth: int, skip: bool, width: int, dims: int = 1, in_chans: int = 1) -> ConvNet:
    """A plain or a residual net; the two differ by the merge alone."""
    kind = "residual" if skip else "plain"
    model = create_model(f"{kind}_conv{dims}d", in_chans=in_chans, width=width, depth=depth)
    assert isinstance(model, ConvNet)
    return model


@torch.no_grad()
def start_at_identity_(model: ConvNet) -> ConvNet:
    """Set, in place, every convolution inside the blocks to the kernel that copies its input."""
    for _, block in iter_residuals(model):
        for layer in block.modules():
            if isinstance(layer, (nn.Conv1d, nn.Conv2d)):
                nn.init.dirac_(layer.weight)
    return model


@torch.no_grad()
def deepen(model: ConvNet, depth: int, x: Tensor, *, identity: bool = True) -> ConvNet:
    """Return a copy of a plain net with blocks added before its head, in evaluation mode.

    An added block copies its input exactly: what comes out of a ReLU is not negative, so that
    another ReLU leaves it alone; Dirac kernels copy it; and a BatchNorm whose scale and shift are
    the standard deviation and mean that it divides by and subtracts undoes its own work. This is
    the solution by construction of He et al. 2015, section 1.

    Args:
        model: a plain net; it is left as it is.
        depth: layers of the copy, at least those of `model`, even.
        x: inputs ``(batch, channels, ...)``, whose statistics the added BatchNorms get.
        identity: False adds blocks as PyTorch's generator draws them, for comparison.

    Raises:
        ValueError: `depth` is odd or below that of `model`.
    """
    missing = depth - 2 - 2 * len(model.blocks)
    if missing < 0 or missing % 2:
        raise ValueError(f"depth must be even and at least that of the model, got {depth}")
    deep = copy.deepcopy(model).eval()
    h = deep.blocks(deep.stem(x)).transpose(0, 1).flatten(1)
    mean, variance = h.mean(1), h.var(1, correction=0)
    width = len(mean)
    for _ in range(missing // 2):
        added = net(4, skip=False, width=width, dims=x.dim() - 2)
        if identity:
            start_at_identity_(added)
        for norm in added.blocks.modules():
            if identity and isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d)):
                assert norm.running_mean is not None
                assert norm.running_var is not None
                norm.running_mean.copy_(mean)
                norm.running_var.copy_(variance)
                norm.weight.copy_((variance + norm.eps).sqrt())
                norm.bias.copy_(mean)
        deep.blocks.extend(added.blocks)
    return deep.eval()


def folded(source: data.Data, factor: int) -> data.Data:
    """The same images with each square of `factor` x `factor` pixels as channels of one position.

    Nothing is lost, and a convolution has `factor` squared times fewer positions to visit.
    """
    return replace(
        source,
        x_train=F.pixel_unshuffle(source.x_train, factor),
        x_test=F.pixel_unshuffle(source.x_test, factor),
    )


def curve(training: Training, window: int) -> pd.DataFrame:
    """The training's table: the batches' loss and error as means of `window` steps, and the rest.

    A mean stands at the last step of its window. A window that a diverged seed did not finish is
    left out.
    """
    history = training.history
    batches = history[history["metric"].isin(("batch_loss", "batch_error"))]
    step = (batches["step"] // window + 1) * window
    windows = batches.assign(step=step).groupby(["seed", "step", "metric"])["value"]
    means = windows.mean()[windows.size() == window].reset_index()
    reached = history[history["metric"].isin(("train_loss", "train_error", "test_error"))]
    tables = [means, reached]
    if len(training.probes):
        norms = training.probes
        norms = norms[norms["metric"] == "weight_gradient"]
        tables.append(norms.assign(layer=norms["index"] + 1.0).drop(columns=["index", "probe"]))
    return mark_diverged(pd.concat(tables, ignore_index=True), training.diverged)


def load(profile: Mapping[str, Any]) -> data.Data:
    """The data of a profile: MNIST-1D, or the digits with squares of pixels as channels."""
    if profile["data"] == "mnist1d":
        return data.load("mnist1d", num_samples=profile["samples"])
    return folded(data.load("digits"), profile["fold"])


def net_for(source: data.Data, depth: int, skip: bool, width: int) -> ConvNet:
    """A net for these data, in as many dimensions as they have."""
    x = source.x_train
    return net(depth, skip, width, dims=x.dim() - 2, in_chans=x.shape[1])


def run_training(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train one net.

    Parameters besides ``depth`` and ``skip``, all optional: ``times`` as many steps, a rate
    ``slower`` times smaller, and ``start``: ``"identity"`` for blocks of Dirac kernels.
    """
    profile = settings.profile
    source = load(profile)

    def build() -> nn.Module:
        model = net_for(source, params["depth"], params["skip"], profile["width"])
        return start_at_identity_(model) if params.get("start") == "identity" else model

    probed = profile["probe_every"]
    training = train(
        build,
        source,
        seeds,
        steps=profile["steps"] * params.get("times", 1),
        batch_size=profile["batch_size"],
        optimizer=profile["optimizer"],
        lr=profile["lr"] / params.get("slower", 1),
        probes={"gradient": gradient_norms} if probed else None,
        probe_every=probed,
        device=settings.device,
        progress=settings.progress,
    )
    return curve(training, profile["window"])


def run_construction(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train a shallow plain net, add layers to it, and measure what that does to its loss.

    Metrics, with the column ``depth``: ``shallow_loss`` and ``shallow_error`` of the shallow net,
    ``deep_loss`` and ``deep_error`` with layers added, which are random where ``added`` says so.
    Where the parameter ``slower`` is above 0, the net with ``trained_depth`` layers is then
    trained on, at a rate `slower` times smaller, and the table has its curve as well.
    """
    profile = settings.profile
    source = load(profile)
    shallow = _trained(
        partial(net_for, source, SHALLOW, False, profile["width"]), source, seeds, settings, 1
    ).models
    rows, deep = [], {}
    on = params["slower"] > 0
    for seed, model in zip(seeds, shallow, strict=True):
        if model is None:
            raise ValueError(f"the shallow net of seed {seed} diverged: there is nothing to deepen")
        assert isinstance(model, ConvNet)
        before = evaluate(model, source)
        for depth in [profile["trained_depth"]] if on else profile["depths"]:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                deep[seed] = deepen(
                    model, depth, source.x_train, identity=params["added"] == "identity"
                )
            after = evaluate(deep[seed], source)
            for name, found in (("shallow", before), ("deep", after)):
                rows += [(seed, 0, f"{name}_{k}", depth, value) for k, value in found.items()]
    table = pd.DataFrame(rows, columns=["seed", "step", "metric", "depth", "value"])
    if not on:
        return table
    nets = iter([deep[seed] for seed in seeds])
    trained = _trained(lambda: next(nets), source, seeds, settings, params["slower"])
    return pd.concat(
        [table, curve(trained, profile["window"]).assign(depth=profile["trained_depth"])],
        ignore_index=True,
    )


def _trained(
    build: Callable[[], nn.Module],
    source: data.Data,
    seeds: list[int],
    settings: Settings,
    slower: float,
) -> Training:
    profile = settings.profile
    return train(
        build,
        source,
        seeds,
        steps=profile["steps"],
        batch_size=profile["batch_size"],
        optimizer=profile["optimizer"],
        lr=profile["lr"] / slower,
        device=settings.device,
        progress=settings.progress,
    )


def _cost(params: Mapping[str, Any]) -> float:
    """Seconds: a layer costs about as much as any other, at every step."""
    return 0.22 * params["depth"] * params.get("times", 1)


_MNIST1D: dict[str, dict[str, Any]] = {
    "quick": {
        "seeds": 5,
        "data": "mnist1d",
        "samples": 2500,
        "steps": 200,
        "batch_size": 32,
        "width": 8,
        "optimizer": "sgd",
        "lr": 0.1,
        "window": 20,
        "probe_every": 100,
    },
    "full": {
        "seeds": 10,
        "data": "mnist1d",
        "samples": 5000,
        "steps": 4000,
        "batch_size": 128,
        "width": 16,
        "optimizer": "sgd",
        "lr": 0.1,
        "window": 100,
        "probe_every": 1000,
    },
}
_DIGITS: dict[str, dict[str, Any]] = {
    "quick": {
        "seeds": 5,
        "data": "digits",
        "fold": 2,
        "steps": 150,
        "batch_size": 32,
        "width": 8,
        "optimizer": "adamw",
        "lr": 0.03,
        "window": 15,
        "probe_every": None,
    },
    "full": {
        "seeds": 10,
        "data": "digits",
        "fold": 1,
        "steps": 2000,
        "batch_size": 64,
        "width": 16,
        "optimizer": "sgd",
        "lr": 0.1,
        "window": 100,
        "probe_every": None,
    },
}


_NETS = {
    f"{kind}-{depth}": {"depth": depth, "skip": kind == "residual"}
    for kind in ("plain", "residual")
    for depth in DEPTHS
}

DEGRADATION = Experiment(
    name="degradation",
    chapter=2,
    title="Training curves on MNIST-1D: depth x plain or residual",
    variants=_NETS,
    run=run_training,
    profiles=_MNIST1D,
    cost=_cost,
)

DIGITS = Experiment(
    name="degradation_digits",
    chapter=2,
    title="Training curves on the digits, with another optimiser: depth x plain or residual",
    variants=_NETS,
    run=run_training,
    profiles=_DIGITS,
    cost=lambda params: 0.6 * _cost(params),
)

CONSTRUCTION = Experiment(
    name="construction",
    chapter=2,
    title="A trained net of 8 layers with layers added that copy their input",
    variants={
        "identity": {"added": "identity", "slower": 0},
        "random": {"added": "random", "slower": 0},
        "identity, trained on": {"added": "identity", "slower": 1},
        "identity, trained on slowly": {"added": "identity", "slower": 10},
    },
    run=run_construction,
    profiles={
        name: {**profile, "depths": [20, 56], "trained_depth": 32}
        for name, profile in _DIGITS.items()
    },
    cost=lambda params: 5.0 if params["slower"] else 2.0,
)

REMEDIES = Experiment(
    name="remedies",
    chapter=2,
    title="What shrinks the gap at depth 20, on the digits",
    # The first and the last are trials of DIGITS: measured there, they are found in the store.
    variants={
        "plain": {"depth": 20, "skip": False},
        "three times the steps": {"depth": 20, "skip": False, "times": 3},
        "a third of the rate": {"depth": 20, "skip": False, "slower": 3},
        "identity at the start": {"depth": 20, "skip": False, "start": "identity"},
        "residual": {"depth": 20, "skip": True},
    },
    run=run_training,
    profiles=_DIGITS,
    cost=lambda params: 0.6 * _cost(params),
)

EXPERIMENTS = (DEGRADATION, DIGITS, CONSTRUCTION, REMEDIES)
