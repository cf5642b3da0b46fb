"""Shortcuts: what stands on the skip, and what it does to a signal that should pass unchanged.

Where a block changes shape, something must (He et al. 2015, section 3.3, options A, B and C).
Where it doesn't, anything may, and He et al. 2016 (arXiv 1603.05027, section 3.1 and Table 1)
tried: each alternative makes training harder than the identity does.

A gate asks for no new slot. On the shortcut alone it is a `shortcut`. One that shares out the
signal between the two paths is a way of joining them, so it is a `merge`: the merge is given both.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residual_lib.nn.convolutions import create_conv
from residual_lib.nn.norms import create_norm
from residual_lib.nn.scales import Scale

Slots = dict[str, Any]  # arguments of `Residual` besides its branch


class PadShortcut(nn.Module):
    """Option A: every `stride`-th position, and channels of zeros where there are too few.

    It has no parameters. Shapes: (B, in_chans, ...) -> (B, out_chans, ...).

    Args:
        in_chans, out_chans: channels; at least as many out as in.
        stride: positions per step.
        side: ``"both"`` puts half of the zeros before the channels and half (or one more) behind,
            as in the most used CIFAR weights; ``"end"`` puts all of them behind. The paper doesn't
            say which, and for learning it is the same.

    Raises:
        ValueError: the channels would become fewer, or `side` is none of the above.
    """

    def __init__(
        self, in_chans: int, out_chans: int, *, stride: int = 1, side: str = "both"
    ) -> None:
        super().__init__()
        if out_chans < in_chans:
            raise ValueError(f"out_chans must be at least in_chans {in_chans}, got {out_chans!r}")
        if side not in ("both", "end"):
            raise ValueError(f"side must be 'both' or 'end', got {side!r}")
        self.in_chans = in_chans
        self.stride = stride
        before = (out_chans - in_chans) // 2 if side == "both" else 0
        self.channels = (before, out_chans - in_chans - before)

    def forward(self, x: Tensor) -> Tensor:
        every = slice(None, None, self.stride)
        x = x[:, :, every] if x.ndim == 3 else x[:, :, every, every]
        return F.pad(x, (0, 0) * (x.ndim - 2) + self.channels)

    def extra_repr(self) -> str:
        return f"stride={self.stride}, zeros={self.channels}"


def projection(
    in_chans: int,
    out_chans: int,
    *,
    stride: int = 1,
    dims: int = 2,
    norm_layer: str | None = "batch",
    average: bool = False,
) -> nn.Sequential:
    """Return a 1x1 convolution and a normalisation: options B and C.

    With a stride of 2 it reads one position in four (two in one dimension: one in two) and never
    sees the others. `average` takes the mean of them first (ResNet-D: He et al. 2018, arXiv
    1812.01187, figure 2c). It has no bias: the branch, which is added, has one where one counts.
    """
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    if average and stride > 1:
        pool = {1: nn.AvgPool1d, 2: nn.AvgPool2d}[dims]
        parts["pool"] = pool(stride, stride, ceil_mode=True, count_include_pad=False)
        stride = 1
    parts["layer"] = create_conv(in_chans, out_chans, stride=stride, dims=dims)
    if norm_layer is not None:
        parts["norm"] = create_norm(norm_layer, out_chans, dims=dims)
    return nn.Sequential(parts)


class Gate(nn.Module):
    """g(x) = sigmoid(W x + b), with W a 1x1 convolution: one number in (0, 1) for each of x's.

    Args:
        channels: of x and of g(x).
        bias: where each entry of b starts. At -6, g starts near 0.0025.
        dims: position axes of x; 0 for vectors.
    """

    def __init__(self, channels: int, *, bias: float = 0.0, dims: int = 2) -> None:
        super().__init__()
        self.layer = create_conv(channels, channels, dims=dims)
        # Not the layer's own, so that an initialisation that zeroes biases leaves this one alone.
        self.bias = nn.Parameter(torch.full((channels,) + (1,) * dims, float(bias)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.layer(x) + self.bias)


class ShortcutGate(nn.Module):
    """Shortcut-only gating: (1 - g(x)) x, for `shortcut`. Arguments: those of `Gate`."""

    def __init__(self, channels: int, *, bias: float = 0.0, dims: int = 2) -> None:
        super().__init__()
        self.gate = Gate(channels, bias=bias, dims=dims)

    def forward(self, x: Tensor) -> Tensor:
        return (1 - self.gate(x)) * x


class Highway(nn.Module):
    """(1 - g(x)) x + g(x) F(x), for `merge`: what one path gains the other loses.

    The highway network (Srivastava et al. 2015, arXiv 1505.00387, eq. 3, g being their transform
    gate T) and He et al. 2016's exclusive gating. x is what comes out of the shortcut.
    Arguments: those of `Gate`.
    """

    def __init__(self, channels: int, *, bias: float = 0.0, dims: int = 2) -> None:
        super().__init__()
        self.gate = Gate(channels, bias=bias, dims=dims)

    def forward(self, shortcut: Tensor, branch: Tensor) -> Tensor:
        if shortcut.shape != branch.shape:
            raise ValueError(
                f"a highway needs equal shapes, got shortcut {tuple(shortcut.shape)} "
                f"and branch {tuple(branch.shape)}"
            )
        return torch.lerp(shortcut, branch, self.gate(shortcut))


class _Fit:
    """A block's change of shape, and the two ways to follow it."""

    def __init__(
        self, in_chans: int, out_chans: int, stride: int, dims: int, norm_layer: str | None
    ) -> None:
        self.in_chans, self.channels, self.stride = in_chans, out_chans, stride
        self.dims, self.norm_layer = dims, norm_layer
        self.needed = stride != 1 or in_chans != out_chans

    def padded(self, *then: nn.Module, side: str = "both") -> nn.Module | None:
        """Option A where it is needed, and then what else stands on the shortcut."""
        parts = list(then)
        if self.needed:
            pad = PadShortcut(self.in_chans, self.channels, stride=self.stride, side=side)
            parts.insert(0, pad)
        if len(parts) < 2:
            return parts[0] if parts else None
        return nn.Sequential(*parts)

    def projected(self, average: bool = False) -> nn.Module:
        return projection(
            self.in_chans,
            self.channels,
            stride=self.stride,
            dims=self.dims,
            norm_layer=self.norm_layer,
            average=average,
        )


