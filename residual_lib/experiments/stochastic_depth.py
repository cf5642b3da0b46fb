"""Chapter 11: what leaving branches out in training saves, adds as noise, and does to the error.

Four experiments: branches and FLOPs of training steps, counted; the noise that the draws bring, in
a stack of random linear blocks and in the gradient of a small net; nets trained on few digits, with
and without the factor that puts the mean right; and nets that are shallow or stop early.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from residual_lib import data, objective
from residual_lib.experiments import Experiment, Settings, mark_diverged
from residual_lib.experiments.degradation import folded
from residual_lib.models import create_model
from residual_lib.nn import DropPath, drop_path_rates
from residual_lib.probes.lesion import lesion
from residual_lib.probes.scores import scores
from residual_lib.residual import Residual, iter_residuals
from residual_lib.train import train

Row = tuple[Any, ...]
COLUMNS = ["seed", "step", "metric", "value"]

# --- counted by hand --------------------------------------------------------------------------


def survivals(final_rate: float, blocks: int) -> NDArray[np.float64]:
    """The probability of each block's branch to be kept: 1 in the first, 1 - `final_rate` in the
    last, on a straight line."""
    return 1 - np.array(drop_path_rates(final_rate, blocks))


def depth_distribution(survival: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability that 0, 1, 2, ... branches are kept, each with its own probability.

    A block more moves the distribution up by one with its probability, and leaves it where it is
    with the rest.
    """
    chances = np.ones(1)
    for p in survival:
        chances = np.append(chances, 0.0) * (1 - p) + np.append(0.0, chances) * p
    return chances


# --- branches and FLOPs of a step -------------------------------------------------------------


