"""Chapter 14: five fields, each with its skips and without them, and two forward looks.

A small model of each field learns twice, once with every skip and once with none; nothing else
differs. Beside them a denoising model whose branches know the time, and hyper-connections.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residual_lib import data, objective
from residual_lib.data import Data
from residual_lib.data.masked import mask_tokens
from residual_lib.experiments import Experiment, Settings, mark_diverged
from residual_lib.experiments.deep_rl import DEEP_RL
from residual_lib.experiments.transformers import excerpt, smoothed, trained
from residual_lib.models import create_model
from residual_lib.residual import Residual, add, branch_only, iter_residuals

# --- the fields ------------------------------------------------------------------------------


def task(field: str, profile: Mapping[str, Any]) -> Data:
    """What a field's model learns."""
    if field == "mbconv":
        return data.load("mnist1d")
    if field == "conformer":
        return data.load("speechlike")
    text = excerpt(profile["context"][field], profile["windows"], profile["test_windows"])
    return mask_tokens(text, rate=profile["masked"]) if field == "bert" else text


def model_of(field: str, skip: bool, profile: Mapping[str, Any]) -> nn.Module:
    """A field's model, with all of its skips or none; the same parameters either way.

    Weights have He's or Xavier's variances and not the small ones of GPT-2 and BERT, which suit a
    net with skips. All norms stand inside the branches, BERT's too: behind the sums, as published,
    they want more steps than there are here.
    """
    if field == "mbconv":
        stages = ((4, 3, 1, 8, 1 + profile["mbconv_blocks"]),)
        return create_model(
            "small_efficientnet1d", stages=stages, head_chans=32, stem_stride=2, skip=skip
        )
    if field == "conformer":
        return create_model("small_conformer", n_layer=profile["layers"], skip=skip)
    return create_model(
        "small_bert" if field == "bert" else "small_gpt",
        n_layer=profile["layers"],
        n_embd=profile["width"][field],
        n_head=profile["heads"][field],
        block_size=profile["context"][field],
        activation="relu",
        init="xavier",
        pre_norm=True,
        skip=skip,
    )


def guess(task: Data) -> float:
    """The test loss of whoever knows only how often each answer comes, from the training set."""
    y = task.y_train[task.y_train != objective.IGNORED]
    counts = torch.bincount(y.flatten(), minlength=task.num_classes).double() + 1
    asked = task.y_test[task.y_test != objective.IGNORED]
    return -(counts / counts.sum()).log()[asked].mean().item()


