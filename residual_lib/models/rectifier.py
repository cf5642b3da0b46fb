"""Rectifier networks of one layer a block, on a number: where gradients shatter."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from residual_lib.models.registry import register_model
from residual_lib.nn import Scale, create_norm
from residual_lib.nn.checks import check_positive
from residual_lib.residual import Residual, add, branch_only


class RectifierNet(nn.Module):
    """Rectifier layers of one width, plain or residual, by default from a number to a number.

    Balduzzi et al. 2017 (arXiv 1702.08591), sections 2 and 3. With x the state, W a layer and norm
    as chosen, the residual block is ``x + beta W relu(norm(x))`` and the plain one is
    ``W relu(norm(x))``; the first layer comes before them and a linear read-out after them. He
    initialisation (normal, variance 2 / inputs). The first layer has normal biases of variance 1,
    which put the kinks of its rectifiers all over the inputs; else all would be at 0. Means over
    the batch would take the biases away again, so before those there are none. No other layer has
    biases. The paper's own choice of biases wasn't at hand.

    Shapes: (batch, ...) with `in_features` numbers an example -> (batch, num_classes).

    Args:
        in_features: numbers in one example.
        num_classes: outputs.
        depth: layers with weights: first layer, read-out and one a block, so from 2.
        width: units of every layer; the paper has 200.
        norm_layer: what comes before the rectifiers: ``"centre"``, which subtracts each unit's
            mean over the batch and does nothing else, or what `create_norm` knows: None,
            ``"batch"``, ``"layer"``.
        beta: what scales the branches; the paper's deep residual net has 0.1. For a plain net it
            is only a factor of the result.
        skip: True for the residual network.

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """

    def __init__(
        self,
        in_features: int = 1,
        num_classes: int = 1,
        *,
        depth: int = 24,
        width: int = 200,
        norm_layer: str | None = None,
        beta: float = 1.0,
        skip: bool = False,
    ) -> None:
        super().__init__()
        check_positive(in_features=in_features, num_classes=num_classes, width=width)
        if not isinstance(depth, int) or isinstance(depth, bool) or depth < 2:
            raise ValueError(f"depth must be a whole number from 2 (first, last), got {depth!r}")
        if isinstance(beta, bool) or not isinstance(beta, (int, float)) or not beta > 0:
            raise ValueError(f"beta must be a number above 0, got {beta!r}")

        def layer(inputs: int, outputs: int, bias: bool = False) -> nn.Linear:
            linear = nn.Linear(inputs, outputs, bias=bias)
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            return linear

        def norm() -> nn.Module:
            return Centre(width) if norm_layer == "centre" else create_norm(norm_layer, width)

        def block() -> Residual:
            branch = nn.Sequential(norm(), nn.ReLU(), layer(width, width))
            return Residual(branch, scale=Scale(beta), merge=add if skip else branch_only)

        self.stem = layer(in_features, width, bias=norm_layer not in ("centre", "batch"))
        if self.stem.bias is not None:
            nn.init.normal_(self.stem.bias)
        self.blocks = nn.Sequential(*(block() for _ in range(depth - 2)))
        self.head = layer(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x.flatten(1))))


class Centre(nn.Module):
    """Subtract each channel's mean over the batch, or in evaluation mode its running mean.

    BatchNorm without the division; it keeps its running mean in the same way and under the same
    name. Shapes: (batch, channels), unchanged.
    """

    running_mean: Tensor

    def __init__(self, channels: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x - self.running_mean
        mean = x.mean(0)
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
        return x - mean


register_model("plain_rectifier", RectifierNet, skip=False)
register_model("residual_rectifier", RectifierNet, skip=True)
