"""GPT: a language model, which says at every position what comes next.

Radford et al. 2019, "Language Models are Unsupervised Multitask Learners" (GPT-2), section 2.3, and
its four sizes. Arguments are named as in nanoGPT.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residual_lib.models.checks import check_tokens
from residual_lib.models.registry import register_model
from residual_lib.models.transformer import (
    create_layer_norm,
    initialise_transformer_,
    transformer_blocks,
)
from residual_lib.nn import Cache, attending
from residual_lib.nn.checks import check_positive


class GPT(nn.Module):
    """Embeddings of tokens and positions, causal layers, and the token embeddings read backwards.

    The head's weights are the token embeddings themselves (tied), so they are counted once.

    Shapes: token numbers (batch, positions) -> logits (batch, vocab_size, positions), those at
    position t for token t + 1. The classes stand on axis 1, where `residual_lib.objective` and
    PyTorch's cross-entropy look for them. It is a view: ``logits.mT`` has them last.

    Args:
        vocab_size: number of different tokens.
        block_size: longest sequence.
        n_layer, n_head, n_embd: layers, heads of each attention, channels.
        dropout: probability, in training; also of the embeddings' sum. GPT-2 was trained with 0.1.
        bias: whether linear layers and LayerNorms have one.
        pre_norm: as in GPT-2; False is the order of Vaswani et al. 2017 and of the first GPT.
        drop_path_rate, skip, mlp_ratio, activation, norm_layer, scale, deep_norm, init: see
            `Transformer`.

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """

    def __init__(
        self,
        vocab_size: int = 50257,
        block_size: int = 1024,
        n_layer: int = 12,
        n_head: int = 12,
        n_embd: int = 768,
        *,
        dropout: float = 0.0,
        drop_path_rate: float = 0.0,
        bias: bool = True,
        pre_norm: bool = True,
        skip: bool = True,
        mlp_ratio: float = 4.0,
        activation: str = "gelu_tanh",
        norm_layer: str | None = "layer",
        scale: str | None = None,
        deep_norm: bool = False,
        init: str = "gpt2",
    ) -> None:
        super().__init__()
        check_positive(vocab_size=vocab_size, block_size=block_size)
        self.vocab_size, self.block_size = vocab_size, block_size
        self.tokens = nn.Embedding(vocab_size, n_embd)
        self.positions = nn.Embedding(block_size, n_embd)
        self.drop = nn.Dropout(dropout)
        self.blocks = transformer_blocks(
            n_layer,
            n_head,
            n_embd,
            causal=True,
            pre_norm=pre_norm,
            skip=skip,
            mlp_ratio=mlp_ratio,
            activation=activation,
            norm_layer=norm_layer,
            norm_eps=1e-5,
            dropout=dropout,
            drop_path_rate=drop_path_rate,
            bias=bias,
            scale=scale,
            deep_norm=deep_norm,
        )
        norm = create_layer_norm(norm_layer, n_embd, bias=bias)
        self.norm = norm if pre_norm else nn.Identity()
        initialise_transformer_(self, init, deep_norm)

    def forward(self, idx: Tensor, cache: Cache | None = None) -> Tensor:
        """Logits for `idx`, or, with a cache, for `idx` behind what the cache has seen."""
        start = 0 if cache is None else cache.length
        check_tokens(idx, self.block_size, start)
        places = torch.arange(start, start + idx.shape[1], device=idx.device)
        x = self.drop(self.tokens(idx) + self.positions(places))
        with attending(self.blocks, cache=cache):
            x = self.blocks(x)
        if cache is not None:
            cache.length += idx.shape[1]
        return self.read_out(x)

    def read_out(self, hidden: Tensor) -> Tensor:
        """What `hidden`, (batch, positions, n_embd), says after the last block: the logits."""
        return F.linear(self.norm(hidden), self.tokens.weight).mT


_SIZES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_layer": 12, "n_head": 12, "n_embd": 768},
    "gpt2-medium": {"n_layer": 24, "n_head": 16, "n_embd": 1024},
    "gpt2-large": {"n_layer": 36, "n_head": 20, "n_embd": 1280},
    "gpt2-xl": {"n_layer": 48, "n_head": 25, "n_embd": 1600},
}
for _name, _size in _SIZES.items():
    register_model(_name, GPT, pre_norm=True, skip=True, **_size)

# A small one, for the characters of tiny Shakespeare, in which everything can be changed. Like
# nanoGPT it has GELU itself, which on a CPU is a good deal faster than GPT-2's formula for it.
_SMALL = {"vocab_size": 65, "block_size": 64, "n_layer": 4, "n_head": 4, "n_embd": 64}
register_model("small_gpt", GPT, {**_SMALL, "activation": "gelu"})
