"""A rectifier tailored to a depth, so that a net without skips keeps its inputs apart.

Zhang, Botev and Martens 2022, "Deep Learning without Shortcuts" (arXiv 2203.08120): TAT for leaky
rectifiers. Two inputs that enter a layer with cosine c leave it, in a wide net, with cosine C(c).
Layer after layer, ReLU drives every cosine to 1. The more a rectifier lets pass on its negative
side, the slower; its slope is chosen such that a net of L layers ends at a given cosine.
"""

from __future__ import annotations

from math import asin, pi, sqrt

from torch import Tensor, nn
from torch.nn import functional as F

from residual_lib.nn.checks import check_positive


def cosine_after(cosine: float, negative_slope: float, layers: int = 1) -> float:
    """The cosine of two inputs' features behind wide layers with a leaky rectifier.

    With a the slope below 0, the rectifier is (1 + a) x / 2 + (1 - a) |x| / 2. For two normal
    variables x, y of variance 1 and correlation c, E[xy] = c and
    E|xy| = 2 (sqrt(1 - c^2) + c asin c) / pi, and mixed terms vanish. Divided by its value at
    c = 1, (1 + a^2) / 2, this is the map C.

    Args:
        cosine: of the two inputs, -1 to 1.
        negative_slope: a, 0 for ReLU and 1 for no rectifier.
        layers: how many times the map is applied.

    Raises:
        ValueError: `cosine` or `negative_slope` is out of range.
    """
    if not -1 <= cosine <= 1:
        raise ValueError(f"cosine must be from -1 to 1, got {cosine!r}")
    if not 0 <= negative_slope <= 1:
        raise ValueError(f"negative_slope must be from 0 to 1, got {negative_slope!r}")
    odd, even = (1 + negative_slope) ** 2, (1 - negative_slope) ** 2
    c = cosine
    for _ in range(layers):
        absolute = 2 / pi * (sqrt(max(0.0, 1 - c * c)) + c * asin(c))
        c = min(1.0, (odd * c + even * absolute) / (2 * (1 + negative_slope**2)))
    return c


def tailored_slope(layers: int, cosine: float = 0.9) -> float:
    """The slope below 0 with which `layers` layers take orthogonal inputs to `cosine` (TAT's eta).

    Raises:
        ValueError: `layers` is no number from 1, or `cosine` isn't between 0 and 1.
    """
    check_positive(layers=layers)
    if not 0 < cosine < 1:
        raise ValueError(f"cosine must be between 0 and 1, got {cosine!r}")
    low, high = 0.0, 1.0  # the cosine behind all layers falls as the slope rises
    if cosine_after(0.0, low, layers) <= cosine:
        return low
    for _ in range(60):
        middle = (low + high) / 2
        if cosine_after(0.0, middle, layers) > cosine:
            low = middle
        else:
            high = middle
    return high


class TailoredReLU(nn.Module):
    """A leaky rectifier times sqrt(2 / (1 + a^2)), which keeps the mean square of a normal input.

    Args:
        negative_slope: a, such as `tailored_slope` gives.
    """

    def __init__(self, negative_slope: float) -> None:
        super().__init__()
        if not 0 <= negative_slope <= 1:
            raise ValueError(f"negative_slope must be from 0 to 1, got {negative_slope!r}")
        self.negative_slope = float(negative_slope)
        self.gain = sqrt(2 / (1 + self.negative_slope**2))

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * F.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope:g}"
