"""Exercises of chapter 1, Vanishing and exploding gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from residual_lib.exercises.base import Arguments, Exercise, Mistake
from residual_lib.exercises.comparing import Difference, as_array, describe

# --- 1.1 ------------------------------------------------------------------------------------

SIGMOID = Exercise(
    id="1.1",
    title="The steepest sigmoid",
    statement=(
        "Give the greatest slope of the sigmoid, and the bound that follows for the gradient "
        "through ten sigmoid layers with weights of 1"
    ),
    tier="recall",
    template="""\
steepest = ...  # the greatest value of the derivative of 1 / (1 + exp(-z))
bound = ...  # no |dy/dx| of ten layers h -> sigmoid(h), one after the other, is greater
""",
    answer="(steepest, bound)",
    expected=lambda: (0.25, 0.25**10),
    # Whoever rounds to 9.5e-7 has understood.
    rtol=0.01,
    atol=0,
    mistakes=(
        Mistake(lambda: (1.0, 1.0), "A slope of 1 is that of tanh at 0; the sigmoid is flatter."),
        Mistake(
            lambda: (0.5, 0.5**10),
            "0.5 is the value of the sigmoid at 0. Its slope is sigmoid(z) (1 - sigmoid(z)).",
        ),
        Mistake(
            lambda: (0.25, 2.5),
            "By the chain rule the slopes of the layers are multiplied, not added.",
        ),
        Mistake(
            lambda: (0.25, 0.25),
            "The second number is for all ten layers: the chain rule has one factor for each.",
        ),
    ),
    hint="The slope of the sigmoid is sigmoid(z) (1 - sigmoid(z)): where is it greatest?",
    points=1,
)

# --- 1.2 ------------------------------------------------------------------------------------


def _gradients_by_autograd(w: np.ndarray, x: float) -> np.ndarray:
    """The right answer by another road than the learner's."""
    hidden = [torch.tensor(x, dtype=torch.float64, requires_grad=True)]
    for weight in w:
        hidden.append(torch.tanh(float(weight) * hidden[-1]))
    return torch.stack(torch.autograd.grad(hidden[-1], hidden[:-1])).numpy()


def _backwards(w: np.ndarray, x: float, slope: str = "", weight: bool = True) -> np.ndarray:
    """The learner's road, with the wrong turns that can be taken on it."""
    hidden = [x]
    for factor in w:
        hidden.append(math.tanh(factor * hidden[-1]))
    gradients, g = [], 1.0
    for k in reversed(range(len(w))):
        at = {"of the input": hidden[k], "of z": w[k] * hidden[k]}.get(slope, hidden[k + 1])
        g *= (w[k] if weight else 1.0) * (1.0 if slope == "none" else 1 - at**2)
        gradients.append(g)
    return np.array(gradients[::-1])


