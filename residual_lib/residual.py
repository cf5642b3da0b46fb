"""The one equation of the course, as a module.

    y = after( merge( shortcut(x), scale( branch(x) ) ) )

Every architecture in `residual_lib.models` is built from `Residual`, and each
chapter changes one of its arguments. Because every skip in every model is this
class, one set of probes works on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

Slot = Callable[[Tensor], Tensor]
Merge = Callable[[Tensor, Tensor], Tensor]


def add(shortcut: Tensor, branch: Tensor) -> Tensor:
    """Sum of two tensors of one shape: the residual network's merge (He et al. 2015, eq. 1)."""
    return shortcut + branch


def concatenate(shortcut: Tensor, branch: Tensor) -> Tensor:
    """Both tensors side by side along the channel axis 1: DenseNet's and U-Net's merge."""
    return torch.cat((shortcut, branch), dim=1)


def branch_only(shortcut: Tensor, branch: Tensor) -> Tensor:
    """The branch alone: the plain network, which is a residual one without its skip."""
    return branch


class Residual(nn.Module):
    """One residual block: ``after(merge(shortcut(x), scale(branch(x))))``.

    Every argument but `branch` defaults to doing nothing, so ``Residual(f)`` is
    ``x + f(x)``: He et al. 2015 (arXiv 1512.03385), section 3.2, equation 1.

    Args:
        branch: the function F that the block learns, ``(batch, ...) -> (batch, ...)``.
        shortcut: what stands on the skip. Default: the identity.
        scale: what the branch's output passes before the merge. Default: the identity. A scale with
            a method `around` is given the branch uncomputed, and may return None for nothing to
            add: see `residual_lib.nn.DropPath`.
        merge: how the two paths meet: `add` (default), `concatenate`, `branch_only`,
            or any function of ``(shortcut, branch)``.
        after: what follows the merge, such as a ReLU. Default: the identity.

    A module given for a slot is registered under the slot's name, so a plain and
    a residual network have the same ``state_dict`` keys.

    Raises:
        TypeError: an argument can't be called.
        ValueError: the two paths can't merge. At construction where the first and
            last layers of the branch tell; otherwise at the first forward pass.
    """

    #: The block's qualified name in its model, for error messages (see `label_residuals`).
    label: str = ""

    def __init__(
        self,
        branch: Slot,
        *,
        shortcut: Slot | None = None,
        scale: Slot | None = None,
        merge: Merge = add,
        after: Slot | None = None,
    ) -> None:
        super().__init__()
        slots = {"branch": branch, "shortcut": shortcut, "scale": scale, "after": after}
        for name, part in {**slots, "merge": merge}.items():
            optional = name in ("shortcut", "scale", "after")
            if not callable(part) and not (optional and part is None):
                allowed = "a module, a function or None" if optional else "a module or a function"
                raise TypeError(f"{name} must be {allowed}, got {part!r}")
        self.branch = branch
        self.shortcut = shortcut
        self.scale = scale
        self.merge = merge
        self.after = after
        if merge is add and shortcut is None and scale is None:
            _check_identity_fits(branch)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x)
        branch = self._scaled_branch(x)
        if branch is None:
            y = shortcut
        else:
            self._check_shapes(shortcut, branch)
            y = self.merge(shortcut, branch)
        return y if self.after is None else self.after(y)

    def _scaled_branch(self, x: Tensor) -> Tensor | None:
        """The branch, scaled; None where it adds nothing and wasn't computed."""
        if self.scale is None:
            return self.branch(x)
        if self.merge is add and (around := getattr(self.scale, "around", None)):
            return around(lambda: self.branch(x))
        return self.scale(self.branch(x))

    def _check_shapes(self, shortcut: Tensor, branch: Tensor) -> None:
        """Broadcasting would merge unequal shapes without a word, so look before merging."""
        s, b = shortcut.shape, branch.shape
        if self.merge is add and s != b:
            remedy = _remedy(s, b)
        elif self.merge is concatenate and (len(s) != len(b) or s[:1] + s[2:] != b[:1] + b[2:]):
            remedy = "concatenate needs equal sizes on every axis but 1: crop, pad or resample one"
        else:
            return
        raise ValueError(
            f"{self.label or 'Residual'}: shortcut {tuple(s)} and branch {tuple(b)} "
            f"can't {self.merge.__name__}; {remedy}"
        )

    def extra_repr(self) -> str:
        return f"merge={getattr(self.merge, '__name__', type(self.merge).__name__)}"


def iter_residuals(model: nn.Module) -> Iterator[tuple[str, Residual]]:
    """Yield ``(qualified name, block)`` for every `Residual` in `model`, outermost first."""
    for name, module in model.named_modules():
        if isinstance(module, Residual):
            yield name, module


def label_residuals(model: nn.Module) -> nn.Module:
    """Tell every block its qualified name, so that its errors can say where it is."""
    for name, block in iter_residuals(model):
        block.label = name
    return model


def _remedy(shortcut: torch.Size, branch: torch.Size) -> str:
    if len(shortcut) != len(branch):
        return "the branch must keep the number of axes"
    if shortcut[1:2] != branch[1:2]:
        return (
            "give shortcut= a projection (a 1x1 convolution or a linear layer) from "
            f"{shortcut[1]} to {branch[1]} channels, or let the branch keep its width"
        )
    return "give shortcut= the stride of the branch, or let the branch keep its size (padding)"


def _check_identity_fits(branch: Slot) -> None:
    """Refuse at construction a branch whose layers show that ``x + F(x)`` has no meaning."""
    if not isinstance(branch, nn.Sequential):
        layers = [branch]
    else:
        layers = [m for m in branch.modules() if not list(m.children())]
    widths = [width for layer in layers if (width := _width(layer)) is not None]
    if not widths:
        return
    first, last = widths[0][0], widths[-1][1]
    if first != last:
        raise ValueError(
            f"branch maps {first} to {last} channels, but the identity shortcut keeps "
            f"{first}; give shortcut= a projection from {first} to {last} channels"
        )
    strides = [layer.stride for layer in layers if isinstance(layer, _CONVOLUTIONS)]
    if any(s != 1 for stride in strides for s in stride):
        raise ValueError(
            f"branch has strides {strides}, but the identity shortcut keeps the size; "
            "give shortcut= a projection with the same stride"
        )


_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def _width(layer: Slot) -> tuple[int, int] | None:
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    if isinstance(layer, _CONVOLUTIONS):
        return layer.in_channels, layer.out_channels
    return None
