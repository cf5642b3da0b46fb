"""BERT: a masked model, which reads a text with holes from both sides.

Devlin et al. 2018 (arXiv 1810.04805), sections 3 and 3.1, and its two sizes.
"""

from __future__ import annotations

from collections import OrderedDict
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
from residual_lib.nn import attending, create_activation
from residual_lib.nn.checks import check_positive

HEADS = ("masked", "pooler")
_EPS = 1e-12


class BERT(nn.Module):
    """Embeddings of tokens, positions and segments, a LayerNorm, layers that read all, a head.

    Shapes: token numbers (batch, positions) ->

    - with the head ``"masked"``: logits (batch, vocab_size, positions) for the token at each
      position itself, classes on axis 1 as in `GPT`. The output's weights are the token embeddings
      (tied), counted once; it has a bias of its own;
    - with the head ``"pooler"``: (batch, n_embd), a layer and a tanh of the first position, which
      a classifier reads (section 3.2). This is the model that is commonly counted.

    Args:
        vocab_size: number of different tokens, the mask included.
        block_size: longest sequence.
        n_layer, n_head, n_embd: layers, heads of each attention, channels.
        type_vocab_size: number of segments that can be told apart.
        head: one of the above.
        dropout: probability, in training; also of the embeddings. BERT was trained with 0.1.
        bias: whether linear layers and LayerNorms have one.
        pre_norm: False, as published; True adds a LayerNorm behind the last layer.
        drop_path_rate, skip, mlp_ratio, activation, norm_layer, scale, deep_norm, init: see
            `Transformer`.

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """

    def __init__(
        self,
        vocab_size: int = 30522,
        block_size: int = 512,
        n_layer: int = 12,
        n_head: int = 12,
        n_embd: int = 768,
        *,
        type_vocab_size: int = 2,
        head: str = "masked",
        dropout: float = 0.0,
        drop_path_rate: float = 0.0,
        bias: bool = True,
        pre_norm: bool = False,
        skip: bool = True,
        mlp_ratio: float = 4.0,
        activation: str = "gelu",
        norm_layer: str | None = "layer",
        scale: str | None = None,
        deep_norm: bool = False,
        init: str = "bert",
    ) -> None:
        super().__init__()
        check_positive(
            vocab_size=vocab_size, block_size=block_size, type_vocab_size=type_vocab_size
        )
        if head not in HEADS:
            raise ValueError(f"head must be one of {list(HEADS)}, got {head!r}")
        self.vocab_size, self.block_size = vocab_size, block_size

        def norm() -> nn.Module:
            return create_layer_norm(norm_layer, n_embd, eps=_EPS, bias=bias)

        self.tokens = nn.Embedding(vocab_size, n_embd)
        self.positions = nn.Embedding(block_size, n_embd)
        self.types = nn.Embedding(type_vocab_size, n_embd)
        self.embed_norm = norm()
        self.drop = nn.Dropout(dropout)
        self.blocks = transformer_blocks(
            n_layer,
            n_head,
            n_embd,
            causal=False,
            pre_norm=pre_norm,
            skip=skip,
            mlp_ratio=mlp_ratio,
            activation=activation,
            norm_layer=norm_layer,
            norm_eps=_EPS,
            dropout=dropout,
            drop_path_rate=drop_path_rate,
            bias=bias,
            scale=scale,
            deep_norm=deep_norm,
        )
        self.norm = norm() if pre_norm else nn.Identity()
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        if head == "masked":
            parts["fc"] = nn.Linear(n_embd, n_embd, bias=bias)
            parts["act"] = create_activation(activation)
            parts["norm"] = norm()
        else:
            parts["pool"] = nn.Linear(n_embd, n_embd, bias=bias)
            parts["act"] = nn.Tanh()
        self.head = nn.Sequential(parts)
        self.head_bias = nn.Parameter(torch.zeros(vocab_size)) if head == "masked" else None
        initialise_transformer_(self, init, deep_norm)

    def forward(
        self,
        idx: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
    ) -> Tensor:
        """The head's output.

        Args:
            idx: token numbers (batch, positions).
            attention_mask: (batch, positions), 0 or False for padding, which no position reads.
            token_type_ids: (batch, positions), the segment of each token; default: 0.
        """
        check_tokens(idx, self.block_size)
        places = torch.arange(idx.shape[1], device=idx.device)
        types = torch.zeros_like(places) if token_type_ids is None else token_type_ids
        x = self.tokens(idx) + self.positions(places) + self.types(types)
        with attending(self.blocks, attention_mask=attention_mask):
            x = self.blocks(self.drop(self.embed_norm(x)))
        return self.read_out(x)

    def read_out(self, hidden: Tensor) -> Tensor:
        """What `hidden`, (batch, positions, n_embd), says after the last block: the output."""
        hidden = self.norm(hidden)
        if self.head_bias is None:
            return self.head(hidden[:, 0])
        return F.linear(self.head(hidden), self.tokens.weight, self.head_bias).mT


_SIZES: dict[str, dict[str, Any]] = {
    "bert-base-uncased": {"n_layer": 12, "n_head": 12, "n_embd": 768},
    "bert-large-uncased": {"n_layer": 24, "n_head": 16, "n_embd": 1024},
}
for _name, _size in _SIZES.items():
    register_model(_name, BERT, {"head": "pooler"}, pre_norm=False, skip=True, **_size)

# A small one, for the characters of tiny Shakespeare and a mask; everything can be changed.
_SMALL = {"vocab_size": 66, "block_size": 64, "n_layer": 4, "n_head": 4, "n_embd": 64}
register_model("small_bert", BERT, _SMALL)
