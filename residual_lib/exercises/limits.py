"""Exercises of chapter 15, limits."""

from __future__ import annotations

from functools import partial
from math import asin, pi, sqrt

import numpy as np

from residual_lib.exercises.base import Arguments, Exercise, Mistake

# --- 15.1 -----------------------------------------------------------------------------------

MAPS = Exercise(
    id="15.1",
    title="Maps at the worst moment",
    statement=(
        "Say how many MB of feature maps an inference holds at its worst moment, without skips, "
        "with skips, and with skips and a sum written over the branch"
    ),
    tier="recall",
    template="""\
# A chain of 3x3 convolutions; each map takes 4 MB; ReLUs write over what they read.
plain = ...  # MB at the worst moment, without skips
residual = ...  # with a skip around each two convolutions
in_place = ...  # the same, if the sum is written over the branch's map
""",
    answer="(plain, residual, in_place)",
    expected=lambda: (8, 12, 12),
    mistakes=(
        Mistake(
            lambda: (8, 12, 8),
            "The first two are right. Before the sum the second convolution reads one map and "
            "writes another, and the skip's is there too.",
        ),
        Mistake(lambda: (4, 8, 8), "A convolution can't write over its input: two maps are there."),
        Mistake(
            lambda: (8, 16, 12),
            "The first and last are right. What the branch's first convolution read is the skip's "
            "own map: it isn't there twice.",
        ),
    ),
    hint="Go through the layers, and count what something still has to read, and what is written.",
)

# --- 15.2 -----------------------------------------------------------------------------------


