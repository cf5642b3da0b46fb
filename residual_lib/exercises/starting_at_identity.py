"""Exercises of chapter 10, starting at the identity."""

from __future__ import annotations

import numpy as np

from residual_lib.exercises.base import Arguments, Exercise, Mistake

# --- 10.1 -----------------------------------------------------------------------------------

GROWTH = Exercise(
    id="10.1",
    title="Three starts",
    statement=(
        "By what do 16 blocks x + alpha F(x) multiply the mean square, if F keeps it: for "
        "alpha = 1, alpha = 1/4 and alpha = 0"
    ),
    tier="recall",
    template="""\
plain_sum = ...  # 16 blocks, alpha = 1
by_depth = ...  # 16 blocks, alpha = 1/4
rezero = ...  # 16 blocks, alpha = 0
""",
    answer="(plain_sum, by_depth, rezero)",
    expected=lambda: (2**16, (17 / 16) ** 16, 1),
    rtol=0.01,
    mistakes=(
        Mistake(
            lambda: (17, 2, 1),
            "That adds a term a block. Each block adds in proportion to what is there by then: "
            "multiply.",
        ),
        Mistake(
            lambda: (2**16, 1.25**16, 1),
            "The first and last are right. Squares are multiplied by alpha squared.",
        ),
        Mistake(
            lambda: (2**16, 17 / 16, 1),
            "The first and last are right. That is one block with alpha = 1/4; there are 16.",
        ),
    ),
    hint="(1 + alpha^2)^16, three times.",
)

# --- 10.2 -----------------------------------------------------------------------------------


Gradients = tuple[float, np.ndarray, np.ndarray]


def _gradients(x: np.ndarray, weight: np.ndarray, alpha: float, up: np.ndarray) -> Gradients:
    x, weight, up = np.asarray(x), np.asarray(weight), np.asarray(up)
    active = np.maximum(x, 0)
    in_x = up + alpha * (x > 0) * (weight.T @ up)
    return float(up @ weight @ active), alpha * np.outer(up, active), in_x


def _scaled_alpha(x: np.ndarray, weight: np.ndarray, alpha: float, up: np.ndarray) -> Gradients:
    in_alpha, in_weight, in_x = _gradients(x, weight, alpha, up)
    return alpha * in_alpha, in_weight, in_x


def _unscaled(x: np.ndarray, weight: np.ndarray, alpha: float, up: np.ndarray) -> Gradients:
    in_alpha, _, in_x = _gradients(x, weight, alpha, up)
    return in_alpha, np.outer(up, np.maximum(x, 0)), in_x


def _no_mask(x: np.ndarray, weight: np.ndarray, alpha: float, up: np.ndarray) -> Gradients:
    in_alpha, in_weight, _ = _gradients(x, weight, alpha, up)
    return in_alpha, in_weight, np.asarray(up) + alpha * (np.asarray(weight).T @ up)


