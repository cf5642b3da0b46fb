"""Chapter 10: what stands on the branch at the start, and what comes of it.

Three experiments: signal and Jacobian of untrained stacks, by what is multiplied on the branch;
fully connected nets of 32 layers, trained with and without normalisation; and character models of
12 and 24 layers, trained with and without.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from residual_lib import data
from residual_lib.experiments import Experiment, Settings, mark_diverged
from residual_lib.experiments.transformers import excerpt, smoothed, trained
from residual_lib.models import create_model
from residual_lib.models.transformer import deep_norm_constants
from residual_lib.nn import LearnedScale, Scale, create_scale, initialise_
from residual_lib.probes import jacobian_singular_values
from residual_lib.residual import Residual, add, branch_only, iter_residuals
from residual_lib.train import train

Row = tuple[Any, ...]
COLUMNS = ["seed", "step", "metric", "index", "value"]

# --- before training --------------------------------------------------------------------------

SCHEMES = ("plain", "sum", "depth", "half", "layer_scale", "rezero", "post_norm", "deep_norm")


def stack(scheme: str, blocks: int, width: int) -> nn.Sequential:
    """Blocks x + alpha F(x), where F is a linear layer of the ReLU of x, with He's weights.

    Args:
        scheme: ``"plain"``: F(x) alone; ``"sum"``: alpha = 1; ``"depth"``: 1 / sqrt(blocks);
            ``"half"``: the weights are divided by sqrt(2 blocks); ``"layer_scale"``: 0.1;
            ``"rezero"``: 0; ``"post_norm"``: LN(x + F(x)); ``"deep_norm"``: LN(a x + F(x)) with
            the constants of as many layers as would have these blocks, two a layer.
        blocks: how many; even for ``"deep_norm"``.
        width: units.

    Raises:
        ValueError: there is no such scheme.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {list(SCHEMES)}, got {scheme!r}")
    alpha, beta = deep_norm_constants(blocks // 2)
    factor = {"half": (2 * blocks) ** -0.5, "deep_norm": beta}.get(scheme, 1.0)
    learned = scheme if scheme in ("depth", "layer_scale", "rezero") else None

    def block() -> Residual:
        layer = initialise_(nn.Linear(width, width, bias=False), "he")
        with torch.no_grad():
            next(layer.parameters()).mul_(factor)
        return Residual(
            nn.Sequential(nn.ReLU(), layer),
            shortcut=Scale(alpha) if scheme == "deep_norm" else None,
            scale=create_scale(learned, blocks=blocks, channels=width),
            merge=branch_only if scheme == "plain" else add,
            after=nn.LayerNorm(width) if scheme in ("post_norm", "deep_norm") else None,
        )

    return nn.Sequential(*(block() for _ in range(blocks)))


def run_start(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """``"mean_square"`` of the signal after each block (index; 0 is the input, drawn from a normal
    distribution), in a wide stack, and ``"singular_value"`` of a whole narrow stack's Jacobian
    (index, 0 for the largest; geometric means over the examples)."""
    profile = settings.profile
    rows: list[Row] = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            wide, narrow = (
                stack(params["scheme"], params["blocks"], profile[width])
                for width in ("signal_width", "width")
            )
            h = torch.randn(profile["batch"], profile["signal_width"])
            x = torch.randn(profile["examples"], profile["width"]).double()
        with torch.no_grad():
            for index, block in enumerate([nn.Identity(), *wide]):
                h = block(h)
                rows.append((seed, 0, "mean_square", index, h.square().mean().item()))
        table = jacobian_singular_values(narrow.double(), (x, x), examples=len(x))
        logs = np.log(table["value"].clip(lower=1e-12)).groupby(table["index"]).mean()
        values = np.exp(logs).items()
        rows += [(seed, 0, "singular_value", index, value) for index, value in values]
    return pd.DataFrame(rows, columns=COLUMNS)


# --- training ---------------------------------------------------------------------------------

FULLY_CONNECTED: dict[str, dict[str, Any]] = {
    "plain": {"skip": False},
    "residual": {},
    "depth": {"scale": "depth"},
    "layer_scale": {"scale": "layer_scale"},
    "rezero": {"scale": "rezero"},
    "zero": {"zero_init_residual": True},
    "norm, residual": {"norm_layer": "batch"},
    "norm, rezero": {"norm_layer": "batch", "scale": "rezero"},
    "norm, zero": {"norm_layer": "batch", "zero_init_residual": True},
}

CHARACTERS: dict[str, dict[str, Any]] = {
    "pre": {},
    "post": {"pre_norm": False},
    "none": {"norm_layer": None},
    "rezero": {"norm_layer": None, "scale": "rezero"},
    "deep_norm": {"pre_norm": False, "deep_norm": True},
}


def scales(model: nn.Module, batch: tuple[Tensor, Tensor]) -> pd.DataFrame:
    """The mean size of what is learned on each branch. Columns metric (``"alpha"``), index (the
    block, from 1), value; empty where nothing is learned there. The batch isn't looked at."""
    blocks = [block.scale for _, block in iter_residuals(model)]
    rows = [
        ("alpha", index, scale.weight.detach().abs().mean().item())
        for index, scale in enumerate(blocks, start=1)
        if isinstance(scale, LearnedScale)
    ]
    return pd.DataFrame(rows, columns=["metric", "index", "value"])


def fully_connected(kind: str, depth: int, width: int) -> nn.Module:
    """A net on the 8 x 8 digits: one of `FULLY_CONNECTED`."""
    options = dict(FULLY_CONNECTED[kind])
    name = "residual_mlp" if options.pop("skip", True) else "plain_mlp"
    return create_model(name, width=width, depth=depth, **options)


def run_training(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """``"loss"`` of the batches, mean over the last steps, ``"alpha"`` by block (index), see
    `scales`, and at the end ``"test_error"``."""
    profile = settings.profile
    every = profile["every"]
    training = train(
        partial(fully_connected, params["kind"], profile["depth"], profile["width"]),
        data.load("digits"),
        seeds,
        steps=profile["steps"],
        batch_size=profile["batch"],
        lr=params["rate"],
        schedule="constant",
        device=settings.device,
        progress=settings.progress,
        probes={"scales": scales},
        probe_every=every,
    )
    errors = training.history[training.history["metric"] == "test_error"].assign(index=0)
    tables = [smoothed(training, every), errors[COLUMNS]]
    if len(training.probes) and "index" in training.probes:
        tables.append(training.probes[COLUMNS])
    return mark_diverged(pd.concat(tables, ignore_index=True), training.diverged)


def character_model(
    kind: str, n_layer: int, n_embd: int, n_head: int, context: int, embedding: float
) -> nn.Module:
    """A GPT on characters: one of `CHARACTERS`. Linear layers have Xavier's weights; embeddings of
    tokens and positions are normal with the standard deviation `embedding`."""
    model = create_model(
        "small_gpt",
        n_layer=n_layer,
        n_embd=n_embd,
        n_head=n_head,
        block_size=context,
        activation="relu",
        init="xavier",
        **CHARACTERS[kind],
    )
    for part in model.modules():
        if isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, std=embedding)
    return model


def run_characters(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """``"loss"`` of the batches, mean over the last steps, and ``"alpha"`` by block (index)."""
    profile = settings.profile
    steps = profile["steps"] if params["layers"] < 24 else profile["deep_steps"]
    if params["kind"] == "none":
        steps = profile["every"]  # it has exploded by then
    training = trained(
        partial(
            character_model,
            params["kind"],
            params["layers"],
            profile["width"],
            profile["heads"],
            profile["context"],
            0.02 if params["embedding"] == "small" else profile["width"] ** -0.5,
        ),
        excerpt(profile["context"], profile["windows"], 1),
        seeds,
        settings,
        steps=steps,
        batch_size=profile["batch"],
        lr=profile["lr"],
        schedule="constant",
        warmup=profile["warmup"] if params["warmup"] else 0,
        probes={"scales": scales} if CHARACTERS[params["kind"]].get("scale") else None,
        probe_every=profile["every"],
    )
    tables = [smoothed(training, profile["every"])]
    if len(training.probes) and "index" in training.probes:
        tables.append(training.probes[COLUMNS])
    return mark_diverged(pd.concat(tables, ignore_index=True), training.diverged)


# --- experiments ------------------------------------------------------------------------------

START = Experiment(
    name="identity_start",
    chapter=10,
    title="Signal and Jacobian before training: what stands on the branch x blocks",
    variants={
        f"{scheme}-{blocks}": {"scheme": scheme, "blocks": blocks}
        for scheme in SCHEMES
        for blocks in (4, 8, 16, 32)
    },
    run=run_start,
    profiles={
        "quick": {"seeds": 5, "signal_width": 256, "width": 32, "batch": 64, "examples": 2},
        "full": {"seeds": 20, "signal_width": 2048, "width": 256, "batch": 256, "examples": 4},
    },
    cost=lambda params: 0.02 * params["blocks"],
)

TRAINING = Experiment(
    name="identity_training",
    chapter=10,
    title="Fully connected nets of 32 layers, trained: the start x normalisation x rate",
    variants={
        **{f"{kind}-0.01": {"kind": kind, "rate": 0.01} for kind in FULLY_CONNECTED},
        **{
            f"{kind}-0.1": {"kind": kind, "rate": 0.1}
            for kind in ("depth", "rezero", "norm, residual", "norm, rezero")
        },
    },
    run=run_training,
    profiles={
        "quick": {
            "seeds": 5,
            "width": 32,
            "depth": 32,
            "batch": 32,
            "steps": 100,
            "every": 10,
        },
        "full": {
            "seeds": 20,
            "width": 128,
            "depth": 128,
            "batch": 64,
            "steps": 2000,
            "every": 50,
        },
    },
    cost=lambda params: 1.5,
)

CHARACTER_TRAINING = Experiment(
    name="identity_characters",
    chapter=10,
    title="Character models of 12 and 24 layers: norms x start x size of the embeddings",
    variants={
        **{
            f"{kind}-12-{embedding}": {
                "kind": kind,
                "layers": 12,
                "embedding": embedding,
                "warmup": False,
            }
            for kind in ("pre", "rezero")
            for embedding in ("large", "small")
        },
        "post, warm-12-large": {
            "kind": "post",
            "layers": 12,
            "embedding": "large",
            "warmup": True,
        },
        **{
            f"{kind}-24-large": {
                "kind": kind,
                "layers": 24,
                "embedding": "large",
                "warmup": False,
            }
            for kind in ("pre", "none", "rezero", "deep_norm")
        },
    },
    run=run_characters,
    profiles={
        "quick": {
            "seeds": 5,
            "width": 32,
            "heads": 2,
            "context": 16,
            "batch": 8,
            "windows": 1024,
            "steps": 90,
            "deep_steps": 50,
            "every": 10,
            "warmup": 40,
            "lr": 3e-3,
        },
        "full": {
            "seeds": 20,
            "width": 256,
            "heads": 4,
            "context": 128,
            "batch": 64,
            "windows": 7000,
            "steps": 5000,
            "deep_steps": 5000,
            "every": 100,
            "warmup": 500,
            "lr": 1e-3,
        },
    },
    cost=lambda params: 0.2 * params["layers"],
)

EXPERIMENTS = (START, TRAINING, CHARACTER_TRAINING)
