"""The loss and the error that a target asks for."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

#: A target that asks for nothing: it counts neither in the loss nor in the error.
IGNORED = -100


def loss(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean loss over a batch, a scalar.

    Cross-entropy in nats, with `output` the logits (batch, classes, ...), where the target is of
    whole numbers (batch, ...); mean squared error, of equal shapes, where it is of reals. The mean
    is over examples and positions, except those whose target is `IGNORED`.
    """
    if target.is_floating_point():
        return F.mse_loss(output, target)
    if output.ndim > 2 and output.stride(1) == 1:
        # The classes lie side by side in memory, as a language model gives them: told so, PyTorch
        # is up to four times as fast.
        output, target = output.movedim(1, -1).flatten(0, -2), target.flatten()
    return F.cross_entropy(output, target, ignore_index=IGNORED)


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


def error(output: Tensor, target: Tensor) -> Tensor:
    """Return the share of wrong answers, 0 to 1, a scalar: another class has the largest logit.

    Shapes and what counts are as for `loss`; the target must be of whole numbers.
    """
    counts = target != IGNORED
    return ((output.argmax(1) != target) & counts).float().sum() / counts.sum()


def answers(target: Tensor) -> int:
    """Return over how many numbers of `target` the loss is a mean."""
    return target.numel() if target.is_floating_point() else int((target != IGNORED).sum())
