"""Exercises of chapter 8, U-Net."""

from __future__ import annotations

import math

import numpy as np

from residual_lib.exercises.base import Arguments, Exercise, Mistake

# --- 8.1 ------------------------------------------------------------------------------------

SIZES = Exercise(
    id="8.1",
    title="Sizes of the paper's net",
    statement="Give the size at the bottom, the size of the output and the loss on each side",
    tier="recall",
    template="""\
# Ronneberger's net: 4 levels below the first, 3x3 convolutions without padding, 572 pixels wide.
at_the_bottom = ...  # pixels across, behind the last max-pooling
output = ...  # pixels across, of the output
lost = ...  # pixels that the output lacks on each side
""",
    answer="(at_the_bottom, output, lost)",
    expected=lambda: (32, 388, 92),
    rtol=0,
    atol=1e-6,
    mistakes=(
        Mistake(
            lambda: (28, 388, 92),
            "28 is what is left behind the two convolutions at the bottom; asked is before them.",
        ),
        Mistake(
            lambda: (32, 388, 184),
            "572 - 388 = 184 is what is lost on both sides together.",
        ),
    ),
    hint="Each pair of convolutions takes 4 pixels: 572, 568, 284, 280, 140, ... and up again.",
    points=1,
)

# --- 8.2 ------------------------------------------------------------------------------------


def _iou(predicted: np.ndarray, truth: np.ndarray) -> float:
    union = (predicted | truth).sum()
    return float((predicted & truth).sum() / union) if union else 1.0


def _dice(predicted: np.ndarray, truth: np.ndarray) -> float:
    total = predicted.sum() + truth.sum()
    return float(2 * (predicted & truth).sum() / total) if total else 1.0


def _agreement(predicted: np.ndarray, truth: np.ndarray) -> float:
    return float((predicted == truth).mean())


def _of_truth(predicted: np.ndarray, truth: np.ndarray) -> float:
    return float((predicted & truth).sum() / truth.sum()) if truth.any() else 1.0


