"""The families: counts by formula, the one argument that differs, errors that name it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from residual_lib.models import create_model, list_models
from residual_lib.models.registry import register_model
from residual_lib.residual import add, branch_only, iter_residuals

PAIRS = [("plain_mlp", "residual_mlp"), ("plain_conv1d", "residual_conv1d")]
PAIRS.append(("plain_conv2d", "residual_conv2d"))
STACKS = [name for pair in PAIRS for name in pair]  # those whose depth is an option
STACKS += ["plain_rectifier", "residual_rectifier"]
INPUTS = {"mlp": (3, 8, 8), "conv1d": (3, 1, 12), "conv2d": (3, 1, 8, 8), "rectifier": (3, 1)}


def example(name):
    return torch.randn(INPUTS[name.split("_")[1]])


@given(width=st.integers(1, 9), blocks=st.integers(0, 3), inputs=st.integers(1, 5))
@settings(deadline=None, max_examples=15)
def test_parameter_counts_by_formula(width, blocks, inputs):
    def count(name, **options):
        model = create_model(name, width=width, depth=2 + 2 * blocks, num_classes=7, **options)
        return sum(p.numel() for p in model.parameters())

    head = 7 * width + 7
    hidden = width * (width + 1)
    assert count("plain_mlp", in_features=inputs) == (
        width * (inputs + 1) + 2 * blocks * hidden + head
    )
    for dims in (1, 2):
        norm = 2 * width
        layer = 3**dims * width * width + norm
        stem = 3**dims * inputs * width + norm
        assert count(f"residual_conv{dims}d", in_chans=inputs) == stem + 2 * blocks * layer + head


@pytest.mark.parametrize(("plain", "residual"), PAIRS)
def test_plain_and_residual_differ_by_the_merge_alone(plain, residual):
    torch.manual_seed(0)
    one = create_model(plain, depth=6)
    torch.manual_seed(0)
    other = create_model(residual, depth=6)
    assert list(one.state_dict()) == list(other.state_dict())
    for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert {block.merge for _, block in iter_residuals(one)} == {branch_only}
    assert {block.merge for _, block in iter_residuals(other)} == {add}
    x = example(plain)
    assert not torch.allclose(one(x), other(x))
    for _, block in iter_residuals(one):
        block.merge = add
    torch.testing.assert_close(one(x), other(x))


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("norm_layer", [None, "batch", "layer"])
def test_every_model_runs_backwards_with_every_norm(name, norm_layer):
    model = create_model(name, depth=4, norm_layer=norm_layer, num_classes=5)
    output = model(example(name))
    assert output.shape == (3, 5)
    output.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("name", STACKS)
def test_depth_counts_the_layers_with_weights(name):
    model = create_model(name, depth=8)
    assert sum(p.ndim > 1 for p in model.parameters()) == 8


def test_plain_mlp_is_the_formula_written_out():
    model = create_model("plain_mlp", in_features=4, width=4, depth=4, activation="tanh")
    x = torch.randn(2, 4)
    state = model.state_dict()
    h = x
    for layer in ("stem.layer", "blocks.0.branch.layer1", "blocks.0.branch.layer2"):
        h = torch.tanh(h @ state[f"{layer}.weight"].T + state[f"{layer}.bias"])
    torch.testing.assert_close(model(x), h @ state["head.weight"].T + state["head.bias"])


def test_rectifier_nets_are_the_formula_written_out():
    x = torch.linspace(-2, 2, 9)[:, None]
    for skip, name in enumerate(("plain_rectifier", "residual_rectifier")):
        torch.manual_seed(0)
        model = create_model(name, depth=4, width=5, norm_layer="centre", beta=0.1)
        state = model.state_dict()
        h = x @ state["stem.weight"].T
        for i in range(2):
            branch = (h - h.mean(0)).relu() @ state[f"blocks.{i}.branch.2.weight"].T
            h = skip * h + 0.1 * branch
        trained = model(x)
        torch.testing.assert_close(trained, h @ state["head.weight"].T)
        for _ in range(200):
            model(x)  # the running means arrive at those of the only batch there is
        torch.testing.assert_close(model.eval()(x), trained)
    assert "0.1" in repr(model)


def test_blocks_know_their_names():
    model = create_model("residual_mlp", depth=6)
    assert [block.label for _, block in iter_residuals(model)] == ["blocks.0", "blocks.1"]


def test_list_models_takes_a_pattern():
    assert list_models("*_mlp") == ["plain_mlp", "residual_mlp"]
    assert list_models("no such") == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"name": "plain_mpl"}, ValueError, "got 'plain_mpl'; close: .'plain_mlp'"),
        ({"name": "?"}, ValueError, "residual_mlp"),
        ({"name": "plain_mlp", "dept": 4}, TypeError, "no option dept; its options .*depth"),
        ({"name": "plain_mlp", "skip": True}, TypeError, "no option skip"),
        ({"name": "plain_mlp", "depth": 5}, ValueError, "depth must be an even .* got 5"),
        ({"name": "plain_mlp", "depth": "8"}, ValueError, "depth must be .* got '8'"),
        ({"name": "plain_mlp", "width": 0}, ValueError, "width must be .* got 0"),
        ({"name": "plain_conv1d", "in_chans": 1.5}, ValueError, "in_chans must be .* got 1.5"),
        ({"name": "plain_conv1d", "norm_layer": "x"}, ValueError, "norm_layer must be"),
        ({"name": "plain_rectifier", "norm_layer": "x"}, ValueError, "norm_layer must be"),
        ({"name": "plain_rectifier", "depth": 1}, ValueError, "depth must be .* got 1"),
        ({"name": "plain_rectifier", "beta": 0}, ValueError, "beta must be .* above 0, got 0"),
        ({"name": "plain_rectifier", "beta": "1"}, ValueError, "beta must be .* got '1'"),
    ],
)
def test_wrong_arguments_are_named(options, error, message):
    with pytest.raises(error, match=message):
        create_model(**options)


def test_dims_are_checked():
    from residual_lib.models import ConvNet

    with pytest.raises(ValueError, match="dims must be 1 or 2, got 3"):
        ConvNet(dims=3)


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="'plain_mlp', which is registered already"):
        register_model("plain_mlp", torch.nn.Identity)


# --- stochastic depth -------------------------------------------------------------------------

DROPPING = {
    "residual_mlp": {"depth": 8, "width": 8},
    "residual_conv1d": {"depth": 8, "width": 4},
    "small_resnet1d": {"width": 4},
    "transformer_encoder": {"n_layer": 3, "n_head": 2, "n_embd": 8},
    "small_gpt": {"n_layer": 3},
    "small_bert": {"n_layer": 3},
}


@pytest.mark.parametrize("name", DROPPING)
def test_drop_path_rate_of_each_family(name):
    """The last branch has the rate, the first none, and no weight gets another name or value."""
    models = []
    for rate in (0.0, 0.4):
        torch.manual_seed(0)
        models.append(create_model(name, **DROPPING[name], drop_path_rate=rate))
    plain, dropping = (model.state_dict() for model in models)
    assert list(plain) == list(dropping)
    assert all(torch.equal(plain[key], dropping[key]) for key in plain)
    assert all(block.scale is None for _, block in iter_residuals(models[0]))
    scales = [block.scale for _, block in iter_residuals(models[1])]
    rates = [0 if scale is None else scale.rate for scale in scales]
    assert rates[0] == 0
    assert rates[-1] == pytest.approx(0.4)
    assert sorted(set(rates)) == pytest.approx([0, 0.2, 0.4])
    with pytest.raises(ValueError, match=r"drop_path_rate must be .* got 1\.5"):
        create_model(name, **DROPPING[name], drop_path_rate=1.5)


@pytest.mark.parametrize("name", ["residual_mlp", "residual_conv1d", "small_resnet1d"])
def test_drop_path_per_batch(name):
    model = create_model(name, **DROPPING[name], drop_path_rate=0.4, drop_path_per="batch")
    scales = [block.scale for _, block in iter_residuals(model)]
    assert {scale.per for scale in scales if scale is not None} == {"batch"}
    with pytest.raises(ValueError, match=r"drop_path_per must be one of .* got 'pixel'"):
        create_model(name, **DROPPING[name], drop_path_per="pixel")


def test_a_net_without_blocks_drops_nothing():
    assert len(create_model("residual_mlp", depth=2, drop_path_rate=0.5).blocks) == 0
