"""RepVGG: three branches in training, one 3x3 convolution afterwards.

Ding et al. 2021, "RepVGG: Making VGG-style ConvNets Great Again" (arXiv 2101.03697). A block is
``after(norm(x) + norm(conv1x1(x)) + norm(conv3x3(x)))``: a `Residual` whose shortcut is another
one. In evaluation mode a normalisation multiplies and adds constants, so all three branches are
3x3 convolutions with a bias, and their sum is one: `fold` writes it down.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residual_lib.models.registry import register_model
from residual_lib.nn import create_conv, create_norm
from residual_lib.nn.checks import check_positive
from residual_lib.residual import Residual, add, branch_only

BRANCHES = ("identity", "1x1")


class RepVGGBlock(Residual):
    """A 3x3 convolution, and beside it a 1x1 convolution and the identity, each with BatchNorm.

    The identity has its branch only where the block keeps the shape (figure 2 of the paper).

    Args:
        in_chans, out_chans: channels.
        stride: positions per step.
        branches: which of ``"identity"`` and ``"1x1"`` stand beside the 3x3 convolution.
        dims: number of position axes, 1 or 2.
    """

    def __init__(
        self,
        in_chans: int,
        out_chans: int,
        *,
        stride: int = 1,
        branches: Collection[str] = BRANCHES,
        dims: int = 2,
    ) -> None:
        def conv(size: int) -> nn.Sequential:
            layer = create_conv(in_chans, out_chans, size, stride=stride, dims=dims)
            norm = create_norm("batch", out_chans, dims=dims)
            return nn.Sequential(OrderedDict(layer=layer, norm=norm))

        beside: list[nn.Module] = []
        if "1x1" in branches:
            beside.append(conv(1))
        if "identity" in branches and stride == 1 and in_chans == out_chans:
            beside.append(create_norm("batch", out_chans, dims=dims))
        # Two branches beside the 3x3 are a block of their own: one its branch, the other its skip.
        shortcut = Residual(beside[0], shortcut=beside[1]) if len(beside) == 2 else None
        super().__init__(
            conv(3),
            shortcut=shortcut or (beside[0] if beside else None),
            merge=add if beside else branch_only,
            after=nn.ReLU(),
        )

    @torch.no_grad()
    def fold(self) -> nn.Sequential:
        """Return one 3x3 convolution with a bias, and the ReLU: the same function in evaluation."""
        dense: Any = self.branch
        parts: list[Any] = [dense]
        if isinstance(self.shortcut, Residual):
            parts += [self.shortcut.branch, self.shortcut.shortcut]
        elif self.shortcut is not None:
            parts.append(self.shortcut)
        kernels, biases = zip(*(as_conv(part, dense.layer) for part in parts), strict=True)
        folded = copy.deepcopy(dense.layer)
        folded.weight = nn.Parameter(sum(kernels))
        folded.bias = nn.Parameter(sum(biases))
        # Nothing else reads what the convolution makes, so the ReLU may write over it.
        return nn.Sequential(OrderedDict(layer=folded, act=nn.ReLU(inplace=True)))


def as_conv(part: Any, like: Any) -> tuple[Tensor, Tensor]:
    """Kernel and bias of a part as a convolution of the shape of `like`, in evaluation mode.

    Args:
        part: a convolution and BatchNorm, or BatchNorm alone, which is one behind the identity.
        like: a convolution whose kernel has an odd size.
    """
    weight: Tensor = like.weight
    kernel: Tensor
    norm: Any
    if isinstance(part, nn.Sequential):
        convolution: Any = part.layer
        kernel, norm = convolution.weight, part.norm
        missing = (weight.shape[-1] - kernel.shape[-1]) // 2
        kernel = F.pad(kernel, (missing,) * 2 * (weight.ndim - 2))
    else:
        kernel, norm = nn.init.dirac_(torch.empty_like(weight)), part
    slope = norm.weight / (norm.running_var + norm.eps).sqrt()
    bias = norm.bias - norm.running_mean * slope
    return kernel * slope.view(-1, *[1] * (weight.ndim - 1)), bias


class RepVGG(nn.Module):
    """A first block, stages of blocks, global average pooling, a linear head.

    Shapes: (batch, in_chans, length) for ``dims=1`` or (batch, in_chans, height, width) for
    ``dims=2`` -> (batch, num_classes).

    Args:
        in_chans: channels of the input.
        num_classes: outputs.
        widths: channels of the first block and of each stage.
        num_blocks: blocks of each stage.
        strides: of the first block and of the first block of each stage. Default: 2.
        branches: which of ``"identity"`` and ``"1x1"`` the blocks have; neither makes a plain net.
        dims: number of position axes, 1 or 2.

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int = 1000,
        *,
        widths: Sequence[int] = (48, 48, 96, 192, 1280),
        num_blocks: Sequence[int] = (2, 4, 14, 1),
        strides: Sequence[int] | None = None,
        branches: Collection[str] = BRANCHES,
        dims: int = 2,
    ) -> None:
        super().__init__()
        check_positive(in_chans=in_chans, num_classes=num_classes)
        strides = [2] * len(widths) if strides is None else strides
        if not len(widths) == len(strides) == len(num_blocks) + 1:
            raise ValueError(
                f"widths and strides must have one number more than num_blocks {num_blocks!r}, "
                f"got {widths!r} and {strides!r}"
            )
        for name, numbers in (("widths", widths), ("num_blocks", num_blocks), ("strides", strides)):
            for number in numbers:
                check_positive(**{name: number})
        if isinstance(branches, str) or not set(branches) <= set(BRANCHES):
            raise ValueError(f"branches must be some of {list(BRANCHES)}, got {branches!r}")
        if dims not in (1, 2):
            raise ValueError(f"dims must be 1 or 2, got {dims!r}")

        def block(inputs: int, outputs: int, stride: int) -> RepVGGBlock:
            return RepVGGBlock(inputs, outputs, stride=stride, branches=branches, dims=dims)

        self.stem = block(in_chans, widths[0], strides[0])
        stages, before = [], widths[0]
        for width, count, stride in zip(widths[1:], num_blocks, strides[1:], strict=True):
            first = block(before, width, stride)
            stages.append(nn.Sequential(first, *(block(width, width, 1) for _ in range(count - 1))))
            before = width
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(before, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(x)).flatten(2).mean(-1))


