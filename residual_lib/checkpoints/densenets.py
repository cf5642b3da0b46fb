"""What others call the parts of a densely connected network.

All of them descend from torchvision's `densenet.py`: ``features.denseblock1.denselayer2.conv1`` is
the first convolution of the second link of the first block.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from residual_lib.checkpoints.layout import Layout

# Names used to have a dot in them ('norm.1'), and the files that torchvision offers still do.
_DOTTED = re.compile(r"(.*\bdenselayer\d+\.(?:norm|conv))\.([12]\..*)")


@dataclass(frozen=True)
class Naming(Layout):
    """A way to name parts.

    Attributes:
        final: the last normalisation; None for our own names of everything.
    """

    final: str | None

    def read(self, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        if self.final is not None:
            tensors = {_DOTTED.sub(r"\1\2", name): tensor for name, tensor in tensors.items()}
        return dict(tensors), self._told(tensors)

    def names(self, ours: Iterable[str], options: Mapping[str, Any]) -> dict[str, str]:
        return {name: self._name(name) for name in ours}

    def _name(self, ours: str) -> str:
        if self.final is None:
            return ours
        link = re.fullmatch(r"stages\.(\d+)\.links\.(\d+)\.branch\.(layer|norm)(\d\..*)", ours)
        if link:
            block, number = int(link[1]) + 1, int(link[2]) + 1
            part = {"layer": "conv", "norm": "norm"}[link[3]]
            return f"features.denseblock{block}.denselayer{number}.{part}{link[4]}"
        transition = re.fullmatch(r"stages\.(\d+)\.transition\.(layer|norm)(\..*)", ours)
        if transition:
            part = {"layer": "conv", "norm": "norm"}[transition[2]]
            return f"features.transition{int(transition[1]) + 1}.{part}{transition[3]}"
        for begins, theirs in (
            ("stem.layer.", "features.conv0."),
            ("stem.norm.", "features.norm0."),
            ("final.norm.", f"features.{self.final}."),
            ("head.", "classifier."),
        ):
            if ours.startswith(begins):
                return theirs + ours.removeprefix(begins)
        return ours

    def _told(self, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
        """What names and shapes tell: arguments of `models.DenseNet`."""

        def shape(ours: str) -> tuple[int, ...]:
            found = tensors.get(self._name(f"{ours}.weight"))
            return () if found is None else tuple(found.shape)

        def links(block: int) -> int:
            count = 0
            while shape(f"stages.{block}.links.{count}.branch.layer1"):
                count += 1
            return count

        told: dict[str, Any] = {}
        if len(stem := shape("stem.layer")) > 2:
            told["num_init_features"], told["in_chans"] = stem[:2]
            told["stem"] = "imagenet" if stem[-1] == 7 else "cifar"
        if len(head := shape("head")) == 2:
            told["num_classes"] = head[0]
        blocks: list[int] = []
        while count := links(len(blocks)):
            blocks.append(count)
        if blocks:
            told["block_config"] = tuple(blocks)
            first, second = (shape(f"stages.0.links.0.branch.layer{n}") for n in (1, 2))
            told["growth_rate"] = (second or first)[0]
            told["bn_size"] = first[0] // second[0] if second else None
        if len(transition := shape("stages.0.transition.layer")) > 2:
            kept, channels = transition[:2]
            told["compression"] = 0.5 if kept == channels // 2 else kept / channels
        return told


LAYOUTS: dict[str, Layout] = {
    "residual_lib": Naming(None),
    "torchvision": Naming("norm5"),
    "timm": Naming("norm5"),
    "pleiss": Naming("norm_final"),
}
