"""Self-attention: the branch in which positions read each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Cache:
    """The keys and values of positions that a model has seen, so that it needn't see them again.

    A key or value depends on no later position where attention is causal. So a text that grows by
    one token needs the keys and values of that token alone.

    Attributes:
        length: how many positions there are. The model that fills the cache counts them.
    """

    def __init__(self) -> None:
        self.length = 0
        self._seen: dict[Attention, tuple[Tensor, Tensor]] = {}

    def extended(self, layer: Attention, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Put a layer's new keys and values behind its old ones, keep them, and return them all.

        Shapes: (B, n_head, new positions, d) -> (B, n_head, all positions, d).
        """
        if layer in self._seen:
            old_key, old_value = self._seen[layer]
            key, value = torch.cat((old_key, key), 2), torch.cat((old_value, value), 2)
        self._seen[layer] = key, value
        return key, value


class Attention(nn.Module):
    """Each position gathers values from the positions that it may read, in several heads at once.

    Vaswani et al. 2017 (arXiv 1706.03762), section 3.2: queries Q, keys K and values V are linear
    in x, and one head gives ``softmax(Q K^T / sqrt(d)) V``, with d = n_embd / n_head. What the
    heads give stands side by side and passes one more linear layer, `proj`.

    Shapes: (B, T, n_embd) -> (B, T, n_embd).

    A block passes its branch one tensor. What attention must know besides, a mask or a cache, is
    given for the length of one pass by `attending`.

    Args:
        n_embd: channels.
        n_head: heads; must divide `n_embd`.
        causal: whether position t reads only positions up to t.
        dropout: probability, in training, of leaving out the attention paid to one position.
        bias: whether the linear layers add one.

    Raises:
        ValueError: `n_head` doesn't divide `n_embd`, or `dropout` is out of its range.
    """

    def __init__(
        self,
        n_embd: int,
        n_head: int,
        *,
        causal: bool = False,
        dropout: float = 0.0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if n_head < 1 or n_embd % n_head:
            raise ValueError(f"n_head must divide n_embd {n_embd}, got {n_head!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be from 0 to below 1, got {dropout!r}")
        self.n_head = n_head
        self.causal = causal
        self.dropout = float(dropout)
        self.qkv = nn.Linear(n_embd, 3 * n_embd, bias=bias)
        self.proj = nn.Linear(n_embd, n_embd, bias=bias)
        self.mask: Tensor | None = None
        self.cache: Cache | None = None

    def forward(self, x: Tensor) -> Tensor:
        parts = self.qkv(x).chunk(3, dim=-1)
        # (B, n_head, T, d) each
        query, key, value = (p.unflatten(-1, (self.n_head, -1)).transpose(1, 2) for p in parts)
        if self.cache is not None:
            key, value = self.cache.extended(self, key, value)
        mask, queries, keys = self.mask, query.shape[2], key.shape[2]
        causal = self.causal
        if causal and (mask is not None or queries != keys):
            # The queries are the last of the positions, so the triangle is pushed to the right.
            allowed = torch.ones(queries, keys, dtype=torch.bool, device=x.device)
            allowed = allowed.tril(keys - queries)
            mask = allowed if mask is None else mask & allowed
            causal = False
        gathered = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=causal,
        )
        return self.proj(gathered.transpose(1, 2).flatten(2))

    def channels_of(self, head: int) -> slice:
        """Where what head number `head` gives stands in the input of `proj`."""
        width = self.proj.in_features // self.n_head
        return slice(head * width, (head + 1) * width)

    def extra_repr(self) -> str:
        return f"n_head={self.n_head}, causal={self.causal}, dropout={self.dropout:g}"


@contextmanager
def attending(
    model: nn.Module, *, attention_mask: Tensor | None = None, cache: Cache | None = None
) -> Iterator[None]:
    """Let every `Attention` of `model` obey a mask, or use a cache, while the context is open.

    Args:
        model: any module.
        attention_mask: (B, T), True or 1 for a position that may be read, False or 0 for padding.
            Each example must have one that may be read.
        cache: see `Cache`; for causal attention.

    Raises:
        ValueError: the mask has another number of axes, or there are both a mask and a cache.
    """
    if attention_mask is None and cache is None:
        yield
        return
    if attention_mask is not None:
        if cache is not None:
            raise ValueError("attention_mask must be None where there is a cache")
        if attention_mask.ndim != 2:
            shape = tuple(attention_mask.shape)
            raise ValueError(f"attention_mask must have the shape (batch, positions), got {shape}")
        attention_mask = attention_mask.bool()[:, None, None]  # for every head and query
    layers = [module for module in model.modules() if isinstance(module, Attention)]
    for layer in layers:
        layer.mask, layer.cache = attention_mask, cache
    try:
        yield
    finally:
        for layer in layers:
            layer.mask = layer.cache = None
