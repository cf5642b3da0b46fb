"""What every data set gives: four tensors and what they mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real

from torch import Tensor

TASKS = ("classification", "regression", "language", "segmentation", "framewise")


@dataclass(frozen=True)
class Data:
    """A data set, split and normalised, on the CPU.

    Attributes:
        x_train, x_test: inputs, ``(N, ...)``; the first axis counts the samples.
        y_train, y_test: what is to be predicted, one entry a sample, ``(N, ...)``.
        name: the name that `load` knows it by.
        num_classes: number of classes; 0 for a regression.
        task: 'classification' (y are class numbers, int64, ``(N,)``), 'regression'
            (y are float32, ``(N, 1)``), 'language' (x and y are token numbers,
            int64, ``(N, T)``, y being x one step later; or, after `masked.mask_tokens`, x
            where it was hidden), 'segmentation' (y are class numbers of pixels, int64,
            ``(N, H, W)``) or 'framewise' (y are class numbers of the frames of a sequence, int64,
            ``(N, T)``).
        classes: what class number i is called; empty for a regression.
        weights: of each target of the training set in the loss, float32, of the shape of
            y_train; None for the same weight everywhere.

    Raises:
        ValueError: inputs and targets differ in number, weights and targets in shape, or the task
            isn't known.
    """

    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor
    name: str
    num_classes: int
    task: str
    classes: tuple[str, ...] = ()
    weights: Tensor | None = None

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"task must be one of {', '.join(TASKS)}, got {self.task!r}")
        for part in ("train", "test"):
            x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            if len(x) != len(y):
                raise ValueError(f"x_{part} has {len(x)} samples, but y_{part} has {len(y)}")
        if self.weights is not None and self.weights.shape != self.y_train.shape:
            raise ValueError(
                f"weights must have the shape of y_train {tuple(self.y_train.shape)}, got "
                f"{tuple(self.weights.shape)}"
            )

    def __repr__(self) -> str:
        shape = tuple(self.x_train.shape[1:])
        return (
            f"Data({self.name}: {self.task}, {len(self.x_train)} train and "
            f"{len(self.x_test)} test samples of shape {shape})"
        )


@dataclass(frozen=True)
class Source:
    """How a data set is made, and the part of its card that no computation can tell.

    Attributes:
        load: makes the `Data`; its keyword arguments are the options of `data.load`.
        title: a name for people.
        origin: where it comes from, with the reference.
        licence: under which terms it may be used.
        normalisation: what was done to the numbers.
        limits: what it can't show.
    """

    load: Callable[..., Data]
    title: str
    origin: str
    licence: str
    normalisation: str
    limits: str


def check_number(
    name: str,
    value: object,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    integer: bool = False,
    open_ends: bool = False,
) -> None:
    """Raise unless `value` is finite and in ``[low, high]`` (``(low, high)`` if `open_ends`)."""
    kind = "a whole number" if integer else "a number"
    if isinstance(value, bool) or not isinstance(value, Integral if integer else Real):
        raise TypeError(f"{name} must be {kind}, got {value!r}")
    number = float(value)
    inside = low < number < high if open_ends else low <= number <= high
    if not inside or math.isinf(number):
        words = "strictly between" if open_ends else "between"
        reach = f"of at least {low:,}" if high == math.inf else f"{words} {low:,} and {high:,}"
        raise ValueError(f"{name} must be {kind} {reach}, got {value!r}")
