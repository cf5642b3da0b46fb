"""Exercises of chapter 3, The residual block."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from residual_lib.exercises.base import Arguments, Exercise, Mistake
from residual_lib.exercises.comparing import Difference, as_array, describe

# --- 3.1 ------------------------------------------------------------------------------------

COUNT = Exercise(
    id="3.1",
    title="Parameters that do nothing",
    statement=(
        "Count all parameters of the popular block with 64 channels, and those among them that "
        "do nothing in training"
    ),
    tier="recall",
    template="""\
total = ...  # of two nn.Conv2d(64, 64, 3, padding=1) and two nn.BatchNorm2d(64)
idle = ...  # of these, how many do nothing in training
""",
    answer="(total, idle)",
    expected=lambda: (74112, 128),
    rtol=0,
    atol=0,
    mistakes=(
        Mistake(
            lambda: (73984, 128),
            "The total counts what the code makes, and it makes the biases that do nothing, too.",
        ),
        Mistake(
            lambda: (73856, 128),
            "BatchNorm has two learned numbers for each channel: a scale and a shift.",
        ),
        Mistake(lambda: (74112, 64), "Both convolutions stand before a BatchNorm."),
        Mistake(
            lambda: (74112, 256),
            "BatchNorm's shift comes after the mean has been taken away: it does something.",
        ),
        Mistake(
            lambda: (74112, 0),
            "nn.Conv2d has a bias unless it is told otherwise, and what follows takes any "
            "constant away.",
        ),
    ),
    hint="A 3x3 convolution from 64 to 64 channels has 64 * 64 * 9 weights and 64 biases.",
    points=1,
)

# --- 3.2 ------------------------------------------------------------------------------------

_LINES = (True, False, False, True)

IN_PLACE = Exercise(
    id="3.2",
    title="Which += may stand",
    statement="Say for each of four ways to end a block whether backward() raises an error",
    tier="recall",
    template="""\
