"""DenseNet-BC against one written directly (limit 1.03), and what recomputing saves and costs."""

from __future__ import annotations

from itertools import accumulate

import pytest
import torch
import torch.nn.functional as F
from bench_resnet import kept_for_backward, step
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from residual_lib.models import DenseNet

GROWTH = 12


class Layer(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, 48, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(48), nn.Conv2d(48, GROWTH, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        new = self.conv2(F.relu(self.bn2(self.conv1(F.relu(self.bn1(x))))))
        return torch.cat([x, new], 1)


class Halve(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.bn, self.conv = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, inputs // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(self.conv(F.relu(self.bn(x))), 2)


class Direct(nn.Module):
    """What a reader would write: no residual_lib."""

    def __init__(self, links: int) -> None:
        super().__init__()
        channels = 2 * GROWTH
        parts: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1, bias=False)]
        for block in range(3):
            for _ in range(links):
                parts.append(Layer(channels))
                channels += GROWTH
            if block < 2:
                parts.append(Halve(channels))
                channels //= 2
        self.features = nn.Sequential(*parts)
        self.bn, self.linear = nn.BatchNorm2d(channels), nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(F.relu(self.bn(self.features(x))).mean((2, 3)))


def ours(links: int, memory_efficient: bool = False) -> DenseNet:
    return DenseNet(
        num_classes=10,
        growth_rate=GROWTH,
        block_config=(links,) * 3,
        stem="cifar",
        memory_efficient=memory_efficient,
    )


def peak(model: nn.Module, x: Tensor) -> int:
    """Bytes held at the worst moment of a forward and a backward pass."""
    model(x).sum().backward()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        model(x).sum().backward()
    events = profiled.profiler.kineto_results.events()
    return max(accumulate(event.nbytes() for event in events if event.name() == "[memory]"))


@pytest.mark.parametrize(("links", "rounds"), [(6, 15)])
def test_training_step_against_a_direct_one(links, rounds, compare, benchmark):
    torch.manual_seed(0)
    net, direct = ours(links), Direct(links)
    count = [sum(p.numel() for p in model.parameters()) for model in (net, direct)]
    assert count[0] == count[1]
    x, y = torch.randn(16, 3, 32, 32), torch.randint(10, (16,))
    ratio = kept_for_backward(net, x) / kept_for_backward(direct, x)
    benchmark.extra_info["memory for backward, ratio"] = ratio
    assert ratio <= 1.03
    compare(
        f"DenseNet-BC-{6 * links + 4}, training step of 16 images",
        step(net, x, y),
        step(direct, x, y),
        limit=1.03,
        rounds=rounds,
    )


@pytest.mark.parametrize(("links", "rounds"), [(6, 15), (16, 5)])
def test_what_recomputing_saves_and_costs(links, rounds, compare, benchmark):
    torch.manual_seed(0)
    net, usual = ours(links, memory_efficient=True), ours(links)
    x, y = torch.randn(16, 3, 32, 32), torch.randint(10, (16,))
    for name, model in (("recomputed", net), ("usual", usual)):
        benchmark.extra_info[f"peak, {name}, MB"] = peak(model, x) / 1e6
    assert benchmark.extra_info["peak, recomputed, MB"] < benchmark.extra_info["peak, usual, MB"]
    compare(
        f"DenseNet-BC-{6 * links + 4}, recomputed against usual",
        step(net, x, y),
        step(usual, x, y),
        limit=None,
        rounds=rounds,
    )
