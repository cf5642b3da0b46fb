"""A training step of five seeds together against one of one seed in a plain loop.

Limit 2.0, aim 1.5. The plain loop is what a reader would write: a module, an optimiser over its
parameters, nothing of `residual_lib.train`.
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

LINES = [
    (f"{kind}_conv1d", {"width": width, "depth": depth}, (batch, 1, 40))
    for kind, width, depth, batch in (
        ("plain", 8, 20, 64),
        ("plain", 8, 56, 64),
        ("residual", 8, 20, 64),
        ("residual", 8, 56, 64),
        ("residual", 8, 56, 128),
        ("residual", 16, 20, 128),
        ("residual", 16, 56, 128),
    )
]
IMAGES = [("residual_conv2d", {"width": 8, "depth": depth}, (64, 1, 8, 8)) for depth in (20, 56)]
VECTORS = [("residual_mlp", {"in_features": 40, "width": 64, "depth": 32}, (64, 40))]


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


@pytest.mark.parametrize(("name", "options", "shape"), LINES + IMAGES + VECTORS)
def test_five_seeds_against_one(name, options, shape, compare):
    def build() -> nn.Module:
        return create_model(name, **options)

    torch.manual_seed(0)
    x, y = torch.randn(shape), torch.randint(10, shape[:1])
    label = f"{name}, width {options['width']}, depth {options['depth']}, batch {shape[0]}"
    compare(label, many_seeds(build, x, y), one_seed(build, x, y), limit=2.0, rounds=20)
