"""Exercises of chapter 5, Pre-activation and what may stand on the shortcut."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from residual_lib.exercises.base import Arguments, Exercise, Mistake

# --- 5.1 ------------------------------------------------------------------------------------

PRODUCT = Exercise(
    id="5.1",
    title="A harmless factor",
    statement=(
        "Compute what is left after 54 shortcuts with a factor of 0.9 each, and the factor that "
        "leaves half"
    ),
    tier="recall",
    template="""\
left = ...  # what 54 shortcuts with a factor of 0.9 each multiply a gradient by
factor = ...  # the factor on each of 54 shortcuts that leaves half of the gradient
""",
    answer="(left, factor)",
    expected=lambda: (0.9**54, 0.5 ** (1 / 54)),
    rtol=1e-3,
    mistakes=(
        Mistake(
            lambda: (0.9**54, 0.5**54),
            "The first is right. 0.5**54 is what a factor of a half leaves; asked is the factor "
            "that leaves a half.",
        ),
        Mistake(
            lambda: (0.9**54, 1 - 0.5 / 54),
            "The first is right. The second is near, but losses multiply, they don't add: take "
            "a root.",
        ),
        Mistake(
            lambda: (1 - 0.1 * 54, 0.5 ** (1 / 54)),
            "Ten per cent of what is left goes each time, not ten per cent of the beginning.",
        ),
    ),
    hint="A product of 54 equal factors is a power; to go back, take a root.",
    points=1,
)

# --- 5.2 ------------------------------------------------------------------------------------


def _unrolled(x: float, factors: list[float], added: list[float]) -> float:
    rest = [math.prod(factors[i + 1 :]) for i in range(len(factors))]
    total = math.prod(factors) * x
    return total + sum(r * f for r, f in zip(rest, added, strict=True))


def _chains(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    drawn = [rng.uniform(0.2, 1.5, 5).round(3).tolist() for _ in range(2)]
    return [(2.0, [0.5], [1.0]), (1.0, [0.5, 3.0], [2.0, 4.0]), (0.7, *drawn)]


UNROLLED = Exercise(
    id="5.2",
    title="Unroll the shortcuts",
    statement="Give x_L in closed form, with the factors' products and no loop over states",
    tier="apply",
    template='''\
import math


def unrolled(x, factors, added):
    """x_L of the recursion x_(i+1) = factors[i] x_i + added[i], from x_0 = x.

    x: a number. factors, added: lists of L numbers. math.prod of an empty list is 1.
    """
    return ...
''',
    answer="unrolled",
    expected=_unrolled,
    inputs=_chains,
    mistakes=(
        Mistake(
            lambda x, factors, added: math.prod(factors) * x + sum(added),
            "What a branch adds passes the later shortcuts too, and their factors multiply it.",
        ),
        Mistake(
            lambda x, factors, added: (
                math.prod(factors) * x
                + sum(math.prod(factors[i:]) * added[i] for i in range(len(added)))
            ),
            "The branch of block i is added behind that block's own shortcut: its factor isn't "
            "in the product.",
        ),
        Mistake(
            lambda x, factors, added: x + sum(added),
            "That is the identity shortcut, all factors 1.",
        ),
    ),
    hint="What enters before shortcut j is multiplied by factor j; what enters behind it is not.",
    points=2,
)

# --- 5.3 ------------------------------------------------------------------------------------


def _mean_square(q: float, blocks: int, factor: float) -> float:
    for _ in range(blocks):
        q = factor**2 * q + 1
    return q


def _recursion(step: Any) -> Any:
    def mistaken(q: float, blocks: int, factor: float) -> float:
        for _ in range(blocks):
            q = step(q, factor)
        return q

    return mistaken


def _signals(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    drawn = (round(float(rng.uniform(1, 5)), 3), int(rng.integers(5, 40)), 0.8)
    return [(1.0, 1, 1.0), (1.0, 54, 1.0), (2.0, 10, 0.5), drawn]


MEAN_SQUARE = Exercise(
    id="5.3",
    title="How large the signal gets",
    statement=(
        "Give the mean square of the signal after so many blocks x -> factor x + F(x), where F "
        "has a mean square of 1 and is uncorrelated with x"
    ),
    tier="apply",
    template='''\
def mean_square(q, blocks, factor):
    """Mean square after `blocks` blocks x -> factor * x + F(x); before the first it is q.

    F(x) has a mean square of 1 whatever x is, and E[x F(x)] = 0.
    """
    return ...
''',
    answer="mean_square",
    expected=_mean_square,
    inputs=_signals,
    mistakes=(
        Mistake(
            _recursion(lambda q, factor: factor * q + 1),
            "A factor on a signal is the square of that factor on its mean square.",
        ),
        Mistake(
            _recursion(lambda q, factor: 2 * factor**2 * q),
            "That doubles, as without normalisation. Here F has a mean square of 1 whatever x is.",
        ),
        Mistake(
            lambda q, blocks, factor: factor ** (2 * blocks) * (q + blocks),
            "What a branch adds isn't scaled by the shortcuts before it, only by those behind it.",
        ),
    ),
    hint="One block: E[(factor x + F)^2], the cross term is 0. Then repeat.",
    points=2,
)

# --- 5.4 ------------------------------------------------------------------------------------


def _bias(blocks: int, kept: float) -> float:
    open_share = kept ** (1 / blocks)
    return math.log((1 - open_share) / open_share)


BIAS = Exercise(
    id="5.4",
    title="Where a gate should start",
    statement=(
        "Give the bias with which so many gated shortcuts (1 - sigmoid(bias)) x keep a given "
        "share of the signal"
    ),
    tier="apply",
    template='''\
import math


def bias(blocks, kept):
    """b such that `blocks` shortcuts (1 - sigmoid(b)) x in a row multiply x by `kept`.

    sigmoid(b) = 1 / (1 + exp(-b)). 0 < kept < 1.
    """
    return ...
''',
    answer="bias",
    expected=_bias,
    inputs=lambda seed: [
        (1, 0.5),
        (54, 0.5),
        (54, 0.9),
        (int(np.random.default_rng(seed).integers(2, 1000)), 0.7),
    ],
    mistakes=(
        Mistake(
            lambda blocks, kept: -_bias(blocks, kept),
            "The sign: the gate is 1 - sigmoid(b) on the shortcut, so a negative b opens it.",
        ),
        Mistake(
            lambda blocks, kept: math.log((1 - kept) / kept),
            "That is right for one block. Each of many may lose only a small part.",
        ),
        Mistake(
            lambda blocks, kept: math.log(((1 - kept) / blocks) / (1 - (1 - kept) / blocks)),
            "Near, but the losses multiply: each block keeps the root of `kept`.",
        ),
    ),
    hint="Each block keeps r = kept ** (1 / blocks); solve 1 - sigmoid(b) = r for b.",
    points=2,
)

# --- 5.5 ------------------------------------------------------------------------------------


def _norm(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(0)) / x.std(0)


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def _block(x: np.ndarray, v: np.ndarray, w: np.ndarray) -> np.ndarray:
    return x + _relu(_norm(_relu(_norm(x)) @ v)) @ w


def _activated_shortcut(x: np.ndarray, v: np.ndarray, w: np.ndarray) -> np.ndarray:
    h = _relu(_norm(x))
    return h + _relu(_norm(h @ v)) @ w


def _batches(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    small = np.array([[1.0], [2.0], [4.0]])
    return [
        (small, np.array([[1.0]]), np.array([[2.0]])),
        (rng.normal(size=(6, 3)) + 1, rng.normal(size=(3, 3)), rng.normal(size=(3, 3))),
    ]


BLOCK = Exercise(
    id="5.5",
    title="A pre-activation block",
    statement="Write full pre-activation: norm, ReLU, layer, norm, ReLU, layer, and the identity",
    tier="apply",
    template='''\
import numpy as np


def norm(x):
    return (x - x.mean(0)) / x.std(0)


def block(x, v, w):
    """Full pre-activation with two linear layers, h -> h @ v and then h -> h @ w.

    x: array (batch, n). v, w: arrays (n, n). Returns an array (batch, n).
    """
    return ...
''',
    answer="block",
    expected=_block,
    inputs=_batches,
    mistakes=(
        Mistake(
            _activated_shortcut,
            "The shortcut carries the activated input. It must carry x itself: then nothing "
            "stands on it.",
        ),
        Mistake(
            lambda x, v, w: _relu(x + _norm(_relu(_norm(x @ v)) @ w)),
            "That is the original order, with the ReLU after the addition.",
        ),
        Mistake(
            lambda x, v, w: x + _relu(_relu(_norm(x)) @ v) @ w,
            "The second norm is missing: norm and ReLU come before each of the two layers.",
        ),
        Mistake(
            lambda x, v, w: x + _norm(_relu(_norm(x)) @ v) @ w,
            "The second ReLU is missing: norm and ReLU come before each of the two layers.",
        ),
    ),
    hint="h = relu(norm(x)) goes into the first layer; x, not h, onto the shortcut.",
    points=2,
)

# --- 5.6 ------------------------------------------------------------------------------------

_INSIDE, _ENOUGH = "every factor above 0 and below 1", "product above 0.1"


def _judged(inside: bool, enough: bool) -> dict[str, bool]:
    return {_INSIDE: inside, _ENOUGH: enough}


def _observed(factor: Any, blocks: int) -> Any:
    """What the learner's factors are and multiply to."""
    found = [factor(number) for number in range(1, blocks + 1)]
    if found[0] is ...:
        return ...
    return _judged(all(0 < value < 1 for value in found), math.prod(found) > 0.1)


