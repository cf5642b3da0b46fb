"""Channel attention: each channel is multiplied by a number from 0 to 1 that all of them give.

Both modules return ``x * gate(x)``, so that they fit a block's slot `scale`: the branch's output is
multiplied by a gate that it computes itself.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

from residual_lib.nn.activations import create_activation
from residual_lib.nn.checks import check_positive
from residual_lib.nn.convolutions import create_conv

_POOL: dict[int, type[nn.AdaptiveAvgPool1d] | type[nn.AdaptiveAvgPool2d]] = {
    1: nn.AdaptiveAvgPool1d,
    2: nn.AdaptiveAvgPool2d,
}


class SqueezeExcitation(nn.Module):
    """Squeeze to the channels' means, excite by two layers, scale (Hu et al. 2018).

    arXiv 1709.01507, section 3, equations 2 to 4: with z the mean of each channel over the
    positions, the gate is ``sigmoid(W2 act(W1 z + b1) + b2)``, one number for each channel.

    Shapes: (B, channels, length) for ``dims=1``, (B, channels, height, width) for ``dims=2``, the
    same out.

    Args:
        channels: of the input.
        reduction: the layer in the middle has ``channels // reduction`` units, at least 1.
        squeeze_channels: how many it has, in place of `reduction`.
        activation: in the middle: a name, see `residual_lib.nn.ACTIVATIONS`.
        dims: number of position axes, 1 or 2.

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 16,
        squeeze_channels: int | None = None,
        activation: str = "relu",
        dims: int = 2,
    ) -> None:
        super().__init__()
        check_positive(channels=channels, reduction=reduction)
        _check_dims(dims)
        if squeeze_channels is None:
            squeeze_channels = max(1, channels // reduction)
        check_positive(squeeze_channels=squeeze_channels)
        self.gate = nn.Sequential(
            OrderedDict(
                pool=_POOL[dims](1),
                fc1=create_conv(channels, squeeze_channels, dims=dims, bias=True),
                act=create_activation(activation),
                fc2=create_conv(squeeze_channels, channels, dims=dims, bias=True),
                sigmoid=nn.Sigmoid(),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class EfficientChannelAttention(nn.Module):
    """A gate that sees only neighbouring channels: `kernel_size` weights in all (Wang et al. 2020).

    arXiv 1910.03151, section 3.3: the gate is ``sigmoid`` of a convolution over the channels'
    means, along the channels. Which channels are neighbours is for training to arrange.

    Shapes: (B, channels, ...), unchanged.

    Args:
        channels: of the input; decides the kernel's size where none is given.
        kernel_size: odd. Default: log2(channels) / 2 + 1 / 2 cut to a whole number, or the next
            one if that is even (the paper's equation 12 with gamma 2 and b 1, as in its code).

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """

    def __init__(self, channels: int, *, kernel_size: int | None = None) -> None:
        super().__init__()
        check_positive(channels=channels)
        if kernel_size is None:
            kernel_size = int(math.log2(channels) / 2 + 0.5)
            kernel_size += kernel_size % 2 == 0
        check_positive(kernel_size=kernel_size)
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {kernel_size!r}")
        self.layer = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def gate(self, x: Tensor) -> Tensor:
        """Return the numbers that x is multiplied by, (B, channels, 1, ...)."""
        means = x.flatten(2).mean(-1)
        gate = torch.sigmoid(self.layer(means.unsqueeze(1)).squeeze(1))
        return gate.view(*gate.shape, *[1] * (x.ndim - 2))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


def _check_dims(dims: int) -> None:
    if dims not in _POOL:
        raise ValueError(f"dims must be one of {list(_POOL)}, got {dims!r}")
