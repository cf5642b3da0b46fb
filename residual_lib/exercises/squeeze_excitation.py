"""Exercises of chapter 12, squeeze-and-excitation."""

from __future__ import annotations

import math

import numpy as np

from residual_lib.exercises.base import Arguments, Exercise, Mistake


def _sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


# --- 12.1 -----------------------------------------------------------------------------------

COUNT = Exercise(
    id="12.1",
    title="One gate counted",
    statement=(
        "Count the parameters of squeeze-and-excitation on 512 channels with r = 16, and the "
        "numbers that it multiplies by for a batch of 8 images"
    ),
    tier="recall",
    template="""\
parameters = ...  # weights and biases of both layers: 512 channels, r = 16
gates = ...  # numbers between 0 and 1 that it makes for a batch of 8 images
""",
    answer="(parameters, gates)",
    expected=lambda: (33_312, 4_096),
    mistakes=(
        Mistake(
            lambda: (32_768, 4_096), "The second is right. Both layers have biases: 32 and 512."
        ),
        Mistake(lambda: (33_312, 512), "The first is right. Each image has gates of its own."),
        Mistake(
            lambda: (33_312, 256),
            "The first is right. The 32 units stand in the middle; each channel gets a gate.",
        ),
    ),
    hint="Two layers, 512 to 32 and 32 to 512; one gate a channel and image.",
)

# --- 12.2 -----------------------------------------------------------------------------------


def _gate(
    x: np.ndarray, w1: np.ndarray, b1: np.ndarray, w2: np.ndarray, b2: np.ndarray
) -> np.ndarray:
    z = np.asarray(x).mean(axis=(1, 2))
    return _sigmoid(w2 @ np.maximum(w1 @ z + b1, 0) + b2)


def _gate_by_maximum(
    x: np.ndarray, w1: np.ndarray, b1: np.ndarray, w2: np.ndarray, b2: np.ndarray
) -> np.ndarray:
    z = np.asarray(x).max(axis=(1, 2))
    return _sigmoid(w2 @ np.maximum(w1 @ z + b1, 0) + b2)


def _gate_linear(
    x: np.ndarray, w1: np.ndarray, b1: np.ndarray, w2: np.ndarray, b2: np.ndarray
) -> np.ndarray:
    return _sigmoid(w2 @ (w1 @ np.asarray(x).mean(axis=(1, 2)) + b1) + b2)


def _gate_open(
    x: np.ndarray, w1: np.ndarray, b1: np.ndarray, w2: np.ndarray, b2: np.ndarray
) -> np.ndarray:
    return w2 @ np.maximum(w1 @ np.asarray(x).mean(axis=(1, 2)) + b1, 0) + b2


