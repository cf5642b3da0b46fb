"""Stochastic depth: branches that are sometimes left out in training.

Huang et al. 2016 (arXiv 1603.09382) draw once a batch, so that a branch that is left out needn't be
computed, and multiply by the probability of survival in evaluation. timm draws once an example and
divides in training instead. Both keep the mean; see `DropPath`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from residual_lib.nn.checks import check_positive

PER = ("example", "batch")
RESCALE = ("training", "evaluation")


class DropPath(nn.Module):
    """In training the branch is left out with probability `rate`; its mean stays as it is.

    Args:
        rate: probability of leaving the branch out, 0 up to but not including 1. The paper's
            probability of survival is 1 - rate.
        per: ``"example"``: each draws for itself, and what isn't needed is computed and set to 0.
            ``"batch"``: one draw for all, and a `Residual` that adds doesn't compute the branch.
        rescale: where the mean is put right: ``"training"`` divides what is kept by 1 - rate;
            ``"evaluation"`` multiplies by 1 - rate there, as in the paper.
        scale: what else the branch's output passes, or None.

    Raises:
        ValueError: an argument is out of its range; the message names it.
        TypeError: `scale` can't be called.
    """

    def __init__(
        self,
        rate: float,
        *,
        per: str = "example",
        rescale: str = "training",
        scale: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        if per not in PER:
            raise ValueError(f"per must be one of {list(PER)}, got {per!r}")
        if rescale not in RESCALE:
            raise ValueError(f"rescale must be one of {list(RESCALE)}, got {rescale!r}")
        if scale is not None and not callable(scale):
            raise TypeError(f"scale must be a module, a function or None, got {scale!r}")
        self.rate, self.per, self.rescale = _checked(rate), per, rescale
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        x = self._scaled(x)
        if self.training and self.rate > 0:
            x = x * self.kept(x)
        return self._put_right(x)

    def around(self, branch: Callable[[], Tensor]) -> Tensor | None:
        """What is left of the branch, or None where nothing is and it wasn't computed.

        This is how a `Residual` asks. Where several models are mapped at once (`torch.func.vmap`)
        each has a draw of its own, so the branch is computed for those that need it.
        """
        if self.per == "example" or not self.training or self.rate == 0:
            return self(branch())
        kept = torch.rand(()) >= self.rate
        try:
            if not kept:
                return None
        except RuntimeError:  # a draw for each of several models, which can't decide for all
            return self._put_right(self._scaled(branch()) * kept)
        return self._put_right(self._scaled(branch()))

    def _scaled(self, x: Tensor) -> Tensor:
        return x if self.scale is None else self.scale(x)

    def kept(self, x: Tensor) -> Tensor:
        """Draw what is kept of x, to be multiplied with it: (B, 1, ...), or (1, 1, ...)."""
        draws = (x.shape[0] if self.per == "example" else 1, *[1] * (x.ndim - 1))
        return torch.rand(draws, device=x.device) >= self.rate

    def _put_right(self, x: Tensor) -> Tensor:
        """x with its mean as it is without drops."""
        keep = 1 - self.rate
        if self.training:
            return x / keep if self.rescale == "training" else x
        return x * keep if self.rescale == "evaluation" else x

    def extra_repr(self) -> str:
        return f"rate={self.rate:g}, per={self.per!r}, rescale={self.rescale!r}"


def drop_path_rates(rate: float, blocks: int) -> list[float]:
    """Rates that rise in a straight line from 0 in the first block to `rate` in the last.

    Huang et al. 2016, section 3, equation 4, let the first block have 1/L of the last one's rate;
    timm and this course let it have none. A single block has none.

    Args:
        rate: of the last block, 0 up to but not including 1.
        blocks: how many.

    Raises:
        ValueError: an argument is out of its range.
    """
    check_positive(blocks=blocks)
    return [_checked(rate) * index / max(1, blocks - 1) for index in range(blocks)]


def drop_paths(
    drop_path_rate: float, blocks: int, drop_path_per: str = "example"
) -> list[DropPath | None]:
    """A `DropPath` for each block of a model, with `drop_path_rates`; None where nothing drops.

    Args:
        drop_path_rate: of the last block, 0 up to but not including 1.
        blocks: how many; there may be none.
        drop_path_per: ``"example"`` or ``"batch"``.

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """
    try:
        rates = drop_path_rates(drop_path_rate, max(1, blocks))[:blocks]
    except ValueError as error:
        raise ValueError(f"drop_path_{error}") from None
    if drop_path_per not in PER:
        raise ValueError(f"drop_path_per must be one of {list(PER)}, got {drop_path_per!r}")
    return [DropPath(rate, per=drop_path_per) if rate else None for rate in rates]


def dropped(
    drop: DropPath | None, scale: Callable[[Tensor], Tensor] | None
) -> Callable[[Tensor], Tensor] | None:
    """What stands in a block's slot `scale` if `drop` may leave the scaled branch out."""
    if drop is None:
        return scale
    drop.scale = scale
    return drop


def _checked(rate: float) -> float:
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate < 1:
        raise ValueError(f"rate must be from 0 to below 1, got {rate!r}")
    return float(rate)
