"""CIFAR-10 from a folder that the reader has: the official archive, or mosaics of tiles.

Nothing is downloaded, and nothing of it is part of the course (Krizhevsky 2009, Learning Multiple
Layers of Features from Tiny Images).
"""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from residual_lib.data.base import Data, check_number

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
ARCHIVE = "cifar-10-python.tar.gz"
FOLDER = "cifar-10-batches-py"
# The MD5 sums of the official files.
BATCHES = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
SIZE = 32
NORMALISE = ("channel", "pixel")


@dataclass(frozen=True)
class Images:
    """Images as they are in the files: x ``(N, 3, 32, 32)`` uint8, y ``(N,)`` int64."""

    x: Tensor
    y: Tensor
    #: 'CIFAR-10', 'CIFAR-10, JPEG', or 'CIFAR-10, not the official files'
    label: str


def load(
    folder: str | Path,
    *,
    normalise: str = "channel",
    train_images: int | None = None,
    test_images: int | None = None,
) -> Data:
    """Load CIFAR-10 for training.

    Args:
        folder: as for `read`.
        normalise: ``"channel"`` subtracts the mean of each channel over the training set and
            divides by its standard deviation; ``"pixel"`` subtracts the mean image and divides by
            one number, the standard deviation of what is left (He et al. 2015, section 4.2, have
            'the per-pixel mean subtracted').
        train_images, test_images: how many of each, the first ones. Default: all.

    Returns:
        `Data` with x ``(N, 3, 32, 32)`` float32 and y ``(N,)`` int64; its name is the label of the
        images: nothing learnt from JPEGs is called a result on CIFAR-10.

    Raises:
        TypeError, ValueError, FileNotFoundError: as `read`, or an argument is wrong.
    """
    if normalise not in NORMALISE:
        raise ValueError(f"normalise must be one of {', '.join(NORMALISE)}, got {normalise!r}")
    train, test = read(folder, "train"), read(folder, "test")
    for name, images, wanted in (
        ("train_images", train, train_images),
        ("test_images", test, test_images),
    ):
        if wanted is not None:
            check_number(name, wanted, 1, len(images.x), integer=True)
    x_train, x_test = train.x[:train_images].float(), test.x[:test_images].float()
    positions = (0, 2, 3)
    mean = x_train.mean(positions if normalise == "channel" else 0, keepdim=True)
    x_train -= mean  # in place: with all images each of them takes 0.6 GB
    x_test -= mean
    squares = x_train.square()
    std = (
        squares.mean(positions, keepdim=True) if normalise == "channel" else squares.mean()
    ).sqrt()
    x_train /= std
    x_test /= std
    return Data(
        x_train=x_train,
        y_train=train.y[:train_images],
        x_test=x_test,
        y_test=test.y[:test_images],
        name=train.label,
        num_classes=len(CLASSES),
        task="classification",
        classes=CLASSES,
    )


def read(folder: str | Path, split: str = "train") -> Images:
    """Read one part of CIFAR-10 as it is.

    Args:
        folder: holds ``cifar-10-python.tar.gz``, or what is in it (``cifar-10-batches-py`` or
            its files), or mosaics: ``data_batch_1.jpg`` to ``5``, ``test_batch.jpg``, each of tiles
            of 32x32 pixels row by row, with ``train_labels.txt`` and ``test_labels.txt``, one digit
            a tile. Or the path of the archive itself.
        split: 'train' or 'test'.

    Raises:
        FileNotFoundError: there is no such folder, or none of these is in it.
        ValueError: `split` is none of the above, or a file isn't what its name says.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    folder = Path(folder)
    found = form(folder)
    if found is None:
        raise FileNotFoundError(
            f"folder must hold {ARCHIVE}, {FOLDER} or the mosaics data_batch_1.jpg ..., "
            f"got {str(folder)!r}"
        )
    wanted = [name for name in BATCHES if (name == "test_batch") == (split == "test")]
    readers = {"archive": _read_archive, "files": _read_files, "mosaics": _read_mosaics}
    return readers[found](folder, wanted)


def form(folder: str | Path) -> str | None:
    """How CIFAR-10 is in `folder`: 'archive', 'files', 'mosaics', or None where it isn't."""
    folder = Path(folder)
    if folder.is_file():
        return "archive" if folder.name.endswith(".tar.gz") else None
    if (folder / ARCHIVE).is_file():
        return "archive"
    if (folder / "test_batch").is_file() or (folder / FOLDER / "test_batch").is_file():
        return "files"
    return "mosaics" if (folder / "test_batch.jpg").is_file() else None


