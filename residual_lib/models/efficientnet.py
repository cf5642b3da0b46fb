"""EfficientNet: wide inside, narrow on the skip.

Tan and Le 2019 (arXiv 1905.11946), table 1, with the block of MobileNetV2 (Sandler et al. 2018,
arXiv 1801.04381: inverted residuals) and the gate of SENet inside it. In ResNet's bottleneck the
skip joins the wide layers; here it joins the narrow ones.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from residual_lib.models.registry import register_model
from residual_lib.nn import (
    DropPath,
    SqueezeExcitation,
    create_activation,
    create_conv,
    create_norm,
    drop_path_rates,
    initialise_,
)
from residual_lib.nn.checks import check_positive
from residual_lib.nn.convolutions import CONVOLUTIONS
from residual_lib.residual import Residual, add, branch_only

#: Stages of EfficientNet-B0: expansion, kernel, stride, channels, blocks (table 1).
B0_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
#: For images of 8x8 or 16x16, and sequences as short.
SMALL_STAGES = ((1, 3, 1, 8, 1), (4, 3, 2, 16, 3), (4, 3, 2, 24, 3))


class EfficientNet(nn.Module):
    """A stem, stages of inverted bottlenecks, one more 1x1 convolution, pooling, a linear head.

    A block that changes the channels or the size, as the first of a stage does, has no skip in this
    family, and is no `Residual`. Every other block is one.

    Shapes: (batch, in_chans, length) for ``dims=1`` or (batch, in_chans, height, width) for
    ``dims=2`` -> (batch, num_classes).

    Args:
        in_chans: channels of the input.
        num_classes: outputs.
        stages: for each its expansion, kernel size, stride of its first block, channels and blocks.
        stem_chans: channels of the stem, before `width_mult`.
        stem_stride: its stride.
        head_chans: channels of the last 1x1 convolution, before `width_mult`.
        width_mult: factor of all channels, rounded to a multiple of 8 by `rounded_channels`.
        depth_mult: factor of all numbers of blocks, rounded up.
        se_ratio: the gates squeeze to so many times the channels that *enter* the block, rounded
            down; 0 for no gates.
        skip: False for the plain network: each block's merge keeps the branch alone.
        drop_rate: probability, in training, of dropping an input of the head.
        drop_path_rate: stochastic depth: the probability of leaving the last block's branch out;
            it rises to that in a straight line from 0, over all blocks. It needs the skip.
        dims: number of position axes, 1 or 2.
        activation: name, see `residual_lib.nn.ACTIVATIONS`.
        norm_layer: ``"batch"``, ``"layer"`` or None.
        init: name of the initialisation, see `residual_lib.nn.initialise_`.

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int = 1000,
        *,
        stages: Sequence[Sequence[int]] = B0_STAGES,
        stem_chans: int = 32,
        stem_stride: int = 2,
        head_chans: int = 1280,
        width_mult: float = 1.0,
        depth_mult: float = 1.0,
        se_ratio: float = 0.25,
        skip: bool = True,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        dims: int = 2,
        activation: str = "silu",
        norm_layer: str | None = "batch",
        init: str = "he",
    ) -> None:
        super().__init__()
        check_positive(
            in_chans=in_chans,
            num_classes=num_classes,
            stem_chans=stem_chans,
            stem_stride=stem_stride,
            head_chans=head_chans,
        )
        if not stages or any(len(stage) != 5 for stage in stages):
            raise ValueError(
                "stages must be (expansion, kernel, stride, channels, blocks) for each stage, "
                f"got {stages!r}"
            )
        for stage in stages:
            check_positive(**{f"stages {name}": n for name, n in zip(_COLUMNS, stage, strict=True)})
        for name, factor in (("width_mult", width_mult), ("depth_mult", depth_mult)):
            if not factor > 0:
                raise ValueError(f"{name} must be above 0, got {factor!r}")
        if not 0 <= se_ratio <= 1:
            raise ValueError(f"se_ratio must be from 0 to 1, got {se_ratio!r}")
        for name, rate in (("drop_rate", drop_rate), ("drop_path_rate", drop_path_rate)):
            if not 0 <= rate < 1:
                raise ValueError(f"{name} must be from 0 to below 1, got {rate!r}")
        if drop_path_rate and not skip:
            raise ValueError("drop_path_rate must be 0 where skip=False: nothing would be left")
        if dims not in CONVOLUTIONS:
            raise ValueError(f"dims must be 1 or 2, got {dims!r}")

        def wide(channels: int) -> int:
            return rounded_channels(channels * width_mult)

        def layer(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
            # BatchNorm subtracts any constant, so a bias before it would do nothing.
            bias = norm_layer != "batch"
            conv = create_conv(inputs, outputs, size, stride=stride, dims=dims, bias=bias)
            norm = create_norm(norm_layer, outputs, dims=dims)
            return nn.Sequential(
                OrderedDict(layer=conv, norm=norm, act=create_activation(activation))
            )

        def make_block(
            inputs: int, outputs: int, expansion: int, size: int, stride: int, drop: float
        ) -> nn.Module:
            branch = inverted_bottleneck(
                inputs,
                outputs,
                expansion=expansion,
                kernel_size=size,
                stride=stride,
                squeeze_channels=max(1, int(inputs * se_ratio)) if se_ratio else 0,
                dims=dims,
                activation=activation,
                norm_layer=norm_layer,
            )
            if stride != 1 or inputs != outputs:
                return branch
            scale = DropPath(drop) if drop else None
            return Residual(branch, scale=scale, merge=add if skip else branch_only)

        counts = [math.ceil(blocks * depth_mult) for *_, blocks in stages]
        rates = drop_path_rates(drop_path_rate, sum(counts))
        channels = wide(stem_chans)
        self.stem = layer(in_chans, channels, 3, stem_stride)
        parts = []
        for (expansion, size, first_stride, out, _), count in zip(stages, counts, strict=True):
            blocks = []
            for index in range(count):
                stride = 1 if index else first_stride
                blocks.append(
                    make_block(channels, wide(out), expansion, size, stride, rates.pop(0))
                )
                channels = wide(out)
            parts.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*parts)
        self.final = layer(channels, wide(head_chans), 1)
        self.drop = nn.Dropout(drop_rate)
        self.head = nn.Linear(wide(head_chans), num_classes)
        initialise_(self, init, activation="identity")

    def forward(self, x: Tensor) -> Tensor:
        x = self.final(self.stages(self.stem(x)))
        return self.head(self.drop(x.flatten(2).mean(-1)))


