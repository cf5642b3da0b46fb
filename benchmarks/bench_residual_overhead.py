"""What `Residual` costs beside a block written by hand: limit 1.03."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from residual_lib.nn import two_layers
from residual_lib.residual import Residual

BLOCKS = 9


def branch(width: int = 16) -> nn.Module:
    return two_layers(
        lambda: nn.Conv1d(width, width, 3, padding=1, bias=False),
        lambda: nn.BatchNorm1d(width),
        nn.ReLU,
    )


class ByHand(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.branch = branch()
        self.after = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.after(x + self.branch(x))


def forward(block: Callable[[], nn.Module], x: Tensor) -> Callable[[], None]:
    model = nn.Sequential(*(block() for _ in range(BLOCKS)))

    def work() -> None:
        with torch.no_grad():
            model(x)

    return work


def step(block: Callable[[], nn.Module], x: Tensor) -> Callable[[], None]:
    model = nn.Sequential(*(block() for _ in range(BLOCKS)))
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)

    def work() -> None:
        model(x).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    return work


@pytest.mark.parametrize("work", [forward, step])
def test_residual_against_a_block_by_hand(work, compare):
    torch.manual_seed(0)
    x = torch.randn(64, 16, 40)
    ours = work(lambda: Residual(branch(), after=nn.ReLU()), x)
    theirs = work(ByHand, x)
    label = f"Residual against a block by hand, {work.__name__}"
    compare(label, ours, theirs, limit=1.03, rounds=200, warmup=10)
