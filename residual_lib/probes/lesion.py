"""Lesions: what a trained model loses when blocks are deleted or change places.

Veit, Wilber and Belongie 2016, "Residual Networks Behave Like Ensembles of Relatively Shallow
Networks" (arXiv 1605.06431), section 4. Nothing is trained again after a lesion, and BatchNorm
keeps its running statistics unless `training` is True.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from residual_lib.probes.masking import blocks_of, check_names, deleted, swapped
from residual_lib.probes.scores import bar, check_count, scores
from residual_lib.probes.tap import tap, untouched

INTACT = -1  # the index of the row for the model without a lesion


def lesion(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    *,
    blocks: Sequence[str] | None = None,
    path: str = "branch",
    training: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Delete the branch of each block in turn, and measure the loss and the error (figure 3).

    Args:
        model: any model made of `Residual`; a plain block becomes the identity.
        batch: inputs and targets, such as the whole test split.
        blocks: which, by qualified name; default: all.
        path: ``"branch"``, or ``"shortcut"`` to delete the skip instead; see
            `residual_lib.probes.masking.deleted`.
        training: whether BatchNorm uses the batch's statistics (True) or its running ones.
        progress: whether to show a bar.

    Returns:
        Columns ``block`` (qualified name), ``index`` (0 for the first; the intact model comes
        before it with index -1 and no name), ``metric`` (``"loss"``, ``"error"``) and ``value``:
        loss as in `residual_lib.objective`, error as a share, 0 to 1.

    Raises:
        ValueError: the model has no block, or none of that name, there is no such path, or a plain
            block changes the shape.
    """
    order = {name: index for index, name in enumerate(blocks_of(model))}
    chosen = list(order) if blocks is None else list(blocks)
    check_names(model, chosen)
    rows = []
    with untouched(model, training=training):
        for name in bar(["", *chosen], "lesion", progress):
            index = order[name] if name else INTACT
            with deleted(model, [name] if name else [], path):
                measured = scores(model, batch)
            rows += [(name, index, metric, value) for metric, value in measured.items()]
    return pd.DataFrame(rows, columns=["block", "index", "metric", "value"])


def lesion_random(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    *,
    numbers: Sequence[int] | None = None,
    draws: int = 10,
    seed: int = 0,
    path: str = "branch",
    training: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Delete several blocks at once, drawn at random (figure 5a).

    Args:
        model, batch, path, training, progress: as for `lesion`.
        numbers: how many blocks to delete; default: 0, 1, 2, ... up to all, or up to 20 as in the
            paper.
        draws: how many sets of each size are drawn, without repeats inside a set.
        seed: of the draws.

    Returns:
        Columns ``deleted`` (how many), ``draw``, ``blocks`` (their indices, joined by blanks),
        ``metric`` and ``value`` as for `lesion`.

    Raises:
        ValueError: an argument is out of its range.
    """
    blocks = list(blocks_of(model))
    if numbers is None:
        numbers = range(min(len(blocks), 20) + 1)
    for number in numbers:
        check_count("numbers", number, 0, len(blocks))
    check_count("draws", draws)
    generator = np.random.default_rng(seed)
    trials = [(number, draw) for number in numbers for draw in range(draws)]
    rows = []
    with untouched(model, training=training):
        for number, draw in bar(trials, "lesion_random", progress):
            chosen = sorted(generator.choice(len(blocks), number, replace=False).tolist())
            with deleted(model, [blocks[index] for index in chosen], path):
                measured = scores(model, batch)
            label = " ".join(map(str, chosen))
            rows += [(number, draw, label, metric, value) for metric, value in measured.items()]
    return pd.DataFrame(rows, columns=["deleted", "draw", "blocks", "metric", "value"])


def lesion_reorder(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    *,
    swaps: Sequence[int] | None = None,
    draws: int = 10,
    seed: int = 0,
    training: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Let random pairs of blocks change places, and measure the loss and the error (figure 5b).

    Only blocks that take and give the same shapes, and that lie inside the same blocks, change
    places with each other. They swap branch and scale; shortcut and `after` stay.

    Args:
        model, batch, training, progress: as for `lesion`.
        swaps: how many swaps are made one after the other; default: 0, 1, 2, ... up to the number
            of blocks, or up to 20.
        draws: how many orders are drawn for each number of swaps.
        seed: of the draws.

    Returns:
        Columns ``swaps``, ``draw``, ``kendall_tau`` (rank correlation of the new order with the
        old one: 1 unchanged, 0 unrelated, -1 reversed), ``metric`` and ``value`` as for `lesion`.

    Raises:
        ValueError: an argument is out of its range, or no two blocks can change places.
    """
    blocks = list(blocks_of(model))
    if swaps is None:
        swaps = range(min(len(blocks), 20) + 1)
    for number in swaps:
        check_count("swaps", number, 0)
    check_count("draws", draws)
    generator = np.random.default_rng(seed)
    trials = [(number, draw) for number in swaps for draw in range(draws)]
    rows = []
    with untouched(model, training=training):
        pairs = _pairs(model, batch[0])
        for number, draw in bar(trials, "lesion_reorder", progress):
            order = np.arange(len(blocks))
            for pair in generator.choice(pairs, number):
                order[pair] = order[pair[::-1]]
            with _in_order(model, blocks, order):
                measured = scores(model, batch)
            tau = kendall_tau(order)
            rows += [(number, draw, tau, metric, value) for metric, value in measured.items()]
    return pd.DataFrame(rows, columns=["swaps", "draw", "kendall_tau", "metric", "value"])


def kendall_tau(order: Sequence[int] | np.ndarray) -> float:
    """Return Kendall's rank correlation of a permutation with the sorted order, -1 to 1.

    The share of pairs in their old order minus the share of those turned round (Kendall 1938). A
    single element has nothing to be turned round with: 1.
    """
    order = np.asarray(order)
    first, second = np.triu_indices(len(order), k=1)
    return float(np.sign(order[second] - order[first]).mean()) if len(first) else 1.0


def _in_order(
    model: nn.Module, blocks: Sequence[str], order: np.ndarray
) -> AbstractContextManager[None]:
    moved = {name: blocks[i] for name, i in zip(blocks, order, strict=True) if name != blocks[i]}
    return swapped(model, moved) if moved else nullcontext()


@torch.no_grad()
def _pairs(model: nn.Module, x: Tensor) -> list[tuple[int, int]]:
    """The pairs of blocks, by index, that can change places."""
    blocks = blocks_of(model)
    with tap({**blocks}) as taps:
        model(x[:2])
    names = list(blocks)

    def kind(name: str) -> tuple[object, ...]:
        around = tuple(other for other in names if _lies_in(name, other))
        return taps.inputs[name].shape, taps.outputs[name].shape, around

    kinds = {name: kind(name) for name in names if name in taps.inputs}
    pairs = [
        (i, j)
        for j in range(len(names))
        for i in range(j)
        if names[i] in kinds and names[j] in kinds and kinds[names[i]] == kinds[names[j]]
    ]
    if not pairs:
        raise ValueError("model must have two blocks of the same shapes to change places, got none")
    return pairs


def _lies_in(name: str, other: str) -> bool:
    return name != other and (other == "" or name.startswith(f"{other}."))
