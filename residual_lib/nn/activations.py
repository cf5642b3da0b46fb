"""Activations by name."""

from __future__ import annotations

from torch import nn


class TanhGELU(nn.GELU):
    """GELU by the formula with a tanh that GPT-2 has (Hendrycks and Gimpel 2016, section 2)."""

    def __init__(self) -> None:
        super().__init__(approximate="tanh")


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "gelu_tanh": TanhGELU,
    "silu": nn.SiLU,
}


def create_activation(name: str) -> nn.Module:
    """Return a new activation module. Shapes: any, unchanged.

    Raises:
        ValueError: `name` is none of `ACTIVATIONS`.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}, got {name!r}")
    return ACTIVATIONS[name]()
