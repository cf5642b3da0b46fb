"""How large the gradient is at every layer."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor, nn

from residual_lib.objective import loss
from residual_lib.probes.tap import LAYERS, parts_of, tap, untouched


def gradient_norms(
    model: nn.Module, batch: tuple[Tensor, Tensor], *, training: bool = True
) -> pd.DataFrame:
    """Return the norm of the loss's gradient at each layer's input and weight.

    Args:
        model: any module with linear layers or convolutions.
        batch: inputs and targets; the loss is their mean, see `residual_lib.objective.loss`.
        training: whether BatchNorm uses the batch's statistics (True) or its running ones.

    Returns:
        A row per layer and metric, in the order in which the layers run, with the columns

        - ``layer``: qualified name; ``index``: 0 for the layer that runs first;
        - ``metric``: ``"input_gradient"``, the L2 norm over batch, channels and positions of
          dL/dh, where h is the layer's input, or ``"weight_gradient"``, that of dL/dW;
        - ``value``: the norm, in units of loss per unit of h or of W; 0 for a weight that the
          loss doesn't reach.

    Raises:
        ValueError: the model has no layer with weights.
    """
    layers = parts_of(model, LAYERS)
    x, y = batch
    if x.is_floating_point():
        # Without this the first layer's input has no gradient to show.
        x = x.detach().requires_grad_()
    with untouched(model, training=training), tap(layers) as taps:
        value = loss(model(x), y)
        names = list(taps.inputs)
        weights = [layers[name].weight for name in names]
        wanted = [*taps.inputs.values(), *weights]
        gradients = torch.autograd.grad(value, wanted, allow_unused=True)  # type: ignore[arg-type]
    norms = [0.0 if g is None else g.norm().item() for g in gradients]
    rows = []
    for index, name in enumerate(names):
        rows.append((name, index, "input_gradient", norms[index]))
        rows.append((name, index, "weight_gradient", norms[len(names) + index]))
    return pd.DataFrame(rows, columns=["layer", "index", "metric", "value"])
