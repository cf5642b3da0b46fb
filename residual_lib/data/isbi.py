"""Sections of nerve tissue from a folder that the reader has: the ISBI 2012 challenge.

Nothing is downloaded, and no image of it is part of the course: it is for research, with a citation
(Arganda-Carreras et al. 2015, "Crowdsourcing the creation of image segmentation algorithms for
connectomics"; Cardona et al. 2010 took the images).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from residual_lib.data.augment import elastic
from residual_lib.data.base import Data, check_number

CLASSES = ("membrane", "cell")


def pairs(folder: str | Path) -> list[tuple[Path, Path]]:
    """The images and labels of a folder, by name: ``image_NN.png`` and ``label_NN.png``."""
    images = sorted(Path(folder).glob("image_*.png"))
    found = [(path, path.with_name(path.name.replace("image", "label"))) for path in images]
    return [(image, label) for image, label in found if label.is_file()]


def load(folder: str | Path, *, test_images: int = 4) -> Data:
    """Load the sections; the last ones, by name, are for testing.

    Neighbouring sections look alike, so the first of the test images has seen its neighbour in
    training.

    Args:
        folder: with `pairs` of greyscale images of one size; labels are white inside cells.
        test_images: how many.

    Returns:
        `Data` with x ``(N, 1, H, W)`` float32, by the mean and standard deviation of the training
        pixels, and y ``(N, H, W)`` int64: 1 inside a cell, 0 membrane.

    Raises:
        FileNotFoundError: there are no pairs.
        ValueError: there are too few pairs for so many test images.
    """
    from PIL import Image

    found = pairs(folder)
    if not found:
        raise FileNotFoundError(
            f"folder must hold image_NN.png and label_NN.png, got {str(folder)!r}"
        )
    check_number("test_images", test_images, 1, len(found) - 1, integer=True)
    images, labels = (
        torch.from_numpy(np.stack([np.array(Image.open(path).convert("L")) for path in paths]))
        for paths in zip(*found, strict=True)
    )
    x, y = images.float()[:, None], (labels > 127).long()
    first = len(found) - test_images
    mean, std = x[:first].mean(), x[:first].std(correction=0)
    x = (x - mean) / std
    return Data(
        x_train=x[:first],
        y_train=y[:first],
        x_test=x[first:],
        y_test=y[first:],
        name="isbi2012",
        num_classes=2,
        task="segmentation",
        classes=CLASSES,
    )


def crop_and_bend(
    x: Tensor, y: Tensor, generator: torch.Generator, *, size: int = 256, sigma: float = 10.0
) -> tuple[Tensor, Tensor]:
    """A random window of each image, mirrored and turned at random, then `augment.elastic`.

    Args:
        x: ``(B, C, H, W)``, at least `size` pixels on each side.
        y: ``(B, H, W)``.
        generator: of random numbers, on their device.
        size: pixels of the window.
        sigma: of the displacements, in pixels.

    Returns:
        ``(B, C, size, size)`` and ``(B, size, size)``.
    """
    height, width = x.shape[-2:]
    windows_x, windows_y = [], []
    for image, label in zip(x, y, strict=True):
        draws = [
            int(torch.randint(high, (), generator=generator, device=generator.device))
            for high in (height - size + 1, width - size + 1, 2, 4)
        ]
        top, left, mirror, turns = draws
        both = torch.cat([image, label[None].to(image.dtype)])
        both = both[:, top : top + size, left : left + size]
        both = torch.rot90(both.flip(2) if mirror else both, turns, (1, 2))
        windows_x.append(both[:-1])
        windows_y.append(both[-1].to(label.dtype))
    return elastic(torch.stack(windows_x), torch.stack(windows_y), generator, sigma=sigma)


def pack_rows(mask: NDArray[np.bool_]) -> list[int]:
    """A mask as whole numbers of 32 pixels each, row by row: what a table of numbers can hold."""
    words = np.packbits(np.asarray(mask, dtype=bool).reshape(-1, 32), axis=1)
    return [int.from_bytes(word.tobytes(), "big") for word in words]


def unpack_rows(words: Iterable[float], width: int) -> NDArray[np.bool_]:
    """The mask again, ``(height, width)``: the inverse of `pack_rows`."""
    data = b"".join(int(word).to_bytes(4, "big") for word in words)
    return np.unpackbits(np.frombuffer(data, np.uint8)).reshape(-1, width).astype(bool)
