"""GPT-2 and BERT as other people define them, rebuilt from their published structure.

Names, order, shapes and formulas are those of the public definitions; the code is ours. None of it
uses residual_lib, nor PyTorch's attention, so it can be compared with both.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Conv1D(nn.Module):
    """GPT-2's linear layer: x W + b, W of the shape (inputs, outputs)."""

    def __init__(self, outputs, inputs):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs).normal_(std=0.2))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return x @ self.weight + self.bias


def linear(outputs, inputs):
    """nanoGPT's in its place; where it is used, GELU is by its definition."""
    return nn.Linear(inputs, outputs)


def attend(q, k, v, heads, hidden):
    """Scores, softmax, weighted sum; `hidden` is True where nothing may be read."""
    b, t, c = q.shape
    q, k, v = (part.view(b, t, heads, c // heads).permute(0, 2, 1, 3) for part in (q, k, v))
    scores = q @ k.transpose(2, 3) / math.sqrt(c // heads)
    shares = scores.masked_fill(hidden, torch.finfo(scores.dtype).min).softmax(-1)
    return (shares @ v).permute(0, 2, 1, 3).reshape(b, t, c)


class GPTAttention(nn.Module):
    def __init__(self, c, heads, longest, layer, buffers):
        super().__init__()
        self.heads = heads
        self.c_attn, self.c_proj = layer(3 * c, c), layer(c, c)
        triangle = torch.ones(1, 1, longest, longest, dtype=torch.bool).tril()
        self.register_buffer("bias", triangle, persistent=buffers)
        self.register_buffer("masked_bias", torch.tensor(-1e4), persistent=buffers)

    def forward(self, x):
        t = x.shape[1]
        q, k, v = self.c_attn(x).split(x.shape[2], dim=2)
        return self.c_proj(attend(q, k, v, self.heads, ~self.bias[:, :, :t, :t]))


class GPTMLP(nn.Module):
    def __init__(self, c, layer):
        super().__init__()
        self.c_fc, self.c_proj = layer(4 * c, c), layer(c, 4 * c)
        self.exact = layer is linear

    def forward(self, x):
        h = self.c_fc(x)
        if self.exact:
            return self.c_proj(0.5 * h * (1 + torch.erf(h / math.sqrt(2))))
        cubic = math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)
        return self.c_proj(0.5 * h * (1 + torch.tanh(cubic)))


class GPTBlock(nn.Module):
    def __init__(self, c, heads, longest, layer, buffers):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(c), nn.LayerNorm(c)
        self.attn = GPTAttention(c, heads, longest, layer, buffers)
        self.mlp = GPTMLP(c, layer)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT2(nn.Module):
    """A language model whose head is tied to its embedding."""

    def __init__(self, words=13, longest=8, layers=3, heads=2, c=12, layer=Conv1D, buffers=True):
        super().__init__()
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(words, c),
                "wpe": nn.Embedding(longest, c),
                "h": nn.ModuleList(
                    GPTBlock(c, heads, longest, layer, buffers) for _ in range(layers)
                ),
                "ln_f": nn.LayerNorm(c),
            }
        )
        self.lm_head = nn.Linear(c, words, bias=False)
        self.lm_head.weight = self.transformer["wte"].weight

    def forward(self, idx):
        parts = self.transformer
        x = parts["wte"](idx) + parts["wpe"](torch.arange(idx.shape[1]))
        for block in parts["h"]:
            x = block(x)
        return self.lm_head(parts["ln_f"](x))


class Normed(nn.Module):
    """BERT's way to end a block: a layer, the addition, a LayerNorm."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.dense = nn.Linear(inputs, outputs)
        self.LayerNorm = nn.LayerNorm(outputs, eps=1e-12)

    def forward(self, x, shortcut):
        return self.LayerNorm(self.dense(x) + shortcut)


class SelfAttention(nn.Module):
    def __init__(self, c, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(c, c) for _ in range(3))

    def forward(self, x, hidden):
        return attend(self.query(x), self.key(x), self.value(x), self.heads, hidden)


class BertLayer(nn.Module):
    def __init__(self, c, heads):
        super().__init__()
        self.attention = nn.ModuleDict({"self": SelfAttention(c, heads), "output": Normed(c, c)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(c, 4 * c)})
        self.output = Normed(4 * c, c)

    def forward(self, x, hidden):
        x = self.attention["output"](self.attention["self"](x, hidden), x)
        return self.output(F.gelu(self.intermediate["dense"](x)), x)


class BertModel(nn.Module):
    def __init__(self, words=13, longest=8, layers=3, heads=2, c=12):
        super().__init__()
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(words, c),
                "position_embeddings": nn.Embedding(longest, c),
                "token_type_embeddings": nn.Embedding(2, c),
                "LayerNorm": nn.LayerNorm(c, eps=1e-12),
            }
        )
        self.embeddings.register_buffer("position_ids", torch.arange(longest)[None])
        self.encoder = nn.ModuleDict(
            {"layer": nn.ModuleList(BertLayer(c, heads) for _ in range(layers))}
        )
        self.pooler = nn.ModuleDict({"dense": nn.Linear(c, c)})

    def states(self, idx, mask, types):
        parts = self.embeddings
        x = parts["word_embeddings"](idx) + parts["token_type_embeddings"](types)
        x = parts["LayerNorm"](x + parts["position_embeddings"](torch.arange(idx.shape[1])))
        for layer in self.encoder["layer"]:
            x = layer(x, mask[:, None, None, :] == 0)
        return x

    def forward(self, idx, mask, types):
        return torch.tanh(self.pooler["dense"](self.states(idx, mask, types)[:, 0]))


class BertForPreTraining(nn.Module):
    """With both heads: masked words, and whether the second sentence follows the first."""

    def __init__(self, words=13, c=12, **sizes):
        super().__init__()
        self.bert = BertModel(words, c=c, **sizes)
        predictions = nn.Module()
        predictions.bias = nn.Parameter(torch.zeros(words))
        predictions.transform = nn.ModuleDict(
            {"dense": nn.Linear(c, c), "LayerNorm": nn.LayerNorm(c, eps=1e-12)}
        )
        predictions.decoder = nn.Linear(c, words)
        predictions.decoder.weight = self.bert.embeddings["word_embeddings"].weight
        predictions.decoder.bias = predictions.bias
        self.cls = nn.ModuleDict({"predictions": predictions, "seq_relationship": nn.Linear(c, 2)})

    def forward(self, idx, mask, types):
        head = self.cls["predictions"]
        h = F.gelu(head.transform["dense"](self.bert.states(idx, mask, types)))
        return head.decoder(head.transform["LayerNorm"](h))
