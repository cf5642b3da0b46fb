"""CIFAR-10 from all its forms, made small; folders of images; accuracy."""

import hashlib
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from residual_lib.data import cifar
from residual_lib.data.images import open_images
from residual_lib.evaluation import NORMALISATIONS, evaluate

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "cifar10"
needs_shared = [
    pytest.mark.needs_shared,
    pytest.mark.skipif(not SHARED.is_dir(), reason="needs the CIFAR-10 mosaics, not shipped"),
]


def tiles(seed, count=6):
    """Images of one colour each, which JPEG keeps to a unit or two."""
    colours = np.random.default_rng(seed).integers(0, 256, (count, 3, 1, 1), dtype=np.uint8)
    return np.broadcast_to(colours, (count, 3, 32, 32))


def batches():
    for seed, name in enumerate(cifar.BATCHES):
        yield name, tiles(seed), [(seed + i) % 10 for i in range(6)]


@pytest.fixture
def mosaics(tmp_path):
    folder = tmp_path / "mosaics"
    folder.mkdir()
    labels = {"train": "", "test": ""}
    for name, x, y in batches():
        # 2 rows of 3 tiles
        pixels = x.reshape(2, 3, 3, 32, 32).transpose(0, 3, 1, 4, 2).reshape(64, 96, 3)
        Image.fromarray(pixels).save(folder / f"{name}.jpg", quality=95, subsampling=0)
        labels["test" if name == "test_batch" else "train"] += "".join(map(str, y))
    for split, digits in labels.items():
        (folder / f"{split}_labels.txt").write_text(digits + "\n")
    return folder


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "official" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name, x, y in batches():
        content = {b"data": x.reshape(6, -1).copy(), b"labels": y, b"batch_label": b"text"}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    return folder.parent


@pytest.fixture
def archive(files):
    path = files / "packed" / cifar.ARCHIVE
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        tar.add(files / cifar.FOLDER, cifar.FOLDER)
    return path


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_form_gives_the_same_images(split, mosaics, files, archive):
    parts = [(x, y) for name, x, y in batches() if (name == "test_batch") == (split == "test")]
    x = torch.from_numpy(np.concatenate([x for x, _ in parts]))
    y = torch.tensor([number for _, y in parts for number in y])
    for folder in (files, files / cifar.FOLDER, archive, archive.parent):
        images = cifar.read(folder, split)
        assert torch.equal(images.x, x)
        assert torch.equal(images.y, y)
        assert images.label == "CIFAR-10, not the official files"
    images = cifar.read(mosaics, split)
    assert (images.x.int() - x.int()).abs().max() <= 3
    assert torch.equal(images.y, y)
    assert images.label == "CIFAR-10, JPEG"


def test_the_official_files_are_known_by_their_sums(files, monkeypatch):
    sums = {
        name: hashlib.md5((files / cifar.FOLDER / name).read_bytes()).hexdigest()
        for name in cifar.BATCHES
    }
    monkeypatch.setattr(cifar, "BATCHES", sums)
    assert cifar.read(files).label == "CIFAR-10"


