"""The logit lens: what a model would say if it ended after an earlier block.

nostalgebraist 2020, "interpreting GPT: the logit lens"; Belrose et al. 2023 (arXiv 2303.08112),
section 2. The model's own last steps, its final norm and its head, are applied to the residual
stream after every block. Nothing is trained for it. That it gives anything sensible is an
observation on networks whose blocks only add to the stream, and no theorem.
"""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor, nn

from residual_lib.objective import IGNORED, error, loss
from residual_lib.probes.stream import states_of


def logit_lens(
    model: nn.Module, batch: tuple[Tensor, Tensor], *, training: bool = False
) -> pd.DataFrame:
    """Measure how good the prediction after each block is, and how near to the last one.

    Args:
        model: a model made of `Residual` with a ``read_out``, such as `residual_lib.models.GPT`
            and, with the masked head, `residual_lib.models.BERT`.
        batch: inputs and targets.
        training: whether the model runs in training mode, with dropout, or in evaluation mode.

    Returns:
        Columns ``layer`` (the block's qualified name), ``depth`` (1 for the first to finish; 0 and
        no name for what enters the first), ``metric`` and ``value``:

        - ``"loss"``, ``"error"``: as in `residual_lib.objective`;
        - ``"agreement"``: share of positions at which the likeliest token is already that of the
          model's output;
        - ``"divergence"``: Kullback-Leibler divergence of the prediction after this block from the
          model's output p, sum p log(p / q), in nats, mean over positions.

    Raises:
        ValueError: the model has no block or nothing that reads the stream out.
    """
    predictions = _predictions(model, batch[0], training)
    last = predictions[-1][1].log_softmax(1)
    rows = []
    for depth, (layer, logits) in enumerate(predictions):
        off = (last.exp() * (last - logits.log_softmax(1))).sum(1)
        measured = {
            "loss": loss(logits, batch[1]),
            "error": error(logits, batch[1]),
            "agreement": (logits.argmax(1) == last.argmax(1)).float().mean(),
            "divergence": off.mean(),
        }
        rows += [(layer, depth, metric, value.item()) for metric, value in measured.items()]
    return pd.DataFrame(rows, columns=["layer", "depth", "metric", "value"])


def logit_lens_positions(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    *,
    examples: int = 1,
    training: bool = False,
) -> pd.DataFrame:
    """Return what is predicted after each block at each position.

    Args:
        model, batch, training: as for `logit_lens`.
        examples: how many examples of the batch to show, from the first.

    Returns:
        Columns ``layer`` and ``depth`` as from `logit_lens`, ``example``, ``position``, ``metric``
        and ``value``:

        - ``"token"``: number of the likeliest token, and ``"probability"``, what it is given;
        - ``"target_probability"``: what the target is given, and ``"target_rank"``, how many tokens
          are given more; NaN where no target is asked for.

    Raises:
        ValueError: as for `logit_lens`, or `examples` is not in 1 ... batch size.
    """
    x, y = batch
    if not 1 <= examples <= len(x):
        raise ValueError(f"examples must be 1 to {len(x)} (the batch's size), got {examples}")
    target = y[:examples, None]
    asked = (target != IGNORED).squeeze(1)
    tables = []
    for depth, (layer, logits) in enumerate(_predictions(model, x[:examples], training)):
        shares = logits.softmax(1)
        top = shares.max(1)
        right = shares.gather(1, target.clamp(min=0))
        measured = {
            "token": top.indices.double(),
            "probability": top.values,
            "target_probability": right.squeeze(1).where(asked, torch.nan),
            "target_rank": (shares > right).sum(1).double().where(asked, torch.nan),
        }
        for metric, values in measured.items():
            index = pd.MultiIndex.from_product(
                [range(n) for n in values.shape], names=["example", "position"]
            )
            table = pd.DataFrame({"value": values.flatten().tolist()}, index=index).reset_index()
            table.insert(2, "metric", metric)
            tables.append(table.assign(layer=layer, depth=depth))
    columns = ["layer", "depth", "example", "position", "metric", "value"]
    return pd.concat(tables, ignore_index=True)[columns]


@torch.no_grad()
def _predictions(model: nn.Module, x: Tensor, training: bool) -> list[tuple[str, Tensor]]:
    """The logits (batch, classes, positions) after each block."""
    read_out = getattr(model, "read_out", None)
    if read_out is None:
        raise ValueError(
            "model must have a read_out, from the stream to logits, as GPT and BERT have; "
            f"got {type(model).__name__}"
        )
    states = states_of(model, x, training=training)
    with_logits = [(state.layer, read_out(state.y)) for state in states]
    if with_logits[-1][1].ndim != 3:
        raise ValueError(
            "model must read out logits (batch, classes, positions), got "
            f"{tuple(with_logits[-1][1].shape)}"
        )
    return with_logits
