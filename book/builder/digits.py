"""The 8x8 digits as a file for the playground, which reads it without a library."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import torch

from residual_lib import data

LEVELS = 16  # a pixel counts the black ones among 16


def packed() -> bytes:
    """The course's split of the digits, gzipped; `readDigits` of data.js says what is where.

    A pixel is a byte with its count, so that the browser normalises as the library does. Gzip
    is inside the file, because not every host compresses what it doesn't know, and browsers
    undo it by themselves (`DecompressionStream`).
    """
    digits = data.load("digits")
    normalised = torch.cat([digits.x_train, digits.x_test]).flatten(1).double()
    step = (normalised.max() - normalised.min()) / LEVELS
    pixels = ((normalised - normalised.min()) / step).round().to(torch.uint8)
    labels = torch.cat([digits.y_train, digits.y_test]).to(torch.uint8)
    train = pixels[: len(digits.x_train)].double()
    head = struct.pack(
        "<HHff",
        len(digits.x_train),
        len(digits.x_test),
        train.mean().item(),
        train.std(correction=0).item(),
    )
    body = np.concatenate([labels.numpy(), pixels.numpy().ravel()]).tobytes()
    return gzip.compress(head + body, compresslevel=9, mtime=0)
