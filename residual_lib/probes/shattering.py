"""Shattering: how fast the gradient changes from one input to the next.

Balduzzi et al. 2017, "The Shattered Gradients Problem" (arXiv 1702.08591), section 2: the
derivative of the output with respect to the input, on a grid of inputs along a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pandas as pd
import torch
from torch import Tensor, nn

from residual_lib.probes.correlations import autocorrelation
from residual_lib.probes.scores import bar, check_count
from residual_lib.probes.tap import untouched


def shattering(
    model: nn.Module,
    batch: tuple[Tensor, Tensor] | None = None,
    *,
    points: int = 256,
    span: float = 2.0,
    lags: int = 15,
    output: int = 0,
    training: bool = True,
) -> pd.DataFrame:
    """Return the derivative of an output along a line of inputs, and its autocorrelation.

    The inputs are `points` equal steps from t = -span to t = span. Without a batch the input is
    the number t itself, as in the paper; with one it is the line on which the batch's first
    example lies at t = -1 and its second at t = 1.

    Args:
        model: any model; without a batch it takes inputs of shape (points, 1), such as
            ``create_model("residual_rectifier")``.
        batch: inputs and targets, at least two; only the inputs are used.
        points: number of inputs; the paper has 256.
        span: the largest t; the paper has 2.
        lags: the longest lag of the autocorrelation, in steps.
        output: which entry of axis 1 of the model's output, such as the number of a class; over
            positions, if there are any, it is summed.
        training: whether normalisation uses the mean and variance of these inputs (True) or its
            running ones. Either way they are held fixed while the derivative is taken: it is that
            of a function of one input, whatever the other inputs do.

    Returns:
        Columns ``metric``, ``index``, ``position`` and ``value``: for ``"gradient"`` index counts
        the inputs and position is t; for ``"autocorrelation"`` index is the lag in steps and
        position the same in units of t.

    Raises:
        ValueError: an argument is out of its range, or the batch can't make a line.
    """
    check_count("points", points, 2)
    check_count("lags", lags, 0, points - 1)
    if not span > 0:
        raise ValueError(f"span must be above 0, got {span!r}")
    middle, direction = _line(model, batch)
    t = torch.linspace(-span, span, points, dtype=middle.dtype, device=middle.device)
    t.requires_grad_()
    x = middle + t.view(-1, *[1] * middle.dim()) * direction
    with untouched(model, training=False):
        if training:
            _normalise_for(model, x)
        found = model(x)
        if not 0 <= output < found.shape[1]:
            raise ValueError(f"output must be 0 to {found.shape[1] - 1}, got {output!r}")
        (gradient,) = torch.autograd.grad(found[:, output].sum(), t)
    values = gradient.double().cpu().numpy()
    columns = ["metric", "index", "position", "value"]
    positions = t.detach().tolist()
    rows = [("gradient", i, positions[i], value) for i, value in enumerate(values.tolist())]
    step = 2 * span / (points - 1)
    for lag, value in enumerate(autocorrelation(values, lags).tolist()):
        rows.append(("autocorrelation", lag, lag * step, value))
    return pd.DataFrame(rows, columns=columns)


def shattering_seeds(
    build: Callable[[], nn.Module],
    batch: tuple[Tensor, Tensor] | None = None,
    *,
    seeds: Iterable[int] = range(20),
    progress: bool = True,
    **options: int | float | bool,
) -> pd.DataFrame:
    """Return `shattering` of one new model a seed, with the column ``seed`` in front.

    Args:
        build: makes a model; called once a seed under ``torch.manual_seed(seed)``.
        batch, options: as for `shattering`.
        seeds: whole numbers.
        progress: whether to show a bar.

    Raises:
        ValueError: as `shattering`.
    """
    tables = []
    for seed in bar(list(seeds), "shattering", progress):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = build()
        table = shattering(model, batch, **options)  # type: ignore[arg-type]
        table.insert(0, "seed", seed)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _line(model: nn.Module, batch: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
    """The input at t = 0 and by how much it changes from there to t = 1."""
    if batch is None:
        weight = next(model.parameters())
        return torch.zeros(1).to(weight), torch.ones(1).to(weight)
    x = batch[0]
    if len(x) < 2 or not x.is_floating_point():
        raise ValueError(
            f"batch must have two inputs of real numbers, got {tuple(x.shape)} of {x.dtype}"
        )
    return (x[0] + x[1]) / 2, (x[1] - x[0]) / 2


@torch.no_grad()
def _normalise_for(model: nn.Module, x: Tensor) -> None:
    """Set the running statistics of every normalisation to those of `x`.

    In evaluation mode the model then gives what it gives for `x` in training mode. The caller puts
    the buffers back.
    """
    norms = [part for part in model.modules() if getattr(part, "running_mean", None) is not None]
    sizes: dict[nn.Module, int] = {}

    def count(part: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        sizes[part] = inputs[0].numel() // inputs[0].shape[1]

    handles = [part.register_forward_pre_hook(count) for part in norms]
    try:
        with _momentum_one(norms):
            model(x)
    finally:
        for handle in handles:
            handle.remove()
    for part, n in sizes.items():
        if getattr(part, "running_var", None) is not None:
            # BatchNorm keeps the variance over n - 1, but divides by that over n.
            part.get_buffer("running_var").mul_((n - 1) / n)


@contextmanager
def _momentum_one(norms: list[nn.Module]) -> Iterator[None]:
    """Let the running statistics take over the next batch's as they are."""
    before = [part.momentum for part in norms]
    for part in norms:
        part.train()
        part.momentum = 1.0  # type: ignore[assignment]
    try:
        yield
    finally:
        for part, momentum in zip(norms, before, strict=True):
            part.eval()
            part.momentum = momentum
