"""A training step of five seeds together against one of one seed in a plain loop.

Limit 2.0, aim 1.5, on what the chapters train. Five seeds have five times the arithmetic; what they
share is the overhead of each operation. So the ratio grows with the size of the tensors: the larger
loads show how far, and have no limit. The plain loop is what a reader would write: a module, an
optimiser over its parameters, nothing of `residual_lib.train`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.func import vmap

from residual_lib.models import create_model
from residual_lib.objective import loss
from residual_lib.train.stack import Stack, fastest_way

SEEDS = 5

# name, options, shape of a batch: the quick profiles of chapters 2 (MNIST-1D, the folded digits)
# and 5 (the digits as signals).
TRAINED = [
    *(
        (f"{kind}_conv1d", {"width": 8, "depth": depth}, (32, 1, 40))
        for kind in ("plain", "residual")
        for depth in (20, 56)
    ),
    *(
        ("residual_conv2d", {"in_chans": 4, "width": 8, "depth": depth}, (32, 4, 4, 4))
        for depth in (20, 56)
    ),
    ("small_resnet1d", {"in_chans": 8, "width": 8, "blocks": (9, 9, 9)}, (32, 8, 8)),
]
LARGER = [
    ("residual_conv1d", {"width": 8, "depth": 56}, (128, 1, 40)),
    ("residual_conv1d", {"width": 16, "depth": 56}, (128, 1, 40)),
    ("residual_conv2d", {"width": 8, "depth": 56}, (64, 1, 8, 8)),
    ("residual_mlp", {"in_features": 40, "width": 64, "depth": 32}, (64, 40)),
]


def one_seed(build: Callable[[], nn.Module], x: torch.Tensor, y: torch.Tensor) -> Callable:
    model = build()
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)

    def step() -> None:
        loss(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def many_seeds(build: Callable[[], nn.Module], x: torch.Tensor, y: torch.Tensor) -> Callable:
    models = [build() for _ in range(SEEDS)]
    stack = Stack(models, x.device, fastest_way(models, x.device, x[:4]))
    optimizer = torch.optim.SGD([stack.weights], 0.01, momentum=0.9)
    xs, ys = x.expand(SEEDS, *x.shape).contiguous(), y.expand(SEEDS, *y.shape)

    def step() -> None:
        vmap(loss)(stack(xs), ys).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


@pytest.mark.parametrize(
    ("name", "options", "shape", "limit"),
    [(*load, 2.0) for load in TRAINED] + [(*load, None) for load in LARGER],
)
def test_five_seeds_against_one(name, options, shape, limit, compare):
    def build() -> nn.Module:
        return create_model(name, **options)

    torch.manual_seed(0)
    x, y = torch.randn(shape), torch.randint(10, shape[:1])
    size = options["depth"] if "depth" in options else 2 + 2 * sum(options["blocks"])
    label = f"{name}, {size} layers of width {options['width']}, batch {shape[0]}"
    compare(label, many_seeds(build, x, y), one_seed(build, x, y), limit=limit, rounds=20)
