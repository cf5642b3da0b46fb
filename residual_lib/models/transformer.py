"""Transformers: stacks of two blocks a layer, x + attention(x) and x + MLP(x).

Vaswani et al. 2017 (arXiv 1706.03762), section 3. Where the normalisation stands makes two kinds:
behind the addition, as in that paper (post-LN), or in front of the branch, inside it, so that
nothing stands on the skip (pre-LN; Radford et al. 2019; Xiong et al. 2020, arXiv 2002.04745).
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from residual_lib.models.checks import check_starts
from residual_lib.models.registry import register_model
from residual_lib.nn import (
    SCHEMES,
    Attention,
    DropPath,
    Scale,
    attending,
    create_activation,
    create_scale,
    drop_paths,
    dropped,
    initialise_,
)
from residual_lib.nn.checks import check_positive
from residual_lib.residual import Residual, add, branch_only, iter_residuals

INITS = ("gpt2", "bert", *SCHEMES)
_STD = 0.02  # of the weights of GPT-2 and BERT


class Transformer(nn.Module):
    """A stack of layers, with nothing before it; what reads or makes tokens is in GPT and BERT.

    An encoder reads all positions; a decoder (`causal`) reads none that come later. (The decoder of
    Vaswani et al. 2017 has a third block a layer, which reads the encoder. It isn't here.)

    Shapes: (batch, positions, n_embd) -> the same.

    Args:
        n_layer: layers, of two blocks each.
        n_head: heads of each attention.
        n_embd: channels.
        causal: True for a decoder.
        pre_norm: whether LayerNorms stand in front of the branches, with one more at the end of the
            stack, or behind the additions. timm and PyTorch call it `norm_first`.
        skip: False for the plain network: each block's merge keeps the branch alone.
        mlp_ratio: hidden units of the MLP for each channel; 0 leaves the MLPs out.
        activation: of the MLP: a name, see `residual_lib.nn.ACTIVATIONS`.
        norm_layer: ``"layer"`` or None.
        norm_eps: what LayerNorm adds to the variance.
        dropout: probability, in training, of dropping an output of a branch, or one position from
            what an attention reads.
        drop_path_rate: stochastic depth: the probability, in training, of leaving out a branch of
            the last layer, for each example; rates rise to it in a straight line from 0.
        bias: whether linear layers and LayerNorms have one.
        scale: name of what stands on each branch, see `residual_lib.nn.create_scale`.
        deep_norm: for post-LN: LN(a x + F(x)) with the constant a on the shortcut, and smaller
            weights at first for values, what gathers them, and MLPs (Wang et al. 2022, arXiv
            2203.00555). See `deep_norm_constants`; the paper has it with ``init="xavier"``.
        init: ``"gpt2"``: normal with standard deviation 0.02; that of each branch's last layer is
            divided by the square root of the number of blocks, so that their sum doesn't grow
            (Radford et al. 2019, section 2.3); biases 0. ``"bert"``: 0.02 everywhere (Devlin et
            al. 2018's code, but for its cut at two standard deviations). Or a scheme of
            `residual_lib.nn.initialise_`, for the linear layers; embeddings have 0.02 always.

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """

    def __init__(
        self,
        n_layer: int = 6,
        n_head: int = 8,
        n_embd: int = 512,
        *,
        causal: bool = False,
        pre_norm: bool = True,
        skip: bool = True,
        mlp_ratio: float = 4.0,
        activation: str = "relu",
        norm_layer: str | None = "layer",
        norm_eps: float = 1e-5,
        dropout: float = 0.0,
        drop_path_rate: float = 0.0,
        bias: bool = True,
        scale: str | None = None,
        deep_norm: bool = False,
        init: str = "xavier",
    ) -> None:
        super().__init__()
        self.blocks = transformer_blocks(
            n_layer,
            n_head,
            n_embd,
            causal=causal,
            pre_norm=pre_norm,
            skip=skip,
            mlp_ratio=mlp_ratio,
            activation=activation,
            norm_layer=norm_layer,
            norm_eps=norm_eps,
            dropout=dropout,
            drop_path_rate=drop_path_rate,
            bias=bias,
            scale=scale,
            deep_norm=deep_norm,
        )
        norm = create_layer_norm(norm_layer, n_embd, eps=norm_eps, bias=bias)
        self.norm = norm if pre_norm else nn.Identity()
        initialise_transformer_(self, init, deep_norm)

    def forward(self, x: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        with attending(self.blocks, attention_mask=attention_mask):
            return self.norm(self.blocks(x))


def transformer_blocks(
    n_layer: int,
    n_head: int,
    n_embd: int,
    *,
    causal: bool,
    pre_norm: bool,
    skip: bool,
    mlp_ratio: float,
    activation: str,
    norm_layer: str | None,
    norm_eps: float,
    dropout: float,
    drop_path_rate: float,
    bias: bool,
    scale: str | None = None,
    deep_norm: bool = False,
) -> nn.Sequential:
    """Return `n_layer` layers, each with the blocks ``attn`` and ``mlp``; see `Transformer`.

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """
    check_positive(n_layer=n_layer, n_head=n_head, n_embd=n_embd)
    if mlp_ratio < 0:
        raise ValueError(f"mlp_ratio must be 0 or above, got {mlp_ratio!r}")
    check_starts(skip, scale=scale, deep_norm=deep_norm)
    if deep_norm and pre_norm:
        raise ValueError("deep_norm needs pre_norm=False, got pre_norm=True")
    hidden = int(mlp_ratio * n_embd)
    blocks = n_layer * (2 if hidden else 1)
    alpha, _ = deep_norm_constants(n_layer)
    norm = partial(create_layer_norm, norm_layer, n_embd, eps=norm_eps, bias=bias)

    def block(drop: DropPath | None, **parts: nn.Module) -> Residual:
        lead = {"norm": norm()} if pre_norm else {}
        branch = nn.Sequential(OrderedDict({**lead, **parts, "drop": nn.Dropout(dropout)}))
        part = create_scale(scale, blocks=blocks, channels=n_embd, axis=-1)
        merge = add if skip else branch_only
        return Residual(
            branch,
            shortcut=Scale(alpha) if deep_norm else None,
            scale=dropped(drop, part),
            merge=merge,
            after=None if pre_norm else norm(),
        )

    def layer(*drops: DropPath | None) -> nn.Sequential:
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        blocks["attn"] = block(
            drops[0],
            attention=Attention(n_embd, n_head, causal=causal, dropout=dropout, bias=bias),
        )
        if hidden:
            blocks["mlp"] = block(
                drops[1],
                fc=nn.Linear(n_embd, hidden, bias=bias),
                act=create_activation(activation),
                proj=nn.Linear(hidden, n_embd, bias=bias),
            )
        return nn.Sequential(blocks)

    # As in timm a layer has one rate, and each of its blocks draws for itself.
    drops = [drop_paths(drop_path_rate, n_layer) for _ in range(2)]
    return nn.Sequential(*map(layer, *drops))


def create_layer_norm(
    name: str | None, channels: int, *, eps: float = 1e-5, bias: bool = True
) -> nn.Module:
    """Return a LayerNorm of the last axis, each position by itself, or for None the identity.

    Raises:
        ValueError: `name` is neither ``"layer"`` nor None.
    """
    if name is None:
        return nn.Identity()
    if name != "layer":
        raise ValueError(f"norm_layer must be 'layer' or None, got {name!r}")
    return nn.LayerNorm(channels, eps=eps, bias=bias)


def deep_norm_constants(n_layer: int) -> tuple[float, float]:
    """Return DeepNorm's alpha, on the shortcut, and beta, of the weights, for encoder or decoder.

    Wang et al. 2022 (arXiv 2203.00555), Table 1: alpha = (2N)^(1/4), beta = (8N)^(-1/4) for N
    layers. (A decoder that reads an encoder has others, and so has that encoder.)
    """
    return (2 * n_layer) ** 0.25, (8 * n_layer) ** -0.25


def initialise_transformer_(model: nn.Module, init: str, deep_norm: bool = False) -> nn.Module:
    """Set, in place, the weights of `model` by one of `INITS`; see `Transformer`.

    Raises:
        ValueError: there is no such initialisation.
    """
    if init not in INITS:
        raise ValueError(f"init must be one of {list(INITS)}, got {init!r}")
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=_STD)
        elif isinstance(module, nn.Linear) and init not in SCHEMES:
            nn.init.normal_(module.weight, std=_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    if init in SCHEMES:
        initialise_(model, init, activation="identity")
        for module in model.modules():
            if isinstance(module, Attention):
                _initialise_apart_(module.qkv, init)
    if init == "gpt2":
        branches = [block.branch for _, block in iter_residuals(model)]
        for branch in branches:
            assert isinstance(branch, nn.Sequential)
            last = [module for module in branch.modules() if isinstance(module, nn.Linear)][-1]
            nn.init.normal_(last.weight, std=_STD * len(branches) ** -0.5)
    if deep_norm:
        _shrink_(model)
    return model


@torch.no_grad()
def _shrink_(model: nn.Module) -> None:
    """DeepNorm's beta: all weights of the branches but those of queries and keys."""
    branches = [block.branch for _, block in iter_residuals(model)]
    layers = [module for branch in branches for module in cast(nn.Module, branch).modules()]
    _, beta = deep_norm_constants(sum(isinstance(layer, Attention) for layer in layers))
    values = [layer.qkv.weight.chunk(3)[2] for layer in layers if isinstance(layer, Attention)]
    queries = [layer.qkv for layer in layers if isinstance(layer, Attention)]
    others = [
        layer.weight for layer in layers if isinstance(layer, nn.Linear) and layer not in queries
    ]
    for weight in (*values, *others):
        weight.mul_(beta)


@torch.no_grad()
def _initialise_apart_(qkv: nn.Linear, scheme: str) -> None:
    """Queries, keys and values are three layers in one; the law of each looks at its own shape."""
    for part in qkv.weight.chunk(3):
        alone = nn.Linear(part.shape[1], part.shape[0], bias=False, device=part.device)
        initialise_(alone, scheme, activation="identity")
        part.copy_(alone.weight)


register_model("transformer_encoder", Transformer, causal=False)
register_model("transformer_decoder", Transformer, causal=True)