def _nets(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    random_nets = [
        (rng.uniform(0.4, 1.6, size=10) * rng.choice([-1.0, 1.0], size=10), rng.uniform(-2, 2))
        for _ in range(6)
    ]
    return [(np.array([2.0]), 0.5), (np.array([1.0, 2.0, 0.5]), 0.5), *random_nets]


TEN_LAYERS = Exercise(
    id="1.2",
    title="Ten layers by hand",
    statement=(
        "Return dy/dh for the input h of every layer of the net h -> tanh(w[k] h), as an array "
        "as long as w"
    ),
    tier="apply",
    template='''\
import numpy as np


def gradients(w, x):
    """dy/dh_k for k = 0, 1, ..., where h_0 = x, h_{k+1} = tanh(w[k] h_k), y is the last h.

    w: array of the weights, one a layer. x: a number. Returns an array as long as w.
    """
    return ...
''',
    answer="gradients",
    expected=_gradients_by_autograd,
    inputs=_nets,
    rtol=1e-6,
    atol=1e-14,
    mistakes=(
        Mistake(
            lambda w, x: _backwards(w, x, weight=False),
            "The factor w[k] is missing: dh_{k+1}/dh_k = w[k] (1 - tanh(w[k] h_k)^2).",
        ),
        Mistake(
            lambda w, x: _backwards(w, x, slope="none"),
            "The slope of tanh is missing: dh_{k+1}/dh_k = w[k] (1 - tanh(w[k] h_k)^2).",
        ),
        Mistake(
            lambda w, x: _backwards(w, x, slope="of the input"),
            "The slope of tanh is taken at the wrong place: 1 - h^2 is right with the h that "
            "comes out of the layer, h_{k+1}.",
        ),
        Mistake(
            lambda w, x: _backwards(w, x, slope="of z"),
            "The slope of tanh at z is 1 - tanh(z)^2, not 1 - z^2.",
        ),
        Mistake(
            lambda w, x: np.append(_backwards(w, x)[1:], 1.0),
            "That is the gradient at the output of each layer; its input is one factor further.",
        ),
    ),
    hint="Start from dy/dy = 1 at the last layer, and multiply by w[k] (1 - h_{k+1}^2) backwards.",
    points=2,
)

# --- 1.3 ------------------------------------------------------------------------------------

_TOLERANCE = 0.05  # of the standard deviation; 90,000 normal numbers give 0.0024


def _he(fan_in: int, fan_out: int) -> dict[str, Any]:
    return {"shape": (fan_out, fan_in), "std": math.sqrt(2 / fan_in)}


def _summary(relu_weights: Any, fan_in: int, fan_out: int) -> Any:
    """What can be said of random numbers; an output that isn't an array stays as it is."""
    output = relu_weights(fan_in, fan_out)
    weights = as_array(output)
    if weights is None or not weights.size:
        return output
    return {
        "shape": weights.shape,
        "mean": float(weights.mean()),
        "std": float(weights.std()),
    }


def _compare_weights(expected: dict[str, Any], got: Any) -> Difference | None:
    if not isinstance(got, dict):
        return Difference(f"expected a tensor of weights, got {describe(got)}", "type")
    shape = tuple(got["shape"])
    if shape != expected["shape"]:
        text = f"expected the shape (fan_out, fan_in) = {expected['shape']}, got {shape}"
        return Difference(text, "shape")
    std = got["std"]
    if not math.isclose(std, expected["std"], rel_tol=_TOLERANCE):
        return Difference(f"expected a standard deviation of {expected['std']:.4g}, got {std:.4g}")
    # Six standard errors: with fair weights this happens once in 500 million times.
    if not abs(got["mean"]) < 6 * expected["std"] / math.sqrt(math.prod(shape)):
        return Difference(f"expected a mean of 0, got {got['mean']:.4g}")
    return None


def _with_std(std: Any) -> Any:
    return lambda fan_in, fan_out: {**_he(fan_in, fan_out), "std": std(fan_in, fan_out)}


HE = Exercise(
    id="1.3",
    title="Weights for ReLU",
    statement=(
        "Return random weights of shape (fan_out, fan_in) with which a ReLU layer keeps the mean "
        "square of its input"
    ),
    tier="apply",
    template='''\
import torch


def relu_weights(fan_in, fan_out):
    """Random weights of mean 0, a tensor of shape (fan_out, fan_in), as in torch.nn.Linear."""
    std = ...
    return std * torch.randn(fan_out, fan_in)
''',
    answer="relu_weights",
    expected=_he,
    inputs=lambda seed: [(400, 300), (100, 900), (1000, 100)],
    observe=_summary,
    comparison=_compare_weights,
    mistakes=(
        Mistake(
            _with_std(lambda fan_in, fan_out: math.sqrt(1 / fan_in)),
            "With 1/fan_in the sum keeps the mean square, and the ReLU after it lets half through.",
        ),
        Mistake(
            _with_std(lambda fan_in, fan_out: math.sqrt(2 / fan_out)),
            "That keeps the gradient's scale on the way back. On the way forward each output "
            "sums over fan_in terms.",
        ),
        Mistake(
            _with_std(lambda fan_in, fan_out: 2 / fan_in),
            "2/fan_in is the variance; randn is multiplied by the standard deviation.",
        ),
        Mistake(
            _with_std(lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out))),
            "That is Xavier's compromise between both directions, made for tanh near 0.",
        ),
    ),
    hint="Each output sums fan_in terms, and a ReLU halves the mean square of what it is given.",
    points=2,
)

# --- 1.4 ------------------------------------------------------------------------------------


def _bounds(jacobians: np.ndarray) -> np.ndarray:
    values = np.linalg.svd(jacobians, compute_uv=False)
    return np.array([values[:, -1].prod(), values[:, 0].prod()])


def _bounds_by_eigenvalues(jacobians: np.ndarray) -> np.ndarray:
    sizes = np.abs(np.linalg.eigvals(jacobians))
    return np.array([sizes.min(axis=1).prod(), sizes.max(axis=1).prod()])


