"""Why gradients shatter: the correlation of two gradients whose rectifiers open independently.

Take two inputs of one network of L rectifier layers, and suppose that each unit is open for either
with probability 1/2, independently of all else. Going back through one layer, a gradient d becomes
``D W^T d``, where D keeps the open units and the weights W have variance 2 / width. Then

- the squared norm is kept on average (half of the units, weights of twice the variance), while
- the product of the two gradients is halved: a quarter of the units is open for both.

So the correlation falls by 1/2 a layer in a plain network: 1/2^L. A residual block adds the
gradient on its shortcut: with a branch scaled by beta the squared norm grows by 1 + beta^2 and the
product by 1 + beta^2 / 2. At beta = 1 the correlation falls by 3/4 a block: (3/4)^L.
With batch normalisation in the branch, block l (from 0) divides by the variance of what enters it,
v_l = 1 + beta^2 l, because each branch adds beta^2 to it. The squared norm then grows by
1 + beta^2 / v_l, which telescopes to 1 + beta^2 L over all blocks, and the product by
1 + beta^2 / (2 v_l), about the square root of that. The correlation is about
1 / sqrt(1 + beta^2 L). Balduzzi et al. 2017 (arXiv 1702.08591), section 3, state these rates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from residual_lib.probes.scores import bar, check_count

GATED = ("plain", "residual", "residual_batch")


def expected_correlation(kind: str, depth: int, beta: float = 1.0) -> float:
    """Return the expected correlation of two gradients after `depth` layers or blocks.

    Args:
        kind: ``"plain"``; ``"residual"``, without normalisation; ``"residual_batch"``, with batch
            normalisation in the branches.
        depth: L, number of layers or blocks, from 0.
        beta: scale of the branches; a plain network's correlation doesn't depend on it.

    Returns:
        The ratio of the expected product to the expected squared norm, 0 to 1, by the formulas of
        this module.

    Raises:
        ValueError: an argument is out of its range.
    """
    _check(kind, beta)
    check_count("depth", depth, 0)
    if kind == "plain":
        return 0.5**depth
    variance = _variances(kind, depth, beta)
    return float(np.prod((1 + beta**2 / variance / 2) / (1 + beta**2 / variance)))


def gate_correlation(
    kind: str,
    depths: Sequence[int] = (1, 2, 4, 8, 16),
    *,
    beta: float = 1.0,
    width: int = 200,
    seeds: Iterable[int] = range(20),
    progress: bool = True,
) -> pd.DataFrame:
    """Measure the correlation of two gradients in random networks with independent gates.

    Args:
        kind, beta: as for `expected_correlation`.
        depths: numbers of layers or blocks, each from 0.
        width: units of a layer.
        seeds: one network each.
        progress: whether to show a bar.

    Returns:
        Columns ``seed``, ``depth``, ``metric`` and ``value``. Per seed ``"product"`` and
        ``"square"``, of which expected_correlation is the ratio of the means; with seed -1, for
        all seeds together, ``"measured"`` (that ratio) and ``"expected"``.

    Raises:
        ValueError: an argument is out of its range.
    """
    _check(kind, beta)
    check_count("width", width)
    for depth in depths:
        check_count("depths", depth, 0)
    seeds = list(seeds)
    rows: list[tuple[int, int, str, float]] = []
    for depth in bar(depths, f"gates, {kind}", progress):
        found = [_pair(kind, depth, beta, width, seed) for seed in seeds]
        for seed, (product, square) in zip(seeds, found, strict=True):
            rows += [(seed, depth, "product", product), (seed, depth, "square", square)]
        products, squares = np.array(found).T
        rows.append((-1, depth, "measured", products.mean() / squares.mean()))
        rows.append((-1, depth, "expected", expected_correlation(kind, depth, beta)))
    return pd.DataFrame(rows, columns=["seed", "depth", "metric", "value"])


def _pair(kind: str, depth: int, beta: float, width: int, seed: int) -> tuple[float, float]:
    """Product and mean squared norm of two gradients that start equal, at length 1."""
    generator = np.random.default_rng(seed)
    start = generator.standard_normal(width)
    pair = np.stack([start, start]) / np.linalg.norm(start)
    variances = _variances(kind, depth, beta)
    for variance in reversed(variances):  # the gradient meets the last block first
        weights = generator.standard_normal((width, width)) * np.sqrt(2 / width)
        back = generator.integers(0, 2, pair.shape) * (pair @ weights)
        pair = back if kind == "plain" else pair + beta / np.sqrt(variance) * back
    return float(pair[0] @ pair[1]), float((pair**2).sum() / 2)


def _variances(kind: str, depth: int, beta: float) -> np.ndarray:
    """What each block divides by: the variance that enters it, or 1 without normalisation."""
    return 1 + beta**2 * np.arange(depth) if kind == "residual_batch" else np.ones(depth)


def _check(kind: str, beta: float) -> None:
    if kind not in GATED:
        raise ValueError(f"kind must be one of {list(GATED)}, got {kind!r}")
    if not beta > 0:
        raise ValueError(f"beta must be above 0, got {beta!r}")