def run_steps(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Training steps of ResNet-110 for CIFAR, on two small images: what is counted is shares.

    Metrics, means over the profile's steps: ``"branches"``, how many were computed; ``"forward"``
    and ``"backward"``, FLOPs of the two passes, as PyTorch counts them. ``"branches of a step"``
    has a row for each step. Where each step computes the same, one is enough.
    """
    profile, rate = settings.profile, params["rate"]
    steps = profile["steps"] if params["per"] == "batch" and rate else 1
    rows: list[Row] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = create_model(
            "resnet110_cifar", drop_path_rate=rate, drop_path_per=params["per"]
        ).train()
        x = torch.randn(2, 3, profile["size"], profile["size"])
    computed: list[int] = []
    for _, block in iter_residuals(model):
        assert isinstance(block.branch, nn.Module)
        block.branch.register_forward_hook(lambda *_: computed.append(1))
    for seed in seeds:
        found: list[tuple[int, int, int]] = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for step in range(steps):
                computed.clear()
                counter = FlopCounterMode(display=False)
                with counter:
                    output = model(x).sum()
                    forward = counter.get_total_flops()
                    output.backward()
                model.zero_grad()
                found.append((len(computed), forward, counter.get_total_flops() - forward))
                rows.append((seed, step, "branches of a step", len(computed)))
        for metric, value in zip(
            ("branches", "forward", "backward"), np.mean(found, axis=0), strict=True
        ):
            rows.append((seed, steps, metric, value))
    return pd.DataFrame(rows, columns=COLUMNS)


def seconds_a_step(
    names: Sequence[str], rate: float, rounds: int = 25, depth: int = 56, batch: int = 32
) -> pd.DataFrame:
    """Time of training steps on this machine: columns ``per``, ``round``, ``pass``, ``seconds``.

    The nets take turns, so that what else the machine does disturbs all of them.

    Args:
        names: ``"batch"``, ``"example"`` or ``"none"``, a net without drops.
        rate: of the last block.
        rounds: steps of each net; two more are made first and not counted.
        depth: layers.
        batch: images of 4 channels and 8 x 8 pixels.
    """
    nets = {
        name: create_model(
            "residual_conv2d",
            in_chans=4,
            width=16,
            depth=depth,
            drop_path_rate=0.0 if name == "none" else rate,
            drop_path_per="batch" if name == "none" else name,
        ).train()
        for name in names
    }
    x, y = torch.randn(batch, 4, 8, 8), torch.arange(batch) % 10
    rows: list[Row] = []
    for number in range(-2, rounds):
        for name, net in nets.items():
            times = [time.perf_counter()]
            loss = objective.loss(net(x), y)
            times.append(time.perf_counter())
            loss.backward()
            times.append(time.perf_counter())
            net.zero_grad()
            forward, backward = (b - a for a, b in pairwise(times))
            if number >= 0:
                rows += [(name, number, "forward", forward), (name, number, "backward", backward)]
    return pd.DataFrame(rows, columns=["per", "round", "pass", "seconds"])


# --- noise ------------------------------------------------------------------------------------


def run_moments(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """A stack of blocks x + b W x, with W random and with drops at one rate, before training.

    Metric ``"square"``: the mean square behind the stack over that of its input, in training
    (``mode``) or in evaluation; ``"mean"``: the same of the mean over draws, so that what chance
    adds is gone.
    """
    profile = settings.profile
    width, blocks, examples = profile["width"], profile["blocks"], profile["examples"]
    rows: list[Row] = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            layers = [nn.Linear(width, width, bias=False) for _ in range(blocks)]
            for layer in layers:
                nn.init.normal_(layer.weight, std=(width * blocks) ** -0.5)  # sigma^2 = 1 / blocks
            stack = nn.Sequential(
                *(
                    Residual(layer, scale=DropPath(params["rate"], rescale=params["rescale"]))
                    for layer in layers
                )
            )
            x = torch.randn(width).expand(examples, -1)  # one input: what differs is the draws
            for mode in ("training", "evaluation"):
                y = stack.train(mode == "training")(x)
                square = y.square().mean() / x.square().mean()
                mean = y.mean(0).square().mean() / x.square().mean()
                rows.append((seed, 0, "square", square.item(), mode))
                rows.append((seed, 0, "mean", mean.item(), mode))
    return pd.DataFrame(rows, columns=[*COLUMNS, "mode"])


def run_noise(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """What the draws do to the gradient of one batch, in an untrained net.

    Metrics: ``"signal"``, the squared norm of the gradient's mean over draws; ``"noise"``, the mean
    squared distance from it.
    """
    profile, digits = settings.profile, few_digits()
    rows: list[Row] = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = net(profile["depth"], profile["width"], params["rate"], params["per"])
            for module in model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.momentum = 0.0  # the statistics stay as they are
            chosen = torch.randperm(len(digits.x_train))[: params["batch"]]
            x, y = digits.x_train[chosen], digits.y_train[chosen]
            draws = []
            for _ in range(profile["draws"]):
                grads = torch.autograd.grad(
                    objective.loss(model(x), y),
                    list(model.parameters()),
                    allow_unused=True,  # of branches that were left out
                    materialize_grads=True,
                )
                draws.append(torch.cat([grad.flatten() for grad in grads]))
        gradients = torch.stack(draws)
        mean = gradients.mean(0)
        noise = (gradients - mean).square().sum(1).sum() / (len(gradients) - 1)
        rows += [(seed, 0, "signal", mean.square().sum().item()), (seed, 0, "noise", noise.item())]
    return pd.DataFrame(rows, columns=COLUMNS)


# --- trained nets -----------------------------------------------------------------------------


@cache
def few_digits() -> data.Data:
    """The digits, half of them for testing, with each square of 2 x 2 pixels as 4 channels."""
    return folded(data.load("digits", test_size=0.5), 2)


def net(
    depth: int, width: int, rate: float, per: str = "batch", rescale: str = "evaluation"
) -> nn.Module:
    """A residual net on those digits."""
    model = create_model(
        "residual_conv2d",
        in_chans=4,
        width=width,
        depth=depth,
        drop_path_rate=rate,
        drop_path_per=per,
    )
    return rescaled_(model, rescale)


def rescaled_(model: nn.Module, rescale: str) -> nn.Module:
    """Set, in place, where the drops of a model put the mean right; and return it.

    A model that was trained with ``"evaluation"`` and is evaluated with ``"training"`` is one whose
    factor was forgotten: b F(x) in training, F(x) in evaluation.
    """
    for module in model.modules():
        if isinstance(module, DropPath):
            module.rescale = rescale
    return model


@cache
def own_examples(seed: int, examples: int, wrong: float = 0.0) -> tuple[Tensor, Tensor]:
    """The training images that a seed has, and their labels, of which a share may be wrong."""
    digits, generator = few_digits(), torch.Generator().manual_seed(seed)
    own = torch.randperm(len(digits.x_train), generator=generator)[:examples]
    y = digits.y_train[own]
    off = torch.randint(1, 10, (examples,), generator=generator)
    off[round(wrong * examples) :] = 0
    return digits.x_train[own], (y + off) % 10


def own_batches(examples: int, wrong: float) -> Callable[..., tuple[Tensor, Tensor]]:
    """What has each seed learn from its own `examples` images: see `augment` of `train`.

    A batch is drawn from them, without repeats inside a batch.
    """

    def batch(x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        own = own_examples(generator.initial_seed() % 2**32, examples, wrong)
        drawn = torch.randperm(examples, generator=generator)[: len(x)]
        return own[0][drawn].to(x.device), own[1][drawn].to(y.device)

    return batch


def run_training(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train one net on a few images a seed, and look at it.

    Metrics at the end: ``"test_error"``, ``"test_loss"``; the same with the name ``"forgotten_"``
    in front, without the factor in evaluation; ``"own_error"`` and ``"own_loss"`` on the images
    learnt from. Where the profile says so, ``"lesion"``: the test error with one branch deleted, by
    ``block`` from 0; -1: intact.
    """
    profile, digits, rate = settings.profile, few_digits(), params["rate"]
    steps, wrong = params.get("steps", profile["steps"]), params.get("wrong", 0.0)
    training = train(
        partial(net, params.get("depth", profile["depth"]), profile["width"], rate, params["per"]),
        digits,
        seeds,
        steps=steps,
        batch_size=profile["batch"],
        lr=profile["lr"],
        augment=own_batches(params["examples"], wrong),
        record_every=0,
        device=settings.device,
        progress=settings.progress,
    )
    test = digits.x_test, digits.y_test
    rows: list[Row] = []
    for seed, model in zip(seeds, training.models, strict=True):
        if model is None:
            continue
        own = own_examples(seed, params["examples"], wrong)
        found = {"test": scores(model, test), "own": scores(model, own)}
        found["forgotten"] = scores(rescaled_(model, "training"), test)
        rescaled_(model, "evaluation")
        for name, values in found.items():
            rows += [(seed, steps, f"{name}_{k}", value, None) for k, value in values.items()]
        if params.get("lesions"):
            table = lesion(model, test, progress=False).query("metric == 'error'")
            rows += [
                (seed, steps, "lesion", value, index)
                for index, value in zip(table["index"], table["value"], strict=True)
            ]
    table = pd.DataFrame(rows, columns=[*COLUMNS, "block"])
    return mark_diverged(table, training.diverged)


# --- experiments ------------------------------------------------------------------------------

SIZES, RATES = (100, 300, 898), (0.0, 0.3, 0.5, 0.8)

STEPS = Experiment(
    name="branches_computed",
    chapter=11,
    title="Branches and FLOPs of training steps of ResNet-110: who draws",
    variants={
        "none": {"per": "batch", "rate": 0.0},
        "example": {"per": "example", "rate": 0.5},
        "batch": {"per": "batch", "rate": 0.5},
    },
    run=run_steps,
    profiles={
        "quick": {"seeds": 5, "steps": 12, "size": 8},
        "full": {"seeds": 20, "steps": 200, "size": 32},
    },
    cost=lambda params: 8.0,
)

MOMENTS = Experiment(
    name="drop_moments",
    chapter=11,
    title="Mean square behind 20 random linear blocks, in training and in evaluation",
    variants={
        "without drops": {"rate": 0.0, "rescale": "training"},
        "divided in training": {"rate": 0.5, "rescale": "training"},
        "multiplied in evaluation": {"rate": 0.5, "rescale": "evaluation"},
    },
    run=run_moments,
    profiles={
        "quick": {"seeds": 5, "width": 128, "blocks": 20, "examples": 4000},
        "full": {"seeds": 20, "width": 512, "blocks": 20, "examples": 20000},
    },
    cost=lambda params: 0.5,
)

NOISE = Experiment(
    name="drop_noise",
    chapter=11,
    title="Noise of a gradient by the draws: once a batch, or once an example",
    variants={
        f"{per}-{batch}": {"per": per, "batch": batch, "rate": 0.5}
        for per in ("batch", "example")
        for batch in (8, 64)
    },
    run=run_noise,
    profiles={
        "quick": {"seeds": 5, "depth": 14, "width": 8, "draws": 30},
        "full": {"seeds": 20, "depth": 56, "width": 16, "draws": 200},
    },
    cost=lambda params: 2.0,
)

_QUICK = {"seeds": 5, "depth": 18, "width": 8, "steps": 160, "batch": 32, "lr": 0.1}
_FULL = {"seeds": 20, "depth": 56, "width": 32, "steps": 4000, "batch": 64, "lr": 0.1}

FEW = Experiment(
    name="few_digits",
    chapter=11,
    title="Test error by drop rate and number of training images",
    variants={
        **{
            f"{examples}-{rate:g}": {
                "examples": examples,
                "rate": rate,
                "per": "batch",
                "lesions": examples == SIZES[-1] and rate in (0.0, 0.5),
            }
            for examples in SIZES
            for rate in RATES
        },
        "100-0.5-example": {"examples": 100, "rate": 0.5, "per": "example", "lesions": False},
        **{
            f"wrong-{rate:g}": {
                "examples": 300,
                "rate": rate,
                "per": "batch",
                "lesions": False,
                "wrong": 0.3,
            }
            for rate in (0.0, 0.5, 0.8)
        },
    },
    run=run_training,
    profiles={"quick": _QUICK, "full": _FULL},
    cost=lambda params: 3.0,
)

SHORT = Experiment(
    name="shallow_and_short",
    chapter=11,
    title="Where it hurts: few layers, few steps",
    variants={
        f"{depth}-{steps}-{rate:g}": {
            "depth": depth,
            "steps": steps,
            "rate": rate,
            "per": "batch",
            "examples": 898,
        }
        for depth, steps in ((8, 80), (18, 80), (8, 400))
        for rate in (0.0, 0.5)
    },
    run=run_training,
    profiles={"quick": _QUICK, "full": _FULL},
    cost=lambda params: 0.0005 * params["depth"] * params["steps"],
)

EXPERIMENTS = (STEPS, MOMENTS, NOISE, FEW, SHORT)
