"""How good a segmentation is: four measures of pixels and one of cells.

Each takes two masks of one image, arrays (height, width), True where the thing is. What is measured
differs: overlap, place of the outline, thin parts, single pixels, cells told apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]


def iou(predicted: ArrayLike, truth: ArrayLike) -> float:
    """Intersection over union, ``|P and T| / |P or T|``, 0 to 1 (Jaccard 1912).

    Everingham et al. 2010, "The Pascal Visual Object Classes Challenge", section 4.1.3, eq. 3. Two
    empty masks agree: 1.
    """
    p, t = _masks(predicted, truth)
    union = (p | t).sum()
    return float((p & t).sum() / union) if union else 1.0


def pixel_error(predicted: ArrayLike, truth: ArrayLike) -> float:
    """Share of the pixels in which the masks differ, 0 to 1: ``mean(P != T)``.

    Arganda-Carreras et al. 2015, "Crowdsourcing the creation of image segmentation algorithms for
    connectomics": one minus the pixel error is their accuracy of pixels.
    """
    p, t = _masks(predicted, truth)
    return float((p != t).mean())


def boundary(mask: ArrayLike) -> Mask:
    """The mask's pixels that touch, above, below, left or right, a pixel outside of it.

    The border of the image is none of the mask.
    """
    inside = np.asarray(mask, dtype=bool)
    return inside & ~ndimage.binary_erosion(inside, border_value=True)


def boundary_f_score(predicted: ArrayLike, truth: ArrayLike, *, tolerance: float = 1.0) -> float:
    """F-score of the outlines, 0 to 1: ``2 P R / (P + R)``.

    P is the share of the predicted outline's pixels that lie within `tolerance` of the true
    outline, R the share of the true outline's pixels within `tolerance` of the predicted one.
    Csurka et al. 2013, "What is a good evaluation measure for semantic segmentation?", after Martin
    et al. 2004. An outline is that of `boundary`; two empty ones agree, one alone gives 0.

    Args:
        predicted, truth: masks.
        tolerance: distance from centre to centre, in pixels.

    Raises:
        ValueError: shapes differ, or `tolerance` is below 0.
    """
    p, t = _masks(predicted, truth)
    if not tolerance >= 0:
        raise ValueError(f"tolerance must be 0 or above, got {tolerance!r}")
    p, t = boundary(p), boundary(t)
    if not p.any() or not t.any():
        return float(p.any() == t.any())
    precision = (ndimage.distance_transform_edt(~t)[p] <= tolerance).mean()
    recall = (ndimage.distance_transform_edt(~p)[t] <= tolerance).mean()
    total = precision + recall
    return float(2 * precision * recall / total) if total else 0.0


def thin_parts(mask: ArrayLike, *, width: int = 3) -> Mask:
    """The mask's pixels that no square of `width` pixels a side covers without leaving the mask.

    What a morphological opening takes away. Beyond its border the image is taken to go on as the
    mask, so that what is cut by the border isn't thin for that.
    """
    inside = np.asarray(mask, dtype=bool)
    if not isinstance(width, int) or width < 2:
        raise ValueError(f"width must be a whole number from 2, got {width!r}")
    padded = np.pad(inside, width, constant_values=True)
    opened = ndimage.binary_opening(padded, np.ones((width, width)))
    return inside & ~opened[width:-width, width:-width]


def thin_recall(predicted: ArrayLike, truth: ArrayLike, *, width: int = 3) -> float:
    """Share of the thin parts of the true mask that the predicted one has, 0 to 1.

    ``|P and thin(T)| / |thin(T)|``, with `thin_parts`. No tolerance: a line one pixel beside counts
    as missed. NaN where the truth has no thin part. It rewards a mask that is True everywhere, so
    look at it with another measure. (Ours; recall on a part of the pixels.)

    Args:
        predicted, truth: masks.
        width: from how many pixels on a part isn't thin.

    Raises:
        ValueError: shapes differ, or `width` is below 2.
    """
    p, t = _masks(predicted, truth)
    thin = thin_parts(t, width=width)
    return float(p[thin].mean()) if thin.any() else float("nan")


def cells(mask: ArrayLike) -> NDArray[np.int_]:
    """Number the connected parts of a mask from 1; 0 is outside. Corners don't connect."""
    return np.asarray(ndimage.label(np.asarray(mask, dtype=bool))[0], dtype=int)


def rand_score(predicted: ArrayLike, truth: ArrayLike) -> float:
    """Foreground-restricted Rand score V^Rand, 0 to 1: are pixels of one cell in one cell?

    ``V = sum_ij p_ij^2 / (1/2 sum_i s_i^2 + 1/2 sum_j t_j^2)``. p_ij is the probability that a
    pixel drawn from the *true* cells lies in cell i of the prediction and cell j of the truth; s_i
    and t_j are its sums over j and over i: Arganda-Carreras et al. 2015, "Crowdsourcing the
    creation of image segmentation algorithms for connectomics", with alpha = 1/2. It is the
    harmonic mean of two shares of pairs of pixels: of those together in the prediction, how many
    belong together (falls with cells merged), and of those that belong together, how many are
    (falls with cells split).

    Cells are `cells` of the masks. A true pixel that isn't predicted is a cell of its own. The
    challenge also thins the predicted borders first and takes the best threshold; neither is done
    here, so the numbers aren't those of its table. 1 where the truth is empty.

    Args:
        predicted, truth: masks, True inside cells; or whole numbers, then cells are numbered
            already and 0 is outside.
    """
    s, t = (
        array if array.dtype.kind in "iu" else cells(array)
        for array in (np.asarray(predicted), np.asarray(truth))
    )
    _same_shape(s, t)
    s, t = s[t > 0].astype(np.int64), t[t > 0].astype(np.int64)
    if not t.size:
        return 1.0
    missed = s == 0
    s = np.where(missed, s.max() + np.cumsum(missed), s)

    def squares(numbers: NDArray[np.int64]) -> float:
        counts = np.unique(numbers, return_counts=True)[1]
        return float((counts.astype(float) ** 2).sum())

    together = squares(s * (t.max() + 1) + t)
    return together / (squares(s) / 2 + squares(t) / 2)


def _masks(predicted: ArrayLike, truth: ArrayLike) -> tuple[Mask, Mask]:
    p, t = np.asarray(predicted, dtype=bool), np.asarray(truth, dtype=bool)
    _same_shape(p, t)
    return p, t


def _same_shape(predicted: NDArray[Any], truth: NDArray[Any]) -> None:
    if predicted.shape != truth.shape:
        raise ValueError(
            f"predicted must have the shape of truth {truth.shape}, got {predicted.shape}"
        )