def _a(fit: _Fit, *, side: str = "both") -> Slots:
    return {"shortcut": fit.padded(side=side)}


def _b(fit: _Fit) -> Slots:
    return {"shortcut": fit.projected() if fit.needed else None}


def _c(fit: _Fit) -> Slots:
    return {"shortcut": fit.projected()}


def _d(fit: _Fit) -> Slots:
    return {"shortcut": fit.projected(average=True) if fit.needed else None}


def _constant_scaling(fit: _Fit, *, shortcut: float = 0.5, branch: float = 0.5) -> Slots:
    return {"shortcut": fit.padded(Scale(shortcut)), "scale": Scale(branch)}


def _exclusive_gating(fit: _Fit, *, bias: float = -6.0) -> Slots:
    return {"shortcut": fit.padded(), "merge": Highway(fit.channels, bias=bias, dims=fit.dims)}


def _shortcut_only_gating(fit: _Fit, *, bias: float = 0.0) -> Slots:
    return {"shortcut": fit.padded(ShortcutGate(fit.channels, bias=bias, dims=fit.dims))}


def _dropout(fit: _Fit, *, rate: float = 0.5) -> Slots:
    return {"shortcut": fit.padded(nn.Dropout(rate))}


SHORTCUTS: dict[str, Callable[..., Slots]] = {
    "A": _a,
    "B": _b,
    "C": _c,
    "D": _d,
    "constant_scaling": _constant_scaling,
    "exclusive_gating": _exclusive_gating,
    "shortcut_only_gating": _shortcut_only_gating,
    "dropout": _dropout,
}


def create_shortcut(
    name: str,
    in_chans: int,
    out_chans: int,
    *,
    stride: int = 1,
    dims: int = 2,
    norm_layer: str | None = "batch",
    **options: Any,
) -> Slots:
    """Return the arguments of `Residual` that make a shortcut, to be passed on with ``**``.

    Where no shape changes, the first four are:

    - ``"A"``: the identity; else zero-padding (option ``side``, see `PadShortcut`);
    - ``"B"``: the identity; else a 1x1 projection;
    - ``"C"``: a 1x1 projection everywhere, which is also He et al. 2016's '1x1 conv shortcut';
    - ``"D"``: the identity; else an average and a 1x1 projection (ResNet-D).

    Those of He et al. 2016 multiply the shortcut. Where the shape changes, A comes first:

    - ``"constant_scaling"``: factors ``shortcut`` and ``branch``, 0.5 each;
    - ``"exclusive_gating"``: see `Highway`; ``bias`` starts at -6;
    - ``"shortcut_only_gating"``: see `ShortcutGate`; ``bias`` starts at 0;
    - ``"dropout"``: on the shortcut, with probability ``rate``, 0.5.

    Args:
        name: one of the above.
        in_chans, out_chans: channels of the block's input and output.
        stride: of the block.
        dims: position axes.
        norm_layer: what follows a 1x1 projection, as for `create_norm`.
        options: of the shortcut of that name, as said above.

    Raises:
        ValueError: there is no such shortcut, or an option is out of its range.
        TypeError: the shortcut has no such option.
    """
    if name not in SHORTCUTS:
        raise ValueError(f"shortcut must be one of {list(SHORTCUTS)}, got {name!r}")
    make = SHORTCUTS[name]
    allowed = list(inspect.signature(make).parameters)[1:]
    if unknown := sorted(set(options) - set(allowed)):
        raise TypeError(
            f"shortcut {name!r} has no option {', '.join(unknown)}; its options are {allowed}"
        )
    return make(_Fit(in_chans, out_chans, stride, dims, norm_layer), **options)
