"""A training step of ResNet-20 and ResNet-56 against one written directly: limit 1.03."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residual_lib.models import create_model


class Block(nn.Module):
    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.stride = width // inputs
        self.conv1 = nn.Conv2d(inputs, width, 3, stride=self.stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.stride > 1:
            side = x.shape[1] // 2
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, side, side))
        return F.relu(x + y)


class Direct(nn.Module):
    """What a reader would write: no residual_lib."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        count = (depth - 2) // 6
        widths = [16] * count + [32] * count + [64] * count
        pairs = zip([16, *widths], widths, strict=False)
        self.blocks = nn.Sequential(*(Block(*pair) for pair in pairs))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(F.relu(self.bn(self.conv(x))))
        return self.linear(x.mean((2, 3)))


def step(model: nn.Module, x: Tensor, y: Tensor) -> Callable[[], None]:
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)

    def work() -> None:
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()

    return work


def kept_for_backward(model: nn.Module, x: Tensor) -> int:
    """Bytes that autograd holds between the forward and the backward pass."""
    storages = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = model(x)
    del output
    return sum(storages.values())


@pytest.mark.parametrize(("depth", "rounds"), [(20, 30), (56, 15)])
def test_training_step_against_a_direct_one(depth, rounds, compare, benchmark):
    torch.manual_seed(0)
    ours, direct = create_model(f"resnet{depth}_cifar"), Direct(depth)
    x, y = torch.randn(32, 3, 32, 32), torch.randint(10, (32,))
    bytes_ours, bytes_direct = kept_for_backward(ours, x), kept_for_backward(direct, x)
    benchmark.extra_info["memory for backward, ratio"] = bytes_ours / bytes_direct
    assert bytes_ours <= 1.03 * bytes_direct
    compare(
        f"ResNet-{depth}, training step of 32 images",
        step(ours, x, y),
        step(direct, x, y),
        limit=1.03,
        rounds=rounds,
    )
