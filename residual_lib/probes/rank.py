"""Rank collapse: how far the positions of a sequence are from being all alike."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor, nn

from residual_lib.probes.stream import states_of


def rank_collapse(
    model: nn.Module, batch: tuple[Tensor, Tensor], *, training: bool = False
) -> pd.DataFrame:
    """Measure how far the stream is from rank one after each block.

    Dong, Cordonnier and Loukas 2021, "Attention is not all you need" (arXiv 2103.03404), section 2:
    for X of shape (positions, channels), res(X) = X - 1 x^T with the x that makes it smallest, and
    what is measured is ||res(X)|| / ||X||: 0 where every position holds the same vector. Attention
    alone drives it there, the faster the deeper.

    Two norms. In the Frobenius norm the best x is the mean over positions, exactly; it doesn't
    change when the channels are rotated; and the ratio lies between 0 and 1, for its square is the
    share of X's energy that the mean leaves out. The paper's composite norm, ||X||_{1,inf} =
    sqrt(||X||_1 ||X||_inf) with the largest column and row sums, is what its theorem bounds. No
    formula gives its best x, so the mean is taken here as well, which may make it larger than the
    paper's, and above 1 even.

    Args:
        model: any model made of `Residual` whose blocks take (batch, positions, channels).
        batch: inputs and targets; only the inputs are used.
        training: whether the model runs in training mode, with dropout, or in evaluation mode.

    Returns:
        Columns ``layer`` (the block's qualified name), ``depth`` (1 for the first to finish; 0 and
        no name for what enters the first), ``metric`` (``"frobenius"``, ``"composite"``) and
        ``value``, the mean over examples of that ratio.

    Raises:
        ValueError: the model has no block, or a block's output has other axes.
    """
    rows = []
    for depth, (layer, _, y) in enumerate(states_of(model, batch[0], training=training)):
        if y.ndim != 3:
            raise ValueError(
                "model must have blocks that give (batch, positions, channels), but "
                f"{layer or 'the first'} has {tuple(y.shape)}"
            )
        rest = y - y.mean(1, keepdim=True)
        for metric, norm in (("frobenius", _frobenius), ("composite", _composite)):
            rows.append((layer, depth, metric, (norm(rest) / norm(y)).mean().item()))
    return pd.DataFrame(rows, columns=["layer", "depth", "metric", "value"])


def _frobenius(x: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(x)


def _composite(x: Tensor) -> Tensor:
    columns, lines = (torch.linalg.matrix_norm(x, order) for order in (1, torch.inf))
    return (columns * lines).sqrt()
