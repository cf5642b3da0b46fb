"""Chapter 1: how the gradient's scale changes from layer to layer, before any training.

Notation: h_0 is the input, h_l the output of hidden layer l, L the number of layers with weights,
so that h_(L-1) is what the last layer is given. ``layer`` in the tables is l.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residual_lib import data
from residual_lib.experiments import Experiment, Settings, mark_diverged
from residual_lib.models import create_model
from residual_lib.nn import initialise_
from residual_lib.probes import gradient_norms
from residual_lib.train import train

ACTIVATIONS = ("sigmoid", "tanh", "relu")
SCHEMES = ("naive", "xavier", "he", "orthogonal")
NORMS = ("none", "batch", "layer")
DEPTHS = (8, 20, 50, 100, 200)


def plain_net(depth: int, width: int, activation: str, norm: str = "none") -> nn.Module:
    """A plain net for the digits, in double precision, whose weights `draw` is to set.

    Single precision ends at 1e38 and 1e-45. With naive weights the gradient of a deep ReLU net
    passes the one, that of a deep sigmoid net with Xavier's passes the other.
    """
    with torch.random.fork_rng(devices=[]):  # PyTorch draws weights that nobody will use
        model = create_model(
            "plain_mlp",
            in_features=64,
            num_classes=10,
            depth=depth,
            width=width,
            activation=activation,
            norm_layer=None if norm == "none" else norm,
            init="default",
        )
    return model.double()


def draw(
    model: nn.Module, digits: data.Data, init: str, activation: str, batch: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Give `model` the weights of `seed`, and return the batch of digits of that seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        initialise_(model, init, activation=activation)
        chosen = torch.randperm(len(digits.x_train))[:batch]
    return digits.x_train[chosen].double(), digits.y_train[chosen]


def gradient_by_layer(model: nn.Module, x: Tensor, y: Tensor) -> pd.DataFrame:
    """The columns ``layer`` and ``value``: the norm of the loss's gradient in h_0 ... h_(L-1)."""
    norms = gradient_norms(model, (x, y))
    norms = norms[norms["metric"] == "input_gradient"]
    return norms.rename(columns={"layer": "name", "index": "layer"})[["layer", "value"]]


