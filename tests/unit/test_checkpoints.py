"""Other people's weights give the same logits here as there, and bad files are refused."""

import pickle
import re
from pathlib import Path

import pytest
import third_party
import torch
from safetensors.torch import save_file
from torch import nn

from residual_lib import checkpoints
from residual_lib.models import create_model


def randomised(model, seed=0):
    """`model` with every weight and every statistic off its starting value."""
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model.eval()


def bare(state):
    return state


def parallel(state):
    return {"state_dict": {f"module.{k}": v for k, v in state.items()}, "best_prec1": 91.7}


def net(state):
    return {"net": state, "acc": 95.0, "epoch": 199}


def dotted(state):
    """As torchvision's own files have it."""
    return {re.sub(r"(denselayer\d+\.\D+)(\d)", r"\1.\2", k): v for k, v in state.items()}


def compiled(state):
    return {"model": {f"_orig_mod.{k}": v for k, v in state.items()}, "optimizer": {"lr": 0.1}}


CASES = {
    "torchvision-18": (lambda: third_party.torchvision(18), "resnet18", {}, bare, ".pth", 64),
    "torchvision-34": (lambda: third_party.torchvision(34, 5), "resnet34", {}, compiled, ".pt", 64),
    "torchvision-50": (lambda: third_party.torchvision(50, 7), "resnet50", {}, bare, ".pth", 64),
    "paper-50": (
        lambda: third_party.torchvision(-50, 7),
        "resnet50", {"stride_in_1x1": True}, bare, ".pth", 64,
    ),
    "timm-50d": (lambda: third_party.timm_50d(7), "resnet50", {}, bare, ".safetensors", 64),
    "akamaster-20": (lambda: third_party.akamaster(20), "resnet20_cifar", {}, parallel, ".th", 32),
    "akamaster-56": (lambda: third_party.akamaster(56), "resnet56_cifar", {}, parallel, ".th", 32),
    "akamaster-B": (
        lambda: third_party.akamaster(20, shortcut=third_party.projected),
        "resnet20_cifar", {}, parallel, ".th", 32,
    ),
    "kuangliu-18": (third_party.kuangliu_18, "resnet18", {}, net, ".pth", 32),
    "chenyaofo-20": (lambda: third_party.chenyaofo(20), "resnet20_cifar", {}, bare, ".pt", 32),
    "torchvision-dense-121": (
        lambda: third_party.torchvision_dense(121, 7), "densenet121", {}, dotted, ".pth", 64,
    ),
    "timm-dense-161": (
        lambda: third_party.torchvision_dense(161, 5),
        "densenet161", {"memory_efficient": True}, bare, ".safetensors", 64,
    ),
    "pleiss-100": (third_party.pleiss_dense, "densenet_bc_100_12_cifar", {}, parallel, ".pt", 32),
    "plain-dense-40": (third_party.plain_dense, "densenet_40_12_cifar", {}, bare, ".pt", 32),
}  # fmt: skip
LAYOUT_OF = {
    **dict.fromkeys(("paper", "chenyaofo", "plain"), "torchvision"),
    "kuangliu": "akamaster",
}


def write(path, content):
    if path.suffix == ".safetensors":
        save_file({name: tensor.contiguous() for name, tensor in content.items()}, path)
    else:
        torch.save(content, path)
    return path


@pytest.mark.parametrize("case", CASES)
def test_third_party_weights_give_the_same_logits(case, tmp_path, record_property):
    build, name, options, wrap, suffix, size = CASES[case]
    theirs = randomised(build())
    path = write(tmp_path / f"weights{suffix}", wrap(theirs.state_dict()))
    who = case.partition("-")[0]
    x = torch.randn(2, 3, size, size)
    with torch.no_grad():
        expected = theirs(x)
        for layout in ("auto", LAYOUT_OF.get(who, who)):
            ours = checkpoints.load(path, name, layout, **options)
            difference = (ours(x) - expected).abs().max()
            record_property("largest difference of logits", difference.item())
            assert difference < 1e-5 * expected.abs().max()
            assert not ours.training


