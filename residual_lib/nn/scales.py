"""Scales: what the branch's output passes before the merge."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Scale(nn.Module):
    """Multiplication by a constant, on either path (He et al. 2016, section 3.1).

    Args:
        factor: the constant.
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = float(factor)

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x

    def extra_repr(self) -> str:
        return f"factor={self.factor:g}"


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016, arXiv 1603.09382): the branch is sometimes left out.

    In training each example's branch is set to 0 with probability `rate`, and else divided by
    1 - rate, which keeps its mean. In evaluation mode nothing is done. Huang et al. draw once a
    batch and multiply by 1 - rate in evaluation instead; timm draws once an example, as here.

    Args:
        rate: probability of leaving the branch out, 0 up to but not including 1.

    Raises:
        ValueError: `rate` is out of its range.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"rate must be from 0 to below 1, got {rate!r}")
        self.rate = float(rate)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        kept = torch.rand(x.shape[:1] + (1,) * (x.ndim - 1), device=x.device) >= self.rate
        return x * kept / (1 - self.rate)

    def extra_repr(self) -> str:
        return f"rate={self.rate:g}"
