"""A training step of a small GPT against one written directly: limit 1.03.

The direct one is what a reader would write after nanoGPT: the same layers, PyTorch's attention, no
`residual_lib`. How many tokens a step has is in the benchmark's extra information; over the time of
a step, that is tokens a second.

Five seeds together against one have no limit here: at these sizes the time goes into products of
matrices, which five models have five times as many of (see `residual_lib.train.stack`).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import vmap

from residual_lib.generation import generate
from residual_lib.models import create_model
from residual_lib.objective import loss
from residual_lib.train.stack import Stack, fastest_way

SEEDS = 5
CHARACTERS = 65
# layers, heads, channels, positions, batch: chapter 9's, and nanoGPT's for a laptop.
SIZES = [(4, 4, 64, 64, 16), (4, 4, 128, 64, 12)]


class Layer(nn.Module):
    def __init__(self, heads: int, width: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        shape = (*x.shape[:2], self.heads, -1)
        q, k, v = (part.view(shape).transpose(1, 2) for part in self.qkv(self.ln1(x)).chunk(3, -1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(x.shape))
        return x + self.down(F.gelu(self.up(self.ln2(x))))


class Direct(nn.Module):
    def __init__(self, layers: int, heads: int, width: int, positions: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(CHARACTERS, width)
        self.positions = nn.Embedding(positions, width)
        self.layers = nn.ModuleList(Layer(heads, width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, CHARACTERS, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, idx: Tensor) -> Tensor:
        x = self.tokens(idx) + self.positions(torch.arange(idx.shape[1]))
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


def build(layers: int, heads: int, width: int, positions: int) -> nn.Module:
    sizes = {"n_layer": layers, "n_head": heads, "n_embd": width, "block_size": positions}
    return create_model("small_gpt", vocab_size=CHARACTERS, **sizes)


def step(model: nn.Module, cost: Callable[[], Tensor]) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    def work() -> None:
        cost().backward()
        optimizer.step()
        optimizer.zero_grad()

    return work


def text(batch: int, positions: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    x, y = torch.randint(CHARACTERS, (2, batch, positions))
    return x, y


@pytest.mark.parametrize(("layers", "heads", "width", "positions", "batch"), SIZES)
def test_training_step_against_a_direct_one(
    layers, heads, width, positions, batch, compare, benchmark
):
    x, y = text(batch, positions)
    ours, direct = build(layers, heads, width, positions), Direct(layers, heads, width, positions)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in direct.parameters())
    compare(
        f"GPT, {layers} layers of width {width}, {batch} x {positions} tokens",
        step(ours, lambda: loss(ours(x), y)),
        step(direct, lambda: F.cross_entropy(direct(x).view(-1, CHARACTERS), y.view(-1))),
        limit=1.03,
        rounds=60,
        warmup=5,
    )
    # Both are trained in each round, and each has this many tokens.
    benchmark.extra_info["tokens a step"] = batch * positions


@pytest.mark.parametrize(("layers", "heads", "width", "positions", "batch"), SIZES[:1])
def test_five_seeds_against_one(layers, heads, width, positions, batch, compare):
    x, y = text(batch, positions)
    models = [build(layers, heads, width, positions) for _ in range(SEEDS)]
    stack = Stack(models, x.device, fastest_way(models, x.device, x[:4]))
    optimizer = torch.optim.AdamW([stack.weights], 1e-3)
    xs, ys = x.expand(SEEDS, *x.shape).contiguous(), y.expand(SEEDS, *y.shape)

    def together() -> None:
        vmap(loss)(stack(xs), ys).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    alone = build(layers, heads, width, positions)
    one = step(alone, lambda: loss(alone(x), y))
    label = f"five seeds of it ({stack.way}) against one"
    compare(label, together, one, limit=None, rounds=20)


def test_generation_with_a_cache_against_none(compare):
    """63 tokens behind one: with a cache a step reads one token, without it up to 64."""
    model = build(*SIZES[0][:4])
    prompt = torch.zeros(1, dtype=torch.long)

    def written(cached: bool) -> Callable[[], None]:
        def work() -> None:
            generate(model, prompt, 63, cached=cached)

        return work

    label = "63 tokens generated, with a cache against without"
    compare(label, written(True), written(False), limit=None, rounds=10)
