"""Chapter 3: what the residual block finds easy, where decay pulls it, and how it starts.

Notation: H(x) is what a block computes, F(x) its branch. A *plain* block computes F(x), a
*residual* one x + F(x), a *highway* (1 - g(x)) x + g(x) F(x) with a gate g between 0 and 1.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from residual_lib import data, objective
from residual_lib.experiments import Experiment, Settings, mark_diverged
from residual_lib.models import create_model
from residual_lib.nn import Highway, create_norm, initialise_, two_layers
from residual_lib.residual import Residual, add, branch_only, iter_residuals
from residual_lib.train import train

KINDS = ("plain", "residual", "zero", "highway")
TARGETS = ("x", "near", "negative", "new")
NORMS = ("none", "layer", "frozen", "batch")
GATE_BIAS = -2.0
Row = tuple[int, int, str, float]
COLUMNS = ["seed", "step", "metric", "value"]

# --- one block that is asked for a function --------------------------------------------------


def task(target: str, width: int, samples: int) -> data.Data:
    """A function from `width` normal numbers to `width` numbers of mean square 1, to be learned.

    ``"x"``: the input itself. ``"near"``: x + u(x) / 10, where u is a fixed smooth function of
    mean square 1. ``"negative"``: -x. ``"new"``: u(x), which has little to do with x.

    Raises:
        ValueError: `target` is none of the above.
    """
    if target not in TARGETS:
        raise ValueError(f"target must be one of {list(TARGETS)}, got {target!r}")
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2 * samples, width, generator=generator)
    inner, outer = torch.randn(2, width, width, generator=generator) / width**0.5
    u = torch.tanh(2 * x @ inner.T) @ outer.T
    u = u / u.square().mean().sqrt()
    y = {"x": x, "near": x + 0.1 * u, "negative": -x, "new": u}[target]
    return data.Data(
        x_train=x[:samples],
        y_train=y[:samples],
        x_test=x[samples:],
        y_test=y[samples:],
        name=target,
        num_classes=0,
        task="regression",
    )


def one_block(kind: str, width: int, hidden: int) -> Any:
    """Linear, ReLU, linear in a block of one kind, with He's weights.

    ``"zero"`` is the residual block whose last layer starts at 0, so that it starts as the
    identity. With ``hidden = 2 * width`` a plain block can be the identity exactly:
    x = relu(x) - relu(-x).
    """
    first, last = nn.Linear(width, hidden), nn.Linear(hidden, width)
    branch = initialise_(nn.Sequential(first, nn.ReLU(), last), "he")
    if kind == "zero":
        nn.init.zeros_(last.weight)
    if kind == "highway":
        return Residual(branch, merge=Highway(width, bias=GATE_BIAS, dims=0))
    return Residual(branch, merge=branch_only if kind == "plain" else add)


def run_easy(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train one kind of block for one target, with several learning rates.

    Metric ``"error"``: mean squared error on fresh inputs, over the target's mean square.
    """
    profile = settings.profile
    examples = task(params["target"], profile["width"], profile["samples"])
    build = partial(one_block, params["kind"], profile["width"], 2 * profile["width"])
    tables = []
    for rate in profile["rates"]:
        training = train(
            build,
            examples,
            seeds,
            steps=profile["steps"],
            lr=rate,
            schedule="constant",
            record_every=10,
            device=settings.device,
            progress=settings.progress,
        )
        history = training.history
        history = history[history["metric"] == "test_loss"].assign(metric="error", rate=rate)
        history["value"] /= examples.y_test.square().mean().item()
        tables.append(history)
    return pd.concat(tables, ignore_index=True)


