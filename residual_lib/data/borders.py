"""Which pixels matter most for telling touching cells apart."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor


def border_weights(
    labels: Tensor, *, w0: float = 10.0, sigma: float = 5.0, balance: bool = True
) -> Tensor:
    """Return the weight of each pixel in the loss: Ronneberger et al. 2015, eq. 2.

    ``w(x) = w_c(x) + w0 exp(-(d1(x) + d2(x))^2 / (2 sigma^2))``, where d1 and d2 are the distances
    from x to the borders of the nearest cell and of the second nearest: large in the gaps between
    cells that nearly touch. Both are measured to the nearest pixel on the other side of the border,
    so they are 1 next to it, on either side. Use the weights with
    `residual_lib.objective.weighted_loss`.

    Args:
        labels: of one image, whole numbers (height, width) or (length,): 0 is background, and each
            cell has a number of its own. The time taken grows with the number of cells.
        w0: weight of a gap of width 0, on top of w_c.
        sigma: how fast that falls with the width of a gap, in pixels.
        balance: whether w_c makes up for the numbers of pixels: cells and background then have the
            same sum, and the mean is 1. False, or only one of the two in the image: w_c is 1. (The
            paper says that it balances the classes, and not how.)

    Returns:
        float32, of the shape of `labels`.

    Raises:
        ValueError: an argument is out of its range.
        TypeError: the labels aren't whole numbers.
    """
    if labels.is_floating_point() or labels.is_complex():
        raise TypeError(f"labels must be whole numbers, got {labels.dtype}")
    if not w0 >= 0:
        raise ValueError(f"w0 must be 0 or above, got {w0!r}")
    if not sigma > 0:
        raise ValueError(f"sigma must be above 0, got {sigma!r}")
    pixels = labels.cpu().numpy()
    weights = np.ones(pixels.shape)
    inside = pixels != 0
    share = inside.mean()
    if balance and 0 < share < 1:
        weights = np.where(inside, 0.5 / share, 0.5 / (1 - share))
    nearest = np.full((2, *pixels.shape), np.inf)
    for cell in np.unique(pixels[inside]):
        within = pixels == cell
        if within.all():
            continue  # a cell without a border
        distance = distance_transform_edt(within) + distance_transform_edt(~within)
        nearest = np.sort([*nearest, distance], axis=0)[:2]
    weights = weights + w0 * np.exp(-(nearest.sum(0) ** 2) / (2 * sigma**2))
    return torch.from_numpy(weights).to(torch.float32).to(labels.device)
