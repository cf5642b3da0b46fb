"""How good a model's outputs are, and checks and bars that the probes share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from numbers import Integral
from typing import TypeVar

import torch
from torch import Tensor
from tqdm.auto import tqdm

from residual_lib.objective import error, loss

Item = TypeVar("Item")


@torch.no_grad()
def scores(model: Callable[[Tensor], Tensor], batch: tuple[Tensor, Tensor]) -> dict[str, float]:
    """Return ``loss`` and, unless the targets are real numbers, ``error``: the share of wrong
    answers, 0 to 1, over examples and positions."""
    x, y = batch
    output = model(x)
    found = {"loss": loss(output, y).item()}
    if not y.is_floating_point():
        found["error"] = error(output, y).item()
    return found


def bar(items: Iterable[Item], name: str, progress: bool, total: int | None = None) -> tqdm:
    """A progress bar over `items`, or none."""
    return tqdm(items, desc=name, total=total, disable=not progress, leave=False)


def check_count(name: str, value: object, low: int = 1, high: int | None = None) -> None:
    """Raise unless `value` is a whole number from `low` to `high`."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or int(value) < low or (high is not None and int(value) > high):  # type: ignore[call-overload]
        reach = f"from {low} up" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name} must be a whole number {reach}, got {value!r}")
