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
