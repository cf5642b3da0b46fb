"""The Jacobian of a part of a model, through its singular values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pandas as pd
import torch
from torch import Tensor, nn

from residual_lib.probes.masking import blocks_of, entering
from residual_lib.probes.scores import bar, check_count
from residual_lib.probes.tap import runs_of, tap, untouched

NETWORK = ""  # the name that `named_modules` gives to the model itself


def jacobian_singular_values(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    *,
    parts: Sequence[str] = (NETWORK,),
    examples: int = 4,
    training: bool = False,
) -> pd.DataFrame:
    """Return the singular values of d(output)/d(input) of parts of a model.

    The largest says by how much a part can stretch a small change of its input, the smallest how
    much can be lost; a gradient that goes backwards meets the same values. Each example's Jacobian
    is taken with the other examples of the batch held fixed.

    Args:
        model: any module.
        batch: inputs and targets; only the inputs are used.
        parts: qualified names of parts that take and return one tensor; ``""`` is the whole model.
        examples: how many examples of the batch to measure, from the first.
        training: whether BatchNorm uses the batch's statistics (True) or its running ones.

    Returns:
        Columns ``layer`` (the part's name), ``example``, ``index`` (0 for the largest),
        ``metric`` (``"singular_value"``) and ``value``.

    Raises:
        ValueError: a part doesn't exist, or `examples` is not in 1 ... batch size.
    """
    x = batch[0].detach()
    modules = dict(model.named_modules())
    unknown = [name for name in parts if name not in modules]
    if unknown:
        raise ValueError(f"parts must be names of model.named_modules(), got {unknown}")
    if not 1 <= examples <= len(x):
        raise ValueError(f"examples must be 1 to {len(x)} (the batch's size), got {examples}")
    rows = []
    with untouched(model, training=training):
        with torch.no_grad(), tap({name: modules[name] for name in parts}) as taps:
            model(x)
        for name, h in taps.inputs.items():
            for example in range(examples):
                values = _singular_values(modules[name], h.detach(), example)
                rows += [
                    (name, example, index, "singular_value", value)
                    for index, value in enumerate(values)
                ]
    return pd.DataFrame(rows, columns=["layer", "example", "index", "metric", "value"])


def jacobian_by_depth(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    *,
    examples: int = 2,
    training: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Return the singular values of every block, and of the network up to and with that block.

    For a residual block the first are those of I + dF/dx, F the branch. The second are those of the
    product of all blocks so far, if they stand in a row: d(output of the block)/d(what enters the
    first block). In a product the spread of the singular values grows with depth. Each example's
    Jacobian is taken with the other examples of the batch held fixed. A Jacobian with m outputs
    costs m backward passes up to its block: choose a narrow model, or a small input.

    Args:
        model: any model made of `Residual`.
        batch: inputs and targets; only the inputs are used.
        examples: how many examples of the batch to measure, from the first.
        training: whether BatchNorm uses the batch's statistics (True) or its running ones.
        progress: whether to show a bar.

    Returns:
        Columns ``layer`` (the block's name), ``depth`` (1 for the first to finish), ``example``,
        ``index`` (0 for the largest), ``metric`` (``"block"`` or ``"network"``) and ``value``.

    Raises:
        ValueError: the model has no block, or `examples` is not in 1 ... batch size.
    """
    blocks = blocks_of(model)
    check_count("examples", examples, 1, len(batch[0]))
    # With running statistics the other examples change nothing, so they needn't run.
    x = batch[0].detach() if training else batch[0][:examples].detach()
    if x.is_floating_point():
        x.requires_grad_()
    rows: list[tuple[str, int, int, int, str, float]] = []
    with untouched(model, training=training):
        with entering(blocks) as origin, runs_of(blocks) as runs:
            model(x)
        for depth, (name, start, end) in enumerate(bar(runs, "jacobians", progress), start=1):
            starts = {"block": start, "network": origin[0]}
            for (metric, since), example in product(starts.items(), range(examples)):
                values = _values_between(since, end, example)
                rows += [(name, depth, example, i, metric, v) for i, v in enumerate(values)]
    columns = ["layer", "depth", "example", "index", "metric", "value"]
    return pd.DataFrame(rows, columns=columns)


def _values_between(start: Tensor, end: Tensor, example: int) -> list[float]:
    """Singular values of d(one example of `end`)/d(the same of `start`), through autograd's graph.

    All rows of the Jacobian are pulled back at once. A block's input is no leaf of the graph, yet
    the gradient with respect to it is that of what follows it.
    """
    selected = end[example].flatten()
    basis = torch.eye(len(selected), dtype=end.dtype, device=end.device)
    rows = None
    if end.requires_grad and start.requires_grad:
        (rows,) = torch.autograd.grad(
            selected, start, basis, is_grads_batched=True, retain_graph=True, allow_unused=True
        )
    if rows is None:  # the end doesn't depend on the start
        return [0.0] * min(len(selected), start[example].numel())
    return torch.linalg.svdvals(rows[:, example].flatten(1)).tolist()


def _singular_values(part: nn.Module, h: Tensor, example: int) -> list[float]:
    def output_of(one: Tensor) -> Tensor:
        with_one = torch.cat([h[:example], one[None], h[example + 1 :]])
        return part(with_one)[example].flatten()

    jacobian = torch.autograd.functional.jacobian(output_of, h[example], vectorize=True)
    matrix = jacobian.reshape(jacobian.shape[0], -1)
    return torch.linalg.svdvals(matrix).tolist()