def fold(model: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode, each `RepVGGBlock` of which is one convolution and ReLU.

    It gives what `model` gives in evaluation mode, to rounding, and has no skip left. It can't take
    up training where `model` stopped: the branches' normalisations are gone.
    """
    folded = copy.deepcopy(model).eval()
    for name, block in list(folded.named_modules()):
        if isinstance(block, RepVGGBlock):
            if not name:
                return block.fold()
            parent, _, child = name.rpartition(".")
            setattr(folded.get_submodule(parent), child, block.fold())
    return folded


# Table 2 of the paper: widths are multiples of 64, 128, 256 and 512.
_A, _B = (2, 4, 14, 1), (4, 6, 16, 1)
for _name, _blocks, _a, _b in (
    ("a0", _A, 0.75, 2.5),
    ("a1", _A, 1, 2.5),
    ("a2", _A, 1.5, 2.75),
    ("b0", _B, 1, 2.5),
    ("b1", _B, 2, 4),
):
    _widths = [int(min(64, 64 * _a)), *(int(n * _a) for n in (64, 128, 256)), int(512 * _b)]
    register_model(f"repvgg_{_name}", RepVGG, widths=_widths, num_blocks=_blocks, dims=2)
_small = {"in_chans": 1, "num_classes": 10, "widths": (8, 8), "num_blocks": (18,)}
for _dims in (1, 2):
    register_model(f"small_repvgg{_dims}d", RepVGG, {**_small, "strides": (1, 1)}, dims=_dims)