FACTOR = Exercise(
    id="5.6",
    title="A factor that survives any depth",
    statement=(
        "Give the factor of each block, below 1, so that the product stays above 0.1 however many "
        "blocks there are"
    ),
    tier="explore",
    template='''\
def factor(block):
    """The factor on the shortcut of block number 1, 2, 3, ...: above 0 and below 1."""
    return ...
''',
    answer="factor",
    expected=lambda blocks: _judged(True, True),
    inputs=lambda seed: [(10,), (1000,), (100_000 + seed,)],
    observe=_observed,
    mistakes=(
        Mistake(
            lambda blocks: _judged(False, True),
            "A factor of 1 is the identity. Asked is something below 1 in every block.",
        ),
        Mistake(
            lambda blocks: _judged(True, blocks <= 1000),
            "It lasts for a thousand blocks and not for a hundred thousand: a constant, however "
            "near to 1, always loses in the end.",
        ),
        Mistake(
            lambda blocks: _judged(True, False),
            "The product is lost after few blocks. With 1 - 1/(l + 1) it is 1/(L + 1): what a "
            "block takes must fall faster than 1/l.",
        ),
    ),
    hint="What a block takes is 1 - factor(block); the product lasts if the sum of that is finite.",
    points=3,
)

EXERCISES = (PRODUCT, UNROLLED, MEAN_SQUARE, BIAS, BLOCK, FACTOR)
