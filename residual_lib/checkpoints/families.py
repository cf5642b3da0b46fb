"""Which ways to name parts there are for which family of networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from torch import Tensor

from residual_lib.checkpoints import densenets, resnets
from residual_lib.models import DenseNet, ResNet, model_factory

OWN = "residual_lib"  # the layout of our own names


class Layout(Protocol):
    """A way to name the parts of a network, and to tell from them what it is made like."""

    def read(self, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """A file's tensors under this layout's usual names, and arguments for the model.

        The arguments are what names and shapes tell, as far as they do.
        """

    def names(self, ours: Iterable[str], options: Mapping[str, Any]) -> dict[str, str]:
        """Our name of each weight and buffer -> its name in this layout.

        `options` are the model's.
        """


class Own:
    """Our names, for networks of which nothing can be told."""

    def read(self, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return dict(tensors), {}

    def names(self, ours: Iterable[str], options: Mapping[str, Any]) -> dict[str, str]:
        return {name: name for name in ours}


#: What builds a family -> its layouts by name. Other families have our own names only.
FAMILIES: dict[Callable[..., Any], Mapping[str, Layout]] = {
    ResNet: resnets.LAYOUTS,
    DenseNet: densenets.LAYOUTS,
}
#: The names of all layouts.
LAYOUTS = tuple(dict.fromkeys([OWN, *(name for family in FAMILIES.values() for name in family)]))


def layouts_for(model: str) -> Mapping[str, Layout]:
    """The layouts, by name, in which the weights of the model called `model` may come.

    Raises:
        ValueError: there is no such model.
    """
    return FAMILIES.get(model_factory(model), {OWN: Own()})
