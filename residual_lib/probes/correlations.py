"""How alike the values of a sequence are at a distance, with the two noises to compare with."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from residual_lib.probes.scores import check_count

Floats = NDArray[np.float64]
NOISES = ("white", "brown")


def autocorrelation(values: ArrayLike, lags: int = 15) -> Floats:
    """Return the autocorrelation of sequences at lags 0, 1, ..., `lags`.

    With m the mean of the n values g_i of a sequence, ``r_k = sum_i (g_i - m)(g_{i+k} - m) /
    sum_i (g_i - m)^2``, the first sum over the n - k pairs that there are: the usual, slightly
    biased estimate (Box and Jenkins 1976, section 2.1.5).

    Args:
        values: shape (..., n).
        lags: the longest lag, at most n - 1.

    Returns:
        Shape (..., lags + 1), the first 1. A sequence that doesn't vary gives NaN: it has none.

    Raises:
        ValueError: `lags` is out of its range.
    """
    g = np.asarray(values, dtype=np.float64)
    n = g.shape[-1]
    check_count("lags", lags, 0, n - 1)
    g = g - g.mean(axis=-1, keepdims=True)
    products = [(g[..., : n - k] * g[..., k:]).sum(axis=-1) for k in range(lags + 1)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack(products, axis=-1) / products[0][..., None]


def gradient_covariance(table: pd.DataFrame) -> Floats:
    """Return the second moments of the gradients of `shattering_seeds`, point by point.

    Entry (i, j) is the mean over seeds of g_i g_j, each seed's gradients g divided by their root
    mean square, so that no single network outweighs the others. Independent gradients (white noise)
    give the identity matrix; a gradient that is the same everywhere gives ones.

    Args:
        table: as from `shattering_seeds`; without a column ``seed`` it counts as one seed.

    Returns:
        Shape (points, points), with the trace equal to the number of points.
    """
    rows = table[table.metric == "gradient"]
    if "seed" not in rows:
        rows = rows.assign(seed=0)
    g = rows.pivot(index="seed", columns="index", values="value").to_numpy()
    g = g / np.sqrt((g**2).mean(axis=1, keepdims=True))
    return g.T @ g / len(g)


def noise(kind: str, points: int = 256, seed: int = 0, sequences: int = 1) -> Floats:
    """Return Gaussian noise: ``"white"``, independent values, or ``"brown"``, their running sum.

    Args:
        kind: which of the two.
        points: length of a sequence.
        seed: of the draws.
        sequences: how many sequences.

    Returns:
        Shape (sequences, points); the steps have variance 1.

    Raises:
        ValueError: an argument is out of its range.
    """
    if kind not in NOISES:
        raise ValueError(f"kind must be one of {list(NOISES)}, got {kind!r}")
    check_count("points", points)
    check_count("sequences", sequences)
    steps = np.random.default_rng(seed).standard_normal((sequences, points))
    return steps if kind == "white" else steps.cumsum(axis=1)
