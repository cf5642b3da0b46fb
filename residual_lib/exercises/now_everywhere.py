"""Exercises of chapter 14, skips in five fields and what comes next."""

from __future__ import annotations

import numpy as np

from residual_lib.exercises.base import Arguments, Exercise, Mistake

# --- 14.1 -----------------------------------------------------------------------------------

COUNT = Exercise(
    id="14.1",
    title="Skips counted",
    statement="Count the skips of EfficientNet-B0, Conformer-S and IMPALA's trunk",
    tier="recall",
    template="""\
b0 = ...  # stages of 1, 2, 2, 3, 3, 4, 1 blocks; the first of each has no skip
conformer = ...  # 16 blocks
impala = ...  # 3 stages of a convolution, a pooling and 2 residual blocks
""",
    answer="(b0, conformer, impala)",
    expected=lambda: (9, 64, 6),
    mistakes=(
        Mistake(
            lambda: (16, 64, 6),
            "Where a block changes the channels or the size, MBConv has no skip at all.",
        ),
        Mistake(
            lambda: (9, 16, 6),
            "A Conformer block is four residual blocks in a row: half, attention, convolution, "
            "half.",
        ),
        Mistake(lambda: (9, 64, 9), "The convolution and the pooling of a stage have no skip."),
    ),
    hint="Add up blocks minus one for each stage; four a block; two a stage.",
)

# --- 14.2 -----------------------------------------------------------------------------------