def inverted_bottleneck(
    in_chans: int,
    out_chans: int,
    *,
    expansion: int = 6,
    kernel_size: int = 3,
    stride: int = 1,
    squeeze_channels: int = 0,
    dims: int = 2,
    activation: str = "silu",
    norm_layer: str | None = "batch",
) -> nn.Sequential:
    """MBConv's branch: 1x1 to `expansion` times the channels, depthwise, a gate, 1x1 to few.

    The last convolution has no activation behind it: a ReLU of few channels would lose too much of
    them (Sandler et al. 2018, section 3.2). With an expansion of 1 the first 1x1 is left out.

    Args:
        in_chans, out_chans: channels on axis 1.
        expansion: channels inside, for each that enters.
        kernel_size, stride: of the depthwise convolution, in which each channel reads itself alone.
        squeeze_channels: units in the middle of the gate, see `SqueezeExcitation`; 0 for no gate.
        dims, activation, norm_layer: see `EfficientNet`.
    """
    inner = expansion * in_chans
    bias = norm_layer != "batch"
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    if expansion != 1:
        parts["expand"] = create_conv(in_chans, inner, dims=dims, bias=bias)
        parts["norm1"] = create_norm(norm_layer, inner, dims=dims)
        parts["act1"] = create_activation(activation)
    parts["depthwise"] = create_conv(
        inner, inner, kernel_size, stride=stride, dims=dims, bias=bias, groups=inner
    )
    parts["norm2"] = create_norm(norm_layer, inner, dims=dims)
    parts["act2"] = create_activation(activation)
    if squeeze_channels:
        parts["se"] = SqueezeExcitation(
            inner, squeeze_channels=squeeze_channels, activation=activation, dims=dims
        )
    parts["project"] = create_conv(inner, out_chans, dims=dims, bias=bias)
    parts["norm3"] = create_norm(norm_layer, out_chans, dims=dims)
    return nn.Sequential(parts)


def rounded_channels(channels: float) -> int:
    """Return the multiple of 8 that is nearest, and at least 8, but never below 90 % of `channels`.

    As in the authors' code.
    """
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


_COLUMNS = ("expansion", "kernel", "stride", "channels", "blocks")
# The published sizes: factors of width and depth, dropout before the head (section 4 and the
# authors' code). In training the authors had a drop_path_rate of 0.2.
_SIZES = (
    (1.0, 1.0, 0.2),
    (1.0, 1.1, 0.2),
    (1.1, 1.2, 0.3),
    (1.2, 1.4, 0.3),
    (1.4, 1.8, 0.4),
    (1.6, 2.2, 0.4),
    (1.8, 2.6, 0.5),
    (2.0, 3.1, 0.5),
)
for _number, (_width, _depth, _drop) in enumerate(_SIZES):
    register_model(
        f"efficientnet_b{_number}",
        EfficientNet,
        {"drop_rate": _drop},
        stages=B0_STAGES,
        width_mult=_width,
        depth_mult=_depth,
    )
for _dims in (1, 2):
    _small = {"in_chans": 1, "num_classes": 10, "stages": SMALL_STAGES}
    _small |= {"stem_chans": 8, "stem_stride": 1, "head_chans": 64}
    register_model(f"small_efficientnet{_dims}d", EfficientNet, _small, dims=_dims)