def test_normalisation(mosaics):
    data = cifar.load(mosaics)
    assert data.name == "CIFAR-10, JPEG"
    assert data.num_classes == len(data.classes) == 10
    assert (len(data.x_train), len(data.x_test)) == (30, 6)
    torch.testing.assert_close(data.x_train.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(data.x_train.std((0, 2, 3), correction=0), torch.ones(3))
    raw = cifar.read(mosaics, "test").x.float()
    # The test set is shifted and scaled by the training set's numbers: the map is linear.
    ratio = (data.x_test[1] - data.x_test[0]) / (raw[1] - raw[0])
    torch.testing.assert_close(ratio[0].min(), ratio[0].max(), rtol=1e-3, atol=0)
    data = cifar.load(mosaics, normalise="pixel", train_images=12, test_images=2)
    assert (len(data.x_train), len(data.x_test)) == (12, 2)
    torch.testing.assert_close(data.x_train.mean(0), torch.zeros(3, 32, 32), atol=1e-5, rtol=0)
    assert data.x_train.std(correction=0) == pytest.approx(1, rel=1e-4)


class Hostile:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.write_text, (self.target, "ran")


def test_a_batch_that_is_a_program_is_not_run(files):
    target = files / "proof"
    path = files / cifar.FOLDER / "test_batch"
    path.write_bytes(pickle.dumps({b"data": Hostile(target), b"labels": []}, protocol=2))
    with pytest.raises(
        ValueError, match=r"test_batch is no batch .* asks for .*, which is refused"
    ):
        cifar.read(files, "test")
    assert not target.exists()
    pickle.loads(path.read_bytes())
    assert target.exists()  # the test can fail


def test_bad_files(files, mosaics, archive, tmp_path):
    with pytest.raises(FileNotFoundError, match="folder must hold cifar-10-python"):
        cifar.read(tmp_path)
    with pytest.raises(FileNotFoundError, match="folder must hold cifar-10-python"):
        cifar.read(mosaics / "train_labels.txt")
    with pytest.raises(ValueError, match="split must be 'train' or 'test', got 'val'"):
        cifar.read(mosaics, "val")
    (files / cifar.FOLDER / "data_batch_2").unlink()
    with pytest.raises(FileNotFoundError, match="must hold data_batch_2"):
        cifar.read(files)
    for content in (b"", pickle.dumps({}), pickle.dumps({b"data": [1], b"labels": []})):
        (files / cifar.FOLDER / "test_batch").write_bytes(content)
        with pytest.raises(ValueError, match="test_batch is no batch of CIFAR-10"):
            cifar.read(files, "test")
    archive.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="is no archive of CIFAR-10"):
        cifar.read(archive)
    with tarfile.open(archive, "w:gz"):
        pass
    with pytest.raises(ValueError, match="is no archive of CIFAR-10"):
        cifar.read(archive)
    (mosaics / "data_batch_1.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"must hold data_batch_1\.jpg"):
        cifar.read(mosaics)
    for digits, message in (("12x", "must be digits"), ("12", "a label for each image, got 6")):
        (mosaics / "test_labels.txt").write_text(digits)
        with pytest.raises(ValueError, match=message):
            cifar.read(mosaics, "test")
    Image.new("RGB", (33, 32)).save(mosaics / "test_batch.jpg")
    with pytest.raises(ValueError, match="must be of tiles of 32x32"):
        cifar.read(mosaics, "test")


def test_labels_out_of_range(files):
    content = {b"data": tiles(0).reshape(6, -1).copy(), b"labels": [0, 1, 2, 3, 4, 10]}
    (files / cifar.FOLDER / "test_batch").write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match="labels must be from 0 to 9"):
        cifar.read(files, "test")


def test_arguments(mosaics):
    with pytest.raises(ValueError, match="normalise must be one of channel, pixel, got 'x'"):
        cifar.load(mosaics, normalise="x")
    with pytest.raises(ValueError, match=r"train_images must be .* got 31"):
        cifar.load(mosaics, train_images=31)


class ByColour(nn.Module):
    """Sees the mean of the red channel, and answers with the class of that brightness."""

    def __init__(self, classes):
        super().__init__()
        self.classes = classes

    def forward(self, x):
        level = (x[:, 0].mean((1, 2)) * self.classes).floor()
        return -(torch.arange(self.classes) - level[:, None]).abs()


@pytest.fixture
def folder(tmp_path):
    """8 classes of 2 images: class k has the red k / 8, but each class's second image is 0."""
    for number in range(8):
        place = tmp_path / "zoo" / f"class{number}"
        place.mkdir(parents=True)
        for index, red in enumerate((number * 32 + 16, 0)):
            Image.new("RGB", (40, 30), (red, 9, 9)).save(place / f"{index}.png")
        (place / "notes.txt").write_text("not an image")
    return tmp_path / "zoo"