def _mbconv(channels: int, expansion: int, kernel: int, per_norm: int = 2) -> int:
    inner = channels * expansion
    squeezed = max(1, channels // 4)
    convolutions = 2 * channels * inner + kernel**2 * inner
    norms = per_norm * (2 * inner + channels)
    gate = inner * squeezed + squeezed + squeezed * inner + inner
    return convolutions + norms + gate


def _full_convolution(channels: int, expansion: int, kernel: int) -> int:
    inner = channels * expansion
    return _mbconv(channels, expansion, kernel) + kernel**2 * inner * (inner - 1)


MBCONV = Exercise(
    id="14.2",
    title="MBConv counted",
    statement="Count the parameters of an MBConv block with a skip",
    tier="apply",
    template='''\
def mbconv(channels, expansion, kernel):
    """Parameters of MBConv from `channels` to as many, with expansion > 1.

    1x1 to channels * expansion, depthwise kernel x kernel, gate, 1x1 back. No convolution has a
    bias; a BatchNorm (scale and shift) follows each. The gate's two layers have biases, with
    channels // 4 units (at least 1) between them.
    """
    return ...
''',
    answer="mbconv",
    expected=_mbconv,
    inputs=lambda seed: [
        (4, 2, 3),
        (24, 6, 3),
        (40, 6, 5),
        (int(np.random.default_rng(seed).integers(8, 99)), 6, 5),
    ],
    mistakes=(
        Mistake(
            _full_convolution, "Depthwise: each channel has one kernel of its own, and only that."
        ),
        Mistake(
            lambda channels, expansion, kernel: _mbconv(channels, expansion, kernel, 0),
            "Three norms follow the three convolutions, each with a scale and a shift a channel.",
        ),
    ),
    hint="Three convolutions, three norms, two layers of the gate: add up.",
    points=2,
)

# --- 14.3 -----------------------------------------------------------------------------------


def _merged(W: np.ndarray, B: np.ndarray, A: np.ndarray, alpha: float) -> np.ndarray:
    W, B, A = map(np.asarray, (W, B, A))
    return W + alpha / A.shape[0] * B @ A


def _matrices(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    cases = []
    for rows, columns, rank, alpha in ((2, 2, 1, 1.0), (3, 2, 1, 4.0), (4, 5, 2, 8.0)):
        shapes = (rows, columns), (rows, rank), (rank, columns)
        cases.append((*(rng.normal(size=shape).round(2) for shape in shapes), alpha))
    return cases


LORA = Exercise(
    id="14.3",
    title="An adapter folded into its weight",
    statement="Give the single matrix that does what a weight and its low-rank branch do",
    tier="apply",
    template='''\
def merged(W, B, A, alpha):
    """The array M with M x = W x + (alpha / r) B A x for every x.

    Arrays W: (rows, columns), B: (rows, r), A: (r, columns). r is the rank.
    """
    return ...
''',
    answer="merged",
    expected=_merged,
    inputs=_matrices,
    mistakes=(
        Mistake(
            lambda W, B, A, alpha: np.asarray(W) + alpha * np.asarray(B) @ np.asarray(A),
            "The scale is alpha divided by the rank.",
        ),
        Mistake(
            lambda W, B, A, alpha: alpha / np.asarray(A).shape[0] * np.asarray(B) @ np.asarray(A),
            "That is the branch. The frozen weight is the shortcut, and still there.",
        ),
    ),
    hint="Linear maps add: the shortcut's matrix plus the scaled product of the two others.",
    points=2,
)

# --- 14.4 -----------------------------------------------------------------------------------


def _step(H: np.ndarray, mix: np.ndarray, read: np.ndarray, write: np.ndarray) -> np.ndarray:
    H, mix, read, write = map(np.asarray, (H, mix, read, write))
    return mix @ H + np.outer(write, np.tanh(read @ H))


def _streams(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    cases = []
    for n, d in ((1, 2), (2, 3), (3, 4)):
        shapes = (n, d), (n, n), (n,), (n,)
        cases.append(tuple(rng.normal(size=shape).round(2) for shape in shapes))
    return cases


HYPER = Exercise(
    id="14.4",
    title="One hyper-connection",
    statement="Compute what several streams become at a hyper-connection around tanh",
    tier="apply",
    template='''\
import numpy as np


def step(H, mix, read, write):
    """The streams behind a hyper-connection whose layer is tanh: array (n, d).

    H: (n, d), a stream a row. mix: (n, n), row i says what stream i becomes without the layer.
    read: (n,), the weights of what the layer reads. write: (n,), what each stream gets of it.
    """
    return ...
''',
    answer="step",
    expected=_step,
    inputs=_streams,
    mistakes=(
        Mistake(
            lambda H, mix, read, write: (
                np.asarray(H) + np.outer(write, np.tanh(np.asarray(read) @ np.asarray(H)))
            ),
            "The shortcut isn't the identity here: the streams are mixed.",
        ),
        Mistake(
            lambda H, mix, read, write: (
                np.asarray(mix) @ np.asarray(H) + np.tanh(np.asarray(read) @ np.asarray(H))
            ),
            "Each stream has a weight of its own for the layer's output.",
        ),
    ),
    hint="mix @ H is the shortcut; the branch reads read @ H and writes an outer product.",
    points=2,
)

# --- 14.5 -----------------------------------------------------------------------------------


def _routed(x: list[float], experts: list[int], factors: list[float], capacity: int) -> list[float]:
    used = [0] * len(factors)
    out = []
    for value, expert in zip(x, experts, strict=True):
        used[expert] += 1
        out.append(value + factors[expert] * value if used[expert] <= capacity else value)
    return out


def _dropped_to_zero(
    x: list[float], experts: list[int], factors: list[float], capacity: int
) -> list[float]:
    used = [0] * len(factors)
    out = []
    for value, expert in zip(x, experts, strict=True):
        used[expert] += 1
        out.append(value + factors[expert] * value if used[expert] <= capacity else 0.0)
    return out


def _tokens(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    more = rng.normal(size=9).round(2).tolist(), rng.integers(0, 3, 9).tolist()
    return [
        ([1.0, 2.0], [0, 1], [1.0, -0.5], 1),
        ([1.0, 2.0, 3.0], [0, 0, 1], [1.0, 2.0], 1),
        (*more, [0.5, -1.0, 2.0], 2),
    ]


ROUTED = Exercise(
    id="14.5",
    title="Experts that are full",
    statement="Pass tokens through a residual block whose branch is one expert of several",
    tier="apply",
    template='''\
def routed(x, experts, factors, capacity):
    """Outputs of the block x + F(x), a list of numbers.

    x: a number for each token. experts: the expert that each token is sent to. factors: expert e
    computes factors[e] * x. capacity: an expert takes that many tokens, the first ones; for those
    that come later the branch gives nothing.
    """
    return ...
''',
    answer="routed",
    expected=_routed,
    inputs=_tokens,
    mistakes=(
        Mistake(
            _dropped_to_zero,
            "A token that no expert takes still has its skip: it comes out as it was.",
        ),
        Mistake(
            lambda x, experts, factors, capacity: _routed(x, experts, factors, len(x)),
            "An expert that is full computes nothing more.",
        ),
    ),
    hint="Go through the tokens in their order and count how many each expert has taken.",
    points=2,
)

# --- 14.6 -----------------------------------------------------------------------------------


def _largest(rows: int, columns: int, share: float) -> int:
    rank = 0
    while (rank + 1) * (rows + columns) <= share * rows * columns:
        rank += 1
    return rank


RANK = Exercise(
    id="14.6",
    title="The largest rank for a share",
    statement="Give the largest rank of an adapter with at most a share of its weight's numbers",
    tier="explore",
    template='''\
def largest_rank(rows, columns, share):
    """Largest r for which B (rows, r) and A (r, columns) have at most share * rows * columns
    numbers together; 0 if there is none."""
    return ...
''',
    answer="largest_rank",
    expected=_largest,
    inputs=lambda seed: [
        (4, 4, 0.5),
        (768, 768, 0.01),
        (10, 1000, 0.001),
        (int(np.random.default_rng(seed).integers(50, 999)), 300, 0.13),
    ],
    mistakes=(
        Mistake(
            lambda rows, columns, share: int(share * min(rows, columns)),
            "That is the share of the full rank. Two matrices have to be paid for.",
        ),
        Mistake(
            lambda rows, columns, share: _largest(rows, columns, share) + 1,
            "One too many: with this rank the share is exceeded.",
        ),
    ),
    hint="r (rows + columns) numbers against share times rows times columns.",
    points=2,
)

EXERCISES = (COUNT, MBCONV, LORA, HYPER, ROUTED, RANK)
