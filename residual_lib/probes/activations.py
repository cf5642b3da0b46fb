"""What the activations of a model look like on a batch."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor, nn

from residual_lib.nn import ACTIVATIONS
from residual_lib.probes.tap import parts_of, tap, untouched


@torch.no_grad()
def activation_statistics(
    model: nn.Module, batch: tuple[Tensor, Tensor], *, axis: int = 1, training: bool = True
) -> pd.DataFrame:
    """Return mean, variance and dead fraction of every activation's output.

    Args:
        model: any module that uses activations of `residual_lib.nn.ACTIVATIONS`.
        batch: inputs and targets; only the inputs are used.
        axis: where the channels stand: -1 for a Transformer.
        training: whether BatchNorm uses the batch's statistics (True) or its running ones.

    Returns:
        A row per activation and metric, in the order in which they run, with the columns ``layer``
        (qualified name), ``index`` (0 for the first to run), ``metric`` and ``value``. Metrics:

        - ``"mean"`` and ``"variance"`` over batch, channels and positions;
        - ``"dead_fraction"``: the share of channels that are 0 for every example and position
          (0 to 1). A dead ReLU passes no gradient, so nothing upstream learns through it.

    Raises:
        ValueError: the model has no activation.
    """
    kinds = tuple(kind for kind in ACTIVATIONS.values() if kind is not nn.Identity)
    with untouched(model, training=training), tap(parts_of(model, kinds)) as taps:
        model(batch[0])
    rows = []
    for index, (name, h) in enumerate(taps.outputs.items()):
        channels = h.movedim(axis, 0).flatten(1)
        dead = (channels == 0).all(dim=1).to(h.dtype).mean().item()
        rows.append((name, index, "mean", h.mean().item()))
        rows.append((name, index, "variance", h.var(correction=0).item()))
        rows.append((name, index, "dead_fraction", dead))
    return pd.DataFrame(rows, columns=["layer", "index", "metric", "value"])
