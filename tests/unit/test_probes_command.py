"""The probe command: the table that Python gives, and one line for what is wrong."""

import pandas as pd
import pytest
import torch

from residual_lib import checkpoints, data, probes
from residual_lib.__main__ import main
from residual_lib.data import cifar
from residual_lib.models import create_model
from residual_lib.probes import command
from residual_lib.probes.command import PROBES, measure

SMALL = {"depth": 4, "width": 4}


def run(*words):
    return main(["probe", *words])


TRANSFORMERS_ALONE = ("lesion_heads", "logit_lens", "rank_collapse")


def few(probe):
    return {"landscape": {"points": 2}, "jacobian": {"examples": 1}}.get(probe, {})


@pytest.mark.parametrize("probe", [probe for probe in PROBES if probe not in TRANSFORMERS_ALONE])
def test_every_probe_runs_by_name(probe):
    depth = 6 if probe == "lesion_reorder" else 4
    table = measure(
        probe, "residual_mlp", options={**SMALL, "depth": depth}, probe_options=few(probe),
        examples=8, data_name="digits",
    )  # fmt: skip
    assert {"metric", "value"} <= set(table.columns)
    assert len(table)


@pytest.mark.parametrize("name", ["small_gpt", "small_bert"])
@pytest.mark.parametrize("probe", [probe for probe in PROBES if probe != "shattering"])
def test_every_probe_runs_on_transformers(probe, name):
    """On Shakespeare unless told. Shattering moves along a line of reals, which tokens aren't."""
    options = {"n_layer": 1, "n_head": 2, "n_embd": 4}
    table = measure(probe, name, options=options, probe_options=few(probe), examples=2)
    assert {"metric", "value"} <= set(table.columns)
    assert len(table)


def test_the_command_prints_what_python_measures(capsys, tmp_path):
    words = ["lesion", "--model", "residual_conv2d", "--option", "depth=6", "--option", "width=4"]
    assert run(*words, "--examples", "20", "--seed", "3", "--out", str(tmp_path / "t.csv")) == 0
    assert capsys.readouterr().out == f"6 rows in {tmp_path / 't.csv'}\n"
    torch.manual_seed(3)
    model = create_model("residual_conv2d", depth=6, width=4)
    digits = data.load("digits")
    expected = probes.lesion(model, (digits.x_test[:20], digits.y_test[:20]), progress=False)
    written = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(written, expected)
    assert run(*words, "--examples", "20", "--seed", "3") == 0
    assert capsys.readouterr().out.splitlines()[0].split() == list(expected.columns)


def test_data_are_those_that_the_model_takes():
    table = measure("gradients", "plain_conv1d", options=SMALL, examples=4)
    mnist = data.load("mnist1d")
    torch.manual_seed(0)
    model = create_model("plain_conv1d", **SMALL)
    expected = probes.gradient_norms(model, (mnist.x_test[:4], mnist.y_test[:4]))
    pd.testing.assert_frame_equal(table, expected)


def test_sizes_of_a_language_model_are_those_of_the_text():
    table = measure("residual_stream", "small_gpt", options={"n_layer": 1}, examples=4)
    text = data.load("shakespeare")
    torch.manual_seed(0)
    model = create_model("small_gpt", n_layer=1, vocab_size=65, block_size=64)
    expected = probes.residual_stream(model, (text.x_test[:4], text.y_test[:4]))
    pd.testing.assert_frame_equal(table, expected)


def test_shattering_needs_no_data_unless_told():
    line = measure("shattering", "plain_rectifier", options=SMALL, probe_options={"points": 20})
    assert line.equals(
        measure("shattering", "plain_rectifier", options=SMALL, probe_options={"points": 20})
    )
    digits = measure("shattering", "plain_rectifier", options=SMALL, data_name="digits")
    assert len(line) == 36
    assert len(digits) == 256 + 16


def test_training_comes_first():
    options = {"options": SMALL, "data_name": "toy_regression", "examples": 30}
    before = measure("lesion", "residual_mlp", **options)
    after = measure("lesion", "residual_mlp", steps=40, **options)
    assert after.value[0] < before.value[0]


