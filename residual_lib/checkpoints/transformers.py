"""What others call the parts of GPT-2 and BERT, and in which shapes they keep them.

The names are those of OpenAI's and Google's code as Hugging Face's library took them over, and
nanoGPT from there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from residual_lib.checkpoints.layout import Layout

#: Our names of the weights whose shapes, or presence, say how a model is made.
_TELLING = {
    "tokens": "tokens.weight",
    "positions": "positions.weight",
    "types": "types.weight",
    "post_norm": "blocks.0.attn.after.weight",
    "bias": "blocks.0.attn.branch.attention.qkv.bias",
    "hidden": "blocks.0.mlp.branch.fc.weight",
    "masked": "head_bias",
    "pooler": "head.pool.weight",
}


@dataclass(frozen=True)
class Naming(Layout):
    """A way to name the parts of a Transformer; as it is here, ours.

    Attributes:
        rules: how our names begin, as patterns, and what stands there in this layout.
        spare: a pattern of what a file may hold and a model do without: heads for other tasks.
    """

    rules: tuple[tuple[str, str], ...] = ()
    spare: str = ""

    def prepared(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A file's weights in the shapes of ours, without masks and copies of tied ones."""
        return dict(tensors)

    def name(self, ours: str) -> str:
        """The name in this layout of the weight that has this name with us."""
        for pattern, replacement in self.rules:
            theirs, changed = re.subn(rf"\A{pattern}", replacement, ours)
            if changed:
                return theirs
        return ours

    def names(self, ours: Iterable[str], options: Mapping[str, Any]) -> dict[str, str]:
        return {name: self.name(name) for name in ours}

    def read(self, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        prepared = self.prepared(tensors)
        return prepared, self.told(prepared)

    def told(self, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
        """What names and shapes tell: arguments of `models.GPT` or `models.BERT`.

        They don't tell how many heads an attention has.
        """
        found = {key: tensors.get(self.name(ours)) for key, ours in _TELLING.items()}
        tokens, positions, hidden = found["tokens"], found["positions"], found["hidden"]
        if tokens is None or positions is None:
            return {}
        told: dict[str, Any] = {
            "vocab_size": len(tokens),
            "block_size": len(positions),
            "n_embd": tokens.shape[1],
            "n_layer": self._layers(tensors),
            "mlp_ratio": 0.0 if hidden is None else len(hidden) / tokens.shape[1],
            "bias": found["bias"] is not None,
            "pre_norm": found["post_norm"] is None,
        }
        if (types := found["types"]) is not None:
            told["type_vocab_size"] = len(types)
        if len(heads := [head for head in ("masked", "pooler") if found[head] is not None]) == 1:
            (told["head"],) = heads  # of a file with both, either can be asked for
        return told

    def _layers(self, tensors: Mapping[str, Tensor]) -> int:
        count = 0
        while self.name(f"blocks.{count}.attn.branch.attention.qkv.weight") in tensors:
            count += 1
        return count


class GPT2Naming(Naming):
    """GPT-2's names, with and without ``transformer.`` in front.

    Its linear layers are 'Conv1D', whose weights are (inputs, outputs); nanoGPT's are PyTorch's,
    the other way round. The shape of the first one tells. Each attention may bring its triangular
    mask, as a buffer called ``bias``.
    """

    def prepared(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        masks = re.compile(r"h\.\d+\.attn\.(bias|masked_bias)")
        named = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
        named = {name: tensor for name, tensor in named.items() if not masks.fullmatch(name)}
        without_copy(named, "lm_head.weight", "wte.weight")
        first = named.get("h.0.attn.c_attn.weight")
        if first is not None and first.ndim == 2 and first.shape[0] < first.shape[1]:
            layers = re.compile(r"h\.\d+\.(attn|mlp)\.c_\w+\.weight")
            named = {n: t.mT if layers.fullmatch(n) else t for n, t in named.items()}
        return named


class BertNaming(Naming):
    """BERT's names in Hugging Face's files, with and without ``bert.`` in front.

    Queries, keys and values are three layers there and one here. The oldest files call a
    LayerNorm's weight and bias ``gamma`` and ``beta``.
    """

    def prepared(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        named = {}
        for name, tensor in tensors.items():
            name = name.removeprefix("bert.")
            name = re.sub(r"LayerNorm\.gamma\Z", "LayerNorm.weight", name)
            name = re.sub(r"LayerNorm\.beta\Z", "LayerNorm.bias", name)
            if name not in ("embeddings.position_ids", "embeddings.token_type_ids"):
                named[name] = tensor
        without_copy(named, "cls.predictions.decoder.weight", "embeddings.word_embeddings.weight")
        without_copy(named, "cls.predictions.decoder.bias", "cls.predictions.bias")
        for name in [name for name in named if ".self.query." in name]:
            three = [name.replace("query", part) for part in ("query", "key", "value")]
            if all(part in named for part in three):
                joined = torch.cat([named.pop(part) for part in three])
                named[name.replace("query", "query+key+value")] = joined
        return named


def without_copy(named: dict[str, Tensor], copy: str, original: str) -> None:
    """Drop a weight that is tied to another; one that differs stays, and will be found too many."""
    if copy in named and original in named and torch.equal(named[copy], named[original]):
        del named[copy]


GPT2_NAMES = GPT2Naming(
    (
        (r"tokens\.", "wte."),
        (r"positions\.", "wpe."),
        (r"norm\.", "ln_f."),
        (r"blocks\.(\d+)\.attn\.branch\.norm\.", r"h.\1.ln_1."),
        (r"blocks\.(\d+)\.attn\.branch\.attention\.qkv\.", r"h.\1.attn.c_attn."),
        (r"blocks\.(\d+)\.attn\.branch\.attention\.proj\.", r"h.\1.attn.c_proj."),
        (r"blocks\.(\d+)\.mlp\.branch\.norm\.", r"h.\1.ln_2."),
        (r"blocks\.(\d+)\.mlp\.branch\.fc\.", r"h.\1.mlp.c_fc."),
        (r"blocks\.(\d+)\.mlp\.branch\.proj\.", r"h.\1.mlp.c_proj."),
    )
)
_LAYER = r"encoder.layer.\1."
BERT_NAMES = BertNaming(
    (
        (r"tokens\.", "embeddings.word_embeddings."),
        (r"positions\.", "embeddings.position_embeddings."),
        (r"types\.", "embeddings.token_type_embeddings."),
        (r"embed_norm\.", "embeddings.LayerNorm."),
        (
            r"blocks\.(\d+)\.attn\.branch\.attention\.qkv\.",
            f"{_LAYER}attention.self.query+key+value.",
        ),
        (r"blocks\.(\d+)\.attn\.branch\.attention\.proj\.", f"{_LAYER}attention.output.dense."),
        (r"blocks\.(\d+)\.attn\.after\.", f"{_LAYER}attention.output.LayerNorm."),
        (r"blocks\.(\d+)\.mlp\.branch\.fc\.", f"{_LAYER}intermediate.dense."),
        (r"blocks\.(\d+)\.mlp\.branch\.proj\.", f"{_LAYER}output.dense."),
        (r"blocks\.(\d+)\.mlp\.after\.", f"{_LAYER}output.LayerNorm."),
        (r"head\.pool\.", "pooler.dense."),
        (r"head\.fc\.", "cls.predictions.transform.dense."),
        (r"head\.norm\.", "cls.predictions.transform.LayerNorm."),
        (r"head_bias", "cls.predictions.bias"),
    ),
    spare=r"(pooler|cls\.predictions|cls\.seq_relationship)\..*",
)
_OURS = Naming()
GPT_LAYOUTS: dict[str, Layout] = {"residual_lib": _OURS, "gpt2": GPT2_NAMES}
BERT_LAYOUTS: dict[str, Layout] = {"residual_lib": _OURS, "bert": BERT_NAMES}