def _maps(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    shapes = [(2, 1, 3, 3), (4, 2, 2, 5), (8, 2, 4, 4)]
    return [
        tuple(
            rng.normal(size=size).round(2)
            for size in ((c, height, width), (m, c), (m,), (c, m), (c,))
        )
        for c, m, height, width in shapes
    ]


GATE = Exercise(
    id="12.2",
    title="Squeeze and excite",
    statement="Return the gate of one example, from the weights of its two layers",
    tier="apply",
    template='''\
import numpy as np


def gate(x, w1, b1, w2, b2):
    """The gate of one example: array (channels,), numbers between 0 and 1.

    x: array (channels, height, width). w1: (middle, channels), b1: (middle,); w2: (channels,
    middle), b2: (channels,). Squeeze by the mean, ReLU in the middle, sigmoid at the end.
    """
    return ...
''',
    answer="gate",
    expected=_gate,
    inputs=_maps,
    mistakes=(
        Mistake(_gate_by_maximum, "The squeeze is the mean over all positions, not the maximum."),
        Mistake(_gate_linear, "Between the two layers stands a ReLU."),
        Mistake(_gate_open, "A sigmoid at the end brings each number between 0 and 1."),
    ),
    hint="x.mean over the two last axes; then w1 @ z + b1, np.maximum, w2 @ ... + b2, sigmoid.",
    points=2,
)

# --- 12.3 -----------------------------------------------------------------------------------


def _extra(blocks: dict[int, int], reduction: int) -> int:
    return sum(
        number * (2 * c * (c // reduction) + c // reduction + c) for c, number in blocks.items()
    )


EXTRA = Exercise(
    id="12.3",
    title="What gates add to a net",
    statement="Count the parameters that squeeze-and-excitation adds to a whole residual net",
    tier="apply",
    template='''\
def extra(blocks, r):
    """Parameters of the gates of all blocks, biases included.

    blocks: a dictionary, channels of a stage's output -> its number of blocks, such as
    {256: 3, 512: 4, 1024: 6, 2048: 3} for ResNet-50. All channels are multiples of r.
    """
    return ...
''',
    answer="extra",
    expected=_extra,
    inputs=lambda seed: [
        ({16: 1}, 4),
        ({256: 3, 512: 4, 1024: 6, 2048: 3}, 16),
        ({64: 2, 128: 2, 256: 2, 512: 2}, 8),
        ({32 * int(np.random.default_rng(seed).integers(1, 9)): 5}, 16),
    ],
    mistakes=(
        Mistake(
            lambda blocks, r: sum(n * 2 * c * (c // r) for c, n in blocks.items()),
            "Both layers have biases: c / r and c more a block.",
        ),
        Mistake(
            lambda blocks, r: sum(2 * c * (c // r) + c // r + c for c in blocks),
            "Every block has a gate of its own: multiply by the number of blocks.",
        ),
        Mistake(
            lambda blocks, r: sum(n * (c * (c // r) + c // r + c) for c, n in blocks.items()),
            "There are two layers of c * c / r weights: one down, one up.",
        ),
    ),
    hint="A block of c channels: c to c / r and back, with biases. Times the blocks, summed.",
    points=2,
)

# --- 12.4 -----------------------------------------------------------------------------------


def _opening(blocks: int, share: float) -> float:
    gate = share ** (1 / blocks)
    return math.log(gate / (1 - gate))


OPENING = Exercise(
    id="12.4",
    title="How far open must a gate start?",
    statement=(
        "Return the bias with which gates on the shortcuts start, so that a given share of the "
        "stream passes all blocks"
    ),
    tier="apply",
    template='''\
import numpy as np


def opening(blocks, share):
    """The last bias of each gate, its weights being 0, such that `blocks` gates in a row on the
    shortcuts leave `share` of what enters (branches give 0)."""
    return ...
''',
    answer="opening",
    expected=_opening,
    inputs=lambda seed: [(1, 0.5), (6, 0.5), (16, 0.9), (2 + seed % 40, 0.25)],
    mistakes=(
        Mistake(
            lambda blocks, share: math.log(share / (1 - share)),
            "With that bias one gate leaves the share; the next takes its part of what is left.",
        ),
        Mistake(
            lambda blocks, share: share ** (1 / blocks),
            "That is the gate itself. The bias is what the sigmoid makes it from.",
        ),
        Mistake(
            lambda blocks, share: _opening(1, 1 - (1 - share) / blocks),
            "Shares multiply: take the root, and don't divide the loss.",
        ),
    ),
    hint="Each gate is g with g ** blocks = share; the inverse of the sigmoid is log(g / (1 - g)).",
    points=2,
)

# --- 12.5 -----------------------------------------------------------------------------------


def _explained(gates: np.ndarray, labels: np.ndarray) -> float:
    gates, labels = np.asarray(gates), np.asarray(labels)
    within = sum(
        ((gates[labels == label] - gates[labels == label].mean(0)) ** 2).sum()
        for label in np.unique(labels)
    )
    return float(1 - within / ((gates - gates.mean(0)) ** 2).sum())


def _explained_within(gates: np.ndarray, labels: np.ndarray) -> float:
    return 1 - _explained(gates, labels)


def _explained_pooled(gates: np.ndarray, labels: np.ndarray) -> float:
    gates, labels = np.asarray(gates), np.asarray(labels)
    within = sum(
        ((gates[labels == label] - gates[labels == label].mean(0)) ** 2).sum()
        for label in np.unique(labels)
    )
    return float(1 - within / ((gates - gates.mean()) ** 2).sum())


def _observed(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    cases = []
    for channels, sizes in ((1, (3, 3)), (4, (2, 5)), (3, (4, 1, 6))):
        labels = np.repeat(np.arange(len(sizes)), sizes)
        centre = rng.uniform(0.2, 0.8, (len(sizes), channels))
        gates = centre[labels] + rng.uniform(-0.1, 0.1, (len(labels), channels))
        cases.append((gates.round(3), labels))
    return cases


EXPLAINED = Exercise(
    id="12.5",
    title="Does the gate know the class?",
    statement="Return the share of the gates' variance over examples that lies between the classes",
    tier="apply",
    template='''\
import numpy as np


def explained(gates, labels):
    """1 minus the squared distances of gates from their class's mean, over those from the mean.

    gates: array (examples, channels); labels: array (examples,). Both sums go over all examples
    and channels; a mean is taken for each channel by itself.
    """
    return ...
''',
    answer="explained",
    expected=_explained,
    inputs=_observed,
    mistakes=(
        Mistake(
            _explained_within,
            "That is the share within classes; asked for is what is left when it is taken away.",
        ),
        Mistake(
            _explained_pooled,
            "Take the mean of each channel by itself: channels that differ from one another say "
            "nothing of examples.",
        ),
    ),
    hint="Loop over np.unique(labels); axis 0 of the gates is that of the examples.",
    points=2,
)

# --- 12.6 -----------------------------------------------------------------------------------


def _kernel(channels: int) -> int:
    size = int(math.log2(channels) / 2 + 0.5)
    return size if size % 2 else size + 1


KERNEL = Exercise(
    id="12.6",
    title="ECA's parameters",
    statement="Return the number of weights that ECA adds to a residual net",
    tier="explore",
    template='''\
import numpy as np


def eca(blocks):
    """Weights of all gates. blocks: a dictionary, channels -> number of blocks, as in 12.3.

    A gate on c channels has one kernel and no bias. Its size is log2(c) / 2 + 1/2, cut to a whole
    number, and one more if that is even.
    """
    return ...
''',
    answer="eca",
    expected=lambda blocks: sum(n * _kernel(c) for c, n in blocks.items()),
    inputs=lambda seed: [
        ({64: 1},),
        ({256: 3, 512: 4, 1024: 6, 2048: 3},),
        ({64: 2, 128: 2, 256: 2, 512: 2},),
        ({8: 2, 16: 2, 32: 1 + seed % 7},),
    ],
    mistakes=(
        Mistake(
            lambda blocks: sum(n * int(math.log2(c) / 2 + 0.5) for c, n in blocks.items()),
            "A kernel of even size has no middle: take the next odd one.",
        ),
        Mistake(
            lambda blocks: sum(n * c * _kernel(c) for c, n in blocks.items()),
            "One kernel is shared by all channels of a gate; that is the point of it.",
        ),
        Mistake(
            lambda blocks: sum(_kernel(c) for c in blocks),
            "Every block has a kernel of its own.",
        ),
    ),
    hint="int() cuts. 256 channels: log2 is 8, so 4.5, so 4, which is even: 5.",
    points=3,
)

EXERCISES = (COUNT, GATE, EXTRA, OPENING, EXPLAINED, KERNEL)
