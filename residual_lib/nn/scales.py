"""Scales: what the branch's output is multiplied by before the merge."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from residual_lib.nn.checks import check_positive


class Scale(nn.Module):
    """Multiplication by a constant, on either path (He et al. 2016, section 3.1).

    Args:
        factor: the constant.
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = float(factor)

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x

    def extra_repr(self) -> str:
        return f"factor={self.factor:g}"


class LearnedScale(nn.Module):
    """Multiplication by what is learned: one number, or one for each channel.

    One number that starts at 0 is ReZero (Bachlechner et al. 2020, arXiv 2003.04887, eq. 1) and, in
    the place of a normalisation, SkipInit (De and Smith 2020, arXiv 2002.10444, section 3). A
    number a channel that starts small is LayerScale (Touvron et al. 2021, arXiv 2103.17239, eq. 4).

    Args:
        initial: where each number starts.
        channels: how many numbers; None for a single one.
        axis: where the channels stand: 1 for vectors and images, -1 for tokens (B, T, channels).

    Raises:
        ValueError: `channels` is no number from 1, or `axis` is neither 1 nor -1.
    """

    def __init__(self, initial: float = 0.0, channels: int | None = None, axis: int = 1) -> None:
        super().__init__()
        if channels is not None:
            check_positive(channels=channels)
        if axis not in (1, -1):
            raise ValueError(f"axis must be 1 or -1, got {axis!r}")
        self.initial, self.axis = float(initial), axis
        self.weight = nn.Parameter(torch.full((channels or 1,), self.initial))

    def forward(self, x: Tensor) -> Tensor:
        behind = x.ndim - 2 if self.axis == 1 else 0  # axes behind the channels
        return x * self.weight.view(-1, *[1] * behind)

    def extra_repr(self) -> str:
        return f"initial={self.initial:g}, channels={len(self.weight)}, axis={self.axis}"


SCALES = ("rezero", "layer_scale", "depth")
LAYER_SCALE = 0.1  # the first value of LayerScale: CaiT's for nets of up to 18 layers


def create_scale(
    name: str | None, *, blocks: int, channels: int, axis: int = 1
) -> LearnedScale | Scale | None:
    """Return what stands on a branch, by name; None stays None.

    Args:
        name: ``"rezero"``: one number, learned, from 0 (Bachlechner et al. 2020, arXiv 2003.04887,
            eq. 1). ``"layer_scale"``: a number for each channel, learned, from 0.1 (Touvron et
            al. 2021, arXiv 2103.17239, eq. 4). ``"depth"``: the constant 1 / sqrt(blocks), with
            which the sum of so many independent branches is about as large as one of them.
        blocks: residual blocks in the network; only ``"depth"`` asks.
        channels: of the branch's output; only ``"layer_scale"`` asks.
        axis: where these stand: 1 in vectors and images, -1 in a Transformer.

    Raises:
        ValueError: `name` is none of the above.
    """
    if name is None:
        return None
    if name not in SCALES:
        raise ValueError(f"scale must be one of {list(SCALES)} or None, got {name!r}")
    if name == "depth":
        return Scale(blocks**-0.5)
    if name == "layer_scale":
        return LearnedScale(LAYER_SCALE, channels, axis)
    return LearnedScale(0.0)