def _masks(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    half = np.arange(12).reshape(3, 4) < 6
    empty = np.zeros((3, 4), dtype=bool)
    drawn = [rng.random((8, 8)) < share for share in (0.3, 0.6)]
    masks = [(half, half), (half, ~half), (half, half[::-1].copy())]
    return [*masks, (drawn[0], drawn[1]), (empty, empty)]


IOU = Exercise(
    id="8.2",
    title="Intersection over union",
    statement="Return the IoU of two masks; two empty masks agree",
    tier="apply",
    template='''\
import numpy as np


def iou(predicted, truth):
    """Pixels in both masks over pixels in at least one of them; 1.0 if both are empty.

    predicted, truth: arrays of bools, of one shape.
    """
    return ...
''',
    answer="iou",
    expected=_iou,
    inputs=_masks,
    mistakes=(
        Mistake(_dice, "That is Dice, 2 |M and T| / (|M| + |T|): it counts the common part twice."),
        Mistake(_agreement, "Pixels outside of both masks agree too, but they count in neither."),
        Mistake(_of_truth, "That is the recall. A mask that is True everywhere would have 1."),
    ),
    hint="`&` and `|` work on arrays of bools, and `.sum()` counts what is True.",
    points=1,
)

# --- 8.3 ------------------------------------------------------------------------------------


def _size(size: int, levels: int) -> int:
    size -= 4
    return size if levels == 0 else 2 * _size(size // 2, levels - 1) - 4


def _only_down(size: int, levels: int) -> int:
    size -= 4
    return size if levels == 0 else 2 * _only_down(size // 2, levels - 1)


def _one_convolution(size: int, levels: int) -> int:
    size -= 2
    return size if levels == 0 else 2 * _one_convolution(size // 2, levels - 1) - 2


OUTPUT_SIZE = Exercise(
    id="8.3",
    title="Size of the output",
    statement="Return the size of a U-Net's output without padding, a level inside a level",
    tier="apply",
    template='''\
def output_size(size, levels):
    """Pixels across of the output, with two unpadded 3x3 convolutions down and two up a level.

    size: pixels across of the input, such that pooling never meets an odd size. levels: how many
    lie below the first; at 0 there are two convolutions and nothing else.
    """
    return ...
''',
    answer="output_size",
    expected=_size,
    inputs=lambda seed: [(20, 0), (16 + 4, 1), (572, 4), (188 + 16 * seed, 4), (60, 2)],
    mistakes=(
        Mistake(_only_down, "On the way up there are two convolutions a level as well."),
        Mistake(_one_convolution, "Two 3x3 convolutions lose 2 pixels on each side, 4 in all."),
    ),
    hint="Take 4, halve, ask the level below, double, take 4. The function may call itself.",
    points=2,
)

# --- 8.4 ------------------------------------------------------------------------------------


def _weights(width: int, levels: int, merge: str) -> int:
    read = 2 if merge == "concatenate" else 1
    return sum(9 * read * (width * 2**i) * (width * 2**i) for i in range(levels))


def _same(width: int, levels: int, merge: str) -> int:
    return _weights(width, levels, "add")


def _equal_width(width: int, levels: int, merge: str) -> int:
    read = 2 if merge == "concatenate" else 1
    return 9 * read * width * width * levels


def _doubled_twice(width: int, levels: int, merge: str) -> int:
    return _weights(width, levels, merge) * (2 if merge == "concatenate" else 1)


WEIGHTS = Exercise(
    id="8.4",
    title="What concatenation costs",
    statement="Count the weights of the first convolution on each level's way up",
    tier="apply",
    template='''\
def first_weights(width, levels, merge):
    """Weights, without biases, of the 3x3 convolutions that read what a merge gives: one a level.

    Level 0, 1, ... has width, 2 width, 4 width, ... channels on each of its two paths, and as many
    behind the convolution. merge: "concatenate" or "add".
    """
    return ...
''',
    answer="first_weights",
    expected=_weights,
    inputs=lambda seed: [
        (1, 1, "add"),
        (1, 1, "concatenate"),
        (8, 3, "concatenate"),
        (8, 3, "add"),
        (64 + seed, 4, "concatenate"),
    ],
    mistakes=(
        Mistake(_same, "Concatenated, the two paths' channels lie side by side: twice as many."),
        Mistake(_equal_width, "Each level has twice the channels of the one above."),
        Mistake(_doubled_twice, "Only the input has twice the channels; the output doesn't."),
    ),
    hint="A 3x3 convolution has 9 x channels in x channels out weights. Sum over the levels.",
    points=2,
)

# --- 8.5 ------------------------------------------------------------------------------------


def _weight(d1: float, d2: float, w0: float, sigma: float) -> float:
    return 1 + w0 * math.exp(-((d1 + d2) ** 2) / (2 * sigma**2))


def _squares_apart(d1: float, d2: float, w0: float, sigma: float) -> float:
    return 1 + w0 * math.exp(-(d1**2 + d2**2) / (2 * sigma**2))


def _plain_sigma(d1: float, d2: float, w0: float, sigma: float) -> float:
    return 1 + w0 * math.exp(-((d1 + d2) ** 2) / (2 * sigma))


def _without_class(d1: float, d2: float, w0: float, sigma: float) -> float:
    return _weight(d1, d2, w0, sigma) - 1


WEIGHT = Exercise(
    id="8.5",
    title="The weight of a pixel",
    statement="Return a pixel's weight in the loss, for distances to the two nearest cells",
    tier="apply",
    template='''\
import numpy as np


def weight(d1, d2, w0, sigma):
    """Formula (border-weight) with w_c = 1.

    d1, d2: distances to the nearest cell and to the second nearest, in pixels.
    """
    return ...
''',
    answer="weight",
    expected=_weight,
    inputs=lambda seed: [
        (0.0, 0.0, 10.0, 5.0),
        (1.0, 1.0, 10.0, 5.0),
        (2.0, 6.0, 10.0, 5.0),
        (1.0, 2.0 + seed, 5.0, 2.0),
    ],
    mistakes=(
        Mistake(_squares_apart, "The sum of the distances is squared, not each by itself."),
        Mistake(_plain_sigma, "sigma is squared: it is a distance, as d1 + d2 is."),
        Mistake(_without_class, "Far from all borders the weight is w_c = 1, and not 0."),
    ),
    hint="w_c + w0 exp(-(d1 + d2)^2 / (2 sigma^2)).",
    points=1,
)

# --- 8.6 ------------------------------------------------------------------------------------


def _mirrored(position: int, size: int) -> int:
    period = 2 * (size - 1)
    position %= period
    return min(position, period - position)


def _border_twice(position: int, size: int) -> int:
    position %= 2 * size
    return min(position, 2 * size - 1 - position)


def _clipped(position: int, size: int) -> int:
    return min(max(position, 0), size - 1)


def _wrapped(position: int, size: int) -> int:
    return position % size


MIRROR = Exercise(
    id="8.6",
    title="Beyond the border",
    statement="Return which pixel stands in for one outside of the image, by mirroring",
    tier="explore",
    template='''\
def mirrored(position, size):
    """The pixel, from 0 to size - 1, that is seen at `position`, however far outside it is.

    The image is mirrored at its outermost pixels, which aren't repeated: -1 is 1, and `size` is
    size - 2. The mirror images are mirrored in turn. size: at least 2.
    """
    return ...
''',
    answer="mirrored",
    expected=_mirrored,
    inputs=lambda seed: [(3, 8), (-1, 8), (8, 8), (-9, 8), (40 + seed, 8), (-100, 13)],
    mistakes=(
        Mistake(_border_twice, "The outermost pixel comes once: -1 is 1, and not 0."),
        Mistake(_clipped, "That repeats the outermost pixel for ever; it doesn't mirror."),
        Mistake(_wrapped, "That begins again at the other side; it doesn't mirror."),
    ),
    hint="It repeats after 2 (size - 1) pixels. Within these, the second half runs backwards.",
    points=2,
)

EXERCISES = (SIZES, IOU, OUTPUT_SIZE, WEIGHTS, WEIGHT, MIRROR)
