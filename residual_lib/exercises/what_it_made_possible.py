"""Exercises of chapter 13, what it made possible."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from residual_lib.exercises.base import Arguments, Exercise, Mistake

# --- 13.1 -----------------------------------------------------------------------------------

GAPS = Exercise(
    id="13.1",
    title="Two gaps",
    statement=(
        "Give the gap in top-5 error from VGG-19 to ResNet-152 in the famous table, and with both "
        "at many scales"
    ),
    tier="recall",
    template="""\
famous = ...  # points between VGG-19 and ResNet-152 in the famous table
alike = ...  # the same, with both at many scales
""",
    answer="(famous, alike)",
    expected=lambda: (4.51, 2.61),
    atol=0.02,
    mistakes=(
        Mistake(
            lambda: (4.51, 3.62),
            "The first is right. The second is the gap at 10 crops; take 7.1 and 4.49.",
        ),
        Mistake(
            lambda: (3.29, 1.39),
            "Those are the gaps to ResNet-34, whose figure at many scales is 5.71.",
        ),
    ),
    hint="Subtract within one column: 9.0 and 4.49, then 7.1 and 4.49.",
)

# --- 13.2 -----------------------------------------------------------------------------------


def _top(scores: np.ndarray, labels: Any, k: int) -> float:
    best = np.argsort(-scores, axis=-1, kind="stable")[..., :k]
    return float(1 - (best == np.asarray(labels)[:, None]).any(-1).mean())


def _error(probabilities: np.ndarray, labels: list[int], k: int) -> float:
    return _top(np.asarray(probabilities).mean(1), labels, k)


def _each(probabilities: np.ndarray, labels: list[int], k: int) -> float:
    crops = np.asarray(probabilities).swapaxes(0, 1)
    return float(np.mean([_top(crop, labels, k) for crop in crops]))


def _any(probabilities: np.ndarray, labels: list[int], k: int) -> float:
    best = np.argsort(-np.asarray(probabilities), axis=-1, kind="stable")[..., :k]
    return float(1 - (best == np.asarray(labels)[:, None, None]).any((-1, -2)).mean())


def _crops(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    # Two crops that are wrong in different ways; their mean is right.
    first = np.array([[[0.45, 0.55, 0.0], [0.45, 0.0, 0.55]]])
    cases: list[Arguments] = [(first, [0], 1)]
    for images, crops, classes, k in ((6, 10, 4, 1), (8, 10, 8, 2), (12, 5, 10, 5)):
        values = rng.exponential(size=(images, crops, classes))
        values /= values.sum(-1, keepdims=True)
        cases.append((values.round(4), rng.integers(0, classes, images).tolist(), k))
    return cases


CROPS = Exercise(
    id="13.2",
    title="Ten looks at an image",
    statement="Give the top-k error of predictions that are averaged over crops",
    tier="apply",
    template='''\
import numpy as np


def error(probabilities, labels, k):
    """Share of images whose label isn't among the k largest of the mean over crops.

    probabilities: array (images, crops, classes). labels: the right class of each image.
    """
    return ...
''',
    answer="error",
    expected=_error,
    inputs=_crops,
    mistakes=(
        Mistake(_each, "That is the mean error of single crops. Average the probabilities first."),
        Mistake(
            _any,
            "That takes an image as right if any of its crops is. One prediction for each image.",
        ),
    ),
    hint="Mean over axis 1; np.argsort(-mean) gives the classes, the most probable first.",
    points=2,
)

# --- 13.3 -----------------------------------------------------------------------------------

Layers = list[tuple[int, int, int, int]]


def _macs(layers: Layers, size: int) -> int:
    total = 0
    for inputs, outputs, kernel, stride in layers:
        size = math.ceil(size / stride)
        total += size**2 * kernel**2 * inputs * outputs
    return total


def _macs_at_the_input(layers: Layers, size: int) -> int:
    total = 0
    for inputs, outputs, kernel, stride in layers:
        total += size**2 * kernel**2 * inputs * outputs
        size = math.ceil(size / stride)
    return total


MACS = Exercise(
    id="13.3",
    title="Multiply-adds",
    statement="Count the multiply-adds of a row of convolutions on a square image",
    tier="apply",
    template='''\
def macs(layers, size):
    """Multiply-adds of one forward pass, biases left out.

    layers: tuples (channels in, channels out, kernel's side, stride), one after the other. size:
    height and width of the image. A stride divides the size, rounded up; padding keeps the rest.
    """
    return ...
''',
    answer="macs",
    expected=_macs,
    inputs=lambda seed: [
        ([(3, 64, 3, 1)], 4),
        ([(3, 64, 7, 2)], 224),
        ([(256, 64, 1, 1), (64, 64, 3, 2), (64, 256, 1, 1)], 56),
        ([(int(np.random.default_rng(seed).integers(2, 9)), 8, 3, 2), (8, 16, 3, 2)], 15),
    ],
    mistakes=(
        Mistake(
            lambda layers, size: 2 * _macs(layers, size),
            "That counts a multiplication and an addition as two. Here they are one.",
        ),
        Mistake(
            _macs_at_the_input,
            "A kernel is applied at each position of the *output*: divide by the stride first.",
        ),
        Mistake(
            lambda layers, size: sum(k * k * i * o for i, o, k, _ in layers),
            "Those are the weights. Each is used at every position of the output.",
        ),
    ),
    hint="For each layer: positions of its output, times kernel squared, times both channels.",
    points=2,
)

# --- 13.4 -----------------------------------------------------------------------------------

Rows = list[tuple[str, str, float]]


def _alike(rows: Rows, one: str, other: str) -> dict[str, float]:
    found: dict[str, dict[str, float]] = {one: {}, other: {}}
    for network, protocol, value in rows:
        if network in found:
            found[network][protocol] = value
    return {
        protocol: round(found[one][protocol] - found[other][protocol], 6)
        for protocol in found[one]
        if protocol in found[other]
    }


def _backwards(rows: Rows, one: str, other: str) -> dict[str, float]:
    return {protocol: -value for protocol, value in _alike(rows, one, other).items()}


def _best(rows: Rows, one: str, other: str) -> dict[str, float]:
    lowest = {n: min(e for net, _, e in rows if net == n) for n in (one, other)}
    return dict.fromkeys(_alike(rows, one, other), round(lowest[one] - lowest[other], 6))


PUBLISHED: Rows = [
    ("VGG-16", "10-crop", 9.33),
    ("VGG-16", "multi-scale", 7.2),
    ("VGG-16", "single-scale", 8.8),
    ("ResNet-34", "10-crop", 7.46),
    ("ResNet-34", "multi-scale", 5.71),
]

ALIKE = Exercise(
    id="13.4",
    title="Like with like",
    statement="Compare two networks within each protocol that both were measured by",
    tier="apply",
    template='''\
def gaps(rows, one, other):
    """A dict: protocol -> error of `one` minus error of `other`, where both have an error.

    rows: tuples (network, protocol, error).
    """
    return ...
''',
    answer="gaps",
    expected=_alike,
    inputs=lambda seed: [
        ([("a", "crop", 9.0), ("b", "crop", 7.0), ("b", "scales", 4.0)], "a", "b"),
        (PUBLISHED, "VGG-16", "ResNet-34"),
        ([*PUBLISHED, ("ResNet-34", "single crop", 8.0 + seed / 10)], "VGG-16", "ResNet-34"),
    ],
    mistakes=(
        Mistake(_best, "That subtracts each one's best figure, whatever protocol it has."),
        Mistake(_backwards, "The sign: error of `one` minus error of `other`."),
    ),
    hint="Collect a dict of protocols for each network, then go through those that both have.",
    points=2,
)

# --- 13.5 -----------------------------------------------------------------------------------


def _absorbed(weights: list[Any]) -> list[np.ndarray]:
    return [np.eye(len(weight)) + np.asarray(weight, dtype=float) for weight in weights]


ABSORBED = Exercise(
    id="13.5",
    title="A skip that hides in the weights",
    statement="Give the weights with which layers without skips compute the same as with them",
    tier="apply",
    template='''\
import numpy as np


def absorbed(weights):
    """For each V the W (same shape) for which relu(W h) is relu(h + V h), whatever h.

    weights: list of square matrices V, as arrays.
    """
    return ...
''',
    answer="absorbed",
    expected=_absorbed,
    inputs=lambda seed: [
        ([np.array([[0.5]])],),
        ([np.zeros((2, 2)), np.array([[0.0, 1.0], [-1.0, 0.0]])],),
        (list(np.random.default_rng(seed).normal(size=(3, 4, 4)).round(2)),),
    ],
    mistakes=(
        Mistake(lambda weights: [np.asarray(v) for v in weights], "The h in h + V h is missing."),
        Mistake(
            lambda weights: [np.asarray(v) + 1 for v in weights],
            "Adding 1 to every entry adds the sum of h to each number; the identity has 1 on its "
            "diagonal alone.",
        ),
    ),
    hint="h = I h.",
    points=2,
)

# --- 13.6 -----------------------------------------------------------------------------------


def _front(networks: list[list[float]]) -> list[int]:
    return [
        number
        for number, (cost, wrong) in enumerate(networks)
        if not any(c <= cost and w <= wrong and (c < cost or w < wrong) for c, w in networks)
    ]


def _record_breakers(networks: list[list[float]]) -> list[int]:
    best, found = math.inf, []
    for number, (_, wrong) in enumerate(networks):
        if wrong < best:
            best = wrong
            found.append(number)
    return found


def _networks(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    return [
        ([[4.0, 7.0], [2.0, 8.0], [5.0, 7.5]],),
        ([[15.5, 9.9], [3.9, 7.8], [7.6, 7.1], [11.3, 6.7], [2.9, 7.7], [4.3, 6.3]],),
        (rng.uniform(1, 10, (9, 2)).round(2).tolist(),),
    ]


FRONT = Exercise(
    id="13.6",
    title="Worth its cost",
    statement="Find the networks that no other beats in cost without losing in error",
    tier="explore",
    template='''\
def front(networks):
    """Places, in rising order, of the networks that no other one dominates.

    networks: list of [cost, error]. One network dominates another if it is no worse in both and
    better in one.
    """
    return ...
''',
    answer="front",
    expected=_front,
    inputs=_networks,
    mistakes=(
        Mistake(
            _record_breakers,
            "Those are the records in the order of the list. Compare each network with all others.",
        ),
        Mistake(
            lambda networks: [int(np.argmin([wrong for _, wrong in networks]))],
            "The one with the lowest error is on the front, and so are cheaper ones.",
        ),
    ),
    hint="For each network ask whether any other is at most as dear and at most as often wrong.",
    points=3,
)

EXERCISES = (GAPS, CROPS, MACS, ALIKE, ABSORBED, FRONT)
