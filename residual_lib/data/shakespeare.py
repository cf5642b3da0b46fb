"""Tiny Shakespeare, character by character (the text of char-rnn)."""

from __future__ import annotations

import gzip
import hashlib
from importlib import resources

import torch
from torch import Tensor

from residual_lib.data.base import Data, Source, check_number

SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
_FILE = "shakespeare.txt.gz"


def text() -> str:
    """The whole text, 1,115,394 characters of ASCII.

    Raises:
        ValueError: the shipped file doesn't have the checksum that it was shipped with.
    """
    packed = resources.files("residual_lib.data").joinpath(_FILE).read_bytes()
    plain = gzip.decompress(packed)
    if hashlib.sha256(plain).hexdigest() != SHA256:
        raise ValueError(f"{_FILE} is damaged: its text has another SHA-256; install again")
    return plain.decode("ascii")


def load(*, context: int = 64) -> Data:
    """Cut the text into windows: the first 90 % for training, the last 10 % for testing.

    Windows follow each other without overlap; what is left at the end of each part
    (fewer than `context` characters) is dropped. There is nothing random here.

    Args:
        context: characters of a window, T.

    Returns:
        `Data` with x and y ``(N, T)`` int64: character numbers in 0 to 64, y being x one
        character later. ``data.classes[i]`` is character i; they are sorted by code point.

    Raises:
        TypeError, ValueError: `context` isn't a whole number from 1 to 100,000.
    """
    check_number("context", context, 1, 100_000, integer=True)
    whole = text()
    alphabet = sorted(set(whole))
    number = {character: i for i, character in enumerate(alphabet)}
    ids = torch.tensor([number[character] for character in whole])
    cut = int(0.9 * len(ids))
    x_train, y_train = _windows(ids[:cut], context)
    x_test, y_test = _windows(ids[cut:], context)
    return Data(
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        name="shakespeare",
        num_classes=len(alphabet),
        task="language",
        classes=tuple(alphabet),
    )


def _windows(ids: Tensor, length: int) -> tuple[Tensor, Tensor]:
    used = (len(ids) - 1) // length * length
    return ids[:used].reshape(-1, length), ids[1 : used + 1].reshape(-1, length)


SOURCE = Source(
    load=load,
    title="Tiny Shakespeare",
    origin=(
        "Excerpts of Shakespeare's plays, collected by Karpathy for char-rnn (2015); shipped "
        "with residual_lib, compressed, and checked by SHA-256 at every load"
    ),
    licence="public domain",
    normalisation="none: characters are numbered in the order of their code points",
    limits=(
        "A million characters: few enough to be learnt by heart, so watch the test loss. "
        "The test part is the end of the collection, the rest of The Taming of the Shrew and The "
        "Tempest: other speakers than those of the training part, for the most part"
    ),
)
