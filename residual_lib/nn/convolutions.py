"""Convolutions over any number of position axes."""

from __future__ import annotations

from torch import nn

CONVOLUTIONS: dict[int, type[nn.Conv1d] | type[nn.Conv2d]] = {1: nn.Conv1d, 2: nn.Conv2d}
DIMS = (0, *CONVOLUTIONS)


def create_conv(
    in_chans: int,
    out_chans: int,
    kernel_size: int = 1,
    *,
    stride: int = 1,
    dims: int = 2,
    bias: bool = False,
    padded: bool = True,
    groups: int = 1,
) -> nn.Module:
    """Return a convolution, padded so that it keeps the size where ``stride`` is 1.

    Args:
        in_chans, out_chans: channels on axis 1.
        kernel_size: odd, on every position axis.
        stride: positions per step, on every position axis.
        dims: number of position axes: 1 for (B, C, L), 2 for (B, C, H, W), or 0 for vectors
            (B, C), for which a 1x1 convolution is a linear layer.
        bias: whether it adds one. BatchNorm after it would subtract it again.
        padded: False for no padding: ``kernel_size - 1`` positions are lost on every axis.
        groups: an output channel reads only the input channels of its own group; as many groups as
            channels make a depthwise convolution. Not for vectors.

    Raises:
        ValueError: `dims` or `kernel_size` is none of the above, or `groups` doesn't divide the
            channels.
    """
    if dims not in DIMS:
        raise ValueError(f"dims must be one of {list(DIMS)}, got {dims!r}")
    if groups < 1 or in_chans % groups or out_chans % groups:
        raise ValueError(f"groups must divide {in_chans} and {out_chans} channels, got {groups!r}")
    if dims == 0:
        if kernel_size != 1 or stride != 1:
            raise ValueError(f"kernel_size and stride must be 1 for vectors, got {kernel_size!r}")
        if groups != 1:
            raise ValueError(f"groups must be 1 for vectors, got {groups!r}")
        return nn.Linear(in_chans, out_chans, bias=bias)
    if kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd to keep the size, got {kernel_size!r}")
    return CONVOLUTIONS[dims](
        in_chans,
        out_chans,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2 if padded else 0,
        bias=bias,
        groups=groups,
    )
