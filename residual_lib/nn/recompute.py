"""Recompute instead of keep: memory that grows with the depth of a dense block, not its square.

Every link of a dense block reads all features before it, so to keep what each link read means to
keep the first features L times. Pleiss et al. 2017 (arXiv 1707.06990) keep each feature once, and
put what is cheap to compute together again when the backward pass gets there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from residual_lib.residual import concatenate


def concatenate_pieces(shortcut: Tensor, branch: Tensor) -> Tensor:
    """`concatenate`, for `Recomputed` branches: the result remembers what it is made of.

    It does so in an attribute of the tensor, which any operation leaves behind. A tensor without
    it counts as one piece, so whatever comes between two links costs memory and nothing else.
    """
    y = concatenate(shortcut, branch)
    y.pieces = (*_pieces_of(shortcut), branch)  # type: ignore[attr-defined]
    return y


class Recomputed(nn.Sequential):
    """Parts one after the other, of which only the input is kept for the backward pass.

    The input is kept as the pieces that `concatenate_pieces` put together; they are shared by all
    links of a block. When the backward pass gets here, the parts are run once more. That costs the
    time of a forward pass, of this branch alone: never more than one branch is there at once.

    Outputs and gradients are those of `nn.Sequential`, bit for bit. So are buffers: the second run
    works on copies, or BatchNorm would move its running statistics twice. Dropout draws its mask
    again, and modes are those of the first run. Parameters may be lent by
    `torch.func.functional_call`, as they are when seeds are trained together; `torch.func.vmap`
    can't run this backwards.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return super().forward(x)
        parameters, buffers = dict(self.named_parameters()), dict(self.named_buffers())
        parts = OrderedDict(self.named_children())
        modes = {part: part.training for part in self.modules()}
        pieces = _pieces_of(x)
        count = len(pieces)
        first = [x]  # for the first run; to hold it longer would keep it for the backward pass

        def run(*tensors: Tensor) -> Tensor:
            if first:
                return nn.Sequential(parts)(first.pop())
            joined, lent = torch.cat(tensors[:count], dim=1), tensors[count:]
            state = dict(zip(parameters, lent, strict=True))
            state |= {name: buffer.clone() for name, buffer in buffers.items()}
            with _in(modes):
                return functional_call(nn.Sequential(parts), state, (joined,))

        return checkpoint(run, *pieces, *parameters.values(), use_reentrant=False)


def _pieces_of(x: Tensor) -> tuple[Tensor, ...]:
    return getattr(x, "pieces", (x,))


@contextmanager
def _in(modes: Mapping[nn.Module, bool]) -> Iterator[None]:
    """Put parts into modes, training or not, and back."""
    before = {part: part.training for part in modes}
    try:
        for part, mode in modes.items():
            part.training = mode
        yield
    finally:
        for part, mode in before.items():
            part.training = mode