def run_scale(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Measure one activation, initialisation and normalisation at every depth."""
    activation, init = params["activation"], params["init"]
    width = params["width"] if "width" in params else settings.profile["width"]
    digits = data.load("digits")
    tables = []
    for depth in settings.profile["depths"]:
        model = plain_net(depth, width, activation, params.get("norm", "none"))
        for seed in seeds:
            x, y = draw(model, digits, init, activation, settings.profile["batch"], seed)
            table = gradient_by_layer(model, x, y)
            tables.append(table.assign(seed=seed, depth=depth))
    return pd.concat(tables, ignore_index=True).assign(step=0, metric="gradient_norm")


def run_batch_norm(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Measure how fast the gradient grows through layers with BatchNorm."""
    activation, profile = params["activation"], settings.profile
    model = plain_net(profile["depth"], profile["width"], activation, "batch")
    digits = data.load("digits")
    tables = []
    for seed in seeds:
        x, y = draw(model, digits, "he", activation, params["batch"], seed)
        tables.append(gradient_by_layer(model, x, y).assign(seed=seed))
    return pd.concat(tables, ignore_index=True).assign(step=0, metric="gradient_norm")


def run_direction(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Measure size and direction of the gradient of one output in the input, for ReLU and He.

    Metrics: ``"gradient_norm"``, the geometric mean of |dy/dx| over the batch, y being the first
    output; ``"neighbours"``, the mean cosine between dy/dx at x and at x + e, where e is random
    with a tenth of the length of x; ``"outputs"``, the mean cosine between the outputs for two
    different digits.
    """
    model = plain_net(params["depth"], settings.profile["width"], "relu", params["norm"]).train()
    digits = data.load("digits")
    rows = []
    for seed in seeds:
        x, _ = draw(model, digits, "he", "relu", settings.profile["batch"], seed)
        x = x.flatten(1)
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed)).double()
        near = x + 0.1 * noise * (x.norm(dim=1) / noise.norm(dim=1))[:, None]
        here, outputs = slopes(model, x)
        there, _ = slopes(model, near)
        values = {
            "gradient_norm": here.norm(dim=1).log().mean().exp(),
            "neighbours": F.cosine_similarity(here, there).mean(),
            "outputs": mean_cosine(outputs),
        }
        rows += [(seed, 0, metric, value.item()) for metric, value in values.items()]
    return pd.DataFrame(rows, columns=["seed", "step", "metric", "value"])


def slopes(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of the first output in x for each example, and all outputs."""
    x = x.detach().requires_grad_()
    outputs = model(x)
    (gradient,) = torch.autograd.grad(outputs[:, 0].sum(), x)
    return gradient, outputs.detach()


def mean_cosine(vectors: Tensor) -> Tensor:
    """Mean cosine between two different rows of `vectors`."""
    count = len(vectors)
    total = F.normalize(vectors, dim=1).sum(0).square().sum()
    return (total - count) / (count * (count - 1))


def run_training(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train one net of thirty layers on the digits."""
    profile = settings.profile
    build = partial(
        create_model,
        "plain_mlp",
        in_features=64,
        num_classes=10,
        depth=30,
        width=profile["width"],
        activation=params["activation"],
        norm_layer=None if params["norm"] == "none" else params["norm"],
        init=params["init"],
    )
    training = train(
        build,
        data.load("digits"),
        seeds,
        steps=profile["steps"],
        batch_size=64,
        lr=profile["lr"],
        record_every=profile["record_every"],
        device=settings.device,
        progress=settings.progress,
    )
    history = training.history
    kept = history[history["metric"].isin(("train_loss", "train_error", "test_error"))]
    return mark_diverged(kept, training.diverged)


def _named(*grid: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"-".join(str(value) for value in params.values()): params for params in grid}


SCALE = Experiment(
    name="gradient_scale",
    chapter=1,
    title="Gradient by layer: activation x initialisation x normalisation x depth",
    variants=_named(
        *(
            {"norm": norm, "activation": activation, "init": init}
            for norm in NORMS
            for activation in ACTIVATIONS
            for init in SCHEMES
        )
    ),
    run=run_scale,
    profiles={
        "quick": {"seeds": 5, "depths": list(DEPTHS), "width": 64, "batch": 64},
        # Not wider: at 200 layers naive weights would carry the squares past double precision.
        "full": {"seeds": 50, "depths": list(DEPTHS), "width": 64, "batch": 64},
    },
    cost=lambda params: 0.6 if params["norm"] == "none" else 0.8,
)

WIDTH = Experiment(
    name="gradient_width",
    chapter=1,
    title="Gradient by layer of a net of 50 layers: width x initialisation",
    variants=_named(
        *(
            {"activation": activation, "init": init, "width": width}
            for activation, init in (("sigmoid", "naive"), ("relu", "he"))
            for width in (16, 32, 64, 128, 256)
        )
    ),
    run=run_scale,
    profiles={
        "quick": {"seeds": 5, "depths": [50], "batch": 64},
        "full": {"seeds": 100, "depths": [50], "batch": 64},
    },
    cost=lambda params: (params["width"] / 256) ** 2,
)

BATCH_NORM = Experiment(
    name="batch_norm_growth",
    chapter=1,
    title="Growth of the gradient through BatchNorm: batch size x activation",
    variants=_named(
        *({"activation": "relu", "batch": batch} for batch in (8, 16, 32, 64, 128)),
        *({"activation": name, "batch": 128} for name in ("tanh", "sigmoid", "identity")),
    ),
    run=run_batch_norm,
    profiles={
        "quick": {"seeds": 5, "depth": 50, "width": 256},
        "full": {"seeds": 200, "depth": 50, "width": 1000},
    },
    cost=lambda params: params["batch"] / 128,
)

DIRECTION = Experiment(
    name="gradient_direction",
    chapter=1,
    title="Size and direction of the gradient in the input: depth x normalisation",
    variants=_named(
        *(
            {"norm": norm, "depth": depth}
            for norm in ("none", "batch")
            for depth in (4, 8, 20, 50, 100)
        )
    ),
    run=run_direction,
    profiles={
        "quick": {"seeds": 5, "width": 128, "batch": 64},
        "full": {"seeds": 20, "width": 1024, "batch": 256},
    },
    cost=lambda params: params["depth"] / 100,
)

TRAINING = Experiment(
    name="thirty_layers",
    chapter=1,
    title="Training error of nets of 30 layers",
    variants=_named(
        {"activation": "relu", "init": "xavier", "norm": "none"},
        {"activation": "relu", "init": "he", "norm": "none"},
        {"activation": "tanh", "init": "orthogonal", "norm": "none"},
        {"activation": "sigmoid", "init": "xavier", "norm": "none"},
        {"activation": "sigmoid", "init": "xavier", "norm": "batch"},
    ),
    run=run_training,
    profiles={
        "quick": {"seeds": 5, "steps": 150, "lr": 0.01, "width": 64, "record_every": 30},
        "full": {"seeds": 20, "steps": 3000, "lr": 0.01, "width": 256, "record_every": 100},
    },
    cost=lambda params: 3.0 if params["norm"] == "batch" else 1.5,
)

EXPERIMENTS = (SCALE, WIDTH, BATCH_NORM, DIRECTION, TRAINING)
