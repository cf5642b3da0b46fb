"""Drawn cells that touch: images whose every pixel has a true label."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from torch import Tensor

from residual_lib.data.base import Data, Source, check_number
from residual_lib.data.borders import border_weights

CLASSES = ("outside", "cell")
Floats = NDArray[np.float64]


def load(
    *,
    train_images: int = 160,
    test_images: int = 80,
    size: int = 32,
    noise: float = 0.15,
    test_noise: float | None = None,
    light: float = 0.5,
    weights: bool = False,
    seed: int = 0,
) -> Data:
    """Draw images of touching cells, with noise and uneven light, and the truth.

    Args:
        train_images, test_images: how many.
        size: pixels on each side.
        noise: standard deviation of the noise in each pixel, of which cells are about 1 brighter
            than what surrounds them.
        test_noise: that of the test images; default: `noise`. The cells are the same for each.
        light: how much the light falls off across an image, 0 (even) to 1.
        weights: whether the data have `residual_lib.data.borders.border_weights`, as in the paper
            of U-Net but for gaps as narrow as these: w0 of 5, sigma of 2.
        seed: of all that is random. The same seed gives the same tensors.

    Returns:
        `Data` with x ``(N, 1, size, size)`` float32, by the mean and standard deviation of the
        training pixels, and y ``(N, size, size)`` int64: 1 in a cell, 0 outside. Between cells
        that touch, a line one pixel wide is outside.

    Raises:
        TypeError, ValueError: an argument is of the wrong type or out of range.
    """
    check_number("train_images", train_images, 1, integer=True)
    check_number("test_images", test_images, 1, integer=True)
    check_number("size", size, 16, 4096, integer=True)
    check_number("noise", noise, 0)
    check_number("light", light, 0, 1)
    check_number("seed", seed, 0, 2**32 - 1, integer=True)
    test_noise = noise if test_noise is None else test_noise
    check_number("test_noise", test_noise, 0)
    x_train, labels = draw(train_images, size, seed=[seed, 0], noise=noise, light=light)
    x_test, labels_test = draw(test_images, size, seed=[seed, 1], noise=test_noise, light=light)
    mean, std = x_train.mean(), x_train.std(correction=0)
    w = torch.stack([border_weights(one, w0=5, sigma=2) for one in labels]) if weights else None
    return Data(
        x_train=(x_train - mean) / std,
        y_train=(labels > 0).long(),
        x_test=(x_test - mean) / std,
        y_test=(labels_test > 0).long(),
        name="cells",
        num_classes=2,
        task="segmentation",
        classes=CLASSES,
        weights=w,
    )


def draw(
    images: int, size: int, *, seed: int | list[int], noise: float = 0.15, light: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Draw images ``(N, 1, size, size)``, not normalised, and labels ``(N, size, size)``.

    A label is 0 outside, and each cell of an image has a number of its own.
    """
    generator = np.random.default_rng(seed)
    pictures, truths = [], []
    for _ in range(images):
        labels = place_cells(size, generator)
        picture = paint(labels, generator, light)
        # Drawn apart, so that the same cells come with any noise.
        grain = generator.standard_normal(labels.shape)
        pictures.append(picture + noise * grain)
        truths.append(labels)
    x = torch.from_numpy(np.stack(pictures)).to(torch.float32)
    return x[:, None], torch.from_numpy(np.stack(truths)).to(torch.int64)


def place_cells(size: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Numbered cells ``(size, size)``: discs that press against each other, a pixel apart.

    A pixel belongs to the centre that is nearest in units of its radius, if it is nearer than one
    radius; where two cells meet, the pixels of the one that are left of or above the other's are
    outside.
    """
    centres = generator.uniform(-2, size + 2, (max(3, round(size * size / 80)), 2))
    # Of two centres that are too close, the later one goes.
    close = cKDTree(centres).query_pairs(4.5, output_type="ndarray")
    centres = np.delete(centres, close.max(axis=1), axis=0)
    radii = generator.uniform(4.0, 8.0, len(centres))
    rows, columns = np.mgrid[:size, :size].astype(float)
    # Bent coordinates, so that no outline is a circle.
    rows = rows + 1.5 * smooth(size, 4, generator)
    columns = columns + 1.5 * smooth(size, 4, generator)
    reach = np.full((size, size), np.inf)
    labels = np.zeros((size, size), np.int64)
    for number, ((row, column), radius) in enumerate(zip(centres, radii, strict=True), start=1):
        top, left = max(0, int(row - 14)), max(0, int(column - 14))
        window = np.s_[top : max(0, int(row + 15)), left : max(0, int(column + 15))]
        distance = np.hypot(rows[window] - row, columns[window] - column) / radius
        nearer = distance < np.minimum(reach[window], 1)
        reach[window][nearer] = distance[nearer]
        labels[window][nearer] = number
    gap = np.zeros_like(labels, dtype=bool)
    for axis in (0, 1):
        here, there = np.moveaxis(labels, axis, 0)[:-1], np.moveaxis(labels, axis, 0)[1:]
        np.moveaxis(gap, axis, 0)[:-1] |= (here != there) & (here > 0) & (there > 0)
    return np.where(gap, 0, labels)


def paint(labels: NDArray[np.int64], generator: np.random.Generator, light: float) -> Floats:
    """A picture of the cells without noise: bright, with dark spots, blurred, unevenly lit."""
    size = len(labels)
    bright = generator.uniform(0.8, 1.2, labels.max() + 1)
    bright[0] = 0.0
    # Spots inside cells are as dark as a gap: only what surrounds them tells them from it.
    spots = smooth(size, 2, generator) > 1.1
    picture = np.where(spots, 0, bright[labels])
    picture = gaussian_filter(picture, 0.6)
    lit = [smooth(size, min(size / 3, 11), generator) for _ in range(2)]
    return np.asarray(picture * (1 + light * 0.6 * lit[0]) + light * 0.9 * lit[1])


def smooth(size: int, scale: float, generator: np.random.Generator) -> Floats:
    """A random field with mean 0 and variance 1 over the image, smooth over `scale` pixels."""
    field = gaussian_filter(generator.standard_normal((size, size)), scale, mode="wrap")
    return np.asarray((field - field.mean()) / field.std())


SOURCE = Source(
    load=load,
    title="Drawn cells that touch",
    origin=(
        "Drawn by this library: discs of 4 to 8 pixels, bent, pressed against each other until a "
        "gap one pixel wide is left; dark spots in the cells, a blur, light that differs from "
        "place to place, normal noise in each pixel"
    ),
    licence="as the library",
    normalisation="one mean and one standard deviation, of all training pixels",
    limits=(
        "No real image. Noise is independent from pixel to pixel, cells have one size and one "
        "texture, and the truth has no mistakes. Gaps are one pixel wide by construction, where "
        "those of real images vary and their labels are a matter of opinion"
    ),
)
