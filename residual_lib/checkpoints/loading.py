"""Weights into a model: which name goes where, and whether all of them do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from residual_lib.checkpoints.families import LAYOUTS, layouts_for
from residual_lib.checkpoints.layout import Layout
from residual_lib.checkpoints.reading import read
from residual_lib.models import create_model, model_options

_SHOWN = 6  # names in a message, of each sort


@dataclass(frozen=True)
class _Fit:
    """What of a file goes where in a model, if the file is of this layout."""

    layout: str
    options: dict[str, Any]  # of the model
    tensors: dict[str, Tensor]  # by our names
    missing: list[str]
    extra: list[str]
    misshapen: list[str]

    @property
    def faults(self) -> int:
        return len(self.missing) + len(self.extra) + len(self.misshapen)


def load(
    path: str | Path, model: str = "resnet20_cifar", layout: str = "auto", **options: Any
) -> nn.Module:
    """Return a model with the weights of a checkpoint, in evaluation mode, on the CPU.

    What the shapes of the weights tell needn't be said: channels in and out, the kind of stem, and
    which of the shortcuts A, B, C or D; of a dense network how it grows; of a Transformer its
    vocabulary, longest sequence, layers and channels. What they don't tell is as in `model`, unless
    `options` says otherwise: ``stride_in_1x1=True`` for bottlenecks made as in the paper,
    ``n_head`` and ``activation`` of a Transformer.

    Args:
        path: a file of safetensors, or of PyTorch's (.pt, .pth, .th, ...); see `read`.
        model: a name for `residual_lib.models.create_model`.
        layout: how the file names its parts: one of `LAYOUTS` that there is for the model's
            family, or ``"auto"`` for the one that fits best.
        options: of the model.

    Returns:
        The model. ``model.layout`` is the name of the layout and ``model.options`` has the
        options it was built with.

    Raises:
        ValueError: there is no such layout or model, or the file doesn't fit: the message, of one
            line, lists what is missing, extra or misshapen under the file's own names. Or `read`
            refuses the file.
        FileNotFoundError: there is no such file.
        TypeError: the model has no such option.
    """
    if layout != "auto" and layout not in LAYOUTS:
        raise ValueError(f"layout must be 'auto' or one of {list(LAYOUTS)}, got {layout!r}")
    layouts = layouts_for(model)
    if layout != "auto" and layout not in layouts:
        raise ValueError(
            f"layout must be 'auto' or one of {list(layouts)} for {model}, got {layout!r}"
        )
    allowed = model_options(model)
    tensors = read(path)
    tried = layouts if layout == "auto" else {layout: layouts[layout]}
    fits, refusals = [], []
    for name in tried:
        try:
            fits.append(_fit(name, tried[name], tensors, model, allowed, options))
        except ValueError as error:  # what this layout makes of the shapes is no model
            refusals.append(error)
    if not fits:
        raise refusals[0]
    best = min(fits, key=lambda fit: fit.faults)
    if best.faults:
        lists = {"missing": best.missing, "extra": best.extra, "misshapen": best.misshapen}
        faults = "; ".join(_listed(sort, names) for sort, names in lists.items() if names)
        raise ValueError(f"{Path(path).name} doesn't fit {model} (layout {best.layout}): {faults}")
    built = create_model(model, **best.options).eval()
    with torch.no_grad():
        for name, tensor in built.state_dict().items():
            if name in best.tensors:
                tensor.copy_(best.tensors[name])
    built.layout, built.options = best.layout, best.options  # type: ignore[assignment]
    return built


def _fit(
    name: str,
    layout: Layout,
    tensors: Mapping[str, Tensor],
    model: str,
    allowed: list[str],
    options: dict[str, Any],
) -> _Fit:
    tensors, told = layout.read(tensors)
    told = {option: value for option, value in told.items() if option in allowed} | options
    with torch.device("meta"):  # shapes are enough to compare with
        state = create_model(model, **told).state_dict()
    theirs = layout.names(state, told)
    found = {ours: tensors[other] for ours, other in theirs.items() if other in tensors}
    return _Fit(
        name,
        told,
        found,
        # How many batches a BatchNorm has seen matters to no output, and old files lack it.
        missing=[
            other
            for ours, other in theirs.items()
            if ours not in found and not other.endswith("num_batches_tracked")
        ],
        extra=sorted(
            name
            for name in set(tensors) - set(theirs.values())
            if not re.fullmatch(layout.spare, name)
        ),
        misshapen=[
            f"{theirs[ours]} {tuple(tensor.shape)}, not {tuple(state[ours].shape)}"
            for ours, tensor in found.items()
            if tensor.shape != state[ours].shape
        ],
    )


def _listed(sort: str, names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{sort} {len(names)}: {shown}{more}"
