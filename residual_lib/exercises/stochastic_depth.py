"""Exercises of chapter 11, stochastic depth."""

from __future__ import annotations

import numpy as np

from residual_lib.exercises.base import Arguments, Exercise, Mistake

# --- 11.1 -----------------------------------------------------------------------------------

COUNT = Exercise(
    id="11.1",
    title="A step of ResNet-110",
    statement=(
        "Give the expected number of branches that a step computes, and the share that it saves, "
        "for 54 blocks whose survival falls from 1 in the first to 0.5 in the last"
    ),
    tier="recall",
    template="""\
branches = ...  # expected, of 54 whose survival falls in a straight line from 1 to 0.5
saved = ...  # the share of the branches' work that isn't done, as a number from 0 to 1
""",
    answer="(branches, saved)",
    expected=lambda: (40.5, 0.25),
    mistakes=(
        Mistake(
            lambda: (27, 0.5),
            "That is what the last block's survival gives for all of them. The first is always "
            "kept.",
        ),
        Mistake(
            lambda: (40.5, 0.75),
            "The first is right. The share you give is what is computed.",
        ),
        Mistake(
            lambda: (40.25, 1 - 40.25 / 54),
            "That is the paper's line, on which the first block is dropped a little too. Here it "
            "starts at 1.",
        ),
    ),
    hint="Expectations add up: the mean of the survivals, times the blocks.",
)

# --- 11.2 -----------------------------------------------------------------------------------


def _branch(f: np.ndarray, draws: np.ndarray, rate: float) -> np.ndarray:
    return np.asarray(f) * (np.asarray(draws) >= rate)[:, None] / (1 - rate)


def _not_divided(f: np.ndarray, draws: np.ndarray, rate: float) -> np.ndarray:
    return np.asarray(f) * (np.asarray(draws) >= rate)[:, None]


def _divided_by_rate(f: np.ndarray, draws: np.ndarray, rate: float) -> np.ndarray:
    return _not_divided(f, draws, rate) / rate


def _kept_with_rate(f: np.ndarray, draws: np.ndarray, rate: float) -> np.ndarray:
    return np.asarray(f) * (np.asarray(draws) < rate)[:, None] / (1 - rate)


def _branches(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    cases: list[Arguments] = [
        (np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.1, 0.9]), 0.2),
        (np.array([[1.0], [1.0], [1.0]]), np.array([0.7, 0.3, 0.6]), 0.6),
    ]
    return [*cases, (rng.normal(size=(4, 3)).round(2), rng.random(4).round(3), 0.3)]


BRANCH = Exercise(
    id="11.2",
    title="One draw an example",
    statement="Drop the branch of some examples in training, and put the mean right",
    tier="apply",
    template='''\
import numpy as np


def dropped(f, draws, rate):
    """What is added to the shortcut in training.

    f: array (examples, channels), the branch. draws: uniform numbers from 0 to 1, one an example;
    below `rate` the example goes without its branch. The mean over draws is f.
    """
    return ...
''',
    answer="dropped",
    expected=_branch,
    inputs=_branches,
    mistakes=(
        Mistake(_not_divided, "Its mean is (1 - rate) f. Nothing in evaluation puts that right."),
        Mistake(_divided_by_rate, "Divide by the probability that a branch is kept."),
        Mistake(_kept_with_rate, "A draw below `rate` drops the branch; you keep it."),
    ),
    hint="A mask of 0 and 1 with the shape (examples, 1), divided by its mean.",
    points=2,
)

# --- 11.3 -----------------------------------------------------------------------------------


def _line(final_rate: float, blocks: int) -> list[float]:
    return [1 - final_rate * block / max(1, blocks - 1) for block in range(blocks)]


LINE = Exercise(
    id="11.3",
    title="A straight line",
    statement="Give each block's probability to be kept, from 1 in the first block on",
    tier="apply",
    template='''\
def survival(final_rate, blocks):
    """A list: the probability that a block's branch is kept, first block first.

    It falls in a straight line from 1 to 1 - final_rate in the last. A single block is kept.
    """
    return ...
''',
    answer="survival",
    expected=_line,
    inputs=lambda seed: [
        (0.5, 2),
        (0.4, 5),
        (0.5, 1),
        (0.8, int(np.random.default_rng(seed).integers(6, 40))),
    ],
    mistakes=(
        Mistake(
            lambda final_rate, blocks: [
                1 - final_rate * block / blocks for block in range(1, blocks + 1)
            ],
            "That is the paper's line: its first block is dropped with 1/L of the last one's rate.",
        ),
        Mistake(
            lambda final_rate, blocks: [1 - p for p in _line(final_rate, blocks)],
            "Those are the probabilities to be dropped.",
        ),
    ),
    hint="Between first and last there are blocks - 1 steps, all of one size.",
)

# --- 11.4 -----------------------------------------------------------------------------------


def _distribution(survival: list[float]) -> np.ndarray:
    chances = np.ones(1)
    for p in survival:
        chances = np.append(chances, 0.0) * (1 - p) + np.append(0.0, chances) * p
    return chances


