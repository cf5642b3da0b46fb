"""Training on CIFAR-10: recipes, and a whole small run through the command line."""

import numpy as np
import pytest
import torch

from residual_lib import checkpoints
from residual_lib.__main__ import main
from residual_lib.experiments import cifar, get, list_experiments
from residual_lib.experiments.framework import fill, recorded

TINY = {
    "seeds": 2,
    "steps": 3,
    "batch": 8,
    "train_images": 20,
    "record_every": 3,
    "lesion_images": 4,
}


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("RESIDUAL_LIB_STORE", str(tmp_path / "trials"))
    monkeypatch.setattr(recorded, "FOLDER", tmp_path / "recorded")
    monkeypatch.setenv(cifar.FOLDER, "")  # so that what a test sets is taken back
    monkeypatch.delenv(cifar.FOLDER)
    return tmp_path / "trials"


def small(monkeypatch):
    """All profiles as short as can be, and networks of one channel."""
    for experiment in cifar.EXPERIMENTS:
        for profile in experiment.profiles:
            monkeypatch.setitem(experiment.profiles, profile, TINY)
        monkeypatch.setattr(cifar, "create_model", narrow)


def narrow(name):
    from residual_lib.models import create_model

    return create_model("resnet20_cifar" if name.startswith("resnet") else "plain20_cifar", width=1)


def test_the_papers_schedule():
    """He et al. 2015, section 4.2: 64k iterations, a tenth at 32k and at 48k."""
    rates = cifar.recipe("paper", "resnet20_cifar", 64_000)["schedule"]
    asked = [0, 31_999, 32_000, 47_999, 48_000, 63_999]
    assert [rates(step) for step in asked] == [1, 1, 0.1, 0.1, 0.01, 0.01]
    rates = cifar.recipe("paper", "resnet110_cifar", 64_000)["schedule"]
    assert [rates(step) for step in (0, 399, 400)] == [0.1, 0.1, 1]


def test_recipes():
    paper = cifar.recipe("paper", "resnet20_cifar", 100)
    assert (paper["lr"], paper["momentum"], paper["weight_decay"]) == (0.1, 0.9, 1e-4)
    modern = cifar.recipe("modern", "resnet20_cifar", 100)
    assert (modern["schedule"], modern["warmup"], modern["weight_decay"]) == ("cosine", 5, 5e-4)
    with pytest.raises(ValueError, match="recipe must be 'paper' or 'modern', got 'old'"):
        cifar.recipe("old", "resnet20_cifar", 100)


def test_a_run_trains_records_and_keeps_the_weights(mosaics, monkeypatch, capsys, store):
    small(monkeypatch)
    arguments = ["run", "cifar", "--data", str(mosaics), "--device", "cpu", "--jobs", "1"]
    assert main([*arguments, "--record"]) == 0
    printed = capsys.readouterr().out
    assert "cifar10_jpeg_shallow" in printed
    assert "cifar10_shallow needs the official files, got the other form of CIFAR-10" in printed
    table = get("cifar10_jpeg_shallow").recorded()
    assert set(table["data"]) == {"CIFAR-10, JPEG"}
    assert set(table["variant"]) == {"resnet20-paper", "resnet20-modern", "plain20-paper"}
    last = table[(table["step"] == 3) & (table["metric"] == "test_error")]
    assert len(last) == 6
    assert last["value"].between(0, 1).all()
    without = table[table["metric"] == "error_without"].groupby("variant")["layer"].nunique()
    # The intact network and its nine blocks; a plain one can't lose the two that change the shape.
    assert without.to_dict() == {
        name: 10 if name.startswith("resnet") else 8 for name in set(table["variant"])
    }
    ratios = table[table["metric"] == "branch_over_shortcut"]
    assert set(ratios["step"]) == {0, 3}
    facts = table.attrs["provenance"]
    assert facts["settings"]["steps"] == 3
    assert str(mosaics) not in str(facts)
    weights = sorted(path.name for path in (store / "weights").iterdir())
    assert "CIFAR-10_JPEG-resnet20_cifar-paper-3-0.safetensors" in weights
    path = cifar.weights_path(dict(get("cifar10_jpeg_shallow").variants["resnet20-paper"]), 0, 3)
    model = checkpoints.load(path, "resnet20_cifar")
    assert model.options["width"] == 1
    assert main([*arguments]) == 0  # everything is in the store now
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if "jpeg" in line]
    assert [row[1:4] for row in rows[:2]] == [["6", "6", "0"], ["10", "10", "0"]]


