"""What the tests of several modules are given."""

import numpy as np
import pytest
from PIL import Image

from residual_lib.data.cifar import BATCHES


@pytest.fixture
def mosaics(tmp_path):
    """A folder that looks like CIFAR-10 as JPEGs, with six images of noise in each file."""
    folder = tmp_path / "mosaics"
    folder.mkdir()
    noise = np.random.default_rng(0)
    for name in BATCHES:
        pixels = noise.integers(0, 256, (64, 96, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.jpg")
    (folder / "train_labels.txt").write_text("012345" * 5)
    (folder / "test_labels.txt").write_text("678901")
    return folder
