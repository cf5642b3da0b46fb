"""The loss and the error that a target asks for."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def loss(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean loss over a batch, a scalar.

    Cross-entropy in nats, with `output` the logits (batch, classes, ...), where the target is of
    whole numbers (batch, ...); mean squared error, of equal shapes, where it is of reals.
    """
    if target.is_floating_point():
        return F.mse_loss(output, target)
    return F.cross_entropy(output, target)


def weighted_loss(output: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Return the mean over batch and positions of weight times cross-entropy, a scalar.

    Ronneberger et al. 2015 (arXiv 1505.04597), eq. 1, divided by the number of positions, so that
    weights of 1 give `loss`.

    Args:
        output: logits (batch, classes, ...).
        target: whole numbers (batch, ...).
        weights: (batch, ...), such as those of `residual_lib.data.borders.border_weights`.

    Raises:
        ValueError: there isn't one weight for each target.
    """
    if weights.shape != target.shape:
        raise ValueError(
            f"weights must have the shape of target {tuple(target.shape)}, "
            f"got {tuple(weights.shape)}"
        )
    return (weights * F.cross_entropy(output, target, reduction="none")).mean()