# Each block ends in  out += x; return out.  x comes from an earlier layer.
# a: out = torch.relu(conv(x))
# b: out = batch_norm(conv(x))
# c: out = conv(x)
# d: out = torch.sigmoid(conv(x))
raises = ...  # a list of four: True where backward() raises an error
""",
    answer="raises",
    expected=lambda: list(_LINES),
    mistakes=(
        Mistake(
            lambda: [False, True, True, False],
            "The other way round: ask what each operation keeps for its backward.",
        ),
        Mistake(
            lambda: [True, True, True, True],
            "Writing in place is an error only where backward needs the number that was there.",
        ),
        Mistake(
            lambda: [True, True, False, True],
            "BatchNorm's backward needs its input and the batch's statistics, not its output.",
        ),
        Mistake(
            lambda: [False, False, False, True],
            "PyTorch's ReLU keeps its output: where that is 0 the slope is 0.",
        ),
        Mistake(
            lambda: [False, False, False, False],
            "Some operations keep their output for backward: the sigmoid's slope is s (1 - s).",
        ),
    ),
    hint="Ask for each operation whether its slope is computed from its input or its output.",
    points=1,
)

# --- 3.3 ------------------------------------------------------------------------------------


def _backward(
    x: np.ndarray, w1: np.ndarray, w2: np.ndarray, dy: np.ndarray, turn: str = ""
) -> np.ndarray:
    """dL/dx of relu(x + relu(x w1') w2'), with the wrong turns that can be taken on the way."""
    a = x @ w1.T
    total = x + np.maximum(a, 0) @ w2.T
    if turn != "no last relu":
        dy = dy * (total > 0)
    inner = dy @ w2
    if turn != "no inner relu":
        inner = inner * (a > 0)
    branch = inner @ w1
    return {"no skip": branch, "skip only": dy, "one": branch + 1}.get(turn, dy + branch)


def _by_autograd(x: np.ndarray, w1: np.ndarray, w2: np.ndarray, dy: np.ndarray) -> np.ndarray:
    h = torch.tensor(x, requires_grad=True)
    first, second = torch.tensor(w1), torch.tensor(w2)
    y = torch.relu(h + torch.relu(h @ first.T) @ second.T)
    y.backward(torch.tensor(dy))
    assert h.grad is not None
    return h.grad.numpy()


def _blocks(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    small = (np.array([[1.0]]), np.array([[2.0]]), np.array([[3.0]]), np.array([[1.0]]))
    return [
        small,
        *(
            (
                rng.normal(size=(6, n)),
                rng.normal(size=(2 * n, n)),
                rng.normal(size=(n, 2 * n)),
                rng.normal(size=(6, n)),
            )
            for n in (3, 4, 5)
        ),
    ]


BACKWARD = Exercise(
    id="3.3",
    title="Backward through the block",
    statement="Return the gradient in x of the block y = relu(x + relu(x w1') w2')",
    tier="apply",
    template='''\
import numpy as np


def backward(x, w1, w2, dy):
    """dL/dx for y = relu(x + relu(x @ w1.T) @ w2.T), given dy = dL/dy.

    x, dy: (batch, n); w1: (m, n); w2: (n, m). Returns an array of x's shape.
    """
    return ...
''',
    answer="backward",
    expected=_by_autograd,
    inputs=_blocks,
    rtol=1e-6,
    atol=1e-10,
    mistakes=(
        Mistake(
            lambda x, w1, w2, dy: _backward(x, w1, w2, dy, "no skip"),
            "What comes through the skip is missing: x goes two ways, so two gradients add up.",
        ),
        Mistake(
            lambda x, w1, w2, dy: _backward(x, w1, w2, dy, "skip only"),
            "What comes through the branch is missing.",
        ),
        Mistake(
            lambda x, w1, w2, dy: _backward(x, w1, w2, dy, "one"),
            "The 1 in dF/dx + 1 stands for the identity: it is multiplied by the gradient too.",
        ),
        Mistake(
            lambda x, w1, w2, dy: _backward(x, w1, w2, dy, "no last relu"),
            "The ReLU after the addition closes both ways where its input is negative.",
        ),
        Mistake(
            lambda x, w1, w2, dy: _backward(x, w1, w2, dy, "no inner relu"),
            "The ReLU inside the branch is missing on the way back.",
        ),
    ),
    hint="First through the last ReLU; then add what comes through the skip and the branch.",
    points=2,
)

# --- 3.4 ------------------------------------------------------------------------------------


def _summary(make: Any, channels: int, seed: int) -> Any:
    """What a learner's block is: parameters that do something, and its outputs."""
    torch.manual_seed(seed)
    block = make(channels)
    x = torch.randn(4, channels, 5, 5)
    norms = [part for part in block.modules() if isinstance(part, nn.BatchNorm2d)]
    layers = [part for part in block.modules() if isinstance(part, nn.Conv2d)]
    with torch.no_grad():
        for norm in norms:
            norm.weight.zero_()
        silent = block(x.clone())
        if not isinstance(silent, Tensor):
            return silent
        for norm in norms:
            norm.weight.fill_(1.0)
        for layer in layers:
            layer.weight.fill_(0.01)
        loud = block(x.clone())
    return {
        "parameters": sum(p.numel() for p in block.parameters()),
        "with silent branch": silent.mean((0, 2, 3)),
        "with branch": loud.mean((0, 2, 3)),
    }


class _Reference(nn.Module):
    def __init__(self, channels: int, bias: bool = False, skip: bool = True, relu: bool = True):
        super().__init__()

        def layers() -> list[nn.Module]:
            conv = nn.Conv2d(channels, channels, 3, padding=1, bias=bias)
            return [conv, nn.BatchNorm2d(channels)]

        self.branch = nn.Sequential(*layers(), nn.ReLU(), *layers())
        self.skip, self.relu = skip, relu

    def forward(self, x: Tensor) -> Tensor:
        y = self.branch(x) + x if self.skip else self.branch(x)
        return torch.relu(y) if self.relu else y


BLOCK = Exercise(
    id="3.4",
    title="A block without idle parameters",
    statement="Write the block of the diagram, without parameters that do nothing",
    tier="apply",
    template='''\
import torch
from torch import nn


class Block(nn.Module):
    """conv 3x3, BatchNorm, ReLU, conv 3x3, BatchNorm; add x; ReLU. Shapes stay."""

    def __init__(self, channels):
        super().__init__()
        self.branch = ...

    def forward(self, x):
        return ...
''',
    answer="Block",
    expected=lambda channels, seed: _summary(_Reference, channels, seed),
    inputs=lambda seed: [(2, seed), (8, seed)],
    observe=_summary,
    rtol=1e-4,
    atol=1e-5,
    mistakes=(
        Mistake(
            lambda channels, seed: _summary(lambda c: _Reference(c, bias=True), channels, seed),
            "Right in what it computes; but the convolutions have biases, and BatchNorm takes "
            "them away.",
        ),
        Mistake(
            lambda channels, seed: _summary(lambda c: _Reference(c, skip=False), channels, seed),
            "The x is missing: that is a plain block.",
        ),
        Mistake(
            lambda channels, seed: _summary(lambda c: _Reference(c, relu=False), channels, seed),
            "The ReLU after the addition is missing.",
        ),
    ),
    hint="relu(x + branch(x)), with bias=False in both convolutions.",
    points=3,
)

# --- 3.5 ------------------------------------------------------------------------------------


def _pulled(wanted: float, decay: float, skip: bool) -> float:
    """By search, not by the formula."""
    slopes = np.linspace(-4, 4, 800_001)
    branch = slopes - skip
    cost = (slopes - wanted) ** 2 + 2 * decay * np.abs(branch)
    return float(slopes[np.argmin(cost)])


def _soft(wanted: float, decay: float, skip: bool, floor: bool = True) -> float:
    branch = wanted - skip
    size = abs(branch) - decay
    return skip + (max(size, 0.0) if floor else size) * (1 if branch >= 0 else -1)


PULLED = Exercise(
    id="3.5",
    title="Where decay pulls",
    statement="Return the slope that weight decay settles for, of a plain and of a residual block",
    tier="apply",
    template='''\
def pulled(wanted, decay, skip):
    """The slope h that minimises (h - wanted)^2 + decay (u^2 + v^2).

    h = u v for a plain block (skip is False), h = 1 + u v for a residual one (skip is True).
    """
    return ...
''',
    answer="pulled",
    expected=_pulled,
    inputs=lambda seed: [
        (1.0, 0.25, False),
        (1.0, 0.25, True),
        (-1.0, 0.25, False),
        (-1.0, 0.25, True),
        (0.5, 2.0, False),
        (0.5, 2.0, True),
        (-1.0, 3.0, True),
        (2 * float(np.random.default_rng(seed).random()) - 1, 0.3, True),
    ],
    rtol=0,
    atol=1e-4,
    mistakes=(
        Mistake(
            lambda wanted, decay, skip: _soft(wanted, decay, skip, floor=False),
            "Decay pulls the branch to 0 and not past it.",
        ),
        Mistake(
            lambda wanted, decay, skip: _soft(wanted, decay, False),
            "With the skip the branch has to give wanted - 1, and it is the branch that decays.",
        ),
        Mistake(
            lambda wanted, decay, skip: skip + (wanted - skip) / (1 + decay),
            "That is the answer for one weight, with decay * w^2. Here u^2 + v^2 is paid for, and "
            "its least value for a given product u v is 2 |u v|.",
        ),
    ),
    hint="For a given product u v the least of u^2 + v^2 is 2 |u v|: insert it and differentiate.",
    points=2,
)

# --- 3.6 ------------------------------------------------------------------------------------


def _compare_bias(expected: Any, got: Any) -> Difference | None:
    low, high = expected
    bias = as_array(got)
    if bias is None or bias.size != 1:
        return Difference(f"a bias is one number, got {describe(got)}", "type")
    inside = low <= float(bias.ravel()[0]) <= high
    return None if inside else Difference("outside of the range that does both")


GATES = Exercise(
    id="3.6",
    title="A bias for fifty highway blocks",
    statement=(
        "Find a gate bias with which 50 highway blocks keep 60 % of their input before training, "
        "and each gate is open by 0.5 % at least"
    ),
    tier="explore",
    template="""\
bias = ...  # what do 50 blocks keep, and how far is a gate open?
""",
    answer="bias",
    expected=lambda: (math.log(0.005 / 0.995), math.log(1 / 0.6 ** (1 / 50) - 1)),
    comparison=_compare_bias,
    mistakes=(
        Mistake(
            lambda: (-math.inf, math.log(0.005 / 0.995)),
            "The input passes, but the gates are nearly shut: the branches hardly learn.",
        ),
        Mistake(
            lambda: (math.log(1 / 0.6 ** (1 / 50) - 1), math.inf),
            "Too open: what is kept is multiplied 50 times.",
        ),
    ),
    hint="sigmoid(bias) is how far a gate is open, (1 - sigmoid(bias))^50 what is kept.",
    points=2,
)

EXERCISES = (COUNT, IN_PLACE, BACKWARD, BLOCK, PULLED, GATES)
