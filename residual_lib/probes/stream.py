"""The residual stream: what flows past the blocks, which read from it and write to it.

The word is that of Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits". At one
position it is a vector of channels, and a block with an identity shortcut adds another to it.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from residual_lib.probes.masking import blocks_of
from residual_lib.probes.tap import runs_of, untouched


class State(NamedTuple):
    """What has left a block, ``y``, and what had entered it, ``x``."""

    layer: str
    x: Tensor
    y: Tensor


@torch.no_grad()
def states_of(model: nn.Module, x: Tensor, *, training: bool = False) -> list[State]:
    """Return the state of the stream after each block, in the order in which they finish.

    The first has no layer's name, and is what enters the first block.

    Raises:
        ValueError: the model has no block.
    """
    blocks = blocks_of(model)
    with untouched(model, training=training), runs_of(blocks) as runs:
        model(x)
    entered = runs[0][1]
    return [State("", entered, entered), *(State(*run) for run in runs)]


def residual_stream(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    *,
    axis: int = -1,
    training: bool = False,
) -> pd.DataFrame:
    """Measure how the stream grows, and how far each block turns it.

    Where branches are uncorrelated with the stream and as large at every depth, its squared norm
    grows in a straight line, and each block changes its direction less than the one before.

    Args:
        model: any model made of `Residual`.
        batch: inputs and targets; only the inputs are used.
        axis: where the channels stand: -1 for a Transformer or an MLP, 1 for convolutions.
        training: whether the model runs in training mode, with dropout, or in evaluation mode.

    Returns:
        Columns ``layer`` (the block's qualified name), ``depth`` (1 for the first to finish; 0 and
        no name for what enters the first), ``metric`` and ``value``. Each value is a mean over
        examples and positions, of vectors of channels x that enter a block and y that leave it:

        - ``"norm"``: L2 norm of y;
        - ``"growth"``: norm of y over norm of x, where they have one shape;
        - ``"cosine"``: of the angle between x and y, where they have one shape; 1 for a block that
          doesn't turn the stream.

    Raises:
        ValueError: the model has no block.
    """
    rows = []
    for depth, (layer, x, y) in enumerate(states_of(model, batch[0], training=training)):
        measured = {"norm": y.norm(dim=axis)}
        if depth and x.shape == y.shape:
            measured["growth"] = y.norm(dim=axis) / x.norm(dim=axis)
            measured["cosine"] = cosine_similarity(x, y, dim=axis)
        rows += [(layer, depth, metric, value.mean().item()) for metric, value in measured.items()]
    return pd.DataFrame(rows, columns=["layer", "depth", "metric", "value"])
