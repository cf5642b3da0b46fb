"""Identity-ness: how much a block changes what its shortcut carries."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from residual_lib.probes.masking import blocks_of, merging
from residual_lib.probes.tap import untouched
from residual_lib.residual import Merge


@torch.no_grad()
def identityness(
    model: nn.Module, batch: tuple[Tensor, Tensor], *, training: bool = True
) -> pd.DataFrame:
    """Compare what enters each block's merge: the scaled branch with the shortcut.

    He et al. 2015 (arXiv 1512.03385), section 4.2 and figure 7, expect small responses of the
    branches if identity mappings are a good starting point. Here the branch is taken as it is
    merged, after `scale`, and set in proportion to the shortcut it is merged with.

    Args:
        model: any model made of `Residual`.
        batch: inputs and targets; only the inputs are used.
        training: whether BatchNorm uses the batch's statistics (True) or its running ones.

    Returns:
        A row per block and metric, in the order in which the blocks merge, with the columns
        ``layer`` (qualified name), ``index`` (0 for the first to merge), ``metric`` and ``value``.
        Each value is a mean over the examples of the batch:

        - ``"branch_norm"`` and ``"shortcut_norm"``: L2 norm over channels and positions;
        - ``"ratio"``: the first over the second, 0 for a block that is the identity;
        - ``"cosine"``, where both have one shape: 1 if the branch makes the shortcut longer,
          0 if it is orthogonal, -1 if it takes away what the shortcut carries.

    Raises:
        ValueError: the model has no block.

    It is usable during training: ``train(..., probes={"identityness": identityness})``.
    """
    seen: list[tuple[str, Tensor, Tensor]] = []

    def watching(name: str, merge: Merge) -> Merge:
        def merge_and_note(shortcut: Tensor, branch: Tensor) -> Tensor:
            seen.append((name, shortcut.flatten(1), branch.flatten(1)))
            return merge(shortcut, branch)

        return merge_and_note

    with untouched(model, training=training), merging(model, blocks_of(model), watching):
        model(batch[0])
    rows = []
    for index, (name, shortcut, branch) in enumerate(seen):
        lengths = branch.norm(dim=1), shortcut.norm(dim=1)
        measured = {
            "branch_norm": lengths[0],
            "shortcut_norm": lengths[1],
            "ratio": lengths[0] / lengths[1],
        }
        if shortcut.shape == branch.shape:
            measured["cosine"] = cosine_similarity(shortcut, branch, dim=1)
        rows += [(name, index, metric, value.mean().item()) for metric, value in measured.items()]
    return pd.DataFrame(rows, columns=["layer", "index", "metric", "value"])
