"""The U-Net: each level is a skip around everything below it.

Ronneberger, Fischer and Brox 2015, "U-Net: Convolutional Networks for Biomedical Image
Segmentation" (arXiv 1505.04597). A level is ``Residual(branch=half the size, the level below, twice
the size; merge=concatenate)`` between two pairs of convolutions, so the U is a `Residual` inside a
`Residual` inside a `Residual`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

from torch import Tensor, nn

from residual_lib.models.registry import register_model
from residual_lib.nn import create_activation, create_conv, create_norm, initialise_
from residual_lib.nn.checks import check_positive
from residual_lib.nn.convolutions import CONVOLUTIONS
from residual_lib.residual import Residual, add, branch_only, concatenate

MERGES = {"concatenate": concatenate, "add": add}
_POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d}
_UPS = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d}
_PAIR = 2  # positions that two 3x3 convolutions without padding lose on each side


class UNet(nn.Module):
    """A class for each position: a path down that sees far, a path up that knows where.

    Each level has two 3x3 convolutions on the way down and two on the way up (figure 1). Below it
    lie 2x2 max-pooling of stride 2, the next level with twice the channels, and a 2x2
    up-convolution of stride 2 back to half of these. A 1x1 convolution makes the classes.

    Shapes: (batch, in_chans, length) for ``dims=1`` or (batch, in_chans, height, width) for
    ``dims=2`` -> (batch, num_classes, ...) with the same size, or without padding with the size
    that `output_size` tells. Any size will do. Where a size is odd, padded levels pool its last
    position alone and cut off what is too much on the way up; levels without padding leave it out.

    Attributes:
        alignment: ``2 ** depth``: moved by so many positions, an input gives the output moved.
        lost: positions by which the output is shorter than the input, on each side: 0 if padded.
        context: positions around a tile of output, on each side, that it depends on, if the tile
            begins and ends at multiples of `alignment`. See `residual_lib.tiles`.

    Args:
        in_chans: channels of the input.
        num_classes: channels of the output.
        width: channels of the first level; each level has twice those of the one above.
        depth: levels below the first.
        padded: whether convolutions keep the size. False, as in the paper: only positions are
            computed whose whole surroundings are in the image, and shortcuts are cropped.
        skips: numbers of the levels that have their skip, 0 being the first and finest; None for
            all. Without it the level's merge keeps the branch alone.
        merge: ``"concatenate"`` the skip with what comes from below, as in the paper, or
            ``"add"``, which halves the channels that the next convolution reads.
        drop_rate: dropout at the end of the path down (section 3.1, which doesn't say the rate).
        dims: number of position axes, 1 or 2.
        activation: name, see `residual_lib.nn.ACTIVATIONS`.
        norm_layer: ``"batch"``, ``"layer"`` or None, as in the paper, after each 3x3 convolution.
        init: name of the initialisation, see `residual_lib.nn.initialise_`.

    Raises:
        ValueError: an argument is out of its range; the message names it. Or, at the forward
            pass, the input is too small for a network without padding.
    """

    def __init__(
        self,
        in_chans: int = 1,
        num_classes: int = 2,
        *,
        width: int = 64,
        depth: int = 4,
        padded: bool = True,
        skips: Collection[int] | None = None,
        merge: str = "concatenate",
        drop_rate: float = 0.0,
        dims: int = 2,
        activation: str = "relu",
        norm_layer: str | None = "batch",
        init: str = "he",
    ) -> None:
        super().__init__()
        check_positive(in_chans=in_chans, num_classes=num_classes, width=width, depth=depth)
        levels = range(depth)
        skips = levels if skips is None else skips
        if not isinstance(skips, Collection) or not set(skips) <= set(levels):
            raise ValueError(f"skips must be levels from 0 to {depth - 1}, or None; got {skips!r}")
        if merge not in MERGES:
            raise ValueError(f"merge must be one of {list(MERGES)}, got {merge!r}")
        if not 0 <= drop_rate < 1:
            raise ValueError(f"drop_rate must be from 0 to below 1, got {drop_rate!r}")
        if dims not in CONVOLUTIONS:
            raise ValueError(f"dims must be 1 or 2, got {dims!r}")

        def conv(inputs: int, outputs: int) -> nn.Module:
            # BatchNorm subtracts any constant, so a bias before it would do nothing.
            bias = norm_layer != "batch"
            return create_conv(inputs, outputs, 3, dims=dims, bias=bias, padded=padded)

        def two_convs(inputs: int, outputs: int) -> nn.Sequential:
            parts: OrderedDict[str, nn.Module] = OrderedDict()
            for number, channels in enumerate((inputs, outputs), start=1):
                parts[f"layer{number}"] = conv(channels, outputs)
                parts[f"norm{number}"] = create_norm(norm_layer, outputs, dims=dims)
                parts[f"act{number}"] = create_activation(activation)
            return nn.Sequential(parts)

        def make_level(number: int, inputs: int) -> nn.Sequential:
            channels = width * 2**number
            parts: OrderedDict[str, nn.Module] = OrderedDict(encode=two_convs(inputs, channels))
            if number < depth:
                branch = Below(
                    _POOLS[dims](2, ceil_mode=padded),
                    make_level(number + 1, channels),
                    _UPS[dims](2 * channels, channels, 2, stride=2),
                )
                joined = MERGES[merge] if number in skips else branch_only
                shortcut = None if padded else Crop(depth - number)
                parts["skip"] = Residual(branch, shortcut=shortcut, merge=joined)
                wider = 2 if joined is concatenate else 1
                parts["decode"] = two_convs(wider * channels, channels)
            elif drop_rate:
                parts["drop"] = nn.Dropout(drop_rate)
            return nn.Sequential(parts)

        self.depth, self.padded = depth, padded
        self.alignment = 2**depth
        self.lost = 0 if padded else lost_by(depth)
        # In whole steps, so that max-pooling pairs the positions that it pairs everywhere.
        steps = -(-reach_of(depth) // self.alignment)
        self.context = steps * self.alignment if padded else self.lost
        self.level = make_level(0, in_chans)
        self.head = create_conv(width, num_classes, dims=dims, bias=True)
        initialise_(self, init, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        sizes = tuple(x.shape[2:])
        if any(self.output_size(size) < 1 for size in sizes):
            least = next(n for n in range(1, 99 * self.alignment) if self.output_size(n) > 0)
            raise ValueError(f"x must have at least {least} positions on each axis, got {sizes}")
        return self.head(self.level(x))

    def output_size(self, size: int) -> int:
        """Positions of the output on an axis where the input has `size`; below 1 for too few."""
        return size if self.padded else size_after(size, self.depth)


class Below(nn.Module):
    """Half the size, the level below, twice the size: the branch of a level.

    Where pooling rounded an odd size up, the output is cut to the size of the input.
    """

    def __init__(self, down: nn.Module, level: nn.Module, up: nn.Module) -> None:
        super().__init__()
        self.down, self.level, self.up = down, level, up

    def forward(self, x: Tensor) -> Tensor:
        y = self.up(self.level(self.down(x)))
        for axis in range(2, x.ndim):
            y = y.narrow(axis, 0, min(x.shape[axis], y.shape[axis]))
        return y


class Crop(nn.Module):
    """'Copy and crop': the part of x for which the levels below have something to say.

    Args:
        levels: how many there are below, none of them padded.
    """

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.margin = 2 * lost_by(levels - 1)

    def forward(self, x: Tensor) -> Tensor:
        for axis in range(2, x.ndim):
            # From the left, where pooling begins to count: an odd size ends at the right.
            size = 2 * size_after(x.shape[axis] // 2, self.levels - 1)
            x = x.narrow(axis, self.margin, size)
        return x

    def extra_repr(self) -> str:
        return f"margin={self.margin}"


def lost_by(levels: int) -> int:
    """Positions that a level without padding loses on each side, with so many levels below it.

    A pair of convolutions on the way down, twice what the level below loses, and a pair on the way
    up: 2, 8, 20, 44, 92, ..., which is ``6 * 2 ** levels - 4``.
    """
    return _PAIR if levels == 0 else 2 * _PAIR + 2 * lost_by(levels - 1)


def reach_of(levels: int) -> int:
    """Positions before a multiple of ``2 ** levels`` that those from there on depend on.

    On the way up two convolutions reach 2 positions further, of which pooling makes half, rounded
    up; on the way down each of those is two positions, and two convolutions reach 2 further.
    """
    reach = 0
    for _ in range(levels):
        reach = -(-(reach + _PAIR) // 2)
    reach += _PAIR
    for _ in range(levels):
        reach = 2 * reach + _PAIR
    return reach


def size_after(size: int, levels: int) -> int:
    """Positions left of `size` by a level without padding, with so many levels below it."""
    size -= 2 * _PAIR
    return size if levels == 0 else 2 * size_after(size // 2, levels - 1) - 2 * _PAIR


register_model("unet_2015", UNet, {"norm_layer": None}, padded=False, depth=4, dims=2)
register_model("unet", UNet, dims=2, padded=True)
for _dims in (1, 2):
    register_model(f"small_unet{_dims}d", UNet, {"width": 8, "depth": 2}, dims=_dims)
