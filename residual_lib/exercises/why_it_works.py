"""Exercises of chapter 6, Why it works: four explanations on trial."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from residual_lib.exercises.base import Arguments, Exercise, Mistake

# --- 6.1 ------------------------------------------------------------------------------------

PATHS = Exercise(
    id="6.1",
    title="Three blocks, unravelled",
    statement=(
        "Count the paths of three residual blocks, those of length 2, and the share that is left "
        "when one branch is deleted"
    ),
    tier="recall",
    template="""\
paths = ...  # through three residual blocks in a row
of_length_two = ...  # of these, how many pass exactly two branches
left = ...  # share of all paths that is left when the branch of one block is deleted
""",
    answer="(paths, of_length_two, left)",
    expected=lambda: (8, 3, 0.5),
    rtol=0,
    atol=1e-6,
    mistakes=(
        Mistake(
            lambda: (6, 3, 0.5),
            "Two choices at each block multiply: 2 x 2 x 2, not 2 + 2 + 2.",
        ),
        Mistake(
            lambda: (8, 3, 2 / 3),
            "Of the blocks two thirds are left. Of the paths those that took the shortcut there.",
        ),
        Mistake(
            lambda: (8, 2, 0.5),
            "A path of length 2 is a choice of the two blocks whose branch it takes, out of three.",
        ),
    ),
    hint="At each block a path takes the branch or the shortcut. List the choices for three.",
    points=1,
)

# --- 6.2 ------------------------------------------------------------------------------------


def _share(blocks: int, low: int, high: int) -> float:
    return sum(math.comb(blocks, length) for length in range(low, high + 1)) / 2**blocks


SHARE = Exercise(
    id="6.2",
    title="Where the paths are",
    statement="Return the share of all paths whose length lies between low and high, both included",
    tier="apply",
    template='''\
def share_of_paths(blocks, low, high):
    """The share of all paths through `blocks` blocks that pass low, low + 1, ..., high branches."""
    return ...
''',
    answer="share_of_paths",
    expected=_share,
    inputs=lambda seed: [(1, 0, 0), (3, 1, 2), (54, 19, 35), (54, 5, 17), (20 + seed, 4, 9)],
    mistakes=(
        Mistake(
            lambda blocks, low, high: _share(blocks, low, high - 1),
            "The length `high` belongs to it; Python's range leaves its end out.",
        ),
        Mistake(
            lambda blocks, low, high: (high - low + 1) / (blocks + 1),
            "That is the share of the lengths. There are many more paths of a middle length.",
        ),
        Mistake(
            lambda blocks, low, high: _share(blocks, low, high) * 2**blocks,
            "That is their number; divide by the number of all paths.",
        ),
    ),
    hint="math.comb(blocks, k) paths have length k, and 2 ** blocks there are in all.",
    points=2,
)

# --- 6.3 ------------------------------------------------------------------------------------


def _factor(jacobian: np.ndarray, upstream: np.ndarray) -> float:
    back = upstream + jacobian.T @ upstream
    return float(np.linalg.norm(back) / np.linalg.norm(upstream))


def _added_norms(jacobian: np.ndarray, upstream: np.ndarray) -> float:
    branch = np.linalg.norm(jacobian.T @ upstream)
    return float(1 + branch / np.linalg.norm(upstream))


def _not_transposed(jacobian: np.ndarray, upstream: np.ndarray) -> float:
    return _factor(jacobian.T, upstream)


def _without_skip(jacobian: np.ndarray, upstream: np.ndarray) -> float:
    return float(np.linalg.norm(jacobian.T @ upstream) / np.linalg.norm(upstream))


def _jacobians(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    turned = np.array([[-1.0, 2.0], [0.0, -0.5]])
    cases = [(-np.eye(2), np.array([3.0, 4.0])), (turned, np.array([1.0, 1.0]))]
    return [*cases, *((rng.normal(size=(n, n)), rng.normal(size=n)) for n in (3, 6))]


FACTOR = Exercise(
    id="6.3",
    title="What the block does to a gradient",
    statement=(
        "Return the norm of the gradient at a residual block's input over that at its output"
    ),
    tier="apply",
    template='''\
import numpy as np


def gradient_factor(jacobian, upstream):
    """Norm of the gradient at the input of y = x + F(x) over its norm at the output.

    jacobian: array (n, n), entry (i, j) is dF_i/dx_j. upstream: array (n,), the gradient in y.
    """
    return ...
''',
    answer="gradient_factor",
    expected=_factor,
    inputs=_jacobians,
    mistakes=(
        Mistake(
            _added_norms,
            "That adds the lengths of the two parts. They are vectors: add them first, since they "
            "may cancel.",
        ),
        Mistake(
            _not_transposed,
            "The gradient goes backwards: the transpose of the Jacobian multiplies it.",
        ),
        Mistake(_without_skip, "That is a plain block's; the shortcut's part is missing."),
    ),
    hint="The gradient at the input is upstream + jacobian.T @ upstream.",
    points=2,
)

# --- 6.4 ------------------------------------------------------------------------------------


def _rate(kind: str, blocks: int, added: float = 1 - 1 / math.pi) -> float:
    if kind == "plain":
        return 0.5**blocks
    value = 1.0
    for block in range(blocks):
        variance = 2 + added * block if kind == "normalised" else 1
        value *= (1 + 1 / (2 * variance)) / (1 + 1 / variance)
    return value


def _same_for_all(kind: str, blocks: int) -> float:
    return 0.5**blocks


def _mean_square(kind: str, blocks: int) -> float:
    return _rate(kind, blocks, 1.0)


def _one_block(kind: str, blocks: int) -> float:
    return _rate(kind, min(blocks, 1)) ** blocks


RATES = Exercise(
    id="6.4",
    title="Three rates",
    statement=(
        "Return the correlation of the gradients at two inputs behind so many blocks, for the "
        "three kinds of net of the page"
    ),
    tier="apply",
    template='''\
import math

ADDED = 1 - 1 / math.pi  # what a normalised block adds to the variance


def correlation(kind, blocks):
    """Correlation of the gradients at two inputs whose rectifiers open independently.

    kind: "plain": W relu(x); "residual": x + W relu(x); "normalised": x + W relu(BatchNorm(x)).
    Before the first block the variance is 2; before block l, from 0, it is 2 + ADDED * l.
    """
    return ...
''',
    answer="correlation",
    expected=_rate,
    inputs=lambda seed: [
        ("plain", 3),
        ("residual", 3),
        ("normalised", 1),
        ("normalised", 5),
        *((kind, 8 + seed) for kind in ("plain", "residual", "normalised")),
    ],
    mistakes=(
        Mistake(
            _same_for_all,
            "That is the plain net's. The shortcut adds 1 to the mean square and to the product.",
        ),
        Mistake(
            _mean_square,
            "BatchNorm takes the mean away, so a branch adds 1 - 1/pi to the variance and not 1.",
        ),
        Mistake(
            _one_block,
            "The variance grows from block to block, so each block has a factor of its own.",
        ),
    ),
    hint=(
        "A block multiplies the mean square by 1 + 1/v and the product by 1 + 1/(2v), where v is "
        "the variance that it divides by (1 if it divides by nothing)."
    ),
    points=3,
)

# --- 6.5 ------------------------------------------------------------------------------------


def _autocorrelation(values: np.ndarray, lag: int) -> float:
    centred = values - values.mean()
    return float((centred[: len(values) - lag] * centred[lag:]).sum() / (centred**2).sum())


def _not_centred(values: np.ndarray, lag: int) -> float:
    return float((values[: len(values) - lag] * values[lag:]).sum() / (values**2).sum())


def _means_of_pairs(values: np.ndarray, lag: int) -> float:
    n = len(values)
    return _autocorrelation(values, lag) * n / (n - lag)


def _no_division(values: np.ndarray, lag: int) -> float:
    return _autocorrelation(values, lag) * float(((values - values.mean()) ** 2).sum())


def _sequences(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    walk = 5 + rng.normal(size=30).cumsum()
    return [(np.array([1.0, 2.0, 3.0, 4.0]), 1), (walk, 1), (walk, 4), (rng.normal(size=20), 2)]


AUTOCORRELATION = Exercise(
    id="6.5",
    title="Autocorrelation",
    statement="Return the autocorrelation of a sequence at one lag",
    tier="apply",
    template='''\
import numpy as np


def autocorrelation(values, lag):
    """Sum of (g_i - m)(g_{i + lag} - m) over the pairs that there are, over sum of (g_i - m)^2.

    values: array (n,) of g_i, with mean m. lag: a whole number, 1 <= lag < n.
    """
    return ...
''',
    answer="autocorrelation",
    expected=_autocorrelation,
    inputs=_sequences,
    mistakes=(
        Mistake(
            _not_centred,
            "Take the mean away first. Without that, any large mean looks like a correlation.",
        ),
        Mistake(
            _means_of_pairs,
            "That divides each sum by its number of terms; asked is the ratio of the sums.",
        ),
        Mistake(_no_division, "Divide by the sum of squares, so that lag 0 gives 1."),
    ),
    hint="Subtract the mean; then (g[:-lag] * g[lag:]).sum() over (g * g).sum().",
    points=2,
)

# --- 6.6 ------------------------------------------------------------------------------------


def _norms(w: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return np.sqrt((w**2).sum(axis=axes, keepdims=True))


def _filter_normalised(noise: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return noise * _norms(weight, (1, 2)) / _norms(noise, (1, 2))


def _filters(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    sizes = np.array([0.1, 1.0, 10.0]).reshape(3, 1, 1)
    cases = [(rng.normal(size=(3, 2, 3)), sizes * rng.normal(size=(3, 2, 3)))]
    return [(rng.normal(size=(2, 1, 1)), np.array([3.0, -1.0]).reshape(2, 1, 1)), *cases]


FILTERS = Exercise(
    id="6.6",
    title="A direction, filter by filter",
    statement="Scale random noise so that each filter is as long as the net's own filter",
    tier="apply",
    template='''\
import numpy as np


def filter_normalised(noise, weight):
    """The noise, each of its filters scaled to the norm of the same filter of `weight`.

    Both are arrays (filters, in_chans, kernel) of a convolution.
    """
    return ...
''',
    answer="filter_normalised",
    expected=_filter_normalised,
    inputs=_filters,
    mistakes=(
        Mistake(
            lambda noise, weight: noise * np.sqrt((weight**2).sum()) / np.sqrt((noise**2).sum()),
            "That scales the whole layer by one factor. Each filter has a norm of its own.",
        ),
        Mistake(
            lambda noise, weight: noise / _norms(noise, (1, 2)),
            "Now each filter has norm 1; it should have the norm of the net's own filter.",
        ),
        Mistake(
            lambda noise, weight: noise * _norms(weight, (1, 2)),
            "The noise has a norm already: divide by it too.",
        ),
    ),
    hint="Norms over the last two axes, with keepdims=True, of both arrays.",
    points=2,
)

# --- 6.7 ------------------------------------------------------------------------------------


def _by_length(jacobians: list[np.ndarray], upstream: np.ndarray) -> np.ndarray:
    sums = [upstream]
    for jacobian in reversed(jacobians):
        branches = [jacobian.T @ part for part in sums]
        zero = np.zeros_like(upstream)
        sums = [a + b for a, b in zip([*sums, zero], [zero, *branches], strict=True)]
    return np.array(sums)


def _first_block_first(jacobians: list[np.ndarray], upstream: np.ndarray) -> np.ndarray:
    return _by_length(jacobians[::-1], upstream)


def _forwards(jacobians: list[np.ndarray], upstream: np.ndarray) -> np.ndarray:
    return _by_length([jacobian.T for jacobian in jacobians], upstream)


def _longest_first(jacobians: list[np.ndarray], upstream: np.ndarray) -> np.ndarray:
    return _by_length(jacobians, upstream)[::-1]


def _enumerated(jacobians: list[np.ndarray], upstream: np.ndarray) -> np.ndarray:
    """The same by listing every path: for tests."""
    count = len(jacobians)
    sums = np.zeros((count + 1, len(upstream)))
    for length in range(count + 1):
        for chosen in combinations(range(count), length):
            part = upstream
            for block in reversed(chosen):
                part = jacobians[block].T @ part
            sums[length] += part
    return sums


def _nets(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    simple = ([np.diag([1.0, 2.0]), np.array([[0.0, 1.0], [0.0, 0.0]])], np.array([1.0, 1.0]))

    def drawn(blocks: int, width: int) -> Arguments:
        parts = [0.3 * rng.normal(size=(width, width)) for _ in range(blocks)]
        return parts, rng.normal(size=width)

    return [simple, drawn(3, 3), drawn(40, 4)]


BY_LENGTH = Exercise(
    id="6.7",
    title="The gradient by path length",
    statement=(
        "Return, for each length, the sum of the gradients of all paths of that length, for up to "
        "40 blocks"
    ),
    tier="explore",
    template='''\
import numpy as np


def by_length(jacobians, upstream):
    """Sums of the gradients at the input of a residual net, by path length 0, 1, ..., blocks.

    jacobians: a list of arrays (n, n), those of the branches from the first block to the last.
    upstream: array (n,), the gradient behind the last block. Returns an array (blocks + 1, n).
    """
    return ...
''',
    answer="by_length",
    expected=_by_length,
    inputs=_nets,
    mistakes=(
        Mistake(
            _first_block_first,
            "The gradient meets the last block first; go through the list from its end.",
        ),
        Mistake(_forwards, "Going backwards, the transposed Jacobian multiplies the gradient."),
        Mistake(_longest_first, "Row 0 is for the path of length 0, along all shortcuts."),
    ),
    hint=(
        "40 blocks have a million million paths, so don't list them. Keep one sum for each length; "
        "at a block every sum goes on by the shortcut, and its branch's part joins the next length."
    ),
    points=3,
)

EXERCISES = (PATHS, SHARE, FACTOR, RATES, AUTOCORRELATION, FILTERS, BY_LENGTH)
