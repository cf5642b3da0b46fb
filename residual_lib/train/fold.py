"""Seeds side by side: the channels of all models in one tensor, the fastest way to call a stack.

`torch.func.vmap` maps any model, but pays for it at every operation, and its convolutions and
BatchNorms take slow paths on a processor. Most networks of this course need less: a convolution
of S models is one convolution with S times the channels in S times the groups, a BatchNorm is one
with S times the channels, and what works on each channel alone needs no change at all. So x has
the shape ``(batch, S * channels, ...)`` throughout, and only the layers below are rewritten.

What can't be seen from the layers (a `forward` that mixes channels in its own code) is found out
by comparing outputs, in `residual_lib.train.stack`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residual_lib.models.unet import Crop
from residual_lib.nn import (
    DropPath,
    EfficientChannelAttention,
    Gate,
    LearnedScale,
    PadShortcut,
    Scale,
    concatenate_pieces,
)
from residual_lib.residual import Residual, concatenate


def fold(model: nn.Module) -> bool:
    """Rewrite, in place, the layers of `model` to work on many models' channels side by side.

    Its parameters and buffers must then be given by `torch.func.functional_call`, with one more
    axis in front for the models. Returns whether every layer has a rule.
    """
    for module in model.modules():
        if isinstance(module, Residual) and module.merge in (concatenate, concatenate_pieces):
            if next(module.parameters(), None) is None:
                return False  # nothing would tell how many models there are
            module.merge = MethodType(_concatenate, module)
        if isinstance(module, Residual) and isinstance(module.scale, DropPath):
            # What one model leaves out another one needs, so every branch is computed.
            vars(module.scale).update(around=None, kept=MethodType(_kept, module))
        rule = next((rule for kind, rule in _RULES.items() if type(module) is kind), None)
        if rule is not None:
            module.forward = MethodType(rule, module)
        elif isinstance(module, DropPath) and module.around is not None:
            return False  # outside of a block's slot nothing tells how many models there are
        elif _owns_tensors(module) or not (
            any(module.children()) or isinstance(module, _BY_CHANNEL)
        ):
            return False
    return True


def side_by_side(x: Tensor) -> Tensor:
    """``(models, batch, channels, ...)`` -> ``(batch, models * channels, ...)``."""
    return x.transpose(0, 1).flatten(1, 2)


def apart(x: Tensor, models: int) -> Tensor:
    """``(batch, models * channels, ...)`` -> ``(models, batch, channels, ...)``."""
    return x.unflatten(1, (models, -1)).transpose(0, 1)


def _convolution(self: Any, x: Tensor) -> Tensor:
    if self.padding_mode != "zeros":
        raise ValueError(f"there is no rule for padding_mode={self.padding_mode!r}")
    models, weight = len(self.weight), self.weight.flatten(0, 1)
    stride, padding, dilation = self.stride, self.padding, self.dilation
    lines = x.dim() == 3
    if lines:  # as images of height 1, since only images may have their channels last
        x, weight = x.unsqueeze(2), weight.unsqueeze(2)
        stride, dilation = (1, *stride), (1, *dilation)
        padding = padding if isinstance(padding, str) else (0, *padding)
    # Many groups of few channels: with the channels last they are up to three times as fast, and
    # what follows keeps the order of its input, so only the first convolution has to copy.
    x = x.contiguous(memory_format=torch.channels_last)
    bias = _rows(self.bias)
    y = F.conv2d(x, weight, bias, stride, padding, dilation, models * self.groups)
    return y.squeeze(2) if lines else y


def _batch_norm(self: Any, x: Tensor) -> Tensor:
    if self.momentum is None:
        raise ValueError("there is no rule for a BatchNorm with momentum=None")
    if self.training and self.track_running_stats:
        self.num_batches_tracked.add_(1)
    lines = x.dim() == 3
    y = F.batch_norm(
        x.unsqueeze(2) if lines else x,
        _rows(self.running_mean),
        _rows(self.running_var),
        _rows(self.weight),
        _rows(self.bias),
        self.training or self.running_mean is None,
        self.momentum,
        self.eps,
    )
    return y.squeeze(2) if lines else y


def _linear(self: Any, x: Tensor) -> Tensor:
    if x.dim() != 2:
        raise ValueError("there is a rule for linear layers on vectors only")
    x, weight = apart(x, len(self.weight)), self.weight.mT
    if self.bias is None:
        return side_by_side(torch.bmm(x, weight))
    return side_by_side(torch.baddbmm(self.bias.unsqueeze(1), x, weight))


def _group_norm(self: Any, x: Tensor) -> Tensor:
    models = len(self.weight)
    return F.group_norm(x, models * self.num_groups, _rows(self.weight), _rows(self.bias), self.eps)


def _pad_shortcut(self: Any, x: Tensor) -> Tensor:
    models = x.shape[1] // self.in_chans
    # Each model's channels get their own zeros: models in the batch's place, and back.
    x = apart(x, models)
    return side_by_side(PadShortcut.forward(self, x.flatten(0, 1)).unflatten(0, (models, -1)))


def _gate(self: Any, x: Tensor) -> Tensor:
    return torch.sigmoid(self.layer(x) + _rows(self.bias))


def _concatenate(block: Residual, shortcut: Tensor, branch: Tensor) -> Tensor:
    models = len(next(block.parameters()))
    # Each model's two paths meet, not all shortcuts with all branches; and the channels stay last.
    parts = [tensor.movedim(1, -1).unflatten(-1, (models, -1)) for tensor in (shortcut, branch)]
    return torch.cat(parts, dim=-1).flatten(-2).movedim(-1, 1)


def _kept(block: Residual, x: Tensor) -> Tensor:
    """What `DropPath` keeps of x: each model draws for itself."""
    models = len(next(block.parameters()))
    assert isinstance(block.scale, DropPath)
    draws = (x.shape[0] if block.scale.per == "example" else 1, models)
    kept = torch.rand(draws, device=x.device) >= block.scale.rate
    return kept.repeat_interleave(x.shape[1] // models, 1).view(len(kept), -1, *[1] * (x.ndim - 2))


def _learned_scale(self: Any, x: Tensor) -> Tensor:
    if self.axis != 1:
        raise ValueError("there is a rule for channels on axis 1 only")
    models = len(self.weight)
    weight = self.weight.expand(models, x.shape[1] // models)
    return x * weight.reshape(-1, *[1] * (x.ndim - 2))


def _efficient_channel_attention(self: Any, x: Tensor) -> Tensor:
    models, weight = len(self.layer.weight), self.layer.weight.flatten(0, 1)
    means = apart(x.flatten(2).mean(-1), models).transpose(0, 1)  # (B, models, channels)
    gate = F.conv1d(means, weight, padding=self.layer.padding, groups=models).sigmoid()
    return x * gate.flatten(1).view(*x.shape[:2], *[1] * (x.ndim - 2))


def _transposed_convolution(self: Any, x: Tensor) -> Tensor:
    lines = x.dim() == 3
    convolve = F.conv_transpose1d if lines else F.conv_transpose2d
    weight, bias = self.weight.flatten(0, 1), _rows(self.bias)
    groups = len(self.weight) * self.groups
    return convolve(
        x, weight, bias, self.stride, self.padding, self.output_padding, groups, self.dilation
    )


def _rows(tensor: Tensor | None) -> Tensor | None:
    """``(models, channels, ...)`` -> ``(models * channels, ...)``."""
    return None if tensor is None else tensor.flatten(0, 1)


def _is_leaf(module: nn.Module) -> bool:
    return next(module.children(), None) is None


def _owns_tensors(module: nn.Module) -> bool:
    return any(True for _ in (*module.parameters(recurse=False), *module.buffers(recurse=False)))


_RULES: dict[type[nn.Module], Callable[[Any, Tensor], Tensor]] = {
    nn.Conv1d: _convolution,
    nn.Conv2d: _convolution,
    nn.ConvTranspose1d: _transposed_convolution,
    nn.ConvTranspose2d: _transposed_convolution,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.Linear: _linear,
    nn.GroupNorm: _group_norm,
    PadShortcut: _pad_shortcut,
    Gate: _gate,
    LearnedScale: _learned_scale,
    EfficientChannelAttention: _efficient_channel_attention,
}

#: Layers without parameters that treat every channel by itself.
_BY_CHANNEL = (
    *(nn.Identity, nn.Flatten, nn.Unflatten, nn.Dropout, Scale, Crop, DropPath),
    *(nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Softplus),
    *(nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d),
)
