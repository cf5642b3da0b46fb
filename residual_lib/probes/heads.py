"""What a trained model loses when heads of its attentions are deleted, one at a time."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from torch import Tensor, nn

from residual_lib.nn import Attention
from residual_lib.probes.lesion import INTACT
from residual_lib.probes.masking import silenced
from residual_lib.probes.scores import bar, scores
from residual_lib.probes.tap import parts_of, untouched


def lesion_heads(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    *,
    layers: Sequence[str] | None = None,
    training: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Delete each head in turn, and measure the loss and the error.

    An attention's output is a sum over its heads, of each head's output times its own rows of the
    last layer, and of that layer's bias. One term of the sum is set to 0 (Michel, Levy and Neubig
    2019, arXiv 1905.10650, section 3.1: one of the mask variables xi_h). To delete all heads of an
    attention, its whole branch, is what `lesion` does, but for that bias.

    Args:
        model: any module with parts of `residual_lib.nn.Attention`.
        batch: inputs and targets, such as the whole test split.
        layers: which attentions, by qualified name; default: all.
        training: whether the model runs in training mode, with dropout, or in evaluation mode.
        progress: whether to show a bar.

    Returns:
        Columns ``layer`` (the attention's qualified name), ``index`` (0 for the first attention),
        ``head`` (from 0; the intact model comes before the first with index and head -1 and no
        name), ``metric`` (``"loss"``, ``"error"``) and ``value``: loss as in
        `residual_lib.objective`, error as a share, 0 to 1.

    Raises:
        ValueError: the model has no attention, or none of that name.
    """
    found = {
        name: part
        for name, part in parts_of(model, (Attention,)).items()
        if isinstance(part, Attention)
    }
    order = {name: index for index, name in enumerate(found)}
    chosen = list(found) if layers is None else list(layers)
    if unknown := sorted(set(chosen) - set(found)):
        raise ValueError(f"layers must be of {list(found)}, got {unknown}")
    heads = [(name, head) for name in chosen for head in range(found[name].n_head)]
    rows: list[tuple[str, int, int, str, float]] = []

    def record(name: str, index: int, head: int) -> None:
        rows.extend((name, index, head, *measured) for measured in scores(model, batch).items())

    with untouched(model, training=training):
        record("", INTACT, INTACT)
        for name, head in bar(heads, "lesion_heads", progress):
            with silenced(found[name].proj, found[name].channels_of(head)):
                record(name, order[name], head)
    return pd.DataFrame(rows, columns=["layer", "index", "head", "metric", "value"])