def test_wrong_stride_gives_other_logits(tmp_path):
    """What shapes can't tell has to be said: without the option the numbers differ."""
    theirs = randomised(third_party.torchvision(-50, 7))
    path = write(tmp_path / "paper.pth", theirs.state_dict())
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert not torch.allclose(checkpoints.load(path, "resnet50")(x), theirs(x), rtol=1e-2)


def test_what_the_shapes_tell_is_not_asked(tmp_path):
    path = write(tmp_path / "a.th", third_party.chenyaofo(20, 100).state_dict())
    model = checkpoints.load(path)
    assert model.options == {
        "in_chans": 3, "num_classes": 100, "shortcut": "B", "stem": "cifar", "width": 16,
    }  # fmt: skip
    assert model.layout == "torchvision"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet20_cifar", {"shortcut": "C", "width": 4, "in_chans": 1}),
        ("preact_resnet20_cifar", {"width": 4}),
        ("resnet18", {"width": 4, "stem": "deep", "shortcut": "B"}),
        ("small_densenet2d", {"block_config": (2, 1), "growth_rate": 3, "compression": 1.0}),
        ("small_densenet2d", {"bn_size": None, "num_init_features": 5, "block_config": (1, 3)}),
        ("small_unet2d", {"width": 2}),
        ("residual_conv1d", {"depth": 6, "width": 4}),
        ("plain_mlp", {"depth": 4}),
    ],
)
def test_our_own_weights_come_back(name, options, tmp_path):
    model = create_model(name, **options)
    path = checkpoints.save(model, tmp_path / "folder" / "own.safetensors")
    given = {} if "resnet" in name or "densenet" in name else options
    back = checkpoints.load(path, name, **given)
    for key, tensor in model.state_dict().items():
        assert torch.equal(back.state_dict()[key], tensor)


def test_what_the_shapes_of_a_dense_network_tell(tmp_path):
    path = write(tmp_path / "a.pth", dotted(third_party.torchvision_dense(121, 9).state_dict()))
    assert checkpoints.load(path, "densenet121").options == {
        "bn_size": 4, "compression": 0.5, "in_chans": 3, "num_classes": 9,
        "num_init_features": 64, "stem": "imagenet",
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"doesn't fit densenet169 .*torchvision\): missing \d+: "):
        checkpoints.load(path, "densenet169")
    with pytest.raises(ValueError, match=r"doesn't fit resnet18"):
        checkpoints.load(path, "resnet18")


def test_a_layout_is_that_of_a_family(tmp_path):
    path = write(tmp_path / "a.pt", {"a": torch.ones(1)})
    with pytest.raises(ValueError, match=r"one of .*'pleiss'\] for densenet121, got 'akamaster'"):
        checkpoints.load(path, "densenet121", layout="akamaster")
    with pytest.raises(ValueError, match=r"one of \['residual_lib'\] for unet, got 'timm'"):
        checkpoints.load(path, "unet", layout="timm")


def test_gates_come_back_when_they_are_said(tmp_path):
    model = create_model("resnet20_cifar", width=4, shortcut="exclusive_gating")
    path = checkpoints.save(model, tmp_path / "own.safetensors")
    back = checkpoints.load(path, "resnet20_cifar", shortcut="exclusive_gating")
    key = "stages.0.0.merge.gate.layer.weight"
    assert torch.equal(back.state_dict()[key], model.state_dict()[key])


def test_half_precision_is_read_as_single(tmp_path):
    theirs = third_party.akamaster(20).half()
    model = checkpoints.load(write(tmp_path / "a.th", theirs.state_dict()))
    assert model.stem.layer.weight.dtype == torch.float32
    assert torch.equal(model.stem.layer.weight, theirs.conv1.weight.float())


def test_old_files_count_no_batches(tmp_path):
    state = third_party.akamaster(20).state_dict()
    state = {name: t for name, t in state.items() if "num_batches" not in name}
    checkpoints.load(write(tmp_path / "a.th", state))


