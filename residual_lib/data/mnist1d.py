"""MNIST-1D: ten classes of short signals, made by a program (Greydanus and Kobak)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from residual_lib.data.base import Data, Source, check_number

_TEMPLATE_LENGTH = 12  # points of each hand-drawn template in the package


def load(
    *,
    num_samples: int = 5000,
    train_split: float = 0.8,
    final_seq_length: int = 40,
    padding: tuple[int, int] = (36, 60),
    scale_coeff: float = 0.4,
    max_translation: int = 48,
    corr_noise_scale: float = 0.25,
    iid_noise_scale: float = 0.02,
    shear_scale: float = 0.75,
    shuffle_seq: bool = False,
    seed: int = 42,
) -> Data:
    """Make MNIST-1D. Names and defaults of the arguments are those of the `mnist1d` package.

    Args:
        num_samples: training and test samples together, a multiple of 10.
        train_split: share of the samples that is for training, 0 to 1.
        final_seq_length: points of a signal, L.
        padding: least and greatest number of zeros put after the 12-point template.
        scale_coeff: width of the range of random scale factors, round 1.
        max_translation: a signal is rolled by less than this many points (of 72).
        corr_noise_scale: size of the smooth noise beside the signal.
        iid_noise_scale: standard deviation of the noise at each point.
        shear_scale: width of the range of slopes that are subtracted.
        shuffle_seq: put the points of every signal into one random order.
        seed: the same seed gives the same tensors.

    Returns:
        `Data` with x ``(N, 1, L)`` float32 and y ``(N,)`` int64, 0 to 9.

    Raises:
        TypeError, ValueError: an argument is of the wrong type or out of range.
    """
    check_number("num_samples", num_samples, 20, integer=True)
    if num_samples % 10:
        raise ValueError(f"num_samples must be a multiple of the 10 classes, got {num_samples}")
    check_number("train_split", train_split, 0, 1, open_ends=True)
    check_number("final_seq_length", final_seq_length, 2, integer=True)
    if not isinstance(padding, tuple | list) or len(padding) != 2:
        raise TypeError(f"padding must be a pair (least, greatest), got {padding!r}")
    low, high = padding
    check_number("padding[0]", low, 0, integer=True)
    check_number("padding[1]", high, low, integer=True)
    check_number("max_translation", max_translation, 1, _TEMPLATE_LENGTH + high, integer=True)
    check_number("scale_coeff", scale_coeff, 0, 2)
    check_number("corr_noise_scale", corr_noise_scale, 0)
    check_number("iid_noise_scale", iid_noise_scale, 0)
    check_number("shear_scale", shear_scale, 0)
    check_number("seed", seed, 0, 2**32 - 1, integer=True)
    x_train, y_train, x_test, y_test = _generate(
        num_samples=num_samples,
        train_split=train_split,
        final_seq_length=final_seq_length,
        padding=(low, high),
        scale_coeff=scale_coeff,
        max_translation=max_translation,
        corr_noise_scale=corr_noise_scale,
        iid_noise_scale=iid_noise_scale,
        shear_scale=shear_scale,
        shuffle_seq=bool(shuffle_seq),
        seed=seed,
    )
    # The package standardises with the statistics of all samples. To let nothing of the test
    # samples into the training data, do it again with the training samples alone.
    mean, std = x_train.mean(), x_train.std()
    return Data(
        x_train=torch.tensor((x_train - mean) / std, dtype=torch.float32)[:, None],
        y_train=torch.tensor(y_train, dtype=torch.int64),
        x_test=torch.tensor((x_test - mean) / std, dtype=torch.float32)[:, None],
        y_test=torch.tensor(y_test, dtype=torch.int64),
        name="mnist1d",
        num_classes=10,
        task="classification",
        classes=tuple("0123456789"),
    )


@lru_cache(maxsize=8)  # a second is long to wait twice in one process, and too short for a file
def _generate(**args: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    # Imported here because the package pulls in matplotlib, scipy and requests (0.6 s).
    from mnist1d.data import get_dataset_args, make_dataset
    from mnist1d.utils import ObjectView

    args = {**get_dataset_args(as_dict=True), **args, "url": None}
    with _global_generators_restored():
        made = make_dataset(ObjectView(args))
    return made["x"], made["y"], made["x_test"], made["y_test"]


@contextmanager
def _global_generators_restored() -> Iterator[None]:
    """The package seeds Python's and NumPy's global generators: give them back as they were."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


SOURCE = Source(
    load=load,
    title="MNIST-1D",
    origin=(
        "Made on your machine by the package `mnist1d` of Greydanus and Kobak, Scaling down deep "
        "learning with MNIST-1D (arXiv 2011.14439; ICML 2024): ten hand-drawn templates of 12 "
        "points, padded, scaled, rolled, sheared, with noise"
    ),
    licence="Apache-2.0 (the package); nothing is downloaded",
    normalisation="one mean and one standard deviation, of all training points",
    limits=(
        "Synthetic: no writer and no pen. Some templates are close to each other, and signals are "
        "rolled cyclically, so the place of a point tells little. A net that fits all training "
        "samples can still miss many test ones (the paper's MLP has 68 % test accuracy)"
    ),
)
