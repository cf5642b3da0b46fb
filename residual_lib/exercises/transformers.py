"""Exercises of chapter 9, Transformers."""

from __future__ import annotations

import math

import numpy as np

from residual_lib.exercises.base import Arguments, Exercise, Mistake

# --- 9.1 ------------------------------------------------------------------------------------

WIDTH = 768

LAYER = Exercise(
    id="9.1",
    title="One layer of GPT-2",
    statement="Count the parameters of one layer of GPT-2 small, whose width is 768",
    tier="recall",
    template="""\
attention = ...  # queries, keys, values and the layer behind them, with biases
mlp = ...  # to four times the width and back, with biases
layer = ...  # both, and their two LayerNorms
""",
    answer="(attention, mlp, layer)",
    expected=lambda: (2_362_368, 4_722_432, 7_087_872),
    rtol=0,
    atol=1e-6,
    mistakes=(
        Mistake(
            lambda: (2_359_296, 4_718_592, 7_077_888),
            "Those are the matrices. Biases and the norms' gains are missing.",
        ),
        Mistake(
            lambda: (1_771_776, 4_722_432, 6_497_280),
            "Behind the heads stands one more layer from 768 to 768.",
        ),
        Mistake(
            lambda: (2_362_368, 4_722_432, 7_084_800),
            "The two LayerNorms have a gain and a bias for each channel.",
        ),
    ),
    hint="Four layers from 768 to 768; one to 3,072 and one back; 2 x 768 numbers for each norm.",
    points=1,
)

# --- 9.2 ------------------------------------------------------------------------------------


def _softmax(scores: np.ndarray) -> np.ndarray:
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return scores / scores.sum(axis=-1, keepdims=True)


def _attention(query: np.ndarray, key: np.ndarray, value: np.ndarray) -> np.ndarray:
    scores = query @ key.T / math.sqrt(query.shape[1])
    later = np.triu(np.ones(scores.shape, dtype=bool), 1)
    return _softmax(np.where(later, -np.inf, scores)) @ value


def _unmasked(query: np.ndarray, key: np.ndarray, value: np.ndarray) -> np.ndarray:
    return _softmax(query @ key.T / math.sqrt(query.shape[1])) @ value


def _unscaled(query: np.ndarray, key: np.ndarray, value: np.ndarray) -> np.ndarray:
    return _attention(query * math.sqrt(query.shape[1]), key, value)


def _masked_after(query: np.ndarray, key: np.ndarray, value: np.ndarray) -> np.ndarray:
    return np.tril(_softmax(query @ key.T / math.sqrt(query.shape[1]))) @ value


