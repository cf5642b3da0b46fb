"""Exercises of chapter 4, When shapes differ: projection shortcuts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from residual_lib.exercises.base import Arguments, Exercise, Mistake

# --- 4.1 ------------------------------------------------------------------------------------

_IN, _OUT = 64, 128

PARAMETERS = Exercise(
    id="4.1",
    title="What a boundary costs",
    statement=(
        "Count the parameters that options A and B put on the shortcut where 64 channels become "
        "128, batch normalisation included"
    ),
    tier="recall",
    template="""\
option_a = ...  # parameters on the shortcut from 64 to 128 channels with option A
option_b = ...  # with option B: a 1x1 convolution without bias, then batch normalisation
""",
    answer="(option_a, option_b)",
    expected=lambda: (0, _IN * _OUT + 2 * _OUT),
    rtol=0,
    atol=0.5,
    mistakes=(
        Mistake(
            lambda: (0, _IN * _OUT),
            "Batch normalisation has a scale and a shift for each of its channels.",
        ),
        Mistake(
            lambda: (0, _IN * _OUT + _OUT),
            "Batch normalisation has two numbers a channel, scale and shift; the convolution has "
            "no bias.",
        ),
        Mistake(
            lambda: (0, _IN * _OUT + 3 * _OUT),
            "The convolution has no bias: the normalisation behind it would subtract it again.",
        ),
        Mistake(
            lambda: (0, 9 * _IN * _OUT + 2 * _OUT),
            "That kernel is 3x3. A projection is 1x1: one weight for each pair of channels.",
        ),
    ),
    hint="A pads with zeros. B has one weight for each pair of channels, and a normalisation.",
    points=1,
)

# --- 4.2 ------------------------------------------------------------------------------------


def _option_a(x: np.ndarray, out_chans: int) -> np.ndarray:
    batch, channels, height, width = x.shape
    y = np.zeros((batch, out_chans, (height + 1) // 2, (width + 1) // 2), dtype=x.dtype)
    y[:, :channels] = x[:, :, ::2, ::2]
    return y


def _averaged(x: np.ndarray) -> np.ndarray:
    return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4


def _zeros_first(x: np.ndarray, out_chans: int) -> np.ndarray:
    return np.roll(_option_a(x, out_chans), out_chans - x.shape[1], axis=1)


def _padded_average(x: np.ndarray, out_chans: int) -> np.ndarray:
    y = _option_a(x, out_chans)
    y[:, : x.shape[1]] = _averaged(x)
    return y


def _odd_pixels(x: np.ndarray, out_chans: int) -> np.ndarray:
    y = _option_a(x, out_chans)
    y[:, : x.shape[1]] = x[:, :, 1::2, 1::2]
    return y


def _repeated(x: np.ndarray, out_chans: int) -> np.ndarray:
    return np.concatenate([x[:, :, ::2, ::2]] * 2, axis=1)[:, :out_chans]


def _images(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    first = np.arange(1.0, 17.0).reshape(1, 1, 4, 4)
    return [(first, 2), (rng.normal(size=(2, 3, 4, 6)), 6), (rng.normal(size=(1, 4, 8, 2)), 8)]


OPTION_A = Exercise(
    id="4.2",
    title="Option A by hand",
    statement="Take every second pixel, and put channels of zeros behind, up to out_chans",
    tier="apply",
    template='''\
import numpy as np


def option_a(x, out_chans):
    """The shortcut of option A with a stride of 2, and the zeros behind the channels.

    x: array (batch, channels, height, width) of even height and width.
    Returns an array (batch, out_chans, height / 2, width / 2).
    """
    return ...
''',
    answer="option_a",
    expected=_option_a,
    inputs=_images,
    mistakes=(
        Mistake(_zeros_first, "The zeros stand in front; asked is that they stand behind."),
        Mistake(_odd_pixels, "A stride of 2 begins with the first pixel, number 0, not with 1."),
        Mistake(_padded_average, "That takes the mean of four pixels. Option A takes one of them."),
        Mistake(_repeated, "The new channels repeat the old ones; option A fills them with zeros."),
    ),
    hint="x[:, :, ::2, ::2] is the first part; the rest of the channels are zeros.",
    points=2,
)

# --- 4.3 ------------------------------------------------------------------------------------


def _flops(c: int, size: int) -> int:
    return 28 * c * c * size * size


def _boundaries(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    drawn = (int(rng.integers(3, 500)), 2 * int(rng.integers(3, 100)))
    return [(1, 2), (64, 56), (128, 28), (256, 14), drawn]


FLOPS = Exercise(
    id="4.3",
    title="The FLOPs of a boundary",
    statement=(
        "Count the FLOPs of a basic block with option B that takes c channels of size x size "
        "pixels to 2c channels of half the size"
    ),
    tier="apply",
    template='''\
def boundary_flops(c, size):
    """FLOPs of the three convolutions; a multiplication and an addition count as two.

    The branch: 3x3 of stride 2 from c to 2c channels, then 3x3 from 2c to 2c. The shortcut:
    1x1 of stride 2 from c to 2c. The input has c channels of size x size pixels, size is even.
    """
    return ...
''',
    answer="boundary_flops",
    expected=_flops,
    inputs=_boundaries,
    mistakes=(
        Mistake(
            lambda c, size: 14 * c * c * size * size,
            "A multiplication and an addition count as two here; that is half of it.",
        ),
        Mistake(
            lambda c, size: 27 * c * c * size * size,
            "The branch is right; the shortcut's 1x1 convolution is missing.",
        ),
        Mistake(
            lambda c, size: 4 * 28 * c * c * size * size,
            "With a stride of 2 each output has size / 2 pixels on a side, so a quarter as many.",
        ),
        Mistake(
            lambda c, size: 19 * c * c * size * size,
            "The second 3x3 convolution reads 2c channels, not c.",
        ),
    ),
    hint=(
        "For each convolution: 2 x kernel size squared x channels in x channels out x pixels out."
    ),
    points=2,
)

# --- 4.4 ------------------------------------------------------------------------------------


def _average_then_project(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return np.einsum("oc,chw->ohw", w, _averaged(x))


def _planes(seed: int) -> list[Arguments]:
    rng = np.random.default_rng(seed)
    simple = (np.arange(1.0, 5.0).reshape(1, 2, 2), np.array([[1.0], [2.0]]))
    return [
        simple,
        (rng.normal(size=(3, 4, 6)), rng.normal(size=(6, 3))),
        (rng.normal(size=(2, 8, 8)), rng.normal(size=(4, 2))),
    ]


RESNET_D = Exercise(
    id="4.4",
    title="The shortcut of ResNet-D",
    statement="Take the mean of each 2x2 square of pixels, then project the channels with w",
    tier="apply",
    template='''\
import numpy as np


def average_then_project(x, w):
    """The shortcut of ResNet-D without its normalisation, for one image.

    x: array (c, height, width) of even height and width. w: array (out, c), a 1x1 convolution.
    Returns an array (out, height / 2, width / 2).
    """
    return ...
''',
    answer="average_then_project",
    expected=_average_then_project,
    inputs=_planes,
    mistakes=(
        Mistake(
            lambda x, w: np.einsum("oc,chw->ohw", w, x[:, ::2, ::2]),
            "That is option B: it looks at one pixel of each square. Take the mean of all four.",
        ),
        Mistake(
            lambda x, w: 4 * _average_then_project(x, w),
            "That is the sum of the four pixels; the mean is a quarter of it.",
        ),
        Mistake(
            lambda x, w: np.einsum(
                "oc,chw->ohw",
                w,
                np.maximum.reduce(
                    [x[:, ::2, ::2], x[:, 1::2, ::2], x[:, ::2, 1::2], x[:, 1::2, 1::2]]
                ),
            ),
            "That takes the greatest of the four pixels. ResNet-D's pooling takes their mean.",
        ),
        Mistake(
            lambda x, w: np.einsum("oc,chw->ohw", w, x),
            "The channels are right; the size has not been halved yet.",
        ),
    ),
    hint='Four shifted slices, added and divided by 4; then np.einsum("oc,chw->ohw", w, ...).',
    points=2,
)

# --- 4.5 ------------------------------------------------------------------------------------


def _seen(size: int, kernel: int, stride: int) -> int:
    half = kernel // 2
    seen = {
        start + step
        for start in range(0, size, stride)
        for step in range(-half, half + 1)
        if 0 <= start + step < size
    }
    return len(seen)


SEEN = Exercise(
    id="4.5",
    title="Who is seen",
    statement=(
        "Count the positions of a line of the given size that a convolution of odd kernel, "
        "stride, and padding kernel // 2 reads"
    ),
    tier="apply",
    template='''\
def seen(size, kernel, stride):
    """How many of the positions 0 ... size - 1 influence the output at all.

    The convolution has an odd kernel and kernel // 2 zeros of padding on either side. Its
    outputs are centred on the positions 0, stride, 2 stride, ... below size.
    """
    return ...
''',
    answer="seen",
    expected=_seen,
    inputs=lambda seed: [
        *((8, 1, 2), (8, 3, 2), (9, 1, 2), (8, 1, 1), (10, 3, 4), (7, 1, 3), (12, 5, 8)),
        tuple(int(n) for n in np.random.default_rng(seed).integers((20, 0, 2), (60, 1, 9)) | 1),
    ],
    rtol=0,
    atol=0.5,
    mistakes=(
        Mistake(
            lambda size, kernel, stride: -(-size // stride),
            "That is the number of outputs. With a kernel of 3 an output reads three positions.",
        ),
        Mistake(
            lambda size, kernel, stride: size,
            "That says that every position is read. Where kernel < stride there are gaps.",
        ),
        Mistake(
            lambda size, kernel, stride: -(-size // stride) * kernel,
            "Two outputs may read the same position, and the padding is no position: count each "
            "real position once.",
        ),
    ),
    hint="Put the positions that each output reads into a set, and leave out the padding.",
    points=2,
)

# --- 4.6 ------------------------------------------------------------------------------------


def _passing(channels: int, size: int, share: float = 0.5) -> dict[str, Any]:
    return {
        "shape": [1, 2 * channels, size // 2, size // 2],
        "directions passed": int(share * channels * size**2),
    }


def _passed(make_shortcut: Any, channels: int, size: int) -> Any:
    """What the learner's shortcut makes of an image, and the rank of its Jacobian."""
    shortcut = make_shortcut(channels)
    if shortcut is ...:
        return shortcut
    if isinstance(shortcut, torch.nn.Module):
        shortcut = shortcut.double().eval()
    x = torch.randn(1, channels, size, size, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(
        lambda flat: shortcut(flat.reshape(x.shape)).flatten(), x.flatten()
    )
    return {
        "shape": list(shortcut(x).shape),
        "directions passed": int(torch.linalg.matrix_rank(jacobian, rtol=1e-9)),
    }


MORE = Exercise(
    id="4.6",
    title="A shortcut that loses less",
    statement=(
        "Make a linear shortcut from c channels to 2c of half the size that passes half of all "
        "directions, as many as its output has numbers"
    ),
    tier="explore",
    template='''\
from torch import nn


def make_shortcut(c):
    """A linear module from (batch, c, height, width) to (batch, 2 c, height / 2, width / 2)."""
    return ...
''',
    answer="make_shortcut",
    expected=lambda channels, size: _passing(channels, size),
    inputs=lambda seed: [(1, 2), (2, 4), (2 + seed % 3, 4 + 2 * (seed % 2))],
    observe=_passed,
    mistakes=(
        Mistake(
            lambda channels, size: _passing(channels, size, 0.25),
            "A quarter of the directions passes, as with options A, B and D: each square of four "
            "pixels has become one number a channel before the channels were mixed.",
        ),
        Mistake(
            lambda channels, size: {
                **_passing(channels, size, 1.0),
                "shape": [1, 4 * channels, size // 2, size // 2],
            },
            "All directions pass, but into four times the channels. Project them to 2c.",
        ),
    ),
    hint="Keep the four pixels of a square apart, as channels, before you project.",
    points=3,
)

EXERCISES = (PARAMETERS, OPTION_A, FLOPS, RESNET_D, SEEN, MORE)
