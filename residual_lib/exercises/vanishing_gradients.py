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

EXERCISES = (SIGMOID, TEN_LAYERS, HE)