def _heads(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    simple = (np.zeros((2, 1)), np.zeros((2, 1)), np.array([[2.0], [4.0]]))
    return [simple, *(tuple(rng.normal(size=(n, 4)) for _ in range(3)) for n in (3, 6))]


ATTENTION = Exercise(
    id="9.2",
    title="One causal head",
    statement="Return what one head of causal attention gives",
    tier="apply",
    template='''\
import numpy as np


def attention(query, key, value):
    """softmax(Q K^T / sqrt(d)) V, where no position reads a later one.

    All three are arrays (positions, d), and so is the result.
    """
    return ...
''',
    answer="attention",
    expected=_attention,
    inputs=_heads,
    mistakes=(
        Mistake(_unmasked, "Every position reads all others there: the first must read itself."),
        Mistake(_unscaled, "Divide the products by the square root of d."),
        Mistake(
            _masked_after,
            "Masked after the softmax the shares no longer add to 1. Put -inf in before it.",
        ),
    ),
    hint="np.triu(np.ones((T, T), dtype=bool), 1) marks the later positions.",
    points=2,
)

# --- 9.3 ------------------------------------------------------------------------------------


def _distance(x: np.ndarray) -> float:
    return float(np.linalg.norm(x - x.mean(axis=0)) / np.linalg.norm(x))


def _over_channels(x: np.ndarray) -> float:
    return float(np.linalg.norm(x - x.mean(axis=1, keepdims=True)) / np.linalg.norm(x))


def _sequences(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    return [
        (np.array([[3.0, 4.0], [3.0, 4.0]]),),
        (np.array([[3.0, 0.0], [1.0, 0.0]]),),
        (2 + rng.normal(size=(5, 3)),),
    ]


DISTANCE = Exercise(
    id="9.3",
    title="How far from all alike",
    statement="Return the relative distance of a sequence to rank one, in the Frobenius norm",
    tier="apply",
    template='''\
import numpy as np


def distance(x):
    """||x - 1 m^T|| / ||x|| with the vector m that makes it smallest.

    x: array (positions, channels). 0 where every position holds the same vector.
    """
    return ...
''',
    answer="distance",
    expected=_distance,
    inputs=_sequences,
    mistakes=(
        Mistake(_over_channels, "The mean over positions is wanted: one number for each channel."),
        Mistake(
            lambda x: float(np.linalg.norm(x - x.mean(axis=0))),
            "Divide by the norm of x, or a small stream would look collapsed.",
        ),
        Mistake(
            lambda x: _distance(x) ** 2,
            "That is its square: the share of x's energy that the mean leaves out.",
        ),
    ),
    hint="In this norm m is the mean over positions.",
    points=1,
)

# --- 9.4 ------------------------------------------------------------------------------------


def _parameters(n_layer: int, n_embd: int, vocab_size: int, block_size: int) -> int:
    layer = 12 * n_embd**2 + 13 * n_embd
    return (vocab_size + block_size) * n_embd + n_layer * layer + 2 * n_embd


def _untied(n_layer: int, n_embd: int, vocab_size: int, block_size: int) -> int:
    return _parameters(n_layer, n_embd, vocab_size, block_size) + vocab_size * n_embd


def _no_last_norm(n_layer: int, n_embd: int, vocab_size: int, block_size: int) -> int:
    return _parameters(n_layer, n_embd, vocab_size, block_size) - 2 * n_embd


def _no_positions(n_layer: int, n_embd: int, vocab_size: int, block_size: int) -> int:
    return _parameters(n_layer, n_embd, vocab_size, 0)


PARAMETERS = Exercise(
    id="9.4",
    title="A whole GPT",
    statement="Return the number of parameters of a GPT",
    tier="apply",
    template='''\
def parameters(n_layer, n_embd, vocab_size, block_size):
    """Of token and position embeddings, layers with all biases, and the norm at the end.

    The MLP is four times as wide; the output uses the token embeddings.
    """
    return ...
''',
    answer="parameters",
    expected=_parameters,
    inputs=lambda seed: [
        (1, 1, 1, 1),
        (12, 768, 50257, 1024),
        (4, 64, 65, 32),
        (2 + seed, 8, 30, 16),
    ],
    rtol=0,
    atol=0.5,
    mistakes=(
        Mistake(_untied, "The output's weights are the token embeddings: count them once."),
        Mistake(_no_last_norm, "A pre-LN stack ends with one more LayerNorm."),
        Mistake(_no_positions, "Each position has an embedding too."),
    ),
    hint="A layer has 12 d^2 + 13 d parameters, where d is n_embd.",
    points=2,
)

# --- 9.5 ------------------------------------------------------------------------------------


def _normalised(x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / centred.std(axis=-1, keepdims=True)


def _lens(stream: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
    return (_normalised(stream) @ embeddings.T).argmax(axis=1)


def _raw(stream: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
    return (stream @ embeddings.T).argmax(axis=1)


def _nearest(stream: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
    gaps = np.linalg.norm(_normalised(stream)[:, None] - embeddings, axis=2)
    return gaps.argmin(axis=1)


def _written(stream: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
    return _lens(np.diff(stream, axis=0, prepend=0 * stream[:1]), embeddings)


def _streams(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    table = np.array([[1.0, 0.0, 0.0], [0.0, 3.0, 0.0], [1.0, 1.0, 1.0]])
    simple = np.array([[2.0, 1.0, 1.0], [9.0, 9.5, 9.0], [5.0, 5.0, 9.0]])
    drawn = 3 + rng.normal(size=(6, 8)).cumsum(axis=0)
    return [(simple, table), (drawn, rng.normal(size=(20, 8)) * rng.uniform(0.2, 3, (20, 1)))]


LENS = Exercise(
    id="9.5",
    title="A logit lens",
    statement="Return the token that the lens names after each block, at one position",
    tier="apply",
    template='''\
import numpy as np


def lens(stream, embeddings):
    """Number of the likeliest token behind each block, array (blocks,).

    stream: array (blocks, n), what is in the stream behind each block. embeddings: array
    (tokens, n). The last LayerNorm has gain 1 and bias 0; leave its epsilon out.
    """
    return ...
''',
    answer="lens",
    expected=_lens,
    inputs=_streams,
    mistakes=(
        Mistake(_raw, "The model normalises before it reads out: subtract the mean over channels."),
        Mistake(_nearest, "Logits are products with the embeddings, and not distances to them."),
        Mistake(_written, "Read the stream itself, with all that was written so far."),
    ),
    hint="Normalise each row, multiply by embeddings.T, take the argmax of each row.",
    points=2,
)

# --- 9.6 ------------------------------------------------------------------------------------


def _layers(start: float, limit: float, power: float) -> int:
    count = 0
    while start >= limit:
        start, count = start**power, count + 1
    return count


def _exponential(start: float, limit: float, power: float) -> int:
    return math.ceil(math.log(limit) / math.log(start))


COLLAPSE = Exercise(
    id="9.6",
    title="Doubly exponential",
    statement="Return after how many layers the distance to rank one is below a limit",
    tier="explore",
    template='''\
def layers_until(start, limit, power):
    """Layers until the distance is below `limit`, if each raises it to a power.

    0 < limit < start < 1, and power > 1: a layer makes start ** power of start.
    """
    return ...
''',
    answer="layers_until",
    expected=_layers,
    inputs=lambda seed: [
        (0.5, 0.3, 2.0),
        (0.9, 1e-6, 3.0),
        (0.98, 1e-12, 3.0),
        (0.9, 1e-6, 1.5 + 0.1 * seed),
    ],
    rtol=0,
    atol=1e-6,
    mistakes=(
        Mistake(
            _exponential,
            "That multiplies the distance by the same factor each time. Here its logarithm is "
            "multiplied.",
        ),
        Mistake(
            lambda start, limit, power: _layers(start, limit, power) - 1,
            "One too few: count the layer that passes the limit.",
        ),
    ),
    hint="Count in a loop, or solve power ** layers * log(start) < log(limit).",
    points=2,
)

EXERCISES = (LAYER, ATTENTION, DISTANCE, PARAMETERS, LENS, COLLAPSE)
