"""Drawn cells, and sections from a folder."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from residual_lib import data
from residual_lib.data import cells, isbi
from residual_lib.data.borders import border_weights
from residual_lib.segmentation import thin_parts


def test_cells_are_numbered_apart_and_touch():
    x, labels = cells.draw(6, 48, seed=3)
    assert x.shape == (6, 1, 48, 48)
    gaps = 0
    for picture in labels.numpy():
        inside = picture > 0
        for a, b in ((picture[1:], picture[:-1]), (picture[:, 1:], picture[:, :-1])):
            assert ((a == b) | (a == 0) | (b == 0)).all()  # never two cells side by side
        gaps += thin_parts(~inside).sum()
        # Each is in few parts: bent coordinates tear hardly any.
        numbers = np.unique(picture[inside])
        parts = [ndimage.label(picture == number)[1] for number in numbers]
        assert np.mean(parts) < 1.5
    assert gaps > 100


def test_the_same_cells_come_with_any_noise():
    quiet, loud = (data.load("cells", train_images=4, test_images=3, test_noise=n) for n in (0, 1))
    assert torch.equal(quiet.y_test, loud.y_test)
    assert torch.equal(quiet.x_train, loud.x_train)
    added = (loud.x_test - quiet.x_test).flatten()
    scale = data.load("cells", train_images=4, test_images=3, noise=0).x_test
    assert abs(added.mean()) < 0.1
    assert added.std() > scale.std() / 2


def test_cells_are_bright_and_gaps_dark():
    x, labels = cells.draw(20, 32, seed=0, noise=0, light=0)
    inside, gap = labels > 0, torch.from_numpy(np.stack([thin_parts(y == 0) for y in labels]))
    assert x[:, 0][inside].mean() > 0.6
    assert x[:, 0][~inside & ~gap].mean() < 0.2
    assert x[:, 0][gap].mean() < x[:, 0][inside].mean() - 0.2


def test_weights_are_those_of_the_labels():
    weighted = data.load("cells", train_images=3, test_images=1, weights=True)
    _, labels = cells.draw(3, 32, seed=[0, 0])
    expected = torch.stack([border_weights(one, w0=5, sigma=2) for one in labels])
    torch.testing.assert_close(weighted.weights, expected)
    assert data.load("cells", train_images=3, test_images=1).weights is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 8}, "size must be .* got 8"),
        ({"noise": -1}, "noise must be .* got -1"),
        ({"light": 2}, "light must be .* got 2"),
        ({"train_images": 0}, "train_images must be .* got 0"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        data.load("cells", **options)


# --- sections from a folder ------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(5):
        inside = np.zeros((80, 96), np.uint8)
        inside[10:40, 10 + number : 60] = 255
        noise = rng.integers(0, 50, inside.shape).astype(np.uint8)
        Image.fromarray(inside // 2 + noise).save(tmp_path / f"image_{number:02}.png")
        Image.fromarray(inside).save(tmp_path / f"label_{number:02}.png")
    Image.fromarray(inside).save(tmp_path / "image_99.png")  # without a label
    return tmp_path


def test_sections_are_read_and_split(folder):
    d = isbi.load(folder, test_images=2)
    assert (d.x_train.shape, d.y_test.shape) == ((3, 1, 80, 96), (2, 80, 96))
    assert d.x_train.mean().abs() < 1e-5
    assert d.x_train.std(correction=0).item() == pytest.approx(1, abs=1e-4)
    assert d.y_test[1].sum() == 30 * 46
    assert (d.task, d.classes) == ("segmentation", ("membrane", "cell"))


def test_a_folder_without_pairs_is_named(tmp_path, folder):
    with pytest.raises(FileNotFoundError, match=r"folder must hold image_NN.png"):
        isbi.load(tmp_path / "none")
    with pytest.raises(ValueError, match=r"test_images must be .* got 5"):
        isbi.load(folder, test_images=5)


def test_windows_go_with_their_labels(folder):
    d = isbi.load(folder)
    # The label itself as the image: what happens to one must happen to the other.
    image = d.y_train.float()[:, None]
    x, y = isbi.crop_and_bend(image, d.y_train, torch.Generator().manual_seed(0), size=64, sigma=3)
    assert (x.shape, y.shape, y.dtype) == ((1, 1, 64, 64), (1, 64, 64), torch.int64)
    assert ((x[:, 0] > 0.5).long() != y).float().mean() < 0.02
    again, _ = isbi.crop_and_bend(
        image, d.y_train, torch.Generator().manual_seed(0), size=64, sigma=3
    )
    assert torch.equal(again, x)


def test_masks_are_packed_without_loss():
    mask = np.random.default_rng(0).random((8, 64)) < 0.5
    words = isbi.pack_rows(mask)
    assert len(words) == 16
    assert (isbi.unpack_rows([float(word) for word in words], 64) == mask).all()
    top = np.zeros((1, 32), bool)
    top[0, 31] = True
    assert isbi.pack_rows(top) == [1]