def _folded(
    kernel: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    scale: np.ndarray,
    shift: np.ndarray,
    root: bool = True,
    subtract: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    kernel, mean, variance, scale, shift = map(np.asarray, (kernel, mean, variance, scale, shift))
    slope = scale / (np.sqrt(variance) if root else variance)
    bias = shift - mean * slope if subtract else shift + 0.0
    return kernel * slope[:, None, None], bias


def _norms(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    found = []
    for out, inputs in ((1, 1), (2, 1), (2, 3)):
        found.append(
            (
                rng.normal(size=(out, inputs, 3)).round(2),
                rng.normal(size=out).round(2),
                rng.uniform(0.3, 3, out).round(2),
                rng.uniform(0.5, 2, out).round(2),
                rng.normal(size=out).round(2),
            )
        )
    return found


FOLDED = Exercise(
    id="15.2",
    title="BatchNorm into the convolution",
    statement="Write a convolution and a BatchNorm in evaluation mode as one convolution",
    tier="apply",
    template='''\
import numpy as np


def folded(kernel, mean, variance, scale, shift):
    """Kernel and bias of one convolution that does what convolution and BatchNorm do.

    kernel: array (out, in, taps), no bias. The others: arrays (out,), BatchNorm's running mean and
    variance (leave eps out), and its learned scale and shift.
    """
    return ..., ...
''',
    answer="folded",
    expected=_folded,
    inputs=_norms,
    mistakes=(
        Mistake(
            partial(_folded, root=False),
            "BatchNorm divides by the standard deviation, the root of the variance.",
        ),
        Mistake(
            partial(_folded, subtract=False),
            "The kernel is right. The mean is subtracted before the scale: it belongs in the bias.",
        ),
    ),
    hint="BatchNorm is a * x + b for each channel. What is a, and what is b?",
    points=2,
)

# --- 15.3 -----------------------------------------------------------------------------------


def _together(dense: np.ndarray, pointwise: np.ndarray, identity: np.ndarray) -> np.ndarray:
    kernel = np.array(dense, dtype=float)
    kernel[:, :, 1] += np.asarray(pointwise)
    kernel[:, :, 1] += np.diag(identity)
    return kernel


def _everywhere(dense: np.ndarray, pointwise: np.ndarray, identity: np.ndarray) -> np.ndarray:
    return np.asarray(dense) + (np.asarray(pointwise) + np.diag(identity))[:, :, None]


def _all_channels(dense: np.ndarray, pointwise: np.ndarray, identity: np.ndarray) -> np.ndarray:
    kernel = np.array(dense, dtype=float)
    kernel[:, :, 1] += np.asarray(pointwise) + np.asarray(identity)[:, None]
    return kernel


def _branches(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    return [
        (
            rng.normal(size=(n, n, 3)).round(2),
            rng.normal(size=(n, n)).round(2),
            rng.uniform(0.5, 2, n).round(2),
        )
        for n in (1, 2, 4)
    ]


TOGETHER = Exercise(
    id="15.3",
    title="Three branches, one kernel",
    statement="Add up a convolution of three taps, one of one tap and a scaled identity",
    tier="apply",
    template='''\
import numpy as np


def together(dense, pointwise, identity):
    """The kernel (n, n, 3) that does what the three branches do together.

    dense: (n, n, 3). pointwise: (n, n), a convolution of one tap. identity: (n,), what the skip
    multiplies each channel by.
    """
    return ...
''',
    answer="together",
    expected=_together,
    inputs=_branches,
    mistakes=(
        Mistake(
            _everywhere,
            "A convolution of one tap reads its own position alone, which is the middle tap.",
        ),
        Mistake(
            _all_channels,
            "The skip carries each channel to itself: its kernel is diagonal in the channels.",
        ),
    ),
    hint="Both short branches are kernels of three taps that are zero but for the middle.",
    points=2,
)

# --- 15.4 -----------------------------------------------------------------------------------


def _back(
    y1: np.ndarray, y2: np.ndarray, a: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    y1, y2, a, b = map(np.asarray, (y1, y2, a, b))
    x2 = y2 - np.tanh(b @ y1)
    return y1 - np.tanh(a @ x2), x2


def _wrong_order(
    y1: np.ndarray, y2: np.ndarray, a: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    y1, y2, a, b = map(np.asarray, (y1, y2, a, b))
    x1 = y1 - np.tanh(a @ y2)
    return x1, y2 - np.tanh(b @ x1)


def _unread(
    y1: np.ndarray, y2: np.ndarray, a: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    y1, y2, a, b = map(np.asarray, (y1, y2, a, b))
    return y1 - np.tanh(a @ y2), y2 - np.tanh(b @ y1)


def _halves(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    return [
        tuple(rng.normal(size=shape).round(2) for shape in (n, n, (n, n), (n, n)))
        for n in (1, 2, 3)
    ]


BACK = Exercise(
    id="15.4",
    title="Back through a reversible block",
    statement="Give the input of a reversible block from its output",
    tier="apply",
    template='''\
import numpy as np


def back(y1, y2, A, B):
    """(x1, x2) for which y1 = x1 + tanh(A @ x2) and y2 = x2 + tanh(B @ y1)."""
    return ..., ...
''',
    answer="back",
    expected=_back,
    inputs=_halves,
    mistakes=(
        Mistake(
            _wrong_order,
            "Begin with what was computed last: x2 can be had from y1 and y2, x1 not yet.",
        ),
        Mistake(_unread, "The second is right. The first branch read x2, and not y2."),
    ),
    hint="Solve the second equation for x2, then the first for x1.",
    points=2,
)

# --- 15.5 -----------------------------------------------------------------------------------


def _cosine(c: float, a: float, divide: bool = True) -> float:
    mixed = 2 / pi * (sqrt(1 - c * c) + c * asin(c))
    total = (1 + a) ** 2 * c + (1 - a) ** 2 * mixed
    return total / (2 * (1 + a * a) if divide else 4)


def _relu(c: float, a: float) -> float:
    return _cosine(c, 0.0)


COSINE = Exercise(
    id="15.5",
    title="What a rectifier does to a cosine",
    statement="Give the cosine of two inputs behind a wide layer with a leaky rectifier",
    tier="apply",
    template='''\
import math


def cosine_behind(c, a):
    """C(c) of a leaky rectifier with slope a below 0.

    The rectifier is (1 + a) x / 2 + (1 - a) |x| / 2. For standard normal x, y with correlation c,
    E[x y] = c, E[|x| |y|] = 2 (sqrt(1 - c^2) + c asin(c)) / pi and E[x |y|] = 0; math.asin(c).
    """
    return ...
''',
    answer="cosine_behind",
    expected=_cosine,
    inputs=lambda seed: [
        (0.0, 0.0),
        (1.0, 0.0),
        (0.5, 1.0),
        (0.0, 0.5),
        (round(float(np.random.default_rng(seed).uniform(-0.9, 0.9)), 2), 0.3),
    ],
    mistakes=(
        Mistake(
            lambda c, a: _cosine(c, a, divide=False),
            "That is the mean product. A cosine of 1 has to stay 1: divide by the value at c = 1.",
        ),
        Mistake(_relu, "That is right for ReLU, a = 0. Take the slope into both terms."),
    ),
    hint="Multiply out the product of the two rectified numbers; two of the four terms are 0.",
    points=2,
)

# --- 15.6 -----------------------------------------------------------------------------------


def _largest(eigenvalues: list[list[float]]) -> float:
    return min(-2 * re / (re * re + im * im) for re, im in eigenvalues)


def _real_only(eigenvalues: list[list[float]]) -> float:
    return min(-2 / re for re, _ in eigenvalues)


def _most(eigenvalues: list[list[float]]) -> float:
    return max(-2 * re / (re * re + im * im) for re, im in eigenvalues)


def _spectra(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    found: list[Arguments] = [([[-1.0, 0.0]],), ([[-1.0, 0.0], [-4.0, 0.0]],), ([[-0.5, 2.0]],)]
    parts = np.stack([-rng.uniform(0.1, 2, 3), rng.normal(size=3)], axis=1).round(2)
    return [*found, (parts.tolist(),)]


STABLE = Exercise(
    id="15.6",
    title="The largest stable step",
    statement="Give the step below which Euler's method decays for all of the given eigenvalues",
    tier="explore",
    template='''\
def largest_step(eigenvalues):
    """The h below which |1 + h (re + i im)| < 1 for every pair [re, im], re below 0."""
    return ...
''',
    answer="largest_step",
    expected=_largest,
    inputs=_spectra,
    mistakes=(
        Mistake(_real_only, "A step also turns: |1 + h (re + i im)|^2 has the term h^2 im^2."),
        Mistake(_most, "It has to decay for all of them: the strictest one decides."),
    ),
    hint="Write out |1 + h (re + i im)|^2 < 1, subtract 1, and divide by h.",
    points=3,
)

EXERCISES = (MAPS, FOLDED, TOGETHER, BACK, COSINE, STABLE)
