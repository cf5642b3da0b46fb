"""A function of one number, with noise: small enough to draw the whole model."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from residual_lib.data.base import Data, Source, check_number


def target(x: Tensor) -> Tensor:
    """The function without noise: ``sin(2 pi x)``, elementwise."""
    return torch.sin(2 * math.pi * x)


def load(*, num_train: int = 200, num_test: int = 200, noise: float = 0.1, seed: int = 0) -> Data:
    """Draw x evenly from [-1, 1] and set ``y = sin(2 pi x) + noise * e``, e standard normal.

    Args:
        num_train, num_test: number of samples.
        noise: standard deviation of the noise, in units of y. Its square is the least mean
            squared error that a model can hope for on the test samples.
        seed: the same seed gives the same tensors.

    Returns:
        `Data` with x ``(N, 1)`` and y ``(N, 1)``, both float32.

    Raises:
        TypeError, ValueError: an argument is of the wrong type or out of range.
    """
    check_number("num_train", num_train, 1, integer=True)
    check_number("num_test", num_test, 1, integer=True)
    check_number("noise", noise, 0)
    check_number("seed", seed, 0, 2**63 - 1, integer=True)
    generator = torch.Generator().manual_seed(seed)
    x = 2 * torch.rand(num_train + num_test, 1, generator=generator) - 1
    y = target(x) + noise * torch.randn(x.shape, generator=generator)
    return Data(
        x_train=x[:num_train],
        y_train=y[:num_train],
        x_test=x[num_train:],
        y_test=y[num_train:],
        name="toy_regression",
        num_classes=0,
        task="regression",
    )


SOURCE = Source(
    load=load,
    title="A noisy sine",
    origin="Made on your machine by residual_lib: y = sin(2 pi x) + noise, x even on [-1, 1]",
    licence="MIT, as all of residual_lib",
    normalisation="none: x lies in [-1, 1] and y near [-1, 1] by construction",
    limits="One input and one output: it shows how a model bends, not how it generalises",
)