def test_a_checkpoint_is_measured(tmp_path):
    torch.manual_seed(7)
    model = create_model("resnet20_cifar", in_chans=1)
    path = checkpoints.save(model, tmp_path / "weights.safetensors")
    table = measure("identityness", "resnet20_cifar", examples=4, checkpoint=str(path))
    digits = data.load("digits")
    expected = probes.identityness(model, (digits.x_test[:4], digits.y_test[:4]))
    pd.testing.assert_frame_equal(table, expected)


def test_a_folder_of_images_is_measured(mosaics):
    table = measure(
        "lesion", "resnet20_cifar", options={"width": 2}, examples=5, data_name=str(mosaics)
    )
    torch.manual_seed(0)
    model = create_model("resnet20_cifar", width=2)
    images = cifar.load(mosaics)
    expected = probes.lesion(model, (images.x_test[:5], images.y_test[:5]), progress=False)
    pd.testing.assert_frame_equal(table, expected)


def test_seed_goes_to_weights_and_draws():
    def measured(**settings):
        return measure(
            "lesion_random", "residual_mlp", options={**SMALL, "depth": 8}, examples=8, **settings
        )

    assert measured().equals(measured())
    assert not measured().equals(measured(seed=1))
    assert not measured().blocks.equals(measured(probe_options={"seed": 1}).blocks)
    state = torch.random.get_rng_state()
    measured()
    assert torch.equal(torch.random.get_rng_state(), state)


def test_without_a_name_the_probes_are_listed(capsys):
    assert run() == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(PROBES)
    assert all(line.rstrip().endswith((".", ":")) or len(line.split()) > 3 for line in listed)


def test_options_of_the_probe_are_literals_or_words(capsys):
    words = ["lesion_random", "--model", "residual_mlp", "--option", "width=3"]
    words += ["--option", "norm_layer=batch", "--examples", "4"]
    assert run(*words, "--set", "numbers=[0, 1]", "--set", "draws=2") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 2 * 2 * 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lesions", "--model", "plain_mlp"], "probe must be one of activations, .*got 'lesions'"),
        (["lesion"], "--model must name a model"),
        (["lesion", "--model", "resnet"], "name must be one of list_models.*got 'resnet'"),
        (["lesion", "--model", "plain_mlp", "--option", "dept=4"], "plain_mlp has no option dept"),
        (["lesion", "--model", "plain_mlp", "--set", "draws=4"], "lesion has no option draws; its"),
        (["lesion", "--model", "plain_mlp", "--set", "draws"], "must be OPTION=VALUE, got 'draws'"),
        (["lesion", "--model", "plain_mlp", "--data", "cats"], "there is no data set 'cats'"),
        (
            ["lesion", "--model", "plain_conv1d", "--data", "digits"],
            "data must be what plain_conv1d",
        ),
        (["lesion", "--model", "plain_mlp", "--option", "depth=2"], "model must have a Residual"),
        (["lesion", "--model", "plain_mlp", "--checkpoint", "no.pt"], "no.pt"),
        (["lesion", "--model", "plain_mlp", "--out", "no/folder.csv"], "no"),
        (["lesion", "--model", "plain_mlp", "--examples", "0"], "must be a whole number from 1"),
        (["shattering", "--model", "plain_mlp"], "shattering can't measure plain_mlp here: mat1"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(capsys, words, message):
    import re

    try:
        code = run(*words)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    said = [line for line in capsys.readouterr().err.splitlines() if "residual_lib" in line]
    assert len(said) == 1
    assert re.search(message, said[0])


def test_training_that_diverges_is_said(monkeypatch):
    class Lost:
        models = (None,)

    monkeypatch.setattr("residual_lib.train.train", lambda *_, **__: Lost)
    with pytest.raises(ValueError, match="it diverged before 3"):
        command._trained(torch.nn.Linear(1, 1), data.load("toy_regression"), 0, 3)
