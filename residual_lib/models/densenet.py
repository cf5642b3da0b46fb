"""Densely connected networks: every link reads all that was computed before it.

Huang et al. 2017, "Densely Connected Convolutional Networks" (arXiv 1608.06993), with its CIFAR
and ImageNet sizes. A link is ``Residual(branch, merge=concatenate)``: what comes out is what went
in, with a few new channels beside it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from residual_lib.models.registry import register_model
from residual_lib.nn import (
    Recomputed,
    concatenate_pieces,
    create_activation,
    create_conv,
    create_norm,
    initialise_,
)
from residual_lib.nn.checks import check_positive
from residual_lib.nn.convolutions import CONVOLUTIONS
from residual_lib.residual import Residual, concatenate

STEMS = ("imagenet", "cifar")
_POOLS = {1: (nn.MaxPool1d, nn.AvgPool1d), 2: (nn.MaxPool2d, nn.AvgPool2d)}


class DenseNet(nn.Module):
    """A stem, dense blocks with transitions between them, global average pooling, a linear head.

    Section 3 of the paper. Within a block, link l computes ``x_l = H_l([x_0, ..., x_{l-1}])``
    (eq. 2), `growth_rate` channels from all of those before, so that L links are L (L + 1) / 2
    connections. A transition is normalisation, activation, a 1x1 convolution that keeps
    `compression` of the channels, and a mean over pairs of positions on each axis. With a
    bottleneck (B) and a compression below 1 (C) it is the paper's DenseNet-BC.

    Shapes: (batch, in_chans, length) for ``dims=1`` or (batch, in_chans, height, width) for
    ``dims=2`` -> (batch, num_classes).

    Args:
        in_chans: channels of the input.
        num_classes: outputs.
        growth_rate: k, new channels of each link.
        block_config: links in each block.
        bn_size: a link's bottleneck, a 1x1 convolution to ``bn_size * growth_rate`` channels in
            front of its 3x3 convolution; None for none.
        num_init_features: channels of the stem; None for ``2 * growth_rate``.
        compression: theta, the share of the channels that a transition keeps, rounded down.
        drop_rate: dropout after each convolution but the first (section 4.2: 0.2 where the data
            aren't augmented). torchvision's drops only after the last of a link.
        stem: ``"imagenet"``: 7x7 convolution of stride 2, normalisation, activation, 3x3
            max-pooling of stride 2; ``"cifar"``: one 3x3 convolution.
        memory_efficient: keep each feature once for the backward pass and compute the links anew
            there, see `residual_lib.nn.Recomputed`: memory linear in the depth of a block instead
            of quadratic, for a forward pass more of time. Outputs and gradients are the same.
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
        growth_rate: int = 32,
        block_config: Sequence[int] = (6, 12, 24, 16),
        bn_size: int | None = 4,
        num_init_features: int | None = None,
        compression: float = 0.5,
        drop_rate: float = 0.0,
        stem: str = "imagenet",
        memory_efficient: bool = False,
        dims: int = 2,
        activation: str = "relu",
        norm_layer: str | None = "batch",
        init: str = "he",
    ) -> None:
        super().__init__()
        if num_init_features is None:
            num_init_features = 2 * growth_rate
        if not block_config:
            raise ValueError(f"block_config must be a number for each block, got {block_config!r}")
        for count in block_config:
            check_positive(block_config=count)
        check_positive(in_chans=in_chans, num_classes=num_classes, growth_rate=growth_rate)
        check_positive(num_init_features=num_init_features)
        if bn_size is not None:
            check_positive(bn_size=bn_size)
        if not 0 < compression <= 1:
            raise ValueError(f"compression must be above 0 and at most 1, got {compression!r}")
        if not 0 <= drop_rate < 1:
            raise ValueError(f"drop_rate must be from 0 to below 1, got {drop_rate!r}")
        if stem not in STEMS:
            raise ValueError(f"stem must be one of {list(STEMS)}, got {stem!r}")
        if dims not in CONVOLUTIONS:
            raise ValueError(f"dims must be 1 or 2, got {dims!r}")
        max_pool, average_pool = _POOLS[dims]

        def conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Module:
            # BatchNorm subtracts any constant, so a bias before it would do nothing.
            bias = norm_layer != "batch"
            return create_conv(inputs, outputs, size, stride=stride, dims=dims, bias=bias)

        def norm(channels: int) -> nn.Module:
            return create_norm(norm_layer, channels, dims=dims)

        def activate() -> nn.Module:
            return create_activation(activation)

        def make_stem(outputs: int) -> nn.Sequential:
            if stem == "cifar":
                return nn.Sequential(OrderedDict(layer=conv(in_chans, outputs, 3)))
            pool = max_pool(3, stride=2, padding=1)
            layer = conv(in_chans, outputs, 7, 2)
            return nn.Sequential(
                OrderedDict(layer=layer, norm=norm(outputs), act=activate(), pool=pool)
            )

        def make_link(inputs: int) -> Residual:
            widths = [inputs, growth_rate]
            if bn_size is not None:
                widths.insert(1, bn_size * growth_rate)
            parts: OrderedDict[str, nn.Module] = OrderedDict()
            for number, (before, after) in enumerate(pairwise(widths), start=1):
                last = number == len(widths) - 1
                parts[f"norm{number}"] = norm(before)
                parts[f"act{number}"] = activate()
                parts[f"layer{number}"] = conv(before, after, 3 if last else 1)
                if drop_rate:
                    parts[f"drop{number}"] = nn.Dropout(drop_rate)
            if memory_efficient:
                return Residual(Recomputed(parts), merge=concatenate_pieces)
            return Residual(nn.Sequential(parts), merge=concatenate)

        def make_transition(inputs: int, outputs: int) -> nn.Sequential:
            parts: OrderedDict[str, nn.Module] = OrderedDict()
            parts["norm"] = norm(inputs)
            parts["act"] = activate()
            parts["layer"] = conv(inputs, outputs, 1)
            if drop_rate:
                parts["drop"] = nn.Dropout(drop_rate)
            parts["pool"] = average_pool(2)
            return nn.Sequential(parts)

        channels = num_init_features
        stages = []
        self.stem = make_stem(channels)
        for number, count in enumerate(block_config, start=1):
            links = (make_link(channels + growth_rate * index) for index in range(count))
            stage: OrderedDict[str, nn.Module] = OrderedDict(links=nn.Sequential(*links))
            channels += growth_rate * count
            if number < len(block_config):
                kept = int(compression * channels)
                check_positive(**{"compression times channels": kept})
                stage["transition"] = make_transition(channels, kept)
                channels = kept
            stages.append(nn.Sequential(stage))
        self.stages = nn.Sequential(*stages)
        self.final = nn.Sequential(OrderedDict(norm=norm(channels), act=activate()))
        self.head = nn.Linear(channels, num_classes)
        initialise_(self, init, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        x = self.final(self.stages(self.stem(x)))
        return self.head(x.flatten(2).mean(-1))


_IMAGENET: dict[int, tuple[int, Sequence[int]]] = {
    121: (32, (6, 12, 24, 16)),
    169: (32, (6, 12, 32, 32)),
    201: (32, (6, 12, 48, 32)),
    161: (48, (6, 12, 36, 24)),
}
for _depth, (_rate, _links) in _IMAGENET.items():
    register_model(f"densenet{_depth}", DenseNet, growth_rate=_rate, block_config=_links)


def _cifar(depth: int, growth_rate: int, bottleneck: bool) -> dict[str, Any]:
    """Three blocks of as many links each (section 3): 3n + 4 layers, or 6n + 4 with bottlenecks."""
    count, rest = divmod(depth - 4, 6 if bottleneck else 3)
    assert not rest, depth
    size: dict[str, Any] = {"growth_rate": growth_rate, "block_config": (count,) * 3}
    if not bottleneck:
        size |= {"bn_size": None, "compression": 1.0, "num_init_features": 16}
    return size


_CIFAR_DEFAULTS = {"num_classes": 10, "stem": "cifar"}
for _depth, _rate in ((40, 12), (100, 12), (100, 24)):
    _name = f"densenet_{_depth}_{_rate}_cifar"
    register_model(_name, DenseNet, _CIFAR_DEFAULTS, **_cifar(_depth, _rate, False))
for _depth, _rate in ((100, 12), (250, 24), (190, 40)):
    _name = f"densenet_bc_{_depth}_{_rate}_cifar"
    register_model(_name, DenseNet, _CIFAR_DEFAULTS, **_cifar(_depth, _rate, True))

# Small ones for sequences and images of a few positions, in which everything can be changed.
_SMALL: dict[str, Any] = {**_CIFAR_DEFAULTS, "in_chans": 1, "growth_rate": 6}
_SMALL |= {"block_config": (3, 3, 3), "num_init_features": 8}
for _dims in (1, 2):
    register_model(f"small_densenet{_dims}d", DenseNet, _SMALL, dims=_dims)
