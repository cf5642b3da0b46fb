"""The data sets, against scikit-learn, the mnist1d package and the shipped text itself."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from residual_lib import data
from residual_lib.data import Data, shakespeare, toy_regression
from residual_lib.data.masked import mask_tokens
from residual_lib.objective import IGNORED

SHARED = Path(__file__).parents[3] / "shared"  # beside the checkout, where there is one
TENSORS = ("x_train", "y_train", "x_test", "y_test")
SEEDED = ("mnist1d", "digits", "toy_regression", "cells", "speechlike")


def same(a: Data, b: Data) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in TENSORS)


@pytest.mark.parametrize(
    ("name", "x_train", "y_train", "x_test", "dtypes", "classes", "task"),
    [
        ("mnist1d", (4000, 1, 40), (4000,), 1000, ("float32", "int64"), 10, "classification"),
        ("digits", (1437, 1, 8, 8), (1437,), 360, ("float32", "int64"), 10, "classification"),
        ("toy_regression", (200, 1), (200, 1), 200, ("float32", "float32"), 0, "regression"),
        ("shakespeare", (15685, 64), (15685, 64), 1742, ("int64", "int64"), 65, "language"),
        ("cells", (160, 1, 32, 32), (160, 32, 32), 80, ("float32", "int64"), 2, "segmentation"),
        ("speechlike", (400, 20, 48), (400, 48), 100, ("float32", "int64"), 10, "framewise"),
    ],
)
def test_documented_shapes(name, x_train, y_train, x_test, dtypes, classes, task):
    d = data.load(name)
    assert d.x_train.shape == x_train
    assert d.y_train.shape == y_train
    assert d.x_test.shape == (x_test, *x_train[1:])
    assert d.y_test.shape == (x_test, *y_train[1:])
    for part in ("train", "test"):
        assert getattr(d, f"x_{part}").dtype is getattr(torch, dtypes[0])
        assert getattr(d, f"y_{part}").dtype is getattr(torch, dtypes[1])
    assert (d.name, d.num_classes, d.task) == (name, classes, task)
    assert len(d.classes) == classes


@pytest.mark.parametrize("name", data.list_data())
def test_loading_twice_gives_equal_but_separate_tensors(name):
    first = data.load(name)
    kept = first.x_train.clone()
    first.x_train.fill_(7)
    first.y_train.fill_(7)
    again = data.load(name)
    assert torch.equal(again.x_train, kept)
    assert not torch.equal(again.y_train, first.y_train)


@pytest.mark.parametrize("name", SEEDED)
def test_another_seed_gives_other_tensors(name):
    few = {"mnist1d": {"num_samples": 200}}.get(name, {})
    assert same(data.load(name, seed=3, **few), data.load(name, seed=3, **few))
    assert not torch.equal(
        data.load(name, seed=3, **few).x_train, data.load(name, seed=4, **few).x_train
    )


@pytest.mark.parametrize("name", data.list_data())
def test_global_generators_are_left_alone(name):
    def states():
        numpy = np.random.get_state()  # noqa: NPY002
        return random.getstate(), numpy[1].tolist(), numpy[2], torch.get_rng_state().tolist()

    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    before = states()
    options = {"mnist1d": {"seed": 123, "num_samples": 40}}.get(name, {})  # not made before
    data.load(name, **options)
    assert states() == before


@pytest.mark.parametrize("name", ["mnist1d", "digits", "cells", "speechlike"])
def test_training_part_alone_sets_the_normalisation(name):
    x = data.load(name).x_train.double()
    assert float(x.mean()) == pytest.approx(0, abs=1e-6)
    assert float(x.std(correction=0)) == pytest.approx(1, abs=1e-6)


def test_mnist1d_is_what_the_package_makes():
    from mnist1d.data import get_dataset_args, make_dataset

    state = np.random.get_state()  # noqa: NPY002
    original = make_dataset(get_dataset_args())
    np.random.set_state(state)  # noqa: NPY002
    d = data.load("mnist1d")
    assert d.y_train.tolist() == original["y"].tolist()
    assert d.y_test.tolist() == original["y_test"].tolist()
    for ours, theirs in ((d.x_train, original["x"]), (d.x_test, original["x_test"])):
        # Equal up to the normalisation, which is one straight line for both parts.
        again = (theirs - original["x"].mean()) / original["x"].std()
        np.testing.assert_allclose(ours[:, 0].numpy(), again, atol=1e-5)


def test_mnist1d_options_reach_the_package():
    d = data.load(
        "mnist1d", num_samples=100, train_split=0.5, final_seq_length=20, padding=[36, 60]
    )
    assert d.x_train.shape == (50, 1, 20)
    assert len(d.x_test) == 50
    assert Counter(torch.cat((d.y_train, d.y_test)).tolist()) == dict.fromkeys(range(10), 10)
    plain = {"num_samples": 100, "scale_coeff": 0, "shear_scale": 0, "max_translation": 1}
    still = data.load("mnist1d", **plain, padding=(40, 40), corr_noise_scale=0, iid_noise_scale=0)
    for digit in range(10):  # with nothing random left, the samples of a class are one signal
        signals = still.x_train[still.y_train == digit]
        assert torch.allclose(signals, signals[:1].expand_as(signals))


def test_mnist1d_never_downloads(monkeypatch):
    import requests

    def refuse(*args, **kwargs):
        raise AssertionError("a download was tried")

    monkeypatch.setattr(requests.Session, "request", refuse)
    assert len(data.load("mnist1d", num_samples=50, seed=9).x_train) == 40


def test_digits_are_all_of_scikit_learn_s():
    d = data.load("digits")
    images, labels = load_digits(return_X_y=True)
    raw = images[labels >= 0]
    # Undo the normalisation with statistics found from the training images themselves.
    x = torch.cat((d.x_train, d.x_test)).reshape(-1, 64).double()
    y = torch.cat((d.y_train, d.y_test))
    steps = (x - x.min()) / (x.max() - x.min()) * 16
    ours = Counter((int(k), *map(round, row)) for k, row in zip(y, steps.tolist(), strict=True))
    theirs = Counter((int(k), *map(int, row)) for k, row in zip(labels, raw, strict=True))
    assert ours == theirs
    balance = np.bincount(labels)
    test = torch.bincount(d.y_test).numpy()
    assert np.abs(test - balance * 360 / 1797).max() < 1  # stratified: no class off by one image


def test_digits_show_upright_digits():
    d = data.load("digits")
    zeros = d.x_train[d.y_train == 0, 0].mean(0)
    ones = d.x_train[d.y_train == 1, 0].mean(0)
    assert zeros[3:5, 3:5].mean() < ones[3:5, 3:5].mean()  # a zero is hollow


def test_toy_regression_follows_its_formula():
    exact = data.load("toy_regression", noise=0)
    np.testing.assert_allclose(
        exact.y_train.numpy(), np.sin(2 * np.pi * exact.x_train.double().numpy()), atol=1e-5
    )
    assert float(exact.x_train.abs().max()) <= 1
    d = data.load("toy_regression", num_train=20_000, num_test=5, noise=0.3, seed=2)
    rest = d.y_train - toy_regression.target(d.x_train)
    assert float(rest.std()) == pytest.approx(0.3, rel=0.03)  # standard error: 0.5 %
    assert float(d.x_train.mean()) == pytest.approx(0, abs=0.02)
    assert len(d.x_test) == 5


def test_shakespeare_text():
    text = shakespeare.text()
    assert len(text) == 1_115_394
    assert text.startswith("First Citizen:\nBefore we proceed any further, hear me speak.")


def test_shakespeare_windows_spell_the_text():
    text = shakespeare.text()
    d = data.load("shakespeare", context=50)
    assert list(d.classes) == sorted(set(text))

    def spell(ids):
        return "".join(d.classes[i] for i in ids.flatten().tolist())

    cut = int(0.9 * len(text))
    assert text.startswith(spell(d.x_train))
    assert text[1:].startswith(spell(d.y_train))
    assert text[cut:].startswith(spell(d.x_test))
    assert text[cut + 1 :].startswith(spell(d.y_test))
    assert 0 < cut - d.y_train.numel() <= 50  # nothing of the test part, and little is lost
    assert 0 < len(text) - cut - d.y_test.numel() <= 50


def test_damaged_text_is_refused(monkeypatch):
    monkeypatch.setattr(shakespeare, "SHA256", "0" * 64)
    with pytest.raises(ValueError, match=r"shakespeare\.txt\.gz is damaged"):
        data.load("shakespeare")


@pytest.mark.needs_shared
def test_shakespeare_is_the_original_file():
    original = SHARED / "data" / "tinyshakespeare" / "input.txt"
    if not original.is_file():
        pytest.skip("the original text isn't beside this checkout")
    assert shakespeare.text() == original.read_text("ascii")


def test_sounds_are_where_their_labels_say():
    """Without noise and speakers, vowels peak at their formants, and silence has no energy."""
    options = {"noise": 0, "speaker": 0, "train_sequences": 40, "test_sequences": 1, "bands": 41}
    d = data.load("speechlike", frames=60, **options)
    names = np.array(d.classes)[d.y_train.numpy()]
    x = d.x_train.double().numpy()
    span = x.max(1) - x.min(1)
    inner = (names[:, 2:-2] == names[:, :-4]) & (names[:, 2:-2] == names[:, 4:])
    inner = np.pad(inner, ((0, 0), (2, 2)))  # two frames of the same sound on both sides
    assert span[inner & (names == "sil")].max() < span[inner & (names == "f")].min()
    for name, formants in (("i", (0.15, 0.75)), ("a", (0.42, 0.55)), ("u", (0.17, 0.33))):
        mean = np.moveaxis(x, 1, 2)[inner & (names == name)].mean(0)
        mean = mean - np.linspace(mean[0], mean[-1], 41)  # without the tilt
        peaks = [i / 40 for i in range(1, 40) if mean[i] > max(mean[i - 1], mean[i + 1], 0.2)]
        assert peaks == pytest.approx(formants, abs=0.03), name


def test_speakers_shift_the_formants_and_nothing_else():
    options = {"noise": 0, "train_sequences": 30, "test_sequences": 1}
    one, other = (data.load("speechlike", speaker=s, **options) for s in (0, 0.15))
    assert torch.equal(one.y_train, other.y_train)
    vowels = one.y_train > 2
    changed = (one.x_train - other.x_train).abs().amax(1)
    assert changed[vowels].mean() > 5 * changed[one.y_train == 0].median()


def test_list_data():
    assert data.list_data() == [
        *("mnist1d", "digits", "toy_regression", "shakespeare", "cells", "speechlike"),
    ]
    assert data.list_data("*1d") == ["mnist1d"]
    assert data.list_data("cifar*") == []


@pytest.mark.parametrize(
    ("name", "options", "error", "words"),
    [
        ("mnist", {}, ValueError, "'mnist' .*did you mean 'mnist1d'.*toy_regression"),
        ("zzz", {}, ValueError, "no data set 'zzz'; there are: mnist1d, digits"),
        (None, {}, ValueError, "no data set None"),
        ("digits", {"sede": 1}, TypeError, "digits has no option 'sede'.*'seed'.*test_size, seed"),
        ("shakespeare", {"seed": 1}, TypeError, "no option 'seed'; it has: context"),
        ("digits", {"seed": -1}, ValueError, "seed must be a whole number between 0 and .*-1"),
        ("digits", {"seed": 1.0}, TypeError, r"seed must be a whole number, got 1\.0"),
        ("digits", {"test_size": 1}, ValueError, "test_size must be .* 0.01 and 0.99, got 1"),
        ("mnist1d", {"num_samples": 5003}, ValueError, "num_samples .* multiple .* 5003"),
        ("mnist1d", {"num_samples": 10}, ValueError, "num_samples .* at least 20, got 10"),
        ("mnist1d", {"num_samples": True}, TypeError, "num_samples must be a whole number"),
        ("mnist1d", {"train_split": 1.0}, ValueError, "train_split .* strictly between 0 and 1"),
        ("mnist1d", {"padding": 3}, TypeError, r"padding must be a pair .* got 3"),
        ("mnist1d", {"padding": (9, 3)}, ValueError, r"padding\[1\] .* at least 9, got 3"),
        ("mnist1d", {"max_translation": 0}, ValueError, "max_translation .* 1 and 72, got 0"),
        ("mnist1d", {"scale_coeff": "0"}, TypeError, "scale_coeff must be a number, got '0'"),
        ("toy_regression", {"noise": float("nan")}, ValueError, "noise must be .*, got nan"),
        ("toy_regression", {"num_train": 0}, ValueError, "num_train .* at least 1, got 0"),
        ("speechlike", {"bands": 3}, ValueError, "bands .* at least 4, got 3"),
        ("speechlike", {"speaker": 0.5}, ValueError, "speaker .* between 0 and 0.3, got 0.5"),
        ("speechlike", {"noise": -1}, ValueError, "noise .* at least 0, got -1"),
        ("shakespeare", {"context": 0}, ValueError, "context .* 1 and 100,000, got 0"),
    ],
)
def test_wrong_arguments_are_named(name, options, error, words):
    with pytest.raises(error, match=words):
        data.load(name, **options)


def test_data_checks_itself():
    x, y = torch.zeros(3, 1), torch.zeros(2, 1)
    with pytest.raises(ValueError, match="x_train has 3 samples, but y_train has 2"):
        Data(x, y, y, y, "mine", 0, "regression")
    with pytest.raises(ValueError, match=r"task must be one of classification, .* got 'sorting'"):
        Data(y, y, y, y, "mine", 0, "sorting")
    assert repr(Data(x, x, y, y, "mine", 0, "regression")) == (
        "Data(mine: regression, 3 train and 2 test samples of shape (1,))"
    )


@given(seed=st.integers(0, 2**32 - 1), noise=st.floats(0, 10))
def test_toy_regression_is_a_function_of_its_arguments(seed, noise):
    one, two = (data.load("toy_regression", seed=seed, noise=noise, num_train=5) for _ in "ab")
    assert same(one, two)
    assert torch.isfinite(one.y_train).all()


class TestCards:
    @pytest.mark.parametrize("name", data.list_data())
    def test_says_what_a_reader_must_know(self, name):
        card = data.card(name)
        for form in (str(card), card._repr_markdown_(), card._repr_html_()):
            for what in ("Source", "Licence", "Size", "Normalisation", "Known limits", name):
                assert what in form
            assert str(data.load(name).x_train.shape[0]) in form
        assert max(map(len, str(card).splitlines())) <= 88
        assert repr(card) == str(card)

    def test_balance_is_counted(self):
        card = data.card("digits")
        labels = load_digits(return_X_y=True)[1]
        assert (card.balance["train"] + card.balance["test"]).tolist() == np.bincount(
            labels
        ).tolist()
        assert card.balance.loc["4", "share of train"] == "10.09%"  # 145 of 1437

    def test_balance_of_a_text_shows_its_extremes(self):
        table = data.card("shakespeare").balance
        assert list(table.index)[:3] == ["' '", "e", "t"]
        assert list(table.index)[-1] == "$"
        text = shakespeare.text()
        counted = text[: int(0.9 * len(text))].count("e")
        assert abs(table.loc["e", "train"] - counted) <= 64  # less what the last window drops

    def test_targets_of_a_regression_are_summarised(self):
        card = data.card("toy_regression", noise=0, num_train=10_000)
        # A sine over whole periods: mean 0, standard deviation 1/sqrt(2).
        assert float(card.balance.loc["mean", "train"]) == pytest.approx(0, abs=0.03)
        assert float(card.balance.loc["standard deviation", "train"]) == pytest.approx(
            0.7071, abs=0.01
        )

    def test_html_and_markdown_are_well_formed(self):
        import xml.etree.ElementTree as ElementTree

        for name in data.list_data():
            html = data.card(name)._repr_html_()
            root = ElementTree.fromstring(f"<div>{html}</div>")
            assert len(root.findall("table")) == 2
            assert "style=" not in html
            rows = [r for r in data.card(name).markdown().splitlines() if r.startswith("|")]
            assert len({row.count("|") for row in rows}) == 1

    def test_heading_level(self):
        assert data.card("digits").markdown(heading=2).startswith("## Handwritten")
        with pytest.raises(ValueError, match="heading must be a level from 1 to 6, got 0"):
            data.card("digits").markdown(heading=0)

    def test_unknown_name(self):
        with pytest.raises(ValueError, match="did you mean 'digits'"):
            data.card("digit")


def text_data(classes=7, windows=400, length=20):
    x = torch.randint(classes, (windows, length), generator=torch.Generator().manual_seed(0))
    names = tuple("abcdefg"[:classes])
    return Data(x, x, x[:50], x[:50], "toy", classes, "language", names)


def test_holes_are_those_of_bert():
    """15 % chosen; of these 80 % masked, 10 % replaced and 10 % kept; only these are asked for."""
    plain = text_data(windows=4000)
    holes = mask_tokens(plain, seed=1)
    assert (holes.num_classes, holes.classes[-1], holes.name) == (8, "[MASK]", "masked_toy")
    x, y, original = holes.x_train, holes.y_train, plain.x_train
    chosen = y != IGNORED
    assert (chosen.sum(1) == 3).all()  # of 20
    assert torch.equal(y[chosen], original[chosen])
    assert torch.equal(x[~chosen], original[~chosen])
    shown, own = x[chosen], original[chosen]
    masked = (shown == 7).double().mean().item()
    other = ((shown != 7) & (shown != own)).double().mean().item()
    assert masked == pytest.approx(0.8, abs=0.02)
    # A token drawn evenly is now and then the one that was there: one in seven.
    assert other == pytest.approx(0.1 * 6 / 7, abs=0.015)
    # Each place as often as any other.
    assert chosen.double().mean(0).tolist() == pytest.approx([0.15] * 20, abs=0.03)


def test_copies_have_other_holes_and_the_test_windows_come_once():
    plain = text_data()
    holes = mask_tokens(plain, copies=3, rate=0.5)
    assert holes.x_train.shape == (1200, 20)
    assert holes.x_test.shape == (50, 20)
    first, second, _ = (holes.y_train != IGNORED).split(400)
    assert not torch.equal(first, second)
    assert ((holes.y_train != IGNORED).sum(1) == 10).all()
    assert same(mask_tokens(plain, copies=2, seed=4), mask_tokens(plain, copies=2, seed=4))
    assert not same(mask_tokens(plain), mask_tokens(plain, seed=1))
    assert (mask_tokens(text_data(length=2)).y_train != IGNORED).sum(1).unique().tolist() == [1]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rate": 0}, ValueError, "rate must be a number strictly between 0 and 1, got 0"),
        ({"copies": 0}, ValueError, "copies must be a whole number of at least 1, got 0"),
        ({"seed": "a"}, TypeError, "seed must be a whole number, got 'a'"),
        ({"data": data.load("digits")}, ValueError, "data must be a language .* 'classification'"),
    ],
)
def test_wrong_arguments_of_masking_are_named(options, error, message):
    with pytest.raises(error, match=message):
        mask_tokens(**{"data": text_data(), **options})


def test_weights_have_the_shape_of_the_targets():
    d = data.load("digits")
    with pytest.raises(ValueError, match=r"weights must have the shape of y_train \(1437,\), got"):
        dataclasses.replace(d, weights=torch.ones(3))
