"""Residual networks for images, as published, and the plain networks beside them.

He et al. 2015 (arXiv 1512.03385) with its CIFAR and ImageNet sizes, and He et al. 2016
(arXiv 1603.05027) with its five orders and its shortcuts; those with channel attention of Hu et al.
2018 (arXiv 1709.01507) and Wang et al. 2020 (arXiv 1910.03151). All of them are one class.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from residual_lib.models.registry import register_model
from residual_lib.nn import (
    PREACTIVATIONS,
    DropPath,
    EfficientChannelAttention,
    SqueezeExcitation,
    create_activation,
    create_conv,
    create_norm,
    create_shortcut,
    drop_paths,
    dropped,
    in_order,
    initialise_,
    zero_branches_,
)
from residual_lib.nn.checks import check_positive
from residual_lib.nn.convolutions import CONVOLUTIONS
from residual_lib.residual import Residual, branch_only

EXPANSION = {"basic": 1, "bottleneck": 4}
STEMS = ("imagenet", "deep", "cifar")
CHANNEL_ATTENTION = ("se", "eca")
PLACES = ("standard", "pre", "post", "identity")
_MAX_POOL = {1: nn.MaxPool1d, 2: nn.MaxPool2d}


class ResNet(nn.Module):
    """A stem, stages of residual blocks, global average pooling, a linear head.

    Each stage but the first halves the size and doubles the channels, in its first block. The stem
    ends with a normalisation and an activation whatever the order, so that the first block of a
    pre-activation network needs none of its own (He et al. 2016, section 4.1). Later stages of
    such a network begin with theirs in front of the block, so that branch and shortcut both read
    the activated input, as in its authors' code.

    Shapes: (batch, in_chans, length) for ``dims=1`` or (batch, in_chans, height, width) for
    ``dims=2`` -> (batch, num_classes).

    Args:
        in_chans: channels of the input.
        num_classes: outputs.
        blocks: blocks in each stage.
        width: channels of the first stage's 3x3 convolutions.
        block: ``"basic"``, two 3x3 convolutions, or ``"bottleneck"``, 1x1, 3x3 and a 1x1 to four
            times the channels (He et al. 2015, figure 5).
        order: where normalisations and activations stand, see `residual_lib.nn.in_order`.
        shortcut: name, see `residual_lib.nn.create_shortcut`.
        shortcut_args: its options, such as ``{"bias": -6}``.
        skip: False for the plain network: each block's merge keeps the branch alone.
        stem: ``"imagenet"``: 7x7 convolution of stride 2 and 3x3 max-pooling of stride 2;
            ``"deep"``: three 3x3 convolutions in place of the 7x7 (ResNet-C, He et al. 2018);
            ``"cifar"``: one 3x3 convolution, stride 1, no pooling.
        stride_in_1x1: in a bottleneck, stride in the first 1x1 convolution, as in the paper,
            instead of in the 3x3, as in torchvision ('v1.5').
        dims: number of position axes, 1 or 2.
        activation: name, see `residual_lib.nn.ACTIVATIONS`.
        norm_layer: ``"batch"``, ``"layer"`` or None.
        zero_init_residual: start the last layer with weights of each branch at 0, so that each
            block starts as its shortcut (Goyal et al. 2017, arXiv 1706.02677, section 5.1).
        drop_path_rate: stochastic depth: the probability of leaving the last branch out; those
            before it rise to it in a straight line from 0. See `residual_lib.nn.DropPath`.
        drop_path_per: who draws: each ``"example"``, or once a ``"batch"``, where a branch that is
            left out isn't computed.
        init: name of the initialisation, see `residual_lib.nn.initialise_`.

    Raises:
        ValueError, TypeError: an argument is wrong; the message names it.
    """

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int = 1000,
        *,
        blocks: Sequence[int] = (2, 2, 2, 2),
        width: int = 64,
        block: str = "basic",
        order: str = "original",
        shortcut: str = "B",
        shortcut_args: Mapping[str, Any] | None = None,
        skip: bool = True,
        stem: str = "imagenet",
        stride_in_1x1: bool = False,
        dims: int = 2,
        activation: str = "relu",
        norm_layer: str | None = "batch",
        zero_init_residual: bool = False,
        drop_path_rate: float = 0.0,
        channel_attention: str | None = None,
        reduction: int = 16,
        attention_place: str = "standard",
        drop_path_per: str = "example",
        init: str = "he",
    ) -> None:
        super().__init__()
        check_positive(in_chans=in_chans, num_classes=num_classes, width=width, reduction=reduction)
        if not blocks:
            raise ValueError(f"blocks must be a number for each stage, got {blocks!r}")
        for count in blocks:
            check_positive(blocks=count)
        if block not in EXPANSION:
            raise ValueError(f"block must be one of {list(EXPANSION)}, got {block!r}")
        if stem not in STEMS:
            raise ValueError(f"stem must be one of {list(STEMS)}, got {stem!r}")
        if dims not in CONVOLUTIONS:
            raise ValueError(f"dims must be 1 or 2, got {dims!r}")
        if not 0 <= drop_path_rate < 1:
            raise ValueError(f"drop_path_rate must be from 0 to below 1, got {drop_path_rate!r}")
        if channel_attention not in (None, *CHANNEL_ATTENTION):
            allowed = [None, *CHANNEL_ATTENTION]
            raise ValueError(
                f"channel_attention must be one of {allowed}, got {channel_attention!r}"
            )
        if attention_place not in PLACES:
            raise ValueError(
                f"attention_place must be one of {list(PLACES)}, got {attention_place!r}"
            )

        def conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Module:
            # BatchNorm subtracts any constant, so a bias before it would do nothing.
            bias = norm_layer != "batch"
            return create_conv(inputs, outputs, size, stride=stride, dims=dims, bias=bias)

        def norm(channels: int) -> nn.Module:
            return create_norm(norm_layer, channels, dims=dims)

        def activate() -> nn.Module:
            return create_activation(activation)

        def attention(channels: int, place: str) -> nn.Module | None:
            if channel_attention is None or place != attention_place:
                return None
            if channel_attention == "eca":
                return EfficientChannelAttention(channels)
            return SqueezeExcitation(channels, reduction=reduction, dims=dims)

        def make_stem() -> nn.Sequential:
            parts: OrderedDict[str, nn.Module] = OrderedDict()
            if stem == "cifar":
                parts["layer"] = conv(in_chans, width, 3)
            elif stem == "imagenet":
                parts["layer"] = conv(in_chans, width, 7, 2)
            else:
                half = width // 2
                for number, (inputs, stride) in enumerate(((in_chans, 2), (half, 1)), start=1):
                    parts[f"layer{number}"] = conv(inputs, half, 3, stride)
                    parts[f"norm{number}"] = norm(half)
                    parts[f"act{number}"] = activate()
                parts["layer"] = conv(half, width, 3)
            parts["norm"] = norm(width)
            parts["act"] = activate()
            if stem != "cifar":
                parts["pool"] = _MAX_POOL[dims](3, stride=2, padding=1)
            return nn.Sequential(parts)

        def make_block(
            inputs: int, inner: int, stride: int, drop: DropPath | None, place: str
        ) -> nn.Module:
            outputs = inner * EXPANSION[block]
            if block == "basic":
                channels = [inputs, inner, outputs]
                layers = [conv(inputs, inner, 3, stride), conv(inner, outputs, 3)]
            else:
                channels = [inputs, inner, inner, outputs]
                strides = (stride, 1) if stride_in_1x1 else (1, stride)
                layers = [
                    conv(inputs, inner, 1, strides[0]),
                    conv(inner, inner, 3, strides[1]),
                    conv(inner, outputs, 1),
                ]
            parts = in_order(layers, channels, norm, activate, order)
            # The two paths meet on equal terms: a projection is normalised where the branch is.
            ends_normalised = f"norm{len(layers)}" in parts.body and order != "preactivation"
            slots = create_shortcut(
                shortcut,
                inputs,
                outputs,
                stride=stride,
                dims=dims,
                norm_layer=norm_layer if ends_normalised else None,
                **(shortcut_args or {}),
            )
            for slot, where in (("scale", "standard"), ("shortcut", "identity")):
                gated = _chain({slot: slots.get(slot), "attention": attention(outputs, where)})
                if gated is not None:
                    slots[slot] = gated
            if drop is not None:
                slots["scale"] = dropped(drop, slots.get("scale"))
            if not skip:
                slots["merge"] = branch_only
            inside = place == "inside a stage"
            gate = attention(inputs, "pre")
            branch = nn.Sequential(
                OrderedDict(
                    {
                        **({"attention": gate} if gate is not None else {}),
                        **(parts.lead if inside else {}),
                        **parts.body,
                    }
                )
            )
            after = _chain({**parts.after, "attention": attention(outputs, "post")})
            residual = Residual(branch, after=after, **slots)
            if parts.lead and place == "first of a stage":
                return nn.Sequential(OrderedDict({**parts.lead, "block": residual}))
            return residual

        drops = drop_paths(drop_path_rate, sum(blocks), drop_path_per)
        channels = width
        stages = []
        self.stem = make_stem()
        for number, count in enumerate(blocks):
            inner = width * 2**number
            stage = []
            for index in range(count):
                place = "inside a stage"
                if index == 0:
                    place = "first of a stage" if number else "first of all"
                stride = 2 if number and index == 0 else 1
                stage.append(make_block(channels, inner, stride, drops.pop(0), place))
                channels = inner * EXPANSION[block]
            stages.append(nn.Sequential(*stage))
        self.stages = nn.Sequential(*stages)
        final: OrderedDict[str, nn.Module] = OrderedDict()
        if order == "preactivation":
            final["norm"] = norm(channels)
        if order in PREACTIVATIONS:
            final["act"] = activate()
        self.final = _chain(final) or nn.Identity()
        self.head = nn.Linear(channels, num_classes)
        initialise_(self, init, activation=activation)
        if zero_init_residual:
            zero_branches_(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.final(self.stages(self.stem(x)))
        return self.head(x.flatten(2).mean(-1))


def _chain(parts: Mapping[str, nn.Module | None]) -> nn.Module | None:
    """The parts that there are, one after the other; None for none, and one alone as it is."""
    present = OrderedDict((name, part) for name, part in parts.items() if part is not None)
    if len(present) < 2:
        return next(iter(present.values()), None)
    return nn.Sequential(present)


_BOTTLENECKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
_BASICS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
_IMAGENET = [(depth, "basic", blocks) for depth, blocks in _BASICS.items()]
_IMAGENET += [(depth, "bottleneck", blocks) for depth, blocks in _BOTTLENECKS.items()]


def _cifar(depth: int, block: str) -> dict[str, Any]:
    """Three stages of n blocks: 6n + 2 layers (He et al. 2015, section 4.2), or 9n + 2."""
    count, rest = divmod(depth - 2, 6 if block == "basic" else 9)
    assert not rest, depth
    return {"block": block, "blocks": (count,) * 3}


_CIFAR_DEFAULTS = {"num_classes": 10, "width": 16, "stem": "cifar"}
_A = {**_CIFAR_DEFAULTS, "shortcut": "A"}

for _depth, _block, _blocks in _IMAGENET:
    _size: dict[str, Any] = {"block": _block, "blocks": _blocks}
    register_model(f"resnet{_depth}", ResNet, skip=True, **_size)
    # A projection's output would be thrown away, so a plain network has none.
    register_model(f"plain{_depth}", ResNet, {"shortcut": "A"}, skip=False, **_size)
    register_model(f"seresnet{_depth}", ResNet, skip=True, channel_attention="se", **_size)
    register_model(f"ecaresnet{_depth}", ResNet, skip=True, channel_attention="eca", **_size)

for _depth in (20, 32, 44, 56, 110, 1202):
    _size = _cifar(_depth, "basic")
    register_model(f"resnet{_depth}_cifar", ResNet, _A, skip=True, **_size)
    register_model(f"plain{_depth}_cifar", ResNet, _A, skip=False, **_size)

# He et al. 2016: projections, and the stride in the first 1x1, as in the authors' code.
_B = {**_CIFAR_DEFAULTS, "shortcut": "B", "stride_in_1x1": True}
for _depth in (164, 1001):
    _size = _cifar(_depth, "bottleneck")
    register_model(f"resnet{_depth}_cifar", ResNet, _B, skip=True, **_size)
for _depth in (20, 56, 110, 164, 1001):
    _deep = _depth in (164, 1001)
    _size = _cifar(_depth, "bottleneck" if _deep else "basic")
    _order = {"order": "preactivation", "skip": True}
    register_model(f"preact_resnet{_depth}_cifar", ResNet, _B if _deep else _A, **_order, **_size)

# Small ones for sequences and images of a few positions, in which everything can be changed.
for _dims in (1, 2):
    _small = {**_A, "in_chans": 1, "width": 8, "blocks": (1, 1, 1)}
    register_model(f"small_resnet{_dims}d", ResNet, _small, dims=_dims)
    _gated = {**_small, "reduction": 4}
    register_model(f"small_seresnet{_dims}d", ResNet, _gated, dims=_dims, channel_attention="se")
