"""Blocks whose input can be computed from their output, so that it needn't be kept.

Gomez, Ren, Urtasun and Grosse 2017, "The Reversible Residual Network" (arXiv 1707.04585). A step
adds to one half of the channels what a branch computes from the other half: ``y1 = x1 + F(x2)``,
``y2 = x2``. That is a `Residual` whose branch reads only what the step leaves as it is. So the
branch gives the same for y as for x, and ``x = y - branch(y)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from residual_lib.nn.drop_path import DropPath
from residual_lib.residual import Residual


class Coupling(nn.Module):
    """A branch that reads one half of the channels and writes into the other half.

    Shapes: (B, 2n, ...) -> (B, 2n, ...), with zeros in the half that it reads.

    Args:
        part: (B, n, ...) -> (B, n, ...).
        writes: 0 for the first half, 1 for the second.

    Raises:
        ValueError: `writes` is none of the above.
    """

    def __init__(self, part: nn.Module, writes: int) -> None:
        super().__init__()
        if writes not in (0, 1):
            raise ValueError(f"writes must be 0 or 1, got {writes!r}")
        self.part, self.writes = part, writes

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] % 2:
            raise ValueError(f"x must have an even number of channels, got {x.shape[1]}")
        written = self.part(x.chunk(2, dim=1)[1 - self.writes])
        nothing = torch.zeros_like(written)
        return torch.cat((nothing, written) if self.writes else (written, nothing), dim=1)


class Reversible(nn.Module):
    """Reversible blocks one after the other: ``y1 = x1 + F(x2)``, then ``y2 = x2 + G(y1)``.

    With ``recompute=True`` nothing is kept for the backward pass but the output of the last block,
    whatever the number of blocks: going back, each step's input is computed from its output. That
    costs each branch's forward pass once more. In exact arithmetic outputs and gradients are those
    of ordinary training; in floating point the inputs come back with rounding errors.

    Args:
        pairs: for each block F and G, (B, n, ...) -> (B, n, ...).
        recompute: False keeps activations, as an ordinary stack does.

    Raises:
        ValueError: a part draws at random, so that it wouldn't give the same a second time.
    """

    def __init__(
        self, pairs: Iterable[tuple[nn.Module, nn.Module]], *, recompute: bool = True
    ) -> None:
        super().__init__()
        self.steps = nn.Sequential(
            *(
                Residual(Coupling(part, writes))
                for pair in pairs
                for writes, part in enumerate(pair)
            )
        )
        self.recompute = recompute
        for part in self.modules():
            if isinstance(part, (nn.modules.dropout._DropoutNd, DropPath)):
                raise ValueError(f"pairs must not draw at random, got {part}")

    def forward(self, x: Tensor) -> Tensor:
        if not (self.recompute and torch.is_grad_enabled()):
            return self.steps(x)
        return _KeepOutput.apply(x, self.steps, *self.steps.parameters())

    @torch.no_grad()
    def inverse(self, y: Tensor) -> Tensor:
        """The input that gives the output `y`, to rounding."""
        for step in reversed(list(self.steps)):
            y = y - step.branch(y)  # type: ignore[operator]
        return y


class _KeepOutput(torch.autograd.Function):
    """The steps, of which the output alone is kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, steps: nn.Sequential, *parameters: Tensor) -> Tensor:
        y = x.detach()
        for step in steps:
            y = step(y)
        ctx.steps, ctx.lent = steps, parameters
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, *arriving: Tensor) -> tuple[Tensor | None, ...]:
        (y,), (gradient,) = ctx.saved_tensors, arriving
        lent = list(ctx.lent)
        found: list[Tensor | None] = []
        for step in reversed(list(ctx.steps)):
            names = [name for name, _ in step.branch.named_parameters()]
            own = [lent.pop() for _ in names][::-1]
            y, gradient, gradients = _back(step.branch, names, own, y, gradient)
            found = [*gradients, *found]
        return gradient, None, *found


def _back(
    branch: nn.Module, names: list[str], own: list[Tensor], y: Tensor, gradient: Tensor
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """One step back: its input, the gradient in it, and those in the branch's parameters.

    Buffers are copied: BatchNorm would move its running statistics a second time.
    """
    state: dict[str, Tensor] = dict(zip(names, own, strict=True))
    state |= {name: buffer.clone() for name, buffer in branch.named_buffers()}
    with torch.enable_grad():
        read = y.detach().requires_grad_()
        added = functional_call(branch, state, (read,))
    back = torch.autograd.grad(added, (read, *own), gradient)
    return y - added.detach(), gradient + back[0], list(back[1:])
