"""Real handwriting of 8x8 pixels, which scikit-learn ships."""

from __future__ import annotations

import numpy as np
import torch

from residual_lib.data.base import Data, Source, check_number


def load(*, test_size: float = 0.2, seed: int = 0) -> Data:
    """Load the digits and split them, each class in the same proportion.

    Args:
        test_size: share of the 1797 images that is for testing, 0 to 1.
        seed: of the split. The same seed gives the same tensors.

    Returns:
        `Data` with x ``(N, 1, 8, 8)`` float32 and y ``(N,)`` int64, 0 to 9.

    Raises:
        TypeError, ValueError: an argument is of the wrong type or out of range.
    """
    from sklearn.datasets import load_digits  # here, because its import takes 0.5 s
    from sklearn.model_selection import train_test_split

    check_number("test_size", test_size, 0.01, 0.99)
    check_number("seed", seed, 0, 2**32 - 1, integer=True)
    images, labels = load_digits(return_X_y=True)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=test_size, random_state=seed, stratify=labels
    )
    x = torch.tensor(images, dtype=torch.float64).reshape(-1, 1, 8, 8)
    y = torch.tensor(labels, dtype=torch.int64)
    mean, std = x[train].mean(), x[train].std(correction=0)
    x = ((x - mean) / std).float()
    return Data(
        x_train=x[train],
        y_train=y[train],
        x_test=x[test],
        y_test=y[test],
        name="digits",
        num_classes=10,
        task="classification",
        classes=tuple("0123456789"),
    )


SOURCE = Source(
    load=load,
    title="Handwritten digits, 8x8",
    origin=(
        "Shipped with scikit-learn (`load_digits`): the test part of Optical Recognition of "
        "Handwritten Digits, Alpaydin and Kaynak 1998, UCI Machine Learning Repository, "
        "doi 10.24432/C50P49. 13 people wrote them on forms of NIST; each pixel counts the black "
        "ones of a 4x4 block, 0 to 16"
    ),
    licence="CC BY 4.0 (UCI)",
    normalisation="one mean and one standard deviation, of all training pixels",
    limits=(
        "Small and easy: good models differ by a few test images, which one split can't tell from "
        "chance. The split mixes the writers: test images come from people seen in "
        "training"
    ),
)
