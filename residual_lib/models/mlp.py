"""Fully connected networks, plain and residual, that differ by one argument."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from residual_lib.models.checks import check_depth, check_starts
from residual_lib.models.registry import register_model
from residual_lib.nn import (
    DropPath,
    create_activation,
    create_norm,
    create_scale,
    drop_paths,
    dropped,
    initialise_,
    two_layers,
    zero_branches_,
)
from residual_lib.nn.checks import check_positive
from residual_lib.residual import Residual, add, branch_only


class MLP(nn.Module):
    """A stem layer, blocks of two layers each, and a linear head.

    With ``skip=False`` each block's merge keeps the branch alone, which makes a plain network
    with the same parameters, under the same names, in the same order.

    Shapes: (batch, ...) with `in_features` numbers an example -> (batch, num_classes).

    Args:
        in_features: numbers in one example, after flattening.
        num_classes: outputs.
        width: units in each hidden layer.
        depth: layers with weights, head included: 2 + 2 per block, so an even number from 2.
        activation: name, see `residual_lib.nn.ACTIVATIONS`.
        norm_layer: ``"batch"``, ``"layer"`` or None, before each activation.
        init: name of the initialisation, see `residual_lib.nn.initialise_`.
        skip: True for the residual network.
        scale: name of what stands on each branch, see `residual_lib.nn.create_scale`.
        zero_init_residual: start what comes last in each branch, its normalisation or without one
            its layer, at 0, so that each block starts as the identity.
        drop_path_rate: stochastic depth: the probability of leaving the last branch out; those
            before it rise to it in a straight line from 0. See `residual_lib.nn.DropPath`.
        drop_path_per: who draws: each ``"example"``, or once a ``"batch"``, where a branch that is
            left out isn't computed.

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """

    def __init__(
        self,
        in_features: int = 64,
        num_classes: int = 10,
        *,
        width: int = 64,
        depth: int = 10,
        activation: str = "relu",
        norm_layer: str | None = None,
        init: str = "he",
        skip: bool = False,
        scale: str | None = None,
        zero_init_residual: bool = False,
        drop_path_rate: float = 0.0,
        drop_path_per: str = "example",
    ) -> None:
        super().__init__()
        check_positive(in_features=in_features, num_classes=num_classes, width=width)
        blocks = check_depth(depth)
        check_starts(skip, scale=scale, zero_init_residual=zero_init_residual)

        def linear(inputs: int) -> nn.Linear:
            # BatchNorm subtracts any constant, so a bias before it would do nothing.
            return nn.Linear(inputs, width, bias=norm_layer != "batch")

        def norm() -> nn.Module:
            return create_norm(norm_layer, width)

        def activate() -> nn.Module:
            return create_activation(activation)

        def block(drop: DropPath | None) -> Residual:
            branch = two_layers(lambda: linear(width), norm, activate)
            part = create_scale(scale, blocks=blocks, channels=width)
            return Residual(branch, scale=dropped(drop, part), merge=merge, after=activate())

        merge = add if skip else branch_only
        self.stem = nn.Sequential(
            OrderedDict(layer=linear(in_features), norm=norm(), act=activate())
        )
        drops = drop_paths(drop_path_rate, blocks, drop_path_per)
        self.blocks = nn.Sequential(*map(block, drops))
        self.head = nn.Linear(width, num_classes)
        initialise_(self, init, activation=activation)
        if zero_init_residual:
            zero_branches_(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x.flatten(1))))


register_model("plain_mlp", MLP, skip=False)
register_model("residual_mlp", MLP, skip=True)