def _chains(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    shear = np.array([[0.5, 4.0], [0.0, 0.5]])
    return [
        (np.array([np.diag([2.0, 0.1]), np.diag([0.1, 2.0])]),),
        (np.array([shear, shear.T]),),
        *((rng.normal(size=(length, 3, 3)),) for length in (2, 4, 8)),
    ]


BOUNDS = Exercise(
    id="1.4",
    title="How far a product can shrink",
    statement=(
        "Return the sharpest bounds that the singular values of each layer give for the factor "
        "by which the whole chain can change a gradient's length"
    ),
    tier="apply",
    template='''\
import numpy as np


def bounds(jacobians):
    """(low, high) with low |g| <= |J_1^T ... J_L^T g| <= high |g| for every vector g.

    jacobians: array of shape (L, n, n), one square matrix a layer.
    """
    low, high = ...
    return low, high
''',
    answer="bounds",
    expected=_bounds,
    inputs=_chains,
    rtol=1e-6,
    atol=1e-12,
    mistakes=(
        Mistake(
            _bounds_by_eigenvalues,
            "Those are eigenvalues. A matrix whose eigenvalues are 0.5 can still stretch a vector "
            "by 4; the singular values say by how much.",
        ),
        Mistake(
            lambda jacobians: np.linalg.svd(np.linalg.multi_dot(jacobians[::-1]), compute_uv=False)[
                [-1, 0]
            ],
            "Those are the singular values of the product. They are the exact answer for this "
            "chain; asked is what follows from each layer's alone.",
        ),
        Mistake(
            lambda jacobians: np.repeat(np.abs(np.linalg.det(jacobians)).prod(), 2),
            "The determinant is the product of all singular values of a layer, so it can't tell "
            "one direction that shrinks from another that grows.",
        ),
        Mistake(
            lambda jacobians: (
                lambda values: np.array([values.min() ** len(values), values.max() ** len(values)])
            )(np.linalg.svd(jacobians, compute_uv=False)),
            "That takes the worst layer for every layer. Each layer has a smallest and a largest "
            "singular value of its own: multiply those.",
        ),
    ),
    hint="np.linalg.svd(jacobians, compute_uv=False) has the singular values of each layer.",
    points=2,
)

# --- 1.5 ------------------------------------------------------------------------------------


def _growth(h: np.ndarray, slope: np.ndarray) -> float:
    return float((slope**2).mean() / h.var())


def _units(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=40)
    return [
        (np.array([0.0, 0.0, 1.0, 3.0]), np.array([0.0, 0.0, 1.0, 1.0])),
        (z.clip(0), (z > 0).astype(float)),
        (np.tanh(z), 1 - np.tanh(z) ** 2),
        (3 * z, np.full_like(z, 3.0)),
    ]


GROWTH = Exercise(
    id="1.5",
    title="What BatchNorm makes of the gradient",
    statement=(
        "Return the factor per layer by which the gradient's squared norm grows through "
        "BatchNorm, for a large batch"
    ),
    tier="apply",
    template='''\
import numpy as np


def growth(h, slope):
    """E[phi'(z)^2] / Var[phi(z)], from examples.

    h: array of phi(z), slope: array of phi'(z), for the same z drawn from N(0, 1).
    """
    return ...
''',
    answer="growth",
    expected=_growth,
    inputs=_units,
    rtol=1e-6,
    mistakes=(
        Mistake(
            lambda h, slope: float((slope**2).mean() / (h**2).mean()),
            "That divides by the mean square. LayerNorm does so in effect; BatchNorm takes each "
            "unit's mean over the batch away first.",
        ),
        Mistake(
            lambda h, slope: float(slope.mean() ** 2 / h.var()),
            "Square the slopes first, then take the mean: the gradient's square is what adds up.",
        ),
        Mistake(
            lambda h, slope: float(h.var() / (slope**2).mean()),
            "Upside down: BatchNorm divides by the standard deviation, so a small variance makes "
            "the gradient large.",
        ),
        Mistake(
            lambda h, slope: float(np.sqrt((slope**2).mean() / h.var())),
            "That is the growth of the norm; asked is that of its square.",
        ),
        Mistake(
            lambda h, slope: float((slope**2).mean() / h.var(ddof=1)),
            "That variance divides by one less than the number of examples; BatchNorm divides by "
            "the number.",
        ),
    ),
    hint="The mean of slope squared, divided by the variance of h.",
    points=2,
)

# --- 1.6 ------------------------------------------------------------------------------------

# Measured over ten seeds, log10 of the ratio: -0.40 at 1.05, -0.17 at 1.1, 0.17 at 1.2, 0.33 at
# 1.25; a factor of two is 0.30.
_LEAST_GAIN, _MOST_GAIN = 1.07, 1.24


def _compare_gain(expected: tuple[float, float], got: Any) -> Difference | None:
    """Judge a number by the interval that it has to lie in."""
    gain = as_array(got)
    if gain is None or gain.size != 1:
        return Difference(f"expected one number, got {describe(got)}", "type")
    low, high = expected
    return None if low <= float(gain.ravel()[0]) <= high else Difference("outside")


GAIN = Exercise(
    id="1.6",
    title="The gain that tanh wants",
    statement=(
        "Find a gain g so that tanh nets of 50 layers of 64 units, weights N(0, g^2 / 64), keep "
        "their gradient within a factor of 2"
    ),
    tier="explore",
    template="""\
gain = ...  # measure gradient_norms for some gains, several seeds each, and choose
""",
    answer="gain",
    expected=lambda: (_LEAST_GAIN, _MOST_GAIN),
    comparison=_compare_gain,
    mistakes=(
        Mistake(
            lambda: (0.0, _LEAST_GAIN),
            "Too small, the gradient vanishes: a gain of 1 would do without the tanh, and every "
            "tanh takes a little away.",
        ),
        Mistake(
            lambda: (_MOST_GAIN, math.inf),
            "Too large, the gradient explodes. He's factor 2 is for ReLU, which halves the mean "
            "square; tanh takes much less away.",
        ),
    ),
    hint="Start from the gain 1, which is Xavier's initialisation, and vary it in steps of 0.05.",
    points=3,
)

EXERCISES = (SIGMOID, TEN_LAYERS, HE, BOUNDS, GROWTH, GAIN)
