"""The Conformer: attention for what is far, convolution for what is near, in one block.

Gulati et al. 2020 (arXiv 2005.08100), section 2: two half-steps of a feed-forward network around
an attention and a convolution. Each of the four is a `Residual`.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from residual_lib.models.registry import register_model
from residual_lib.models.transformer import INITS, initialise_transformer_
from residual_lib.nn import RelativeAttention, Scale, attending, create_activation
from residual_lib.nn.checks import check_positive
from residual_lib.residual import Residual, add, branch_only

_HALF = 0.5  # of a feed-forward network's output, as in Macaron nets (Lu et al. 2019)


class Conformer(nn.Module):
    """An encoder of sequences: frames of features in, a vector or a class for each out.

    Shapes: (batch, in_chans, frames) -> (batch, num_classes, frames), classes on axis 1 as in
    `BERT`; without a head (batch, n_embd, frames). With `subsample`, a quarter of the frames.

    Args:
        in_chans: features of a frame, such as the energies of 80 bands.
        num_classes: outputs of a linear head at each frame; None for no head.
        n_layer, n_head, n_embd: blocks, heads of each attention, channels.
        kernel_size: frames that the convolution of a block spans; where it is even, one more of
            them lies ahead than behind.
        mlp_ratio: hidden units of the feed-forward networks for each channel.
        subsample: whether the stem has two 3x3 convolutions of stride 2 over frames and features,
            each with an activation, in front of its linear layer: the published one.
        skip: False for the plain network: each block's merge keeps the branch alone.
        dropout: probability, in training, of dropping an output of a branch, or one position from
            what an attention reads.
        activation: name, see `residual_lib.nn.ACTIVATIONS`.
        init: ``"gpt2"``, ``"bert"`` or a scheme, as in `Transformer`; convolutions too follow a
            scheme, and with the other two they keep what PyTorch draws.

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """

    def __init__(
        self,
        in_chans: int = 80,
        num_classes: int | None = None,
        n_layer: int = 16,
        n_head: int = 4,
        n_embd: int = 144,
        *,
        kernel_size: int = 32,
        mlp_ratio: float = 4.0,
        subsample: bool = True,
        skip: bool = True,
        dropout: float = 0.0,
        activation: str = "silu",
        init: str = "xavier",
    ) -> None:
        super().__init__()
        check_positive(in_chans=in_chans, n_layer=n_layer, n_head=n_head, n_embd=n_embd)
        check_positive(kernel_size=kernel_size)
        if num_classes is not None:
            check_positive(num_classes=num_classes)
        if mlp_ratio <= 0:
            raise ValueError(f"mlp_ratio must be above 0, got {mlp_ratio!r}")
        if init not in INITS:
            raise ValueError(f"init must be one of {list(INITS)}, got {init!r}")
        self.stem = (Subsampling if subsample else _Frames)(in_chans, n_embd)
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.Sequential(
            *(
                conformer_block(
                    n_embd,
                    n_head,
                    kernel_size=kernel_size,
                    mlp_ratio=mlp_ratio,
                    skip=skip,
                    dropout=dropout,
                    activation=activation,
                )
                for _ in range(n_layer)
            )
        )
        self.head = nn.Identity() if num_classes is None else nn.Linear(n_embd, num_classes)
        initialise_transformer_(self, init)

    def forward(self, x: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """The head's output.

        Args:
            x: (batch, in_chans, frames).
            attention_mask: (batch, frames of the output), 0 or False for padding, which no
                attention reads. Convolutions do read it.
        """
        with attending(self.blocks, attention_mask=attention_mask):
            return self.head(self.blocks(self.drop(self.stem(x)))).mT


def conformer_block(
    n_embd: int,
    n_head: int,
    *,
    kernel_size: int = 32,
    mlp_ratio: float = 4.0,
    skip: bool = True,
    dropout: float = 0.0,
    activation: str = "silu",
) -> nn.Sequential:
    """Four residual blocks; with F a feed-forward network (section 2.4)

        a = x + F1(x) / 2,  b = a + attention(a),  c = b + convolution(b),  y = norm(c + F2(c) / 2)

    Every branch begins with a LayerNorm of its own, and the last block also ends with one, which is
    its slot `after`: once in four, something stands on the stream.

    Shapes: (batch, frames, n_embd) -> the same.
    """
    merge = add if skip else branch_only

    def branch(**parts: nn.Module) -> nn.Sequential:
        ends = {"norm": nn.LayerNorm(n_embd)}, {"drop": nn.Dropout(dropout)}
        return nn.Sequential(OrderedDict({**ends[0], **parts, **ends[1]}))

    def half(after: nn.Module | None = None) -> Residual:
        hidden = int(mlp_ratio * n_embd)
        network = branch(
            fc=nn.Linear(n_embd, hidden),
            act=create_activation(activation),
            inner_drop=nn.Dropout(dropout),
            proj=nn.Linear(hidden, n_embd),
        )
        return Residual(network, scale=Scale(_HALF), merge=merge, after=after)

    attention = branch(attention=RelativeAttention(n_embd, n_head, dropout=dropout))
    convolution = branch(
        fc=nn.Linear(n_embd, 2 * n_embd),
        glu=nn.GLU(dim=-1),
        depthwise=DepthwiseOverFrames(n_embd, kernel_size),
        act=create_activation(activation),
        proj=nn.Linear(n_embd, n_embd),
    )
    return nn.Sequential(
        OrderedDict(
            mlp1=half(),
            attn=Residual(attention, merge=merge),
            conv=Residual(convolution, merge=merge),
            mlp2=half(after=nn.LayerNorm(n_embd)),
        )
    )


class DepthwiseOverFrames(nn.Module):
    """A convolution over frames in which each channel reads itself alone, and a BatchNorm.

    Shapes: (batch, frames, channels) -> the same.
    """

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.pad = nn.ZeroPad1d(((kernel_size - 1) // 2, kernel_size // 2))
        # BatchNorm subtracts any constant, so a bias before it would do nothing.
        self.layer = nn.Conv1d(channels, channels, kernel_size, groups=channels, bias=False)
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.layer(self.pad(x.mT))).mT


class Subsampling(nn.Module):
    """A quarter of the frames, each of `channels`: two 3x3 convolutions of stride 2, then linear.

    Shapes: (batch, in_chans, frames) -> (batch, frames / 4 rounded up, channels).
    """

    def __init__(self, in_chans: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.fc = nn.Linear(channels * -(-in_chans // 4), channels)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv2(torch.relu(self.conv1(x.unsqueeze(1)))))
        return self.fc(x.flatten(1, 2).mT)


class _Frames(nn.Module):
    """Each frame by itself: (batch, in_chans, frames) -> (batch, frames, channels)."""

    def __init__(self, in_chans: int, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(in_chans, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x.mT)


def transducer_decoder(
    *, vocab_size: int = 1024, units: int = 320, encoder_chans: int = 144
) -> nn.ModuleDict:
    """What turns an encoder into a recogniser, here only to be counted: an RNN transducer's rest.

    ``label``: an embedding of word pieces and an LSTM of one layer, which the paper's table 1 calls
    the decoder. ``joint``: a layer from the encoder's and one from the label's vectors, and one to
    the word pieces and 'blank'. The paper doesn't give the joint's sizes, nor that of the
    embedding; here each is `units`.
    """
    return nn.ModuleDict(
        {
            "label": nn.ModuleDict(
                {
                    "embedding": nn.Embedding(vocab_size, units),
                    "lstm": nn.LSTM(units, units, batch_first=True),
                }
            ),
            "joint": nn.ModuleDict(
                {
                    "encoder": nn.Linear(encoder_chans, units),
                    "label": nn.Linear(units, units, bias=False),
                    "output": nn.Linear(units, vocab_size + 1),
                }
            ),
        }
    )


# Table 1: the encoder of Conformer-S. 10.3 M parameters are those of the whole recogniser.
_S: dict[str, Any] = {
    "n_layer": 16,
    "n_head": 4,
    "n_embd": 144,
    "kernel_size": 32,
    "mlp_ratio": 4.0,
}
register_model("conformer_s", Conformer, subsample=True, **_S)
# A small one, a class for each frame; everything can be changed.
_SMALL: dict[str, Any] = {
    "in_chans": 20,
    "num_classes": 10,
    "n_layer": 2,
    "n_head": 2,
    "n_embd": 32,
}
_SMALL |= {"kernel_size": 7, "mlp_ratio": 2.0, "subsample": False}
register_model("small_conformer", Conformer, _SMALL)