def _read_archive(path: Path, names: list[str]) -> Images:
    path = path / ARCHIVE if path.is_dir() else path
    batches = {}
    try:
        with tarfile.open(path) as archive:
            for name in names:  # read in memory: nothing is unpacked to a path the archive chose
                file = archive.extractfile(f"{FOLDER}/{name}")
                batches[name] = file.read() if file else b""
    except (tarfile.TarError, KeyError, EOFError, OSError) as error:
        raise ValueError(f"{path.name} is no archive of CIFAR-10: {error}") from None
    return _unpickled(batches)


def _read_files(folder: Path, names: list[str]) -> Images:
    inner = folder / FOLDER if (folder / FOLDER).is_dir() else folder
    missing = [name for name in names if not (inner / name).is_file()]
    if missing:
        raise FileNotFoundError(f"folder must hold {', '.join(missing)}, got {str(folder)!r}")
    return _unpickled({name: (inner / name).read_bytes() for name in names})


def _unpickled(batches: dict[str, bytes]) -> Images:
    arrays, labels = [], []
    for name, content in batches.items():
        try:
            batch = _Unpickler(io.BytesIO(content), encoding="bytes").load()
            array = np.asarray(batch[b"data"], dtype=np.uint8).reshape(-1, 3, SIZE, SIZE)
            labels += [int(label) for label in batch[b"labels"]]
        except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{name} is no batch of CIFAR-10: {error}") from None
        arrays.append(array)
    official = all(
        hashlib.md5(content, usedforsecurity=False).hexdigest() == BATCHES[name]
        for name, content in batches.items()
    )
    label = "CIFAR-10" if official else "CIFAR-10, not the official files"
    return _checked(np.concatenate(arrays), labels, label)


class _Unpickler(pickle.Unpickler):
    """Reads a batch: a dictionary of texts, lists and one array. Nothing else is made."""

    _ALLOWED = frozenset(
        {
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is refused")
        if name == "_reconstruct":  # the old module's name, which numpy 2 warns of
            return np.ndarray([0]).__reduce__()[0]
        return super().find_class(module, name)


def _read_mosaics(folder: Path, names: list[str]) -> Images:
    from PIL import Image  # here, because only these need it

    arrays = []
    for name in names:
        path = folder / f"{name}.jpg"
        if not path.is_file():
            raise FileNotFoundError(f"folder must hold {path.name}, got {str(folder)!r}")
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        rows, columns = pixels.shape[0] // SIZE, pixels.shape[1] // SIZE
        if pixels.shape[:2] != (rows * SIZE, columns * SIZE):
            raise ValueError(f"{path.name} must be of tiles of {SIZE}x{SIZE}, got {pixels.shape}")
        tiles = pixels.reshape(rows, SIZE, columns, SIZE, 3).transpose(0, 2, 4, 1, 3)
        arrays.append(tiles.reshape(-1, 3, SIZE, SIZE))
    split = "test" if names == ["test_batch"] else "train"
    path = folder / f"{split}_labels.txt"
    digits = path.read_text().strip()
    if not digits.isdigit():
        raise ValueError(f"{path.name} must be digits, one a tile")
    return _checked(np.concatenate(arrays), [int(digit) for digit in digits], "CIFAR-10, JPEG")


def _checked(x: np.ndarray[Any, Any], y: list[int], label: str) -> Images:
    if len(x) != len(y):
        raise ValueError(f"there must be a label for each image, got {len(x)} and {len(y)}")
    if not all(0 <= number < len(CLASSES) for number in y):
        raise ValueError(f"labels must be from 0 to {len(CLASSES) - 1}")
    return Images(torch.from_numpy(np.ascontiguousarray(x)), torch.tensor(y), label)
