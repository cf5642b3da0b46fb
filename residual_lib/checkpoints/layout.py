"""A way to name the parts of a network; as it is here, our own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor


class Layout:
    """A way to name the parts of a network, and to tell from them what it is made like.

    Attributes:
        spare: a pattern of names that a file may hold and a model do without: heads for other
            tasks.
    """

    spare: str = ""

    def read(self, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """A file's tensors under this layout's usual names, and arguments for the model.

        The arguments are what names and shapes tell, as far as they do.
        """
        return dict(tensors), {}

    def names(self, ours: Iterable[str], options: Mapping[str, Any]) -> dict[str, str]:
        """Our name of each weight and buffer -> its name in this layout.

        `options` are the model's.
        """
        return {name: name for name in ours}
