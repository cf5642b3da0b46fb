"""Probes by name, on a model by name: what ``python -m residual_lib probe`` does."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import torch
from torch import nn

from residual_lib import data, objective
from residual_lib.data import Data, cifar
from residual_lib.models import create_model, model_options
from residual_lib.probes.activations import activation_statistics
from residual_lib.probes.gradients import gradient_norms
from residual_lib.probes.heads import lesion_heads
from residual_lib.probes.identityness import identityness
from residual_lib.probes.jacobian import jacobian_by_depth
from residual_lib.probes.landscape import landscape
from residual_lib.probes.lens import logit_lens
from residual_lib.probes.lesion import lesion, lesion_random, lesion_reorder
from residual_lib.probes.paths import path_lengths, paths
from residual_lib.probes.rank import rank_collapse
from residual_lib.probes.scores import check_count
from residual_lib.probes.shattering import shattering
from residual_lib.probes.stream import residual_stream
from residual_lib.probes.tap import untouched

#: What `measure` knows, by the name it has on the command line.
PROBES: dict[str, Callable[..., pd.DataFrame]] = {
    "activations": activation_statistics,
    "gradients": gradient_norms,
    "identityness": identityness,
    "jacobian": jacobian_by_depth,
    "landscape": landscape,
    "lesion": lesion,
    "lesion_heads": lesion_heads,
    "lesion_random": lesion_random,
    "lesion_reorder": lesion_reorder,
    "logit_lens": logit_lens,
    "path_lengths": path_lengths,
    "paths": paths,
    "rank_collapse": rank_collapse,
    "residual_stream": residual_stream,
    "shattering": shattering,
}
DATA = ("digits", "mnist1d")  # tried in this order where no data set is named
TEXT = ("shakespeare",)  # the same, for models of tokens


def measure(
    probe: str,
    model: str,
    *,
    options: Mapping[str, Any] | None = None,
    probe_options: Mapping[str, Any] | None = None,
    data_name: str | None = None,
    examples: int = 256,
    steps: int = 0,
    checkpoint: str | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Build a model, train it or load its weights if asked to, and probe it.

    Args:
        probe: a name in `PROBES`.
        model: a name for `create_model`.
        options: the model's; the channels, features, classes, tokens and positions that aren't
            named are those of the data.
        probe_options: options of the probe, such as ``{"draws": 5}``.
        data_name: a name for `data.load`, or a folder for `residual_lib.data.cifar.load`; default:
            the first of `DATA` that the model takes, or `TEXT` for models of tokens.
            ``shattering`` needs none: without it, its inputs are a line of numbers.
        examples: how many test examples make the batch, from the first.
        steps: of training before the measurement, with `train`'s other defaults.
        checkpoint: a file with the model's weights, for `residual_lib.checkpoints.load`; what its
            shapes tell is taken from there and not from the data.
        seed: of the model's weights, the training and the probe.

    Raises:
        ValueError, TypeError: an argument is wrong, or model and data don't fit.
        FileNotFoundError: there is no such checkpoint.
    """
    if probe not in PROBES:
        raise ValueError(f"probe must be one of {', '.join(PROBES)}; got {probe!r}")
    check_count("examples", examples)
    check_count("steps", steps, 0)
    given, chosen = dict(options or {}), dict(probe_options or {})
    allowed = _options(PROBES[probe])
    unknown = sorted(set(chosen) - set(allowed))
    if unknown:
        raise TypeError(f"{probe} has no option {', '.join(unknown)}; its options are {allowed}")
    if "seed" in allowed:
        chosen.setdefault("seed", seed)

    def build(**fitted: Any) -> nn.Module:
        if checkpoint is not None:
            from residual_lib import checkpoints  # the file's shapes say what would be fitted

            return checkpoints.load(checkpoint, model=model, **given)
        torch.manual_seed(seed)
        return create_model(model, **{**fitted, **given})

    with torch.random.fork_rng(devices=[]):
        if probe == "shattering" and data_name is None and not steps:
            net, batch = build(), None
        else:
            net, found = _fitting(build, model, data_name)
            batch = (found.x_test[:examples], found.y_test[:examples])
            if steps:
                net = _trained(net, found, seed, steps)
        try:
            return PROBES[probe](net, batch, **chosen)
        except RuntimeError as error:
            raise ValueError(f"{probe} can't measure {model} here: {_line(error)}") from error


def _fitting(
    build: Callable[..., nn.Module], model: str, name: str | None
) -> tuple[nn.Module, Data]:
    """The model, with the sizes that the data ask for, and the data."""
    reasons = []
    default = TEXT if "vocab_size" in model_options(model) else DATA
    for candidate in default if name is None else (name,):
        found = cifar.load(candidate) if cifar.form(candidate) else data.load(candidate)
        sizes = {
            "in_chans": found.x_train.shape[1],
            "in_features": found.x_train[0].numel(),
            "num_classes": found.num_classes or found.y_train.shape[1],
            "vocab_size": found.num_classes,
            "block_size": found.x_train.shape[1],
        }
        net = build(**{key: sizes[key] for key in sizes if key in model_options(model)})
        try:
            with torch.no_grad(), untouched(net, training=False):
                objective.loss(net(found.x_test[:2]), found.y_test[:2])
        except (RuntimeError, ValueError, IndexError) as error:
            reasons.append(f"{candidate}: {_line(error)}")
        else:
            return net, found
    raise ValueError(f"data must be what {model} can take, but {'; '.join(reasons)}")


def _trained(net: nn.Module, found: Data, seed: int, steps: int) -> nn.Module:
    from residual_lib.train import train

    (trained,) = train(lambda: net, found, [seed], steps=steps).models
    if trained is None:
        raise ValueError(f"steps must be fewer, or the model another: it diverged before {steps}")
    return trained


def _options(probe: Callable[..., pd.DataFrame]) -> list[str]:
    parameters = inspect.signature(probe).parameters.values()
    return sorted(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)


def _line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
