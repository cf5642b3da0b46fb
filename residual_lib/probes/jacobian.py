"""The Jacobian of a part of a model, through its singular values."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from residual_lib.probes.tap import tap, untouched

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


def _singular_values(part: nn.Module, h: Tensor, example: int) -> list[float]:
    def output_of(one: Tensor) -> Tensor:
        with_one = torch.cat([h[:example], one[None], h[example + 1 :]])
        return part(with_one)[example].flatten()

    jacobian = torch.autograd.functional.jacobian(output_of, h[example], vectorize=True)
    matrix = jacobian.reshape(jacobian.shape[0], -1)
    return torch.linalg.svdvals(matrix).tolist()
