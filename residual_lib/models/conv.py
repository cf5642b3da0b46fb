"""Convolutional stacks in 1-D and 2-D, plain and residual, that differ by one argument."""

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

_CONV: dict[int, type[nn.Conv1d] | type[nn.Conv2d]] = {1: nn.Conv1d, 2: nn.Conv2d}


class ConvNet(nn.Module):
    """A stem convolution, blocks of two convolutions each, global average pooling, a linear head.

    He et al. 2015, section 4.2, without the changes of width and size between stages, so that the
    identity fits on every shortcut. With ``skip=False`` each block's merge keeps the branch alone,
    which makes a plain network with the same parameters, under the same names, in the same order.

    Shapes: (batch, in_chans, length) for ``dims=1`` or (batch, in_chans, height, width) for
    ``dims=2`` -> (batch, num_classes).

    Args:
        in_chans: channels of the input.
        num_classes: outputs.
        dims: number of position axes, 1 or 2.
        width: channels of every hidden layer.
        depth: layers with weights, head included: 2 + 2 per block, so an even number from 2.
        activation: name, see `residual_lib.nn.ACTIVATIONS`.
        norm_layer: ``"batch"``, ``"layer"`` or None, after each convolution.
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
        in_chans: int = 1,
        num_classes: int = 10,
        *,
        dims: int = 2,
        width: int = 16,
        depth: int = 20,
        activation: str = "relu",
        norm_layer: str | None = "batch",
        init: str = "he",
        skip: bool = False,
        scale: str | None = None,
        zero_init_residual: bool = False,
        drop_path_rate: float = 0.0,
        drop_path_per: str = "example",
    ) -> None:
        super().__init__()
        if dims not in _CONV:
            raise ValueError(f"dims must be 1 or 2, got {dims!r}")
        check_positive(in_chans=in_chans, num_classes=num_classes, width=width)
        blocks = check_depth(depth)
        check_starts(skip, scale=scale, zero_init_residual=zero_init_residual)

        def conv(inputs: int) -> nn.Module:
            # BatchNorm subtracts any constant, so a bias before it would do nothing.
            return _CONV[dims](inputs, width, 3, padding=1, bias=norm_layer != "batch")

        def norm() -> nn.Module:
            return create_norm(norm_layer, width, dims=dims)

        def activate() -> nn.Module:
            return create_activation(activation)

        def block(drop: DropPath | None) -> Residual:
            branch = two_layers(lambda: conv(width), norm, activate)
            part = create_scale(scale, blocks=blocks, channels=width)
            return Residual(branch, scale=dropped(drop, part), merge=merge, after=activate())

        merge = add if skip else branch_only
        self.stem = nn.Sequential(OrderedDict(layer=conv(in_chans), norm=norm(), act=activate()))
        drops = drop_paths(drop_path_rate, blocks, drop_path_per)
        self.blocks = nn.Sequential(*map(block, drops))
        self.head = nn.Linear(width, num_classes)
        initialise_(self, init, activation=activation)
        if zero_init_residual:
            zero_branches_(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.stem(x))
        return self.head(x.flatten(2).mean(-1))


for _dims in (1, 2):
    register_model(f"plain_conv{_dims}d", ConvNet, dims=_dims, skip=False)
    register_model(f"residual_conv{_dims}d", ConvNet, dims=_dims, skip=True)