def test_accuracy_on_a_folder_by_hand(folder):
    images = open_images(folder)
    assert (len(images), images.classes[0], images.label) == (16, "class0", "zoo")
    scores = evaluate(ByColour(8), images, normalise="none", batch_size=5, device="cpu")
    # All first images, and the second one of class 0; the five best for black are 0 to 4.
    assert scores["images"] == 16
    assert scores["top1"] == 9 / 16
    assert scores["top5"] == 13 / 16
    x, y = next(images.batches(16))
    loss = nn.functional.cross_entropy(ByColour(8)(x / 255), y)
    assert scores["loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert evaluate(ByColour(8), images, normalise="none", limit=3, progress=False)["images"] == 3


def test_normalisation_is_applied(mosaics):
    seen = []

    class Spy(nn.Module):
        def forward(self, x):
            seen.append(x)
            return torch.zeros(len(x), 10)

    images = open_images(mosaics)
    evaluate(Spy(), images, normalise="cifar10", device="cpu", progress=False)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in NORMALISATIONS["cifar10"])
    torch.testing.assert_close(seen[0] * std + mean, images.x / 255)
    evaluate(Spy(), images, normalise=((0.5,) * 3, (2.0,) * 3), device="cpu", progress=False)
    torch.testing.assert_close(seen[1] * 2 + 0.5, images.x / 255)


def test_resize_and_crop(folder):
    images = open_images(folder, resize=15, crop=12)
    x, _ = next(images.batches(2))
    assert x.shape == (2, 3, 12, 12)
    x, _ = next(open_images(folder, resize=60).batches(1))
    assert x.shape == (1, 3, 60, 80)


def test_few_classes_have_no_top_5(tmp_path):
    (tmp_path / "zoo" / "only").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "zoo" / "only" / "a.png")
    scores = evaluate(ByColour(2), open_images(tmp_path / "zoo"), normalise="none", progress=False)
    assert set(scores) == {"images", "top1", "loss"}


def test_wrong_arguments_of_evaluation(folder, mosaics, tmp_path):
    images = open_images(folder)
    with pytest.raises(ValueError, match=r"normalise must be one of .* got 'x'"):
        evaluate(ByColour(8), images, normalise="x")
    with pytest.raises(ValueError, match="limit must be from 1, got 128 and 0"):
        evaluate(ByColour(8), images, limit=0)
    with pytest.raises(ValueError, match="output for each of 8 classes, got 3"):
        evaluate(ByColour(3), images, progress=False)
    with pytest.raises(FileNotFoundError, match="CIFAR-10 or a folder of images for each class"):
        open_images(tmp_path / "none")
    with pytest.raises(ValueError, match=r"resize must be .* got 0"):
        open_images(folder, resize=0)
    with pytest.raises(ValueError, match="crop must be at most resize 10, got 11"):
        open_images(folder, resize=10, crop=11)
    with pytest.raises(ValueError, match="are for folders of images"):
        open_images(mosaics, crop=8)
    Image.new("RGB", (5, 5)).save(folder / "class0" / "0.png")
    with pytest.raises(ValueError, match="must be of one size, got 5x5, 40x30"):
        evaluate(ByColour(8), open_images(folder), progress=False)
    (folder / "class0" / "0.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"0\.png can't be read as an image"):
        evaluate(ByColour(8), open_images(folder), progress=False)


@pytest.mark.parametrize(
    "split", [pytest.param("train", marks=needs_shared), pytest.param("test", marks=needs_shared)]
)
def test_the_mosaics_hold_all_of_cifar_10(split):
    images = cifar.read(SHARED, split)
    each = 5000 if split == "train" else 1000
    assert images.x.shape == (10 * each, 3, 32, 32)
    assert images.y.bincount().tolist() == [each] * 10
    # CIFAR-10's own means, which a wrong cut of the tiles would keep, and a class's mean image,
    # which it would not: ships and airplanes are on blue, frogs on green and brown.
    mean = (images.x.float() / 255).mean((0, 2, 3))
    expected = torch.tensor(NORMALISATIONS["cifar10"][0])
    torch.testing.assert_close(mean, expected, atol=0.01, rtol=0)
    blue = [(images.x[images.y == k].float().mean((0, 2, 3)) - 0)[2].item() for k in range(10)]
    assert min(blue[0], blue[8]) > max(blue[2:8])
