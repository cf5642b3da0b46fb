"""Branches: what a block computes besides its shortcut."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import nn

Part = Callable[[], nn.Module]


def two_layers(layer: Part, norm: Part, activation: Part) -> nn.Sequential:
    """Return layer, norm, activation, layer, norm: the branch of the basic block.

    He et al. 2015, figure 2 and section 3.3; the second activation comes after the merge, so it is
    the block's `after` and not part of the branch.

    Args:
        layer: makes a layer whose input and output have one shape.
        norm: makes a normalisation, or the identity.
        activation: makes an activation.
    """
    return nn.Sequential(
        OrderedDict(layer1=layer(), norm1=norm(), act1=activation(), layer2=layer(), norm2=norm())
    )
