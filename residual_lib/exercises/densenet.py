"""Exercises of chapter 7, DenseNet."""

from __future__ import annotations

import numpy as np

from residual_lib.exercises.base import Arguments, Exercise, Mistake

# --- 7.1 ------------------------------------------------------------------------------------

COUNT = Exercise(
    id="7.1",
    title="A block counted",
    statement=(
        "Count the connections, and the channels at the end, of a dense block with 12 links, a "
        "growth rate of 12 and 16 channels in front"
    ),
    tier="recall",
    template="""\
pairs = ...  # pairs of a feature and a link that reads it, in a block of 12 links
channels = ...  # behind the block, with a growth rate of 12 and 16 channels in front
""",
    answer="(pairs, channels)",
    expected=lambda: (78, 160),
    mistakes=(
        Mistake(
            lambda: (66, 160),
            "The second is right. The first link reads too: it has the block's input.",
        ),
        Mistake(
            lambda: (78, 144),
            "The first is right. The block's input is still there at its end.",
        ),
        Mistake(lambda: (144, 160), "The second is right. A link can't read what comes after it."),
    ),
    hint="Link l reads l things; each link adds the growth rate.",
)

# --- 7.2 ------------------------------------------------------------------------------------


def _channels(growth: int, links: list[int], compression: float = 0.5) -> int:
    channels = 2 * growth
    for number, count in enumerate(links, start=1):
        channels += growth * count
        if number < len(links):
            channels = int(compression * channels)
    return channels


def _always_compressed(growth: int, links: list[int]) -> int:
    channels = 2 * growth
    for count in links:
        channels = (channels + growth * count) // 2
    return channels


CHANNELS = Exercise(
    id="7.2",
    title="What the head reads",
    statement=(
        "Give the channels that the head of a dense net reads, with transitions that keep half, "
        "rounded down"
    ),
    tier="apply",
    template='''\
def head_channels(growth, links):
    """Channels behind the last dense block.

    The stem makes 2 * growth. links: how many each block has. Between two blocks a transition
    keeps half of the channels, rounded down.
    """
    return ...
''',
    answer="head_channels",
    expected=_channels,
    inputs=lambda seed: [
        (4, [3]),
        (12, [16, 16, 16]),
        (32, [6, 12, 24, 16]),
        (5, np.random.default_rng(seed).integers(1, 9, 3).tolist()),
    ],
    mistakes=(
        Mistake(
            _always_compressed, "No transition follows the last block: the head reads all of it."
        ),
        Mistake(
            lambda growth, links: 2 * growth + growth * sum(links),
            "The transitions between the blocks keep half of the channels.",
        ),
    ),
    hint="Go through the blocks: add growth times links, then halve, except behind the last.",
    points=2,
)

# --- 7.3 ------------------------------------------------------------------------------------


def _kept(first: int, growth: int, links: int) -> tuple[int, int]:
    return sum(first + growth * link for link in range(links)), first + growth * links


KEPT = Exercise(
    id="7.3",
    title="Kept by every reader, or once",
    statement=(
        "Give how many channels a block keeps for its links, if each keeps what it reads, and if "
        "each feature is kept once"
    ),
    tier="apply",
    template='''\
def kept(first, growth, links):
    """Channels kept for the backward pass: (each link its own copy of what it reads, each once).

    In front of the block are `first` channels. Once: the block's input and what each link made.
    """
    return ..., ...
''',
    answer="kept",
    expected=_kept,
    inputs=lambda seed: [
        (24, 12, 1),
        (24, 12, 2),
        (24, 12, 48),
        (7, 3, int(np.random.default_rng(seed).integers(3, 30))),
    ],
    mistakes=(
        Mistake(
            lambda first, growth, links: (links * (first + growth * links), first + growth * links),
            "The second is right. Not every link reads all: the first one has the input alone.",
        ),
        Mistake(
            lambda first, growth, links: (
                sum(first + growth * link for link in range(1, links + 1)),
                first + growth * links,
            ),
            "The second is right. A link reads what was there before it, without its own features.",
        ),
        Mistake(
            lambda first, growth, links: (_kept(first, growth, links)[0], growth * links),
            "The first is right. The block's input is kept as well.",
        ),
    ),
    hint="Link number l, counted from 0, reads first + growth * l channels. Add up.",
    points=2,
)

# --- 7.4 ------------------------------------------------------------------------------------


def _as_residual(weight: np.ndarray, width: int) -> np.ndarray:
    weight = np.asarray(weight)
    new, old = weight.shape
    wide = np.zeros((width, width))
    wide[old : old + new, :old] = weight
    return wide


def _transposed(weight: np.ndarray, width: int) -> np.ndarray:
    return _as_residual(weight, width).T


def _at_the_top(weight: np.ndarray, width: int) -> np.ndarray:
    weight = np.asarray(weight)
    wide = np.zeros((width, width))
    wide[: weight.shape[0], : weight.shape[1]] = weight
    return wide