def test_misfits_are_listed_in_one_line(tmp_path):
    state = third_party.akamaster(20).state_dict()
    state["layer1.0.surprise"] = torch.zeros(1)
    del state["layer1.1.bn2.weight"]
    state["layer1.2.conv1.weight"] = torch.zeros(16, 16, 1, 1)
    path = write(tmp_path / "a.th", state)
    with pytest.raises(ValueError, match=r"a\.th doesn't fit resnet20_cifar") as caught:
        checkpoints.load(path)
    assert str(caught.value) == (
        "a.th doesn't fit resnet20_cifar (layout akamaster): missing 1: layer1.1.bn2.weight; "
        "extra 1: layer1.0.surprise; "
        "misshapen 1: layer1.2.conv1.weight (16, 16, 1, 1), not (16, 16, 3, 3)"
    )


def test_long_lists_are_cut(tmp_path):
    path = write(tmp_path / "a.th", third_party.akamaster(32).state_dict())
    with pytest.raises(ValueError, match=r"extra 72: (\S+, ){5}\S+ and 66 more$") as caught:
        checkpoints.load(path, "resnet20_cifar")
    assert "\n" not in str(caught.value)


def test_another_layout_than_the_files_is_refused(tmp_path):
    path = write(tmp_path / "a.th", third_party.akamaster(20).state_dict())
    with pytest.raises(ValueError, match=r"layout torchvision\): missing 2: fc.weight, fc.bias;"):
        checkpoints.load(path, layout="torchvision")


class Hostile:
    """Unpickling this writes a file."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.write_text, (self.target, "ran")


@pytest.mark.parametrize("legacy", [True, False])
def test_nothing_in_a_file_is_run(tmp_path, legacy):
    target = tmp_path / "proof"
    state = third_party.akamaster(20).state_dict()
    torch.save(
        {"state_dict": state, "extra": Hostile(target)},
        tmp_path / "a.th",
        _use_new_zipfile_serialization=not legacy,
    )
    with pytest.raises(ValueError, match=r"a\.th is refused: .* nothing in it was run") as caught:
        checkpoints.load(tmp_path / "a.th")
    assert not target.exists()
    assert "\n" not in str(caught.value)
    # The file does what it is meant to where it is trusted: the test can fail.
    torch.load(tmp_path / "a.th", weights_only=False)
    assert target.read_text() == "ran"


def test_a_bare_pickle_is_not_run(tmp_path):
    target = tmp_path / "proof"
    (tmp_path / "a.pt").write_bytes(pickle.dumps(Hostile(target)))
    with pytest.raises(ValueError, match=r"a\.pt is refused"):
        checkpoints.load(tmp_path / "a.pt")
    assert not target.exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.pt", b"", "a.pt is"),
        ("a.pt", b"PK\x03\x04 not a zip", "a.pt is no PyTorch checkpoint"),
        ("a.safetensors", b"\x00" * 20, "a.safetensors is no file of safetensors"),
        ("a.onnx", b"", "path must end in one of .* got 'a.onnx'"),
    ],
)
def test_damaged_files(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        checkpoints.load(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "must hold tensors by name, got a list"),
        ({"epoch": 3, "state_dict": {"a": 1}}, r"got a mapping with the keys \['epoch', 'state"),
        ({}, "got a mapping with the keys"),
    ],
)
def test_files_without_weights(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        checkpoints.read(write(tmp_path / "a.pt", content))


def test_wrong_arguments_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="path must be a file"):
        checkpoints.load(tmp_path / "none.pt")
    path = write(tmp_path / "a.pt", {"a": torch.ones(1)})
    with pytest.raises(ValueError, match=r"layout must be 'auto' or one of .* got 'keras'"):
        checkpoints.load(path, layout="keras")
    with pytest.raises(ValueError, match="got 'resnet19'"):
        checkpoints.load(path, "resnet19")
    with pytest.raises(TypeError, match="no option colour"):
        checkpoints.load(path, colour="red")
    with pytest.raises(ValueError, match=r"path must end in \.safetensors, got 'a.pt'"):
        checkpoints.save(nn.Linear(1, 1), path)


def test_a_file_for_another_kind_of_model(tmp_path):
    path = write(tmp_path / "a.pt", {"encoder.weight": torch.ones(2)})
    with pytest.raises(ValueError, match=r"doesn't fit resnet20_cifar .* extra 1: weight"):
        checkpoints.load(path)
