"""Chapter 9: Transformers as residual networks, measured.

Four experiments: gradients by layer before training, with the norm in front of the branch and
behind the sum (Xiong et al. 2020); how fast the positions of a sequence become alike, with and
without skips (Dong et al. 2021); training at several depths and rates, with and without warm-up;
and a small character model, looked into with every probe of the chapter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from residual_lib import data, objective
from residual_lib.data import Data
from residual_lib.experiments import Experiment, Settings, mark_diverged
from residual_lib.models import create_model
from residual_lib.models.gpt import GPT
from residual_lib.probes import (
    lesion,
    lesion_heads,
    logit_lens,
    rank_collapse,
    residual_stream,
)
from residual_lib.probes.masking import blocks_of, swapped
from residual_lib.probes.scores import scores
from residual_lib.train import Training, train

Row = tuple[Any, ...]
COLUMNS = ["seed", "step", "metric", "index", "value"]


def excerpt(context: int, train_windows: int, test_windows: int) -> Data:
    """The first windows of tiny Shakespeare's two parts.

    The training windows are spread evenly over their part, so that all kinds of speakers are in it.
    """
    whole = data.load("shakespeare", context=context)
    every = max(1, len(whole.x_train) // train_windows)
    return dataclasses.replace(
        whole,
        x_train=whole.x_train[::every][:train_windows],
        y_train=whole.y_train[::every][:train_windows],
        x_test=whole.x_test[:test_windows],
        y_test=whole.y_test[:test_windows],
    )


def character_model(
    n_layer: int,
    n_embd: int,
    n_head: int,
    context: int,
    pre_norm: bool = True,
    init: str = "gpt2",
) -> nn.Module:
    """A GPT on characters."""
    return create_model(
        "small_gpt",
        n_layer=n_layer,
        n_embd=n_embd,
        n_head=n_head,
        block_size=context,
        activation="relu",
        init=init,
        pre_norm=pre_norm,
    )


# --- before training: gradients by layer ------------------------------------------------------


def run_start(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """``"gradient"``: norm of the loss's gradient in the weights of each MLP's last layer, index
    from 1. Linear layers have Xavier's weights, as in the paper, and embeddings the variance
    1/width."""
    profile = settings.profile
    text = excerpt(profile["context"], profile["batch"], 1)
    rows: list[Row] = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = character_model(
                params["depth"],
                profile["width"],
                profile["heads"],
                profile["context"],
                params["norm"] == "pre",
                init="xavier",
            )
            for part in model.modules():
                if isinstance(part, nn.Embedding):
                    nn.init.normal_(part.weight, std=profile["width"] ** -0.5)
        objective.loss(model(text.x_train), text.y_train).backward()
        blocks = [block for name, block in blocks_of(model).items() if name.endswith("mlp")]
        for layer, block in enumerate(blocks, start=1):
            assert isinstance(block.branch, nn.Module)
            gradient = block.branch.get_parameter("proj.weight").grad
            assert gradient is not None
            rows.append((seed, 0, "gradient", layer, gradient.norm().item()))
    return pd.DataFrame(rows, columns=COLUMNS)


# --- before training: rank collapse -----------------------------------------------------------

STACKS: dict[str, dict[str, Any]] = {
    "attention": {"skip": False, "mlp_ratio": 0.0},
    "attention, MLP": {"skip": False},
    "attention, skip": {"mlp_ratio": 0.0},
    "attention, MLP, skip": {},
    "attention, MLP, skip, post-LN": {"pre_norm": False},
    "causal attention": {"skip": False, "mlp_ratio": 0.0, "causal": True},
    "causal attention, MLP, skip": {"causal": True},
}


def run_rank(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """``"distance"``: that of the stream to rank one, relative and in the Frobenius norm, after
    each layer (index; 0 is the input). Double precision; inputs are normal and independent."""
    profile = settings.profile
    options = {"causal": False, **STACKS[params["stack"]]}
    causal = options.pop("causal")
    rows: list[Row] = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = create_model(
                "transformer_decoder" if causal else "transformer_encoder",
                n_layer=profile["layers"],
                n_head=profile["heads"],
                n_embd=profile["width"],
                init="xavier",
                **options,
            ).double()
            x = torch.randn(
                profile["batch"], profile["context"], profile["width"], dtype=torch.float64
            )
        table = rank_collapse(model, (x, x))
        values = table[table["metric"] == "frobenius"]["value"].tolist()
        blocks_a_layer = (len(values) - 1) // profile["layers"]
        rows += [
            (seed, 0, "distance", layer, value)
            for layer, value in enumerate(values[::blocks_a_layer])
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


# --- training: where the norm stands ----------------------------------------------------------


def trained(
    model: Callable[[], nn.Module],
    text: Data,
    seeds: list[int],
    settings: Settings,
    **options: Any,
) -> Training:
    """Train with Adam; attention as the product of matrices that it is.

    PyTorch's fused attention can't be mapped over seeds and falls back to a loop.
    """
    with sdpa_kernel(SDPBackend.MATH):
        return train(
            model,
            text,
            seeds,
            optimizer="adamw",
            device=settings.device,
            progress=settings.progress,
            **{"record_every": 0, **options},  # the batches' losses say enough
        )


def smoothed(training: Training, every: int) -> pd.DataFrame:
    """``"loss"``: the mean of the batch's loss over the last `every` steps, at each of these."""
    history = training.history
    rows = history[history["metric"] == "batch_loss"]
    step = (rows["step"] // every + 1) * every
    means = rows.assign(step=step).groupby(["seed", "step"])["value"].mean().reset_index()
    return means.assign(metric="loss", index=0)[COLUMNS]


def run_placement(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """``"loss"`` by step, of the batches, and after training ``"distance"``: of the stream behind
    the last block to rank one, see `run_rank`, on test windows."""
    profile = settings.profile
    steps = profile["slow_steps"] if params["rate"] == "low" else profile["steps"]
    text = excerpt(profile["context"], profile["windows"], 32)
    training = trained(
        partial(
            character_model,
            params["depth"],
            profile["width"],
            profile["heads"],
            profile["context"],
            params["norm"] == "pre",
        ),
        text,
        seeds,
        settings,
        steps=steps,
        batch_size=profile["batch"],
        lr=profile[params["rate"]],
        schedule="constant",
        warmup=profile["warmup"] if params["warmup"] else 0,
    )
    rows: list[Row] = []
    for seed, model in zip(seeds, training.models, strict=True):
        if model is not None:
            table = rank_collapse(model.cpu(), (text.x_test, text.y_test))
            last = table[table["metric"] == "frobenius"]["value"].iloc[-1]
            rows.append((seed, steps, "distance", params["depth"], last))
    table = pd.concat(
        [smoothed(training, profile["every"]), pd.DataFrame(rows, columns=COLUMNS)],
        ignore_index=True,
    )
    return mark_diverged(table, training.diverged)


# --- a character model, looked into -----------------------------------------------------------


def swaps(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> list[tuple[int, float]]:
    """The loss with layer i and layer i + 1 exchanged, by i from 1."""
    found = []
    assert isinstance(model, GPT)
    for first in range(len(model.blocks) - 1):
        pairs: dict[str, str] = {}
        for part in ("attn", "mlp"):
            one, two = f"blocks.{first}.{part}", f"blocks.{first + 1}.{part}"
            pairs |= {one: two, two: one}
        with swapped(model, pairs):
            found.append((first + 1, scores(model, batch)["loss"]))
    return found


def run_characters(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train a small GPT, and look into it before (step 0) and after.

    Index counts blocks from 1, two a layer; 0 is what the embeddings give. Metrics: ``"norm"``,
    ``"growth"``, ``"cosine"``, see `residual_lib.probes.residual_stream`; ``"lens_loss"``,
    ``"lens_agreement"``, ``"lens_divergence"``, see `residual_lib.probes.logit_lens`. After
    training also the loss with one block deleted, ``"lesion"`` (index 0: none), one head,
    ``"lesion_head"`` (index 10 l + h for layer l from 1 and head h from 1), or two neighbouring
    layers exchanged, ``"swap"`` (the first of them).
    """
    profile = settings.profile
    text = excerpt(profile["context"], profile["windows"], profile["test_windows"])
    build = partial(
        character_model,
        profile["layers"],
        profile["width"],
        profile["heads"],
        profile["context"],
        params["norm"] == "pre",
    )
    training = trained(
        build,
        text,
        seeds,
        settings,
        steps=profile["steps"],
        batch_size=profile["batch"],
        lr=profile["lr"],
        schedule="cosine",
        warmup=profile["warmup"],
    )
    batch = text.x_test, text.y_test
    tables = [smoothed(training, profile["every"])]
    for seed, model in zip(seeds, training.models, strict=True):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            fresh = build()
        tables.append(looked_into(fresh, batch).assign(seed=seed, step=0))
        if model is None:
            continue
        model = model.cpu()
        found = [looked_into(model, batch)]
        table = lesion(model, batch, progress=False).query("metric == 'loss'")
        found.append(_indexed("lesion", table["index"] + 1, table["value"]))
        table = lesion_heads(model, batch, progress=False).query("metric == 'loss' and head >= 0")
        places = 10 * (table["index"] + 1) + table["head"] + 1
        found.append(_indexed("lesion_head", places, table["value"]))
        exchanged = swaps(model, batch)
        found.append(_indexed("swap", *zip(*exchanged, strict=True)))
        tables.append(pd.concat(found, ignore_index=True).assign(seed=seed, step=profile["steps"]))
    table = pd.concat(tables, ignore_index=True)[COLUMNS]
    return mark_diverged(table, training.diverged)


def looked_into(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> pd.DataFrame:
    """The stream and the logit lens. Columns metric, index, value."""
    stream, lens = residual_stream(model, batch), logit_lens(model, batch)
    lens = lens[lens["metric"] != "error"]
    lens = lens.assign(metric="lens_" + lens["metric"])
    table = pd.concat([stream, lens], ignore_index=True)
    return table.rename(columns={"depth": "index"})[["metric", "index", "value"]]


def _indexed(metric: str, index: Any, values: Any) -> pd.DataFrame:
    return pd.DataFrame({"metric": metric, "index": list(index), "value": list(values)})


# --- experiments -----------------------------------------------------------------------------

START = Experiment(
    name="transformer_start",
    chapter=9,
    title="Gradients by layer before training: where the norm stands x depth",
    variants={
        f"{norm}-{depth}": {"norm": norm, "depth": depth}
        for norm in ("pre", "post")
        for depth in (6, 12, 24)
    },
    run=run_start,
    profiles={
        "quick": {"seeds": 5, "width": 64, "heads": 4, "context": 32, "batch": 16},
        "full": {"seeds": 20, "width": 256, "heads": 8, "context": 128, "batch": 32},
    },
    cost=lambda params: 0.05 * params["depth"],
)

RANK = Experiment(
    name="rank_collapse",
    chapter=9,
    title="Distance of a sequence to rank one by layer: skip x MLP x mask",
    variants={stack: {"stack": stack} for stack in STACKS},
    run=run_rank,
    profiles={
        "quick": {"seeds": 5, "layers": 24, "width": 64, "heads": 4, "context": 32, "batch": 4},
        "full": {"seeds": 20, "layers": 48, "width": 256, "heads": 8, "context": 128, "batch": 8},
    },
    cost=lambda params: 0.5,
)

PLACEMENT = Experiment(
    name="norm_placement",
    chapter=9,
    title="Pre-LN against post-LN: depth x learning rate x warm-up",
    variants={
        **{
            f"{norm}-{depth}-high": {"norm": norm, "depth": depth, "rate": "high", "warmup": False}
            for norm in ("pre", "post")
            for depth in (6, 12, 24)
        },
        **{
            f"post-{depth}-high-warm": {
                "norm": "post",
                "depth": depth,
                "rate": "high",
                "warmup": True,
            }
            for depth in (6, 12, 24)
        },
        **{
            f"{norm}-6-low": {"norm": norm, "depth": 6, "rate": "low", "warmup": False}
            for norm in ("pre", "post")
        },
    },
    run=run_placement,
    profiles={
        "quick": {
            "seeds": 5,
            "width": 32,
            "heads": 2,
            "context": 16,
            "batch": 8,
            "windows": 512,
            "steps": 100,
            "slow_steps": 400,
            "every": 20,
            "warmup": 50,
            "high": 3e-3,
            "low": 1e-3,
        },
        "full": {
            "seeds": 20,
            "width": 128,
            "heads": 4,
            "context": 64,
            "batch": 32,
            "windows": 15000,
            "steps": 2000,
            "slow_steps": 4000,
            "every": 100,
            "warmup": 500,
            "high": 3e-3,
            "low": 1e-3,
        },
    },
    cost=lambda params: params["depth"] * (0.8 if params["rate"] == "low" else 0.4),
)

CHARACTERS = Experiment(
    name="character_model",
    chapter=9,
    title="A character model, looked into before and after training",
    variants={"pre": {"norm": "pre"}},
    run=run_characters,
    profiles={
        "quick": {
            "seeds": 5,
            "layers": 4,
            "width": 64,
            "heads": 4,
            "context": 32,
            "batch": 8,
            "windows": 2048,
            "test_windows": 64,
            "steps": 300,
            "every": 50,
            "warmup": 30,
            "lr": 4e-3,
        },
        "full": {
            "seeds": 10,
            "layers": 6,
            "width": 384,
            "heads": 6,
            "context": 256,
            "batch": 64,
            "windows": 3900,
            "test_windows": 400,
            "steps": 5000,
            "every": 100,
            "warmup": 100,
            "lr": 1e-3,
        },
    },
    cost=lambda params: 15.0,
)

EXPERIMENTS = (START, RANK, PLACEMENT, CHARACTERS)
