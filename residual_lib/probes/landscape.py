"""The loss around a solution: on a plane of random directions, and on the way to another solution.

Li et al. 2018, "Visualizing the Loss Landscape of Neural Nets" (arXiv 1712.09913). What BatchNorm
does is part of the picture. With `training` True each point of the plane is normalised by the
batch's own statistics there, so that scaling a layer in front of a BatchNorm changes nothing. With
False, as in the authors' code, it uses the running statistics: on the plane those of the model,
which stop fitting as the weights move away; on the line they are mixed in the proportion of the
weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from residual_lib.probes.scores import bar, check_count, scores
from residual_lib.probes.tap import untouched


def landscape(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    *,
    span: float = 1.0,
    points: int = 21,
    seed: int = 0,
    training: bool = True,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure the loss and error at theta + a d1 + b d2 (section 4).

    theta are the parameters; d1 and d2 are random directions of `random_direction`.

    Args:
        model: any module.
        batch: inputs and targets; the more examples, the less the surface depends on them.
        span: a and b go from -span to span. At 1 the change of each filter is as long as itself.
        points: values of a and of b; an odd number puts the model itself in the middle.
        seed: of the directions: d1 has the seed `seed`, d2 has `seed` + 1.
        training: whether BatchNorm uses the batch's statistics (True) or its running ones.
        progress: whether to show a bar.

    Returns:
        Columns ``a``, ``b``, ``metric`` (``"loss"``, ``"error"``) and ``value``. For contours or
        a surface: ``table.query("metric == 'loss'").pivot(index="b", columns="a",
        values="value")``. A loss that isn't finite is kept as it is.

    Raises:
        ValueError: an argument is out of its range.
    """
    check_count("points", points, 2)
    if not span > 0:
        raise ValueError(f"span must be above 0, got {span!r}")
    theta = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    first, second = (random_direction(model, seed=seed + i) for i in (0, 1))
    steps = np.linspace(-span, span, points).tolist()
    rows = []
    with untouched(model, training=training), torch.no_grad(), _restored(model) as tensors:
        for a, b in bar([(a, b) for a in steps for b in steps], "landscape", progress):
            for name, weight in theta.items():
                tensors[name].copy_(weight + a * first[name] + b * second[name])
            measured = scores(model, batch)
            rows += [(a, b, metric, value) for metric, value in measured.items()]
    return pd.DataFrame(rows, columns=["a", "b", "metric", "value"])


def landscape_line(
    model: nn.Module,
    other: nn.Module,
    batch: tuple[Tensor, Tensor],
    *,
    points: int = 31,
    low: float = -0.5,
    high: float = 1.5,
    training: bool = True,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure the loss and error at (1 - p) theta + p theta' (section 3).

    Args:
        model: has the parameters theta, at position p = 0.
        other: a model of the same architecture, with theta', at p = 1.
        batch, training, progress: as for `landscape`.
        points: positions, from `low` to `high`.
        low, high: the first and the last position.

    Returns:
        Columns ``position`` (p), ``metric`` (``"loss"``, ``"error"``) and ``value``.

    Raises:
        ValueError: an argument is out of its range, or the models differ in architecture.
    """
    check_count("points", points, 2)
    if not low < high:
        raise ValueError(f"low must be below high, got {low!r} and {high!r}")
    start, end = _tensors(model), _tensors(other)
    if _shapes(start) != _shapes(end):
        differ = sorted(dict(_shapes(start).items() ^ _shapes(end).items()))
        raise ValueError(f"other must have the parameters of model, they differ in {differ}")
    rows = []
    positions = np.linspace(low, high, points).tolist()
    with untouched(model, training=training), torch.no_grad(), _restored(model) as tensors:
        start = {name: tensor.clone() for name, tensor in start.items()}
        for p in bar(positions, "landscape_line", progress):
            for name, tensor in _mixed(start, end, p).items():
                tensors[name].copy_(tensor)
            measured = scores(model, batch)
            rows += [(p, metric, value) for metric, value in measured.items()]
    return pd.DataFrame(rows, columns=["position", "metric", "value"])


def random_direction(model: nn.Module, *, seed: int = 0) -> dict[str, Tensor]:
    """Return a random direction in parameter space, normalised filter by filter.

    Each filter, all weights that lead to one output channel or unit, is normal noise scaled to the
    norm of the model's own filter (section 4, equation 1). Parameters with a single axis, biases
    and the scales and shifts of normalisations, don't move, as in the authors' code.

    Args:
        model: any module.
        seed: of the noise.

    Returns:
        By parameter name, a tensor of its shape.
    """
    generator = torch.Generator().manual_seed(seed)
    direction = {}
    for name, weight in model.named_parameters():
        noise = torch.randn(weight.shape, generator=generator, dtype=torch.float64).to(weight)
        if weight.dim() < 2:
            direction[name] = torch.zeros_like(weight)
            continue
        lengths = [part.flatten(1).norm(dim=1) for part in (weight.detach(), noise)]
        factor = lengths[0] / lengths[1].clamp(min=torch.finfo(noise.dtype).tiny)
        direction[name] = noise * factor.view(-1, *[1] * (weight.dim() - 1))
    return direction


@contextmanager
def _restored(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Give the model's tensors to write into, and put their values back at the end.

    Not `torch.func.functional_call`: in torch 2.13 it leaves a wrong tensor behind in a module that
    is registered under two names.
    """
    tensors = _tensors(model)
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    try:
        yield tensors
    finally:
        for name, tensor in tensors.items():
            tensor.copy_(before[name])


def _mixed(start: Mapping[str, Tensor], end: Mapping[str, Tensor], p: float) -> dict[str, Tensor]:
    mixed = {}
    for name, tensor in start.items():
        real = tensor.is_floating_point()
        # Counters (BatchNorm's num_batches_tracked) stay whole numbers. A variance isn't negative.
        mixed[name] = tensor + p * (end[name] - tensor) if real else tensor.clone()
        if name.endswith("running_var"):
            mixed[name].clamp_(min=0)
    return mixed


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, each once, under its first name, if several parts share it."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _shapes(state: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in state.items()}
