"""The playground's networks, made of `residual_lib.Residual`."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from residual_lib.models import create_model
from residual_lib.nn import (
    LearnedScale,
    Scale,
    create_activation,
    create_norm,
    in_order,
    initialise_,
    two_layers,
)
from residual_lib.residual import Residual


class Mirror(nn.Module):
    """The kinds that `residual_lib.models.MLP` doesn't have."""

    def __init__(self, spec: dict[str, Any], norm_layer: str | None) -> None:
        super().__init__()
        width, kind = spec["width"], spec["kind"]

        def linear(inputs: int = width) -> nn.Linear:
            return nn.Linear(inputs, width, bias=norm_layer is None)

        def norm(channels: int = width) -> nn.Module:
            return create_norm(norm_layer, channels)

        def act() -> nn.Module:
            return create_activation(spec["activation"])

        def block() -> Residual:
            if kind == "preactivation":
                layers = [linear(), linear()]
                parts = in_order(layers, [width] * 3, norm, act, "preactivation")
                return Residual(nn.Sequential(OrderedDict({**parts.lead, **parts.body})))
            branch = two_layers(linear, norm, act)
            if kind == "rezero":
                return Residual(branch, scale=LearnedScale())
            return Residual(branch, shortcut=Scale(spec["factor"]), after=act())

        tidy = nn.Sequential(norm(), act())
        early = kind != "preactivation"
        self.stem = nn.Sequential(linear(spec["inputs"]), *(tidy if early else ()))
        self.blocks = nn.Sequential(*(block() for _ in range(spec["depth"] // 2 - 1)))
        self.final = nn.Sequential(*(() if early else tidy))
        self.head = nn.Linear(width, spec["outputs"])

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.final(self.blocks(self.stem(x))))


def build(spec: dict[str, Any], init: str, zero: bool) -> nn.Module:
    """The model that a network of the playground with this `Spec` must equal."""
    norm_layer = None if spec["norm"] == "none" else spec["norm"]
    model: nn.Module
    if spec["kind"] in ("plain", "residual"):
        model = create_model(
            f"{spec['kind']}_mlp",
            in_features=spec["inputs"],
            num_classes=spec["outputs"],
            width=spec["width"],
            depth=spec["depth"],
            activation=spec["activation"],
            norm_layer=norm_layer,
        )
    else:
        model = Mirror(spec, norm_layer)
    initialise_(model, init, activation=spec["activation"])
    if zero:
        for block in model.blocks:
            last = [part for part in block.branch if list(part.parameters())][-1]
            for parameter in last.parameters():
                nn.init.zeros_(parameter)
    return model