def gradients(build: Callable[[], nn.Module], task: Data, seed: int, batch: int) -> list[float]:
    """Norm of the loss's gradient in the first and the last block's weights, before training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build()
    objective.loss(model(task.x_train[:batch]), task.y_train[:batch]).backward()
    blocks = [block for _, block in iter_residuals(model)]
    ends = [[p.grad for p in block.parameters()] for block in (blocks[0], blocks[-1])]
    return [torch.cat([g.flatten() for g in end if g is not None]).norm().item() for end in ends]


def run_fields(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """``"loss"`` by step, of the batches; after training ``"test_loss"`` and ``"test_error"``; and
    ``"guess"``, the test loss of an answer by frequency. At step 0 ``"gradient_first"`` and
    ``"gradient_last"``, see `gradients`."""
    field, profile = params["field"], settings.profile
    what = task(field, profile)
    steps = profile["steps"][field]
    build = partial(model_of, field, params["skip"], profile)
    training = trained(
        build,
        what,
        seeds,
        settings,
        steps=steps,
        batch_size=profile["batch"][field],
        lr=profile["lr"][field],
        schedule="cosine",
        warmup=steps // 10,
        record_every=None,
    )
    history = training.history
    ends = history[history["metric"].isin(("test_loss", "test_error"))]
    more: list[tuple[int, int, str, float]] = []
    for seed in seeds:
        first, last = gradients(build, what, seed, 64)
        more.append((seed, steps, "guess", guess(what)))
        more += [(seed, 0, "gradient_first", first), (seed, 0, "gradient_last", last)]
    table = pd.concat(
        [
            smoothed(training, steps // 10).drop(columns="index"),
            ends,
            pd.DataFrame(more, columns=["seed", "step", "metric", "value"]),
        ],
        ignore_index=True,
    )
    return mark_diverged(table, training.diverged)


# --- diffusion: the time in the branch ---------------------------------------------------------


def noised(points: int, seed: int) -> tuple[Tensor, Tensor]:
    """Points of a spiral with noise, (points, 3): x, y, and the time from 0, no noise, to 1, noise
    alone; and the noise that was added, (points, 2)."""
    generator = torch.Generator().manual_seed(seed)
    angle = 3 * math.pi * torch.rand(points, generator=generator).sqrt()
    clean = torch.stack([angle * angle.cos(), angle * angle.sin()], 1) / 5
    time = torch.rand(points, 1, generator=generator)
    noise = torch.randn(points, 2, generator=generator)
    kept = (math.pi / 2 * time).cos()
    mixed = kept * clean + (1 - kept.square()).sqrt() * noise
    return torch.cat([mixed, time], 1), noise


class TimedBranch(nn.Module):
    """Norm, layer, plus what the time gives, layer: a diffusion U-Net's branch, for points.

    The U-Net of Ho et al. 2020 (arXiv 2006.11239, appendix B) has 3x3 convolutions in the place of
    the linear layers and group normalisation in that of LayerNorm.
    """

    def __init__(self, width: int, times: int) -> None:
        super().__init__()
        self.norm1, self.layer1 = nn.LayerNorm(width), nn.Linear(width, width)
        self.norm2, self.layer2 = nn.LayerNorm(width), nn.Linear(width, width)
        self.project = nn.Linear(times, width)
        self.time: Tensor | None = None  # (batch, times), set by the model in each forward pass

    def forward(self, h: Tensor) -> Tensor:
        h = self.layer1(F.silu(self.norm1(h)))
        if self.time is not None:
            h = h + self.project(self.time)
        return self.layer2(F.silu(self.norm2(h)))


class Denoiser(nn.Module):
    """Says which noise was added: blocks that are told the time, between two linear layers.

    Shapes: (batch, 3), a point and its time -> (batch, 2).

    Args:
        blocks, width: of the stack.
        skip: False for the plain network.
        timed: False for branches that aren't told the time.
    """

    frequencies: Tensor

    def __init__(self, blocks: int, width: int, skip: bool = True, timed: bool = True) -> None:
        super().__init__()
        self.timed = timed
        self.register_buffer("frequencies", math.pi * 2.0 ** torch.arange(4) / 2)
        self.stem = nn.Linear(2, width)
        merge = add if skip else branch_only
        self.blocks = nn.Sequential(
            *(Residual(TimedBranch(width, 8), merge=merge) for _ in range(blocks))
        )
        self.head = nn.Sequential(nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, 2))

    def forward(self, x: Tensor) -> Tensor:
        angle = x[:, 2:] * self.frequencies
        time = torch.cat([angle.sin(), angle.cos()], 1) if self.timed else None
        told = [part for part in self.blocks.modules() if isinstance(part, TimedBranch)]
        for branch in told:
            branch.time = time
        h = self.blocks(self.stem(x[:, :2]))
        for branch in told:
            branch.time = None
        return self.head(h)


# --- hyper-connections -------------------------------------------------------------------------


class MixStreams(nn.Module):
    """The shortcut of a hyper-connection: each stream becomes a learned mixture of all.

    Shapes: (batch, streams, width), unchanged.
    """

    def __init__(self, streams: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(streams))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("nm,bmd->bnd", self.weight, x)


class ReadAndWrite(nn.Module):
    """The branch of a hyper-connection: read a mixture of the streams, compute, write to each.

    Zhu et al. 2024 (arXiv 2409.19606), section 2, the static kind. It starts by reading the stream
    number `first` and writing to all alike, so that equal streams stay equal.
    """

    def __init__(self, inner: nn.Module, streams: int, first: int) -> None:
        super().__init__()
        self.inner = inner
        self.read = nn.Parameter(torch.eye(streams)[first % streams].clone())
        self.write = nn.Parameter(torch.ones(streams))

    def forward(self, x: Tensor) -> Tensor:
        out = self.inner(torch.einsum("m,bmd->bd", self.read, x))
        return torch.einsum("n,bd->bnd", self.write, out)


class StreamMLP(nn.Module):
    """A pre-norm MLP: plain, with the one stream of a residual net, or with several.

    Shapes: (batch, ...) with `in_features` numbers an example -> (batch, num_classes).

    Args:
        streams: 0 for no skip, 1 for a residual net, from 2 for hyper-connections.
        blocks, width: of the stack.
        in_features, num_classes: of the task.
    """

    def __init__(
        self,
        streams: int,
        blocks: int = 12,
        width: int = 32,
        in_features: int = 64,
        num_classes: int = 10,
    ) -> None:
        super().__init__()
        self.streams = streams
        self.stem = nn.Linear(in_features, width)
        self.blocks = nn.Sequential(*(self._block(width, index) for index in range(blocks)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, num_classes)

    def _block(self, width: int, index: int) -> Residual:
        inner = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
        )
        if self.streams < 2:
            return Residual(inner, merge=add if self.streams else branch_only)
        branch = ReadAndWrite(inner, self.streams, index)
        return Residual(branch, shortcut=MixStreams(self.streams))

    def forward(self, x: Tensor) -> Tensor:
        h = self.stem(x.flatten(1))
        if self.streams < 2:
            h = self.blocks(h)
        else:  # the streams' mean, where the paper has their sum: the norm behind it sees neither
            h = self.blocks(h[:, None].expand(-1, self.streams, -1)).mean(1)
        return self.head(self.norm(h))


def run_forward(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """``"loss"`` by step, of the batches, and after training ``"test_loss"`` (of the denoisers the
    mean squared error, 1 for an answer of 0) and, of the MLPs, ``"test_error"``."""
    profile = settings.profile
    kind = params["look"]
    if kind.startswith("denoiser"):
        x, y = noised(profile["points"], 0)
        x_test, y_test = noised(profile["points"] // 4, 1)
        what = Data(x, y, x_test, y_test, name="spiral", num_classes=0, task="regression")
        build: Callable[[], nn.Module] = partial(
            Denoiser,
            profile["blocks"],
            profile["width"],
            skip=kind != "denoiser, plain",
            timed=kind != "denoiser, no time",
        )
    else:
        what = data.load("mnist1d")
        streams = {"plain": 0, "residual": 1, "hyper": profile["streams"]}[kind]
        build = partial(
            StreamMLP, streams, profile["blocks"], profile["width"], what.x_train[0].numel()
        )
    training = trained(
        build,
        what,
        seeds,
        settings,
        steps=profile["steps"],
        batch_size=profile["batch"],
        lr=profile["lr"],
        schedule="cosine",
        warmup=profile["steps"] // 10,
        record_every=None,
    )
    history = training.history
    ends = history[history["metric"].isin(("test_loss", "test_error"))]
    losses = smoothed(training, profile["steps"] // 10).drop(columns="index")
    table = pd.concat([losses, ends], ignore_index=True)
    return mark_diverged(table, training.diverged)


# --- experiments -----------------------------------------------------------------------------

FIELDS = ("mbconv", "bert", "gpt", "conformer")
LOOKS = ("denoiser", "denoiser, plain", "denoiser, no time", "plain", "residual", "hyper")

FIVE_FIELDS = Experiment(
    name="skips_by_field",
    chapter=14,
    title="Small models of four fields, with all of their skips and with none",
    variants={
        f"{field}-{'skip' if skip else 'plain'}": {"field": field, "skip": skip}
        for field in FIELDS
        for skip in (True, False)
    },
    run=run_fields,
    profiles={
        "quick": {
            "seeds": 5,
            "context": {"bert": 4, "gpt": 8},
            "windows": 8192,
            "test_windows": 512,
            "masked": 0.25,
            "layers": 3,
            "width": {"bert": 32, "gpt": 32},
            "heads": {"bert": 8, "gpt": 2},
            "mbconv_blocks": 12,
            "steps": {"mbconv": 50, "bert": 130, "gpt": 110, "conformer": 30},
            "batch": {"mbconv": 32, "bert": 64, "gpt": 32, "conformer": 16},
            "lr": {"mbconv": 0.01, "bert": 0.015, "gpt": 0.01, "conformer": 0.003},
        },
        "full": {
            "seeds": 10,
            "context": {"bert": 64, "gpt": 64},
            "windows": 15000,
            "test_windows": 1500,
            "masked": 0.15,
            "layers": 6,
            "width": {"bert": 128, "gpt": 128},
            "heads": {"bert": 4, "gpt": 4},
            "mbconv_blocks": 16,
            "steps": {"mbconv": 2000, "bert": 5000, "gpt": 2000, "conformer": 2000},
            "batch": {"mbconv": 128, "bert": 64, "gpt": 64, "conformer": 64},
            "lr": {"mbconv": 0.01, "bert": 0.001, "gpt": 0.001, "conformer": 0.001},
        },
    },
    cost=lambda params: 4.0,
)

FORWARD = Experiment(
    name="forward_looks",
    chapter=14,
    title="A denoiser with and without skips and time; one stream, none or several",
    variants={look: {"look": look} for look in LOOKS},
    run=run_forward,
    profiles={
        "quick": {
            "seeds": 5,
            "points": 4096,
            "blocks": 12,
            "width": 32,
            "streams": 2,
            "steps": 80,
            "batch": 64,
            "lr": 3e-3,
        },
        "full": {
            "seeds": 20,
            "points": 65536,
            "blocks": 24,
            "width": 128,
            "streams": 4,
            "steps": 3000,
            "batch": 256,
            "lr": 1e-3,
        },
    },
    cost=lambda params: 1.5,
)

EXPERIMENTS = (FIVE_FIELDS, FORWARD, DEEP_RL)
