"""Branches: what a block computes besides its shortcut."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import nn

Part = Callable[[], nn.Module]
PREACTIVATIONS = ("act_only_preactivation", "preactivation")
ORDERS = ("original", "norm_after_addition", "act_before_addition", *PREACTIVATIONS)


class Ordered(NamedTuple):
    """A branch in three parts, each by name.

    `lead` comes before the first layer: part of the branch, or, where the shortcut reads the
    activated input too, in front of the block. `after` comes after the addition.
    """

    lead: OrderedDict[str, nn.Module]
    body: OrderedDict[str, nn.Module]
    after: OrderedDict[str, nn.Module]


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


def in_order(
    layers: Sequence[nn.Module],
    channels: Sequence[int],
    norm: Callable[[int], nn.Module],
    activation: Part,
    order: str = "original",
) -> Ordered:
    """Put norms and activations around `layers`: the five orders of He et al. 2016, Table 2.

    With layers l, norms n and activations a, and + for the addition (figure 4 of the paper):

    - ``"original"``: l n a l n + a;
    - ``"norm_after_addition"``: l n a l + n a;
    - ``"act_before_addition"``: l n a l n a +;
    - ``"act_only_preactivation"``: a l n a l n +;
    - ``"preactivation"``: n a l n a l +.

    Args:
        layers: the branch's layers, first to last.
        channels: of the input of each layer, and of the output of the last.
        norm: makes a normalisation of so many channels, or the identity.
        activation: makes an activation.
        order: one of the above.

    Raises:
        ValueError: `order` is none of the above, or `channels` isn't one longer than `layers`.
    """
    if order not in ORDERS:
        raise ValueError(f"order must be one of {list(ORDERS)}, got {order!r}")
    if len(channels) != len(layers) + 1:
        raise ValueError(f"channels must be {len(layers) + 1} numbers, got {list(channels)}")
    lead: OrderedDict[str, nn.Module] = OrderedDict()
    body: OrderedDict[str, nn.Module] = OrderedDict()
    after: OrderedDict[str, nn.Module] = OrderedDict()
    norm_first = order == "preactivation"
    act_first = order in PREACTIVATIONS
    for number, layer in enumerate(layers, start=1):
        before = lead if number == 1 else body
        if norm_first:
            before[f"norm{number}"] = norm(channels[number - 1])
        if act_first:
            before[f"act{number}"] = activation()
        body[f"layer{number}"] = layer
        last = number == len(layers)
        behind = after if last and order == "norm_after_addition" else body
        if not norm_first:
            behind[f"norm{number}"] = norm(channels[number])
        if not act_first:
            behind = after if last and order != "act_before_addition" else body
            behind[f"act{number}"] = activation()
    return Ordered(lead, body, after)
