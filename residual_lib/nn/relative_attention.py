"""Self-attention that knows how far apart two positions are, and not where they stand."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residual_lib.nn.attention import Attention


class RelativeAttention(Attention):
    """Attention whose scores have a term for the content and one for the distance.

    Dai et al. 2019 (Transformer-XL, arXiv 1901.02860), section 3.3, without its memory: query i
    gives key j the score ``((q_i + u) k_j + (q_i + v) W r_{i-j}) / sqrt(d)``, with r the sines and
    cosines of the distance, `distance_encodings`, and u, v learned, for each head. Positions are
    not added to the input. So a sequence that stands later, with as much around it, gives the same.

    Shapes: (B, T, n_embd) -> (B, T, n_embd), for any T.

    Args:
        n_embd: channels, an even number.
        n_head: heads; must divide `n_embd`.
        dropout: probability, in training, of leaving out the attention paid to one position.
        bias: whether the linear layers add one; that of the distances has none.

    Raises:
        ValueError: `n_embd` is odd, `n_head` doesn't divide it, or `dropout` is out of its range.
    """

    def __init__(
        self, n_embd: int, n_head: int, *, dropout: float = 0.0, bias: bool = True
    ) -> None:
        super().__init__(n_embd, n_head, dropout=dropout, bias=bias)
        if n_embd % 2:
            raise ValueError(f"n_embd must be even for sines and cosines, got {n_embd!r}")
        self.distance = nn.Linear(n_embd, n_embd, bias=False)
        self.content_bias = nn.Parameter(torch.zeros(n_head, 1, n_embd // n_head))
        self.distance_bias = nn.Parameter(torch.zeros(n_head, 1, n_embd // n_head))

    def forward(self, x: Tensor) -> Tensor:
        parts = self.qkv(x).chunk(3, dim=-1)
        # (B, n_head, T, d) each
        query, key, value = (p.unflatten(-1, (self.n_head, -1)).transpose(1, 2) for p in parts)
        encodings = self.distance(distance_encodings(x.shape[1], x))
        encodings = encodings.unflatten(-1, (self.n_head, -1)).transpose(0, 1)
        near = by_distance((query + self.distance_bias) @ encodings.mT)
        scores = ((query + self.content_bias) @ key.mT + near) / math.sqrt(query.shape[-1])
        if self.mask is not None:
            scores = scores.masked_fill(~self.mask, -math.inf)
        # Written out: PyTorch's fused attention has no gradient for what is added to the scores.
        shares = F.dropout(scores.softmax(-1), self.dropout, self.training)
        gathered = shares @ value
        return self.proj(gathered.transpose(1, 2).flatten(2))


def distance_encodings(positions: int, like: Tensor) -> Tensor:
    """Sines, then cosines, of the distances from T - 1 down to 1 - T: (2T - 1, channels).

    Their wavelengths are those of Vaswani et al. 2017 (arXiv 1706.03762), section 3.5.

    Args:
        positions: T.
        like: a tensor (..., channels), whose type and device the result has.
    """
    channels = like.shape[-1]
    distances = torch.arange(positions - 1, -positions, -1).to(like)
    rates = torch.exp(torch.arange(0, channels, 2).to(like) * (-math.log(10000) / channels))
    angles = distances[:, None] * rates
    return torch.cat((angles.sin(), angles.cos()), dim=-1)


def by_distance(scores: Tensor) -> Tensor:
    """Scores of each query for every distance -> for every key: entry (i, j) is that of i - j.

    Row i of the result is row i of `scores` from entry T - 1 - i on. Appended to each other, the
    rows have these entries at steps of 2T - 2, which is one less than a row has: so cut the flat
    scores, without their first T - 1 and their last, into rows that are one shorter.

    Shapes: (..., T, 2T - 1), distances from T - 1 down to 1 - T -> (..., T, T).
    """
    positions = scores.shape[-2]
    if positions == 1:
        return scores
    flat = scores.flatten(-2)[..., positions - 1 : -1]
    return flat.unflatten(-1, (positions, -1))[..., :positions]