def test_variants_learn_from_their_own_augmentation(mosaics, monkeypatch):
    """A seed alone and beside another gives the same curve: its noise is its own."""
    monkeypatch.setattr(cifar, "create_model", narrow)
    monkeypatch.setenv(cifar.FOLDER, str(mosaics))
    experiment = get("cifar10_jpeg_shallow")
    monkeypatch.setitem(experiment.profiles, "quick", TINY)
    params = dict(experiment.variants["resnet20-modern"])
    settings = cifar.Settings(TINY)
    both = cifar.run(params, [0, 1], settings)
    alone = cifar.run(params, [1], settings)
    a = both[both["seed"] == 1]["value"].to_numpy()
    np.testing.assert_allclose(a, alone["value"].to_numpy(), rtol=1e-5)


def test_nothing_runs_without_being_asked_for(mosaics, monkeypatch):
    ours = {experiment.name for experiment in cifar.EXPERIMENTS}
    assert ours <= {experiment.name for experiment in list_experiments()}
    assert not ours & {experiment.name for experiment in fill.selected([])}
    monkeypatch.setenv(cifar.FOLDER, str(mosaics))
    jpeg = {experiment.name for experiment in cifar.EXPERIMENTS if "jpeg" in experiment.name}
    assert ours & {experiment.name for experiment in fill.selected([])} == jpeg


def test_a_folder_of_the_wrong_form(mosaics, monkeypatch):
    monkeypatch.setenv(cifar.FOLDER, str(mosaics))
    params = {"model": "resnet20_cifar", "recipe": "paper", "data": "CIFAR-10"}
    with pytest.raises(ValueError, match="must be a folder of CIFAR-10, got CIFAR-10, JPEG"):
        cifar.run(params, [0], cifar.Settings(TINY))


def test_what_is_lacking_is_said_in_one_line(tmp_path, capsys, monkeypatch):
    assert main(["run", "cifar"]) == 2
    assert "cifar10_shallow needs --data FOLDER" in capsys.readouterr().err
    assert main(["run", "cifar", "--data", str(tmp_path)]) == 2
    assert "needs a folder with CIFAR-10 as mosaics, got" in capsys.readouterr().err
    monkeypatch.delenv(cifar.FOLDER)
    with pytest.raises(ValueError, match="cifar10_deep needs --data FOLDER"):
        get("cifar10_deep").table(progress=False)


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    return checkpoints.save(narrow("resnet20_cifar"), tmp_path / "own.safetensors")


def test_load_says_what_it_found(weights, capsys, tmp_path):
    output = tmp_path / "out.safetensors"
    arguments = ["load", str(weights), "--model", "resnet20_cifar", "--output", str(output)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "is a resnet20_cifar: 1,207 parameters, layout residual_lib" in printed
    assert "  width = 1" in printed
    assert output.is_file()


def test_evaluate_prints_accuracy(weights, mosaics, capsys):
    arguments = ["evaluate", str(weights), "--model", "resnet20_cifar", "--data", str(mosaics)]
    assert main([*arguments, "--device", "cpu", "--limit", "4"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("resnet20_cifar on 4 images of CIFAR-10, JPEG: top-1 ")
    assert main([*arguments, "--device", "cpu", "--json"]) == 0
    assert '"data": "CIFAR-10, JPEG", "images": 6' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--option", "colour=red"], "resnet20_cifar has no option colour"),
        (["--option", "shortcut=C"], "doesn't fit resnet20_cifar"),
        (["--option", "norm_layer=null"], "doesn't fit resnet20_cifar"),
        (["--layout", "keras"], "layout must be"),
        (["--model", "resnet19"], "got 'resnet19'"),
    ],
)
def test_load_refuses_in_one_line(weights, capsys, more, message):
    assert main(["load", str(weights), "--model", "resnet20_cifar", *more]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_setting_needs_a_value(weights, capsys):
    with pytest.raises(SystemExit):
        main(["load", str(weights), "--model", "resnet20_cifar", "--option", "width"])
    assert "must be OPTION=VALUE, got 'width'" in capsys.readouterr().err


def test_a_missing_file(capsys, tmp_path):
    assert main(["load", str(tmp_path / "no.pt"), "--model", "resnet20_cifar"]) == 2
    assert "path must be a file" in capsys.readouterr().err