def run_pull(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train one kind of block for x or -x against weight decay on all its parameters.

    Metric ``"slope"``: <H(x), x> / <x, x> over fresh inputs: 1 for the identity, 0 for zero.
    """
    profile = settings.profile
    examples = task(params["target"], profile["width"], profile["samples"])
    build = partial(one_block, params["kind"], profile["width"], 2 * profile["width"])
    x = examples.x_test
    tables = []
    for decay in profile["decays"]:
        training = train(
            build,
            examples,
            seeds,
            steps=profile["steps"],
            lr=profile["lr"],
            weight_decay=decay,
            device=settings.device,
            progress=settings.progress,
        )
        rows: list[Row] = []
        for seed, model in zip(seeds, training.models, strict=True):
            if model is not None:
                with torch.no_grad():
                    slope = ((model(x) * x).sum() / x.square().sum()).item()
                rows.append((seed, profile["steps"], "slope", slope))
        table = mark_diverged(pd.DataFrame(rows, columns=COLUMNS), training.diverged)
        tables.append(table.assign(decay=decay))
    return pd.concat(tables, ignore_index=True)


# --- biases before a normalisation ------------------------------------------------------------


def popular_net(norm: str, width: int, blocks: int) -> nn.Module:
    """A residual net for 8 x 8 images as popular code writes it: every convolution has a bias.

    `norm` is ``"none"``, ``"layer"``, ``"batch"``, or ``"frozen"``: BatchNorm too, which the
    measurement then puts into evaluation mode.
    """
    name = {"none": None, "layer": "layer"}.get(norm, "batch")

    def conv() -> nn.Module:
        return nn.Conv2d(width, width, 3, padding=1)

    def block() -> Residual:
        branch = two_layers(conv, lambda: create_norm(name, width, dims=2), nn.ReLU)
        return Residual(branch, after=nn.ReLU())

    stem = nn.Conv2d(1, width, 3, padding=1)
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))
    return nn.Sequential(stem, *(block() for _ in range(blocks)), *head)


def branch_layers(model: nn.Module) -> list[nn.Conv2d]:
    """The convolutions inside the branches."""
    parts = (part for branch in branches(model) for part in branch.modules())
    return [part for part in parts if isinstance(part, nn.Conv2d)]


def branches(model: nn.Module) -> list[Any]:
    """The branch of every block."""
    return [block.branch for _, block in iter_residuals(model)]


def remaining(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """How much of the biases' gradient is left after cancellation, the most over the layers.

    A bias's gradient is the sum of the gradient d in its layer's output over examples and
    positions. This is sum over channels |sum d| / sum |d|: 1 if nothing cancels, 0 if all does.
    """
    outputs: list[Tensor] = []

    def keep(module: nn.Module, given: Any, output: Tensor) -> None:
        outputs.append(output)

    hooks = [layer.register_forward_hook(keep) for layer in branch_layers(model)]
    loss = objective.loss(model(x), y)
    for hook in hooks:
        hook.remove()
    gradients = torch.autograd.grad(loss, outputs)
    return max((d.sum((0, 2, 3)).abs().sum() / d.abs().sum()).item() for d in gradients)


def run_bias(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """What is left of the biases' gradient, before training, in single and double precision."""
    profile, norm = settings.profile, params["norm"]
    digits = data.load("digits")
    rows: list[Row] = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = popular_net(norm, profile["width"], profile["blocks"])
            chosen = torch.randperm(len(digits.x_train))[: profile["batch"]]
        x, y = digits.x_train[chosen], digits.y_train[chosen]
        if norm == "frozen":
            with torch.no_grad():
                for _ in range(30):  # the running statistics come near the batch's
                    model(x)
            model.eval()
        rows.append((seed, 0, "float32", remaining(model, x, y)))
        rows.append((seed, 0, "float64", remaining(model.double(), x.double(), y)))
    return pd.DataFrame(rows, columns=COLUMNS)


def run_bias_training(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """How far training moves the biases: metric ``"moved"``, |b - b_0| / |b_0|, all layers."""
    profile = settings.profile
    build = partial(popular_net, params["norm"], profile["width"], profile["blocks"])
    training = train(
        build,
        data.load("digits"),
        seeds,
        steps=profile["steps"],
        lr=0.05,
        device=settings.device,
        progress=settings.progress,
    )
    rows: list[Row] = []
    for seed, model in zip(seeds, training.models, strict=True):
        if model is not None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                start = biases(build())
            moved = ((biases(model) - start).norm() / start.norm()).item()
            rows.append((seed, profile["steps"], "moved", moved))
    return mark_diverged(pd.DataFrame(rows, columns=COLUMNS), training.diverged)


def biases(model: nn.Module) -> Tensor:
    """The biases of all convolutions inside branches, as one vector."""
    found = [layer.bias.detach() for layer in branch_layers(model) if layer.bias is not None]
    return torch.cat(found)


# --- how a net starts -------------------------------------------------------------------------


def conv_net(start: str, width: int, depth: int) -> nn.Module:
    """The library's residual net; ``start="zero"``: each branch's last BatchNorm scales by 0."""
    model = create_model("residual_conv1d", in_chans=1, width=width, depth=depth)
    if start == "zero":
        for branch in branches(model):
            nn.init.zeros_(branch.norm2.weight)
    return model


def run_start(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """The first two steps of a net.

    Metrics: ``"mean_square"`` of what block ``block`` gives (0: what the first is given), before
    training; ``"inside"``, the norm of the gradient in the branches' convolutions, and
    ``"scales"``, in their last BatchNorm's scale, at step 0 and after one step of SGD.
    """
    profile = settings.profile
    signals = data.load("mnist1d")
    x, y = signals.x_train[: profile["batch"]], signals.y_train[: profile["batch"]]
    rows: list[tuple[int, int, str, float, int]] = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = conv_net(params["start"], profile["width"], profile["depth"])
        for number, h in enumerate(states(model, x)):
            rows.append((seed, 0, "mean_square", h.square().mean().item(), number))
        groups = {
            "inside": [w for b in branches(model) for w in (b.layer1.weight, b.layer2.weight)],
            "scales": [branch.norm2.weight for branch in branches(model)],
        }
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in (0, 1):
            optimizer.zero_grad()
            objective.loss(model(x), y).backward()
            for metric, parameters in groups.items():
                norms = [parameter.grad.norm() for parameter in parameters]
                rows.append((seed, step, metric, torch.stack(norms).norm().item(), -1))
            optimizer.step()
    return pd.DataFrame(rows, columns=[*COLUMNS, "block"])


@torch.no_grad()
def states(model: Any, x: Tensor) -> list[Tensor]:
    """What the blocks of a stack pass on: the first block's input, then each block's output."""
    h = model.stem(x)
    found = [h]
    for block in model.blocks:
        h = block(h)
        found.append(h)
    return found


def run_zero_training(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train one start with one learning rate: the batch's loss, mean of ten steps at a time."""
    profile = settings.profile
    training = train(
        partial(conv_net, params["start"], profile["width"], profile["depth"]),
        data.load("mnist1d"),
        seeds,
        steps=profile["steps"],
        lr=params["rate"],
        schedule="constant",
        device=settings.device,
        progress=settings.progress,
    )
    history = training.history[training.history["metric"] == "batch_loss"]
    tens = history.assign(step=history["step"] // 10 * 10 + 10)
    means = tens.groupby(["seed", "step"], as_index=False)["value"].mean()
    return mark_diverged(means.assign(metric="loss"), training.diverged)


def run_highway(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """What is left of the input after each of many highway blocks, before training.

    Metric ``"kept"``: <h_l, h_0> / <h_0, h_0>, where h_l is what block l gives. The branches
    start with He's weights; the gates' weights are a thousandth of what PyTorch draws, so that
    each gate is its bias.
    """
    profile = settings.profile
    width = profile["width"]
    rows = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            h = start = torch.randn(profile["samples"], width)
            for number in range(1, profile["blocks"] + 1):
                block = one_block("highway", width, 2 * width)
                gate = block.merge.gate
                with torch.no_grad():
                    gate.bias.fill_(params["bias"])
                    gate.layer.weight.mul_(1e-3)
                    h = block(h)
                kept = ((h * start).sum() / start.square().sum()).item()
                rows.append((seed, 0, "kept", kept, number))
    return pd.DataFrame(rows, columns=[*COLUMNS, "block"])


def _named(*grid: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {" ".join(str(value) for value in params.values()): params for params in grid}


EASY = Experiment(
    name="easy_identity",
    chapter=3,
    title="Steps to a function: kind of block x target",
    variants=_named(*({"kind": kind, "target": target} for kind in KINDS for target in TARGETS)),
    run=run_easy,
    profiles={
        "quick": {"seeds": 5, "width": 16, "samples": 512, "steps": 250, "rates": [0.1, 0.3, 1.0]},
        "full": {
            "seeds": 20,
            "width": 64,
            "samples": 8192,
            "steps": 3000,
            "rates": [0.1, 0.3, 1.0, 3.0, 10.0],
        },
    },
)

PULL = Experiment(
    name="decay_pull",
    chapter=3,
    title="Where weight decay pulls: kind of block x target",
    variants=_named(
        *(
            {"kind": kind, "target": target}
            for kind in ("plain", "residual", "highway")
            for target in ("x", "negative")
        )
    ),
    run=run_pull,
    profiles={
        "quick": {
            "seeds": 5,
            "width": 16,
            "samples": 512,
            "steps": 300,
            "lr": 0.3,
            "decays": [0.0, 0.03, 0.06, 0.12, 0.25],
        },
        "full": {
            "seeds": 20,
            "width": 16,
            "samples": 8192,
            "steps": 5000,
            "lr": 0.3,
            "decays": [0.0, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.16, 0.25],
        },
    },
)

BIAS = Experiment(
    name="bias_gradient",
    chapter=3,
    title="What is left of a bias's gradient, by the normalisation behind it",
    variants={norm: {"norm": norm} for norm in NORMS},
    run=run_bias,
    profiles={
        "quick": {"seeds": 5, "width": 16, "blocks": 4, "batch": 64},
        "full": {"seeds": 100, "width": 64, "blocks": 16, "batch": 256},
    },
)

BIAS_TRAINING = Experiment(
    name="bias_training",
    chapter=3,
    title="How far training moves a bias, by the normalisation behind it",
    variants={norm: {"norm": norm} for norm in ("none", "layer", "batch")},
    run=run_bias_training,
    profiles={
        "quick": {"seeds": 5, "width": 8, "blocks": 2, "steps": 60},
        "full": {"seeds": 20, "width": 32, "blocks": 8, "steps": 3000},
    },
)

START = Experiment(
    name="residual_start",
    chapter=3,
    title="Signal and gradients before and after the first step: last scale 1 or 0",
    variants={start: {"start": start} for start in ("usual", "zero")},
    run=run_start,
    profiles={
        "quick": {"seeds": 5, "width": 16, "depth": 42, "batch": 128},
        "full": {"seeds": 50, "width": 64, "depth": 110, "batch": 256},
    },
)

ZERO_TRAINING = Experiment(
    name="zero_training",
    chapter=3,
    title="Loss from a last scale of 1 or 0: learning rates",
    variants=_named(
        *({"start": start, "rate": rate} for rate in (0.1, 1.0) for start in ("usual", "zero"))
    ),
    run=run_zero_training,
    profiles={
        "quick": {"seeds": 5, "width": 8, "depth": 32, "steps": 50},
        "full": {"seeds": 20, "width": 16, "depth": 56, "steps": 2000},
    },
    cost=lambda params: 3.0,
)

HIGHWAY = Experiment(
    name="highway_start",
    chapter=3,
    title="What is left of the input after highway blocks: bias of the gate",
    variants={f"{bias:g}": {"bias": bias} for bias in (0.0, -1.0, -2.0, -4.0, -6.0)},
    run=run_highway,
    profiles={
        "quick": {"seeds": 5, "width": 16, "samples": 256, "blocks": 20},
        "full": {"seeds": 100, "width": 256, "samples": 1024, "blocks": 100},
    },
)

EXPERIMENTS = (EASY, PULL, BIAS, BIAS_TRAINING, START, ZERO_TRAINING, HIGHWAY)
