"""Between text and the numbers of its characters."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def encode(text: str, classes: Sequence[str]) -> Tensor:
    """Return the number of each character, ``(len(text),)`` int64.

    Args:
        text: any.
        classes: the characters by number, as in ``data.load("shakespeare").classes``.

    Raises:
        ValueError: a character is none of them.
    """
    number = {character: i for i, character in enumerate(classes)}
    if unknown := sorted(set(text) - set(number)):
        raise ValueError(f"text must be of the characters in classes, got {unknown}")
    return torch.tensor([number[character] for character in text], dtype=torch.long)


def decode(tokens: Tensor, classes: Sequence[str]) -> str:
    """Return the text of character numbers ``(positions,)``: the inverse of `encode`.

    Raises:
        ValueError: there are several texts, or there is no such character.
    """
    if tokens.ndim != 1:
        raise ValueError(f"tokens must be one text, (positions,), got {tuple(tokens.shape)}")
    numbers = tokens.tolist()
    if wrong := sorted({n for n in numbers if not 0 <= n < len(classes)}):
        raise ValueError(f"tokens must be from 0 to {len(classes) - 1}, got {wrong}")
    return "".join(classes[n] for n in numbers)