def _blocks(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    found: list[Arguments] = []
    for width, alpha in ((2, 0.5), (3, 0.0), (4, -0.3)):
        x, up = rng.normal(size=(2, width)).round(2)
        x[0] = -abs(x[0]) - 0.1
        found.append((x, rng.normal(size=(width, width)).round(2), alpha, up))
    return found


GRADIENTS = Exercise(
    id="10.2",
    title="Three gradients",
    statement="Give the gradients in alpha, in the weights and in x, of x + alpha W relu(x)",
    tier="apply",
    template='''\
import numpy as np


def gradients(x, weight, alpha, up):
    """Gradients of the loss in alpha (a number), weight (n, n) and x (n,).

    The block is y = x + alpha * weight @ np.maximum(x, 0), and up (n,) is the gradient in y.
    """
    return ..., ..., ...
''',
    answer="gradients",
    expected=_gradients,
    inputs=_blocks,
    mistakes=(
        Mistake(
            _scaled_alpha,
            "The others are right. y is alpha times something: the derivative in alpha is that "
            "something, without alpha.",
        ),
        Mistake(
            _unscaled,
            "The others are right. The weights stand behind alpha: their gradient has it as a "
            "factor.",
        ),
        Mistake(
            _no_mask,
            "The others are right. Where x is negative the ReLU passes no gradient to it.",
        ),
    ),
    hint="For alpha: up times F(x). For the weights: alpha times an outer product. For x: the "
    "skip's term plus the branch's.",
    points=2,
)

# --- 10.3 -----------------------------------------------------------------------------------


def _factor(growth: float, blocks: int) -> float:
    return float((growth ** (1 / blocks) - 1) ** 0.5)


FACTOR = Exercise(
    id="10.3",
    title="A scale for a growth",
    statement="Return the scale with which all blocks multiply the mean square by a given factor",
    tier="apply",
    template='''\
def scale(growth, blocks):
    """alpha >= 0 for which `blocks` blocks x + alpha F(x) multiply the mean square by `growth`.

    F keeps the mean square of what it is given. growth is 1 or above.
    """
    return ...
''',
    answer="scale",
    expected=_factor,
    inputs=lambda seed: [(2.0, 1), (4.0, 1), (2.0, 32), (1.0, 7), (3.0 + seed % 5, 100)],
    mistakes=(
        Mistake(
            lambda growth, blocks: growth ** (1 / blocks) - 1, "That is the square of the scale."
        ),
        Mistake(
            lambda growth, blocks: ((growth - 1) / blocks) ** 0.5,
            "That shares the growth out as a sum. The factors of the blocks are multiplied.",
        ),
    ),
    hint="(1 + alpha^2)^blocks = growth. Solve for alpha.",
)

# --- 10.4 -----------------------------------------------------------------------------------


def _deep_norm(layers: int) -> tuple[float, float, float]:
    alpha, beta = (2 * layers) ** 0.25, (8 * layers) ** -0.25
    return alpha, beta, beta / alpha


def _half(layers: int) -> tuple[float, float, float]:
    alpha, beta = layers**0.25, (4 * layers) ** -0.25
    return alpha, beta, beta / alpha


DEEP_NORM = Exercise(
    id="10.4",
    title="DeepNorm's constants",
    statement="Give DeepNorm's two constants for an encoder, and their quotient",
    tier="apply",
    template='''\
def deep_norm(layers):
    """(alpha, beta, beta / alpha) for an encoder, or a decoder alone, of so many layers."""
    return ..., ..., ...
''',
    answer="deep_norm",
    expected=_deep_norm,
    inputs=lambda seed: [(2,), (12,), (100,), (3 + seed % 20,)],
    mistakes=(
        Mistake(_half, "The paper's N counts layers, each of two blocks. Don't halve it."),
        Mistake(
            lambda layers: (_deep_norm(layers)[0], (8 * layers) ** 0.25, 2**0.5),
            "The first is right. Weights have to be smaller in a deeper net: mind the exponent's "
            "sign.",
        ),
    ),
    hint="alpha = (2N)^(1/4), beta = (8N)^(-1/4).",
)

# --- 10.5 -----------------------------------------------------------------------------------


def _bounds(alpha: float, largest: float, blocks: int) -> tuple[float, float]:
    return max(0.0, 1 - alpha * largest) ** blocks, (1 + alpha * largest) ** blocks


BOUNDS = Exercise(
    id="10.5",
    title="Between which bounds",
    statement="Bound the singular values of a stack of blocks x + alpha F(x)",
    tier="apply",
    template='''\
def bounds(alpha, largest, blocks):
    """(lowest, highest) that a singular value of the Jacobian of all blocks can be.

    No singular value of a branch's own Jacobian is above `largest`; alpha is not negative.
    """
    return ..., ...
''',
    answer="bounds",
    expected=_bounds,
    inputs=lambda seed: [
        (0.0, 2.0, 5),
        (0.1, 2.0, 1),
        (0.1, 2.4, 32),
        (1.0, 2.4, 8),
        (0.01 * (1 + seed % 7), 3.0, 12),
    ],
    mistakes=(
        Mistake(
            lambda alpha, largest, blocks: (
                (1 - alpha * largest) ** blocks,
                (1 + alpha * largest) ** blocks,
            ),
            "The second is right. Where alpha * largest is above 1, a block may map a direction "
            "to 0: a singular value is never below 0.",
        ),
        Mistake(
            lambda alpha, largest, blocks: (
                max(0.0, 1 - blocks * alpha * largest),
                1 + blocks * alpha * largest,
            ),
            "That holds for tiny alpha only. The bounds of the blocks are multiplied.",
        ),
    ),
    hint="One block: 1 plus or minus alpha * largest, and not below 0. Then a product.",
    points=2,
)

# --- 10.6 -----------------------------------------------------------------------------------


def _first_steps(weight: float, target: float, rate: float, steps: int) -> tuple[float, float]:
    alpha, w = 0.0, float(weight)
    for _ in range(steps):
        error = 1 + alpha * w - target
        alpha, w = alpha - rate * error * w, w - rate * error * alpha
    return alpha, w


def _one_after_the_other(
    weight: float, target: float, rate: float, steps: int
) -> tuple[float, float]:
    alpha, w = 0.0, float(weight)
    for _ in range(steps):
        error = 1 + alpha * w - target
        alpha -= rate * error * w
        w -= rate * error * alpha
    return alpha, w


def _both_zero(weight: float, target: float, rate: float, steps: int) -> tuple[float, float]:
    return 0.0, float(weight)


FIRST_STEPS = Exercise(
    id="10.6",
    title="The first steps from zero",
    statement="Train x + alpha w x by gradient descent from alpha = 0, and return alpha and w",
    tier="explore",
    template='''\
def first_steps(weight, target, rate, steps):
    """(alpha, w) after `steps` steps of gradient descent on (1 + alpha * w - target)^2 / 2.

    alpha starts at 0 and w at `weight`; both are changed at the same time.
    """
    return ..., ...
''',
    answer="first_steps",
    expected=_first_steps,
    inputs=lambda seed: [
        (1.0, 3.0, 0.1, 1),
        (1.0, 3.0, 0.1, 2),
        (-0.5, 2.0, 0.1, 20),
        (0.0, 2.0, 0.1, 20),
        (0.3 + 0.1 * (seed % 5), -1.0, 0.05, 50),
    ],
    mistakes=(
        Mistake(
            _one_after_the_other,
            "The step of w uses the alpha that the step has just changed. Compute both gradients "
            "first: in the first step w must stay where it is.",
        ),
        Mistake(_both_zero, "alpha has a gradient at 0: the error times w."),
    ),
    hint="error = 1 + alpha w - target; gradients: error * w for alpha, error * alpha for w.",
    points=2,
)

EXERCISES = (GROWTH, GRADIENTS, FACTOR, DEEP_NORM, BOUNDS, FIRST_STEPS)
