"""What others call the parts of a residual network.

Nearly all public definitions descend from one file, torchvision's `resnet.py`: ``layer2.0.conv1``
is the first convolution of the first block of the second stage, ``bn1`` its normalisation. They
differ in the name of the last layer and of the projection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from residual_lib.checkpoints.layout import Layout


@dataclass(frozen=True)
class Naming(Layout):
    """A way to name parts.

    Attributes:
        head: the last linear layer.
        projection: the 1x1 convolution and the normalisation of a block's shortcut.
        deep: whether the stem may be three convolutions, called ``conv1.0``, ``.3`` and ``.6``.
    """

    head: str
    projection: str
    deep: bool = False

    def read(self, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors, averaged = renumbered(self, tensors)
        return tensors, described(self, tensors, averaged)

    def names(self, ours: Iterable[str], options: Mapping[str, Any]) -> dict[str, str]:
        deep = self.deep and options.get("stem") == "deep"
        rules = [
            (r"stem\.(layer|norm)(\d)\.", self._deep_stem),
            (r"stem\.layer\.", "conv1.6." if deep else "conv1."),
            (r"stem\.norm\.", "bn1."),
            (r"final\.norm\.", "bn."),
            (r"head\.", f"{self.head}."),
            (r"stages\.(\d+)\.(\d+)\.(?:block\.)?(.*)", self._in_block),
        ]
        named = {}
        for name in ours:
            for pattern, replacement in rules:
                theirs, changed = re.subn(rf"\A{pattern}", replacement, name)
                if changed:
                    named[name] = theirs
                    break
            else:
                named[name] = name
        return named

    @staticmethod
    def _deep_stem(match: re.Match[str]) -> str:
        place = 3 * (int(match[2]) - 1) + (match[1] == "norm")
        return f"conv1.{place}."

    def _in_block(self, match: re.Match[str]) -> str:
        stage, block, rest = match.groups()
        for ours, theirs in (
            (r"(?:branch\.)?layer(\d)", r"conv\1"),
            (r"(?:branch\.|after\.)?norm(\d)", r"bn\1"),
            (r"shortcut\.layer", f"{self.projection}.0"),
            (r"shortcut\.norm", f"{self.projection}.1"),
        ):
            rest = re.sub(rf"\A{ours}\.", rf"{theirs}.", rest)
        return f"layer{int(stage) + 1}.{block}.{rest}"


class Own(Layout):
    """Our names, which tell what a network is made like."""

    def read(self, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return dict(tensors), described(None, tensors, averaged=False)


TORCHVISION = Naming("fc", "downsample")
TIMM = Naming("fc", "downsample", deep=True)
AKAMASTER = Naming("linear", "shortcut")
#: By name. ``akamaster`` is also how kuangliu's CIFAR models are named.
LAYOUTS: dict[str, Layout] = {
    "residual_lib": Own(),
    "torchvision": TORCHVISION,
    "timm": TIMM,
    "akamaster": AKAMASTER,
}


@dataclass(frozen=True)
class Clues:
    """Where to look, in a file of some layout, for what a network is made like."""

    stem: str
    head: str
    first: str  # a pattern for the first convolution of each block
    projection: str  # a pattern for the convolution of each projection


def clues(layout: Naming | None, tensors: Mapping[str, Tensor]) -> Clues:
    """The names that tell, in this layout; None stands for our names."""
    if layout is None:
        deep = "stem.layer1.weight" in tensors
        return Clues(
            "stem.layer1.weight" if deep else "stem.layer.weight",
            "head.weight",
            r"stages\.\d+\.\d+\.(block\.)?branch\.layer1\.weight",
            r"stages\.\d+\.\d+\.(block\.)?shortcut\.layer\.weight",
        )
    deep = layout.deep and "conv1.0.weight" in tensors
    return Clues(
        "conv1.0.weight" if deep else "conv1.weight",
        f"{layout.head}.weight",
        r"layer\d+\.\d+\.conv1\.weight",
        rf"layer\d+\.\d+\.{layout.projection}\.0\.weight",
    )


def renumbered(layout: Naming, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], bool]:
    """Count a projection's parts from 0, and tell whether one came before them.

    Where timm averages before the 1x1 convolution, the average is number 0 and the convolution 1.
    """
    numbered = re.compile(rf"(layer\d+\.\d+\.{layout.projection}\.)(\d+)(\..*)")
    found = {name: match for name in tensors if (match := numbered.fullmatch(name))}
    averaged = bool(found) and min(int(match[2]) for match in found.values()) == 1
    return {
        f"{m[1]}{int(m[2]) - averaged}{m[3]}" if (m := found.get(name)) else name: tensor
        for name, tensor in tensors.items()
    }, averaged


def described(
    layout: Naming | None, tensors: Mapping[str, Tensor], averaged: bool
) -> dict[str, Any]:
    """What the names and shapes tell of a residual network: arguments of `models.ResNet`."""
    where = clues(layout, tensors)
    told: dict[str, Any] = {}
    if (stem := tensors.get(where.stem)) is not None and stem.ndim > 2:
        deep = where.stem in ("conv1.0.weight", "stem.layer1.weight")
        told["in_chans"] = stem.shape[1]
        told["width"] = stem.shape[0] * (2 if deep else 1)
        told["stem"] = "deep" if deep else "imagenet" if stem.shape[-1] == 7 else "cifar"
    if (head := tensors.get(where.head)) is not None and head.ndim == 2:
        told["num_classes"] = head.shape[0]
    blocks = sum(bool(re.fullmatch(where.first, name)) for name in tensors)
    projections = sum(bool(re.fullmatch(where.projection, name)) for name in tensors)
    if blocks:
        told["shortcut"] = "C" if projections == blocks else "B" if projections else "A"
        if averaged:
            told["shortcut"] = "D"
    return told