def _links(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    shapes = [((1, 1), 2), ((2, 3), 5), ((2, 3), 9), ((3, 4), 10)]
    return [(rng.normal(size=shape).round(2), width) for shape, width in shapes]


AS_RESIDUAL = Exercise(
    id="7.4",
    title="A link as a residual block",
    statement="Write a linear link as the branch of a residual block on a wider stream",
    tier="apply",
    template='''\
import numpy as np


def as_residual(weight, width):
    """The matrix W (width, width) for which h + W h appends weight @ h[:c] behind the c channels.

    weight: array (k, c), a link that reads c channels and makes k. h has `width` channels, at
    least c + k; those from c on are still 0.
    """
    return ...
''',
    answer="as_residual",
    expected=_as_residual,
    inputs=_links,
    mistakes=(
        Mistake(_transposed, "Rows are outputs: the new channels are rows, what is read columns."),
        Mistake(
            _at_the_top,
            "That adds to channels that are in use. The link writes behind what it reads.",
        ),
    ),
    hint="Start from zeros; the link's weights stand in the rows of the new channels.",
    points=2,
)

# --- 7.5 ------------------------------------------------------------------------------------


def _row(weight: np.ndarray, sizes: list[int]) -> np.ndarray:
    size = np.abs(np.asarray(weight))
    ends = np.cumsum(sizes)
    parts = [size[:, end - n : end].mean() for end, n in zip(ends, sizes, strict=True)]
    return np.array(parts) / size.mean()


def _row_summed(weight: np.ndarray, sizes: list[int]) -> np.ndarray:
    size = np.abs(np.asarray(weight))
    parts = np.split(size, np.cumsum(sizes)[:-1], axis=1)
    return np.array([part.sum() for part in parts]) / size.sum()


def _row_signed(weight: np.ndarray, sizes: list[int]) -> np.ndarray:
    parts = np.split(np.asarray(weight), np.cumsum(sizes)[:-1], axis=1)
    return np.array([abs(part.mean()) for part in parts]) / np.abs(weight).mean()


def _filters(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(size=(2, sum(sizes), 3)).round(2), sizes) for sizes in ([2], [4, 2], [6, 3, 3])
    ]


ROW = Exercise(
    id="7.5",
    title="A column of the heat map",
    statement="Give the mean size of a link's weights on each source, over that of all its weights",
    tier="apply",
    template='''\
import numpy as np


def by_source(weight, sizes):
    """Mean absolute weight on each source over the mean absolute weight: array (sources,).

    weight: array (filters, channels, kernel). sizes: channels of each source, in their order.
    """
    return ...
''',
    answer="by_source",
    expected=_row,
    inputs=_filters,
    mistakes=(
        Mistake(
            _row_summed,
            "That is each source's share of the sum, which grows with its number of channels.",
        ),
        Mistake(_row_signed, "Weights of both signs cancel in a mean: take their sizes first."),
    ),
    hint="np.abs first; then cut the channel axis at the cumulative sum of the sizes.",
    points=2,
)

# --- 7.6 ------------------------------------------------------------------------------------


def _parameters(growth: int, links: int, bottleneck: int = 4) -> int:
    channels, total = 2 * growth, 27 * 2 * growth
    for block in range(3):
        for _ in range(links):
            total += (
                2 * channels + bottleneck * growth * (channels + 2) + 9 * bottleneck * growth**2
            )
            channels += growth
        total += 2 * channels
        if block < 2:
            total += channels * (channels // 2)
            channels //= 2
    return total + 10 * channels + 10


def _largest(budget: int, links: int, bottleneck: int = 4) -> int:
    growth = 1
    while _parameters(growth + 1, links, bottleneck) <= budget:
        growth += 1
    return growth


LARGEST = Exercise(
    id="7.6",
    title="The widest net for a budget",
    statement="Give the largest growth rate with which DenseNet-BC has at most so many parameters",
    tier="explore",
    template='''\
def largest_growth(budget, links):
    """Largest k for which a DenseNet-BC with three blocks of `links` links fits the budget.

    As on the page: stem 3x3 from 3 to 2k channels; each link a 1x1 to 4k and a 3x3 to k channels,
    a norm (scale and shift) in front of each; transitions norm, 1x1 to half, rounded down; at the
    end a norm and a linear head to 10 classes, with a bias. The budget allows k = 1 at least.
    """
    return ...
''',
    answer="largest_growth",
    expected=_largest,
    inputs=lambda seed: [
        (800_000, 16),
        (100_000, 3),
        (25_600_000, 31),
        (int(np.random.default_rng(seed).integers(50_000, 2_000_000)), 6),
    ],
    mistakes=(
        Mistake(
            lambda budget, links: _largest(budget, links) + 1,
            "That is one too many: with this k the net is above the budget.",
        ),
        Mistake(
            lambda budget, links: _largest(budget, links, bottleneck=1),
            "The 1x1 of a link goes to 4k channels, and its 3x3 reads as many.",
        ),
    ),
    hint="Count by a loop over blocks and links, as in By hand; then raise k until it is too much.",
    points=3,
)

EXERCISES = (COUNT, CHANNELS, KEPT, AS_RESIDUAL, ROW, LARGEST)