def _binomial(survival: list[float]) -> np.ndarray:
    return _distribution([float(np.mean(survival))] * len(survival))


DISTRIBUTION = Exercise(
    id="11.4",
    title="How deep is a step?",
    statement="Give the probability that 0, 1, 2, ... of the branches are kept",
    tier="apply",
    template='''\
import numpy as np


def depths(survival):
    """Array of len(survival) + 1 probabilities: that 0, 1, 2, ... branches are kept.

    survival: each block's probability to be kept; they draw independently.
    """
    return ...
''',
    answer="depths",
    expected=_distribution,
    inputs=lambda seed: [
        ([0.5],),
        ([1.0, 0.5],),
        ([0.9, 0.6, 0.3],),
        (np.random.default_rng(seed).random(7).round(2).tolist(),),
    ],
    mistakes=(
        Mistake(
            _binomial,
            "Its mean is right. But blocks with one probability each are spread less than blocks "
            "which all have the mean.",
        ),
        Mistake(
            lambda survival: _distribution(survival)[::-1],
            "That counts the branches that are dropped.",
        ),
    ),
    hint="Go block by block: with p the count moves up by one, with 1 - p it stays.",
    points=2,
)

# --- 11.5 -----------------------------------------------------------------------------------


def _squares(variance: float, rate: float, blocks: int) -> tuple[float, float]:
    return (1 + variance / (1 - rate)) ** blocks, (1 + variance) ** blocks


SQUARES = Exercise(
    id="11.5",
    title="The mean is right, the square isn't",
    statement=(
        "Give the factor by which a stack with drops raises the mean square, in training and in "
        "evaluation"
    ),
    tier="apply",
    template='''\
def squares(variance, rate, blocks):
    """By what blocks x + (b / (1 - rate)) F(x) multiply the mean square: (training, evaluation).

    F has independent random weights: the mean square of F(x) is `variance` times that of x, and
    x F(x) has the mean 0. Every block's branch is dropped with the same rate.
    """
    return ..., ...
''',
    answer="squares",
    expected=_squares,
    inputs=lambda seed: [
        (1.0, 0.5, 1),
        (0.5, 0.2, 2),
        (0.05, 0.5, 20),
        (0.1, 0.75, 5 + seed % 5),
    ],
    mistakes=(
        Mistake(
            lambda variance, rate, blocks: ((1 + variance) ** blocks,) * 2,
            "The second is right. In training b^2 / (1 - rate)^2 has the mean 1 / (1 - rate).",
        ),
        Mistake(
            lambda variance, rate, blocks: (
                (1 + variance * (1 - rate)) ** blocks,
                (1 + variance) ** blocks,
            ),
            "The second is right. The mean of b^2 is 1 - rate, but it is divided by its square.",
        ),
        Mistake(
            lambda variance, rate, blocks: (
                1 + blocks * variance / (1 - rate),
                1 + blocks * variance,
            ),
            "Each block multiplies what the ones before it have made.",
        ),
    ),
    hint="The mean of (x + m F)^2 is that of x^2 plus the mean of m^2 times that of F^2.",
    points=2,
)

# --- 11.6 -----------------------------------------------------------------------------------


def _smallest(blocks: int, most: int, share: float = 0.99) -> float:
    for hundredths in range(100):
        chances = _distribution(_line(hundredths / 100, blocks))
        if chances[: most + 1].sum() >= share:
            return hundredths / 100
    return 0.99


def _by_the_mean(blocks: int, most: int) -> float:
    for hundredths in range(100):
        if sum(_line(hundredths / 100, blocks)) <= most + 1e-9:
            return hundredths / 100
    return 0.99


SMALLEST = Exercise(
    id="11.6",
    title="A rate for a budget",
    statement=(
        "Give the smallest drop rate of the last block with which at least 99 % of the steps "
        "compute no more than so many branches"
    ),
    tier="explore",
    template='''\
def smallest_rate(blocks, most):
    """Smallest final rate, in hundredths: at least 99 % of steps compute <= `most` branches.

    Survival falls in a straight line from 1 to 1 - rate. One of 0, 0.01, ..., 0.99; some rate
    among them does it.
    """
    return ...
''',
    answer="smallest_rate",
    expected=_smallest,
    inputs=lambda seed: [
        (4, 4),
        (10, 8),
        (54, 45),
        (30, 24 + seed % 3),
    ],
    atol=1e-6,
    mistakes=(
        Mistake(
            _by_the_mean,
            "With this rate about half of the steps are within the budget: you bound the mean.",
        ),
        Mistake(
            lambda blocks, most: _smallest(blocks, most, 0.5),
            "That is enough for half of the steps; 99 % are asked for.",
        ),
    ),
    hint="Put 11.3 and 11.4 together, and go through the rates from 0 up.",
    points=3,
)

EXERCISES = (COUNT, BRANCH, LINE, DISTRIBUTION, SQUARES, SMALLEST)
