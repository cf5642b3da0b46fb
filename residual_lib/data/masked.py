"""A text with holes: what a masked model is trained on."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from residual_lib.data.base import Data, check_number
from residual_lib.objective import IGNORED

MASK = "[MASK]"


def mask_tokens(data: Data, *, rate: float = 0.15, copies: int = 1, seed: int = 0) -> Data:
    """Hide some tokens of each window, and ask for these.

    Devlin et al. 2018 (arXiv 1810.04805), section 3.1: of the tokens chosen, 80 % become the mask,
    10 % another token, drawn evenly, and 10 % stay as they are, so that a model can't rely on the
    mask alone. As in its code, each window has the same number of them, and the training windows
    come several times, with other holes: nothing is drawn during training.

    Args:
        data: a language task, such as ``load("shakespeare")``; its targets aren't used.
        rate: share of the tokens that are chosen, rounded to whole tokens, at least one a window.
        copies: how many times each training window comes.
        seed: of the choice.

    Returns:
        `Data` with x the windows with holes, and y their own tokens where one was chosen and
        `residual_lib.objective.IGNORED` elsewhere. The mask is the last of the classes.

    Raises:
        ValueError, TypeError: `data` isn't a language task, or an argument is out of its range.
    """
    if data.task != "language":
        raise ValueError(f"data must be a language task, got {data.task!r}")
    check_number("rate", rate, 0, 1, open_ends=True)
    check_number("copies", copies, 1, integer=True)
    check_number("seed", seed, 0, integer=True)
    generator = torch.Generator().manual_seed(seed)
    x_test, y_test = _with_holes(data.x_test, rate, data.num_classes, generator)
    windows = data.x_train.repeat(copies, 1)
    x_train, y_train = _with_holes(windows, rate, data.num_classes, generator)
    return dataclasses.replace(
        data,
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        name=f"masked_{data.name}",
        num_classes=data.num_classes + 1,
        classes=(*data.classes, MASK),
    )


def _with_holes(
    x: Tensor, rate: float, mask: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    chosen = max(1, round(rate * x.shape[1]))
    # The first places of a random order.
    places = torch.rand(x.shape, generator=generator).argsort(1)[:, :chosen]
    own = x.gather(1, places)
    others = torch.randint(mask, own.shape, generator=generator)
    chance = torch.rand(own.shape, generator=generator)
    shown = torch.where(chance < 0.8, mask, torch.where(chance < 0.9, others, own))
    return x.scatter(1, places, shown), torch.full_like(x, IGNORED).scatter(1, places, own)
