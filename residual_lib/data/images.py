"""Folders of images, one folder a class, as batches of tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from residual_lib.data import cifar

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm")


@dataclass(frozen=True)
class ImageFolder:
    """The images in the folders of a folder; a class is a folder, numbered in alphabetic order.

    Attributes:
        files: (path, class number), in order.
        classes: the folders' names.
        label: the name of the folder that holds them.
        resize: shorter side in pixels after scaling, or None to leave the size.
        crop: side of the square that is cut from the middle, or None to cut nothing.
    """

    files: tuple[tuple[Path, int], ...]
    classes: tuple[str, ...]
    label: str
    resize: int | None = None
    crop: int | None = None

    def __len__(self) -> int:
        return len(self.files)

    def batches(self, size: int, limit: int | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield x ``(B, 3, H, W)`` uint8 and y ``(B,)`` int64.

        Raises:
            ValueError: a file can't be read as an image, or the sizes in a batch differ.
        """
        files = self.files[:limit]
        for start in range(0, len(files), size):
            part = files[start : start + size]
            images = [self._open(path) for path, _ in part]
            shapes = {image.shape for image in images}
            if len(shapes) > 1:
                sizes = ", ".join(f"{w}x{h}" for _, h, w in sorted(shapes))
                raise ValueError(f"images must be of one size, got {sizes}: give resize and crop")
            yield torch.stack(images), torch.tensor([number for _, number in part])

    def _open(self, path: Path) -> Tensor:
        from PIL import Image, UnidentifiedImageError  # here, because only folders need it

        try:
            with Image.open(path) as file:
                image: Any = file.convert("RGB")
        except (UnidentifiedImageError, OSError) as error:
            raise ValueError(f"{path.name} can't be read as an image: {error}") from None
        if self.resize is not None:
            scale = self.resize / min(image.size)
            size = [max(self.resize, round(side * scale)) for side in image.size]
            image = image.resize(size, Image.Resampling.BILINEAR)
        if self.crop is not None:
            left, top = ((side - self.crop) // 2 for side in image.size)
            image = image.crop((left, top, left + self.crop, top + self.crop))
        return torch.from_numpy(np.array(image)).permute(2, 0, 1)


@dataclass(frozen=True)
class ImageTensor:
    """Images that fit in memory, such as those of CIFAR-10."""

    x: Tensor
    y: Tensor
    classes: tuple[str, ...]
    label: str

    def __len__(self) -> int:
        return len(self.x)

    def batches(self, size: int, limit: int | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield x ``(B, 3, H, W)`` uint8 and y ``(B,)`` int64."""
        yield from zip(self.x[:limit].split(size), self.y[:limit].split(size), strict=True)


def open_images(
    folder: str | Path, split: str = "test", *, resize: int | None = None, crop: int | None = None
) -> ImageFolder | ImageTensor:
    """Find out what images are in a folder.

    Args:
        folder: CIFAR-10 in one of the forms that `residual_lib.data.cifar.read` knows, or a folder
            with a folder of images for each class.
        split: 'train' or 'test', of CIFAR-10 alone.
        resize, crop: see `ImageFolder`, which alone has them.

    Raises:
        FileNotFoundError: there is neither.
        ValueError: as `cifar.read`, or `resize` or `crop` don't fit.
    """
    for name, value in (("resize", resize), ("crop", crop)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be a number of pixels from 1, got {value!r}")
    if crop is not None and crop > (resize or crop):
        raise ValueError(f"crop must be at most resize {resize}, got {crop}")
    if cifar.form(folder):
        if resize or crop:
            raise ValueError("resize and crop are for folders of images: CIFAR-10's are 32x32")
        images = cifar.read(folder, split)
        return ImageTensor(images.x, images.y, cifar.CLASSES, images.label)
    folder = Path(folder)
    classes = sorted(path.name for path in folder.glob("*") if path.is_dir())
    files = tuple(
        (path, number)
        for number, name in enumerate(classes)
        for path in sorted((folder / name).rglob("*"))
        if path.suffix.lower() in SUFFIXES
    )
    if not files:
        raise FileNotFoundError(
            f"folder must hold CIFAR-10 or a folder of images for each class, got {str(folder)!r}"
        )
    return ImageFolder(files, tuple(classes), folder.name, resize, crop)
