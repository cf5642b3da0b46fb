"""Exercises of chapter 2, Degradation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from residual_lib.exercises.base import Arguments, Exercise, Mistake

# --- 2.1 ------------------------------------------------------------------------------------

WHICH = Exercise(
    id="2.1",
    title="Which explanation?",
    statement="Say for four pairs of errors: 'fine', 'overfitting' or 'degradation'",
    tier="recall",
    template="""\
# training and test error, %; the shallow net has 3 and 8
a = ...  # 2 and 7
b = ...  # 1 and 25
c = ...  # 35 and 37
d = ...  # 3 and 9
""",
    answer="(a, b, c, d)",
    expected=lambda: ("fine", "overfitting", "degradation", "fine"),
    mistakes=(
        Mistake(
            lambda: ("fine", "degradation", "overfitting", "fine"),
            "The other way round: a net that overfits does well on its training data.",
        ),
        Mistake(
            lambda: ("fine", "overfitting", "overfitting", "fine"),
            "Net c fails on the data that it was trained on. Overfitting can't do that.",
        ),
    ),
    hint="Look at the training error first, and compare it with the shallow net's.",
)

# --- 2.2 ------------------------------------------------------------------------------------


def _statistics(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    drawn = [
        (rng.normal(size=size), rng.uniform(0.1, 4, size=size), float(rng.uniform(0.01, 0.5)))
        for size in (1, 3, 8)
    ]
    return [
        (np.array([0.0]), np.array([1.0]), 0.5),
        (np.array([2.0]), np.array([4.0]), 0.5),
        *drawn,
    ]


UNDO = Exercise(
    id="2.2",
    title="Undo a normalisation",
    statement="Return the scale and shift with which batch normalisation gives back its input",
    tier="apply",
    template='''\
import numpy as np


def undo(mean, variance, eps):
    """(scale, shift) such that scale * (h - mean) / sqrt(variance + eps) + shift is h.

    mean, variance: arrays, one number a channel. eps: a number.
    """
    scale = ...
    shift = ...
    return scale, shift
''',
    answer="undo",
    expected=lambda mean, variance, eps: (np.sqrt(variance + eps), mean),
    inputs=_statistics,
    mistakes=(
        Mistake(
            lambda mean, variance, eps: (np.sqrt(variance), mean),
            "Nearly: the layer divides by sqrt(variance + eps), so eps belongs in the scale.",
        ),
        Mistake(
            lambda mean, variance, eps: (np.sqrt(variance + eps), -mean),
            "The layer subtracts the mean. To undo that, the shift has to add it.",
        ),
        Mistake(
            lambda mean, variance, eps: (variance + eps, mean),
            "The layer divides by a square root, so the scale is one.",
        ),
        Mistake(
            lambda mean, variance, eps: (1 / np.sqrt(variance + eps), mean),
            "That divides a second time. The scale has to multiply by what was divided by.",
        ),
    ),
    hint="Set scale * (h - mean) / sqrt(variance + eps) + shift equal to h, for every h.",
    points=2,
)

# --- 2.3 ------------------------------------------------------------------------------------


def _depths(seed: int) -> list[Arguments]:
    have, added = np.random.default_rng(seed).integers(1, 60, size=(2, 4)).tolist()
    drawn = [(2 * h, 2 * (h + a)) for h, a in zip(have, added, strict=True)]
    return [(8, 56), (8, 20), (20, 20), *drawn]


COUNT = Exercise(
    id="2.3",
    title="Layers and blocks",
    statement="Return how many blocks of two layers make a net of `have` layers one of `want`",
    tier="apply",
    template='''\
def blocks_to_add(have, want):
    """have, want: numbers of layers, stem and head included; both even."""
    return ...
''',
    answer="blocks_to_add",
    expected=lambda have, want: (want - have) // 2,
    inputs=_depths,
    mistakes=(
        Mistake(lambda have, want: want - have, "Those are layers. A block has two of them."),
        Mistake(
            lambda have, want: (want - have - 2) // 2,
            "The stem and the head are there already: the deeper net has no second pair of them.",
        ),
        Mistake(
            lambda have, want: (want - 2) // 2, "Those are all its blocks, not the added ones."
        ),
    ),
    hint="Only blocks are added, and each has two layers.",
)

# --- 2.4 ------------------------------------------------------------------------------------


def _observe_block(block: Callable[..., Any], slope: float, x: np.ndarray) -> Any:
    return block(lambda value: slope * value, x)


ONE_LINE = Exercise(
    id="2.4",
    title="The one line",
    statement="Return the output of a residual block with any branch, and a ReLU after the sum",
    tier="apply",
    template='''\
import numpy as np


def residual_block(branch, x):
    """branch: a function from arrays to arrays of the same shape. x: an array."""
    return ...
''',
    answer="residual_block",
    expected=lambda slope, x: np.maximum(x + slope * x, 0),
    inputs=lambda seed: [
        (2.0, np.array([1.0, -1.0])),
        (-3.0, np.array([1.0, -1.0])),
        (0.0, np.random.default_rng(seed).normal(size=(2, 3))),
    ],
    observe=_observe_block,
    mistakes=(
        Mistake(
            lambda slope, x: np.maximum(slope * x, 0), "That is the plain block: x is missing."
        ),
        Mistake(
            lambda slope, x: x + np.maximum(slope * x, 0),
            "The ReLU comes after the sum, not before it.",
        ),
        Mistake(lambda slope, x: x + slope * x, "The sum is right; the ReLU after it is missing."),
    ),
    hint="Add what came in to what the branch gave, then apply the ReLU.",
)

# --- 2.5 ------------------------------------------------------------------------------------


def _first_apart(depths: np.ndarray, plain: np.ndarray, residual: np.ndarray) -> int:
    apart = residual.max(axis=1) < plain.min(axis=1)
    return int(depths[apart].min()) if apart.any() else 0


def _first_by_mean(depths: np.ndarray, plain: np.ndarray, residual: np.ndarray) -> int:
    apart = residual.mean(axis=1) < plain.mean(axis=1)
    return int(depths[apart].min()) if apart.any() else 0


def _first_by_pairs(depths: np.ndarray, plain: np.ndarray, residual: np.ndarray) -> int:
    apart = (residual < plain).all(axis=1)
    return int(depths[apart].min()) if apart.any() else 0


def _errors(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    depths = np.array([8, 20, 32, 56])
    near = np.array([[10.0, 14.0], [30.0, 45.0], [50.0, 60.0], [80.0, 90.0]])
    skip = np.array([[9.0, 13.0], [8.0, 31.0], [6.0, 12.0], [5.0, 9.0]])
    never = (depths, skip, skip + 1.0)
    plain = 10 + depths[:, None] * rng.uniform(0.4, 1.6, size=(4, 5))
    return [(depths, near, skip), never, (depths, plain, rng.uniform(5, 25, size=(4, 5)))]


APART = Exercise(
    id="2.5",
    title="Where the skip begins to matter",
    statement="Return the smallest depth at which every residual seed is below every plain seed",
    tier="explore",
    template='''\
import numpy as np


def first_apart(depths, plain, residual):
    """The smallest depth at which the seeds no longer overlap, or 0 if there is none.

    depths: array of D depths. plain, residual: arrays (D, seeds) of training errors.
    """
    return ...
''',
    answer="first_apart",
    expected=_first_apart,
    inputs=_errors,
    mistakes=(
        Mistake(
            _first_by_mean,
            "That compares the means. Every residual seed has to be below every plain one.",
        ),
        Mistake(
            _first_by_pairs,
            "That compares seeds in pairs. The worst residual seed has to be below the best plain "
            "one.",
        ),
    ),
    hint="At each depth, compare the largest residual error with the smallest plain one.",
    points=2,
)

EXERCISES = (WHICH, UNDO, COUNT, ONE_LINE, APART)
