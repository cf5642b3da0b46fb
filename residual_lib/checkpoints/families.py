"""Which ways to name parts there are for which family of networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from residual_lib.checkpoints import densenets, resnets, transformers
from residual_lib.checkpoints.layout import Layout
from residual_lib.models import BERT, GPT, DenseNet, ResNet, model_factory

OWN = "residual_lib"  # the layout of our own names


#: What builds a family -> its layouts by name. Other families have our own names only.
FAMILIES: dict[Callable[..., Any], Mapping[str, Layout]] = {
    ResNet: resnets.LAYOUTS,
    DenseNet: densenets.LAYOUTS,
    GPT: transformers.GPT_LAYOUTS,
    BERT: transformers.BERT_LAYOUTS,
}
#: The names of all layouts.
LAYOUTS = tuple(dict.fromkeys([OWN, *(name for family in FAMILIES.values() for name in family)]))


def layouts_for(model: str) -> Mapping[str, Layout]:
    """The layouts, by name, in which the weights of the model called `model` may come.

    Raises:
        ValueError: there is no such model.
    """
    return FAMILIES.get(model_factory(model), {OWN: Layout()})
