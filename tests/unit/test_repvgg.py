"""RepVGG: folded it is the same function; its sizes are the published ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from residual_lib.models import RepVGG, create_model
from residual_lib.models.repvgg import RepVGGBlock, fold
from residual_lib.residual import iter_residuals

CHOICES = [(), ("identity",), ("1x1",), ("identity", "1x1")]


def warmed(model, *shape):
    """The model in evaluation mode, with running statistics and scales that aren't 0 and 1."""
    for part in model.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.uniform_(part.weight, 0.5, 2)
            nn.init.normal_(part.bias)
    model.train()
    for _ in range(5):
        model(2 * torch.randn(shape) + 1)
    return model.eval()


@pytest.mark.parametrize("branches", CHOICES)
@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize(("inputs", "outputs", "stride"), [(6, 6, 1), (4, 6, 1), (6, 6, 2)])
def test_a_folded_block_is_the_same_function(branches, dims, inputs, outputs, stride):
    torch.manual_seed(0)
    shape = (4, inputs, *(8,) * dims)
    block = RepVGGBlock(inputs, outputs, stride=stride, branches=branches, dims=dims)
    warmed(block, *shape)
    folded, x = block.fold(), torch.randn(shape)
    torch.testing.assert_close(folded(x), block(x), rtol=1e-5, atol=1e-5)
    assert [type(part).__name__ for part in folded] == [f"Conv{dims}d", "ReLU"]


def test_a_folded_net_is_the_same_function_and_has_no_skip():
    torch.manual_seed(0)
    model = warmed(
        RepVGG(3, 5, widths=(8, 8, 12), num_blocks=(3, 2), strides=(1, 2, 2)), 8, 3, 16, 16
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    folded, x = fold(model), torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(folded(x), model(x), rtol=1e-5, atol=1e-5)
    assert not list(iter_residuals(folded))
    assert list(iter_residuals(model))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_three_branches_by_hand():
    torch.manual_seed(0)
    block = warmed(RepVGGBlock(5, 5, dims=1), 4, 5, 9)
    x = torch.randn(2, 5, 9)
    beside = block.shortcut
    expected = block.branch(x) + beside.branch(x) + beside.shortcut(x)
    torch.testing.assert_close(block(x), expected.relu())


@pytest.mark.parametrize(
    ("name", "millions"), [("a0", 8.30), ("a1", 12.78), ("a2", 25.49), ("b0", 14.33), ("b1", 51.82)]
)
def test_published_sizes(name, millions):
    """Ding et al. 2021, Table 4, of folded nets, in millions cut off behind two digits."""
    with torch.device("meta"):
        folded = fold(create_model(f"repvgg_{name}"))
    counted = sum(p.numel() for p in folded.parameters()) / 1e6
    assert millions - 0.005 < counted < millions + 0.011


@pytest.mark.parametrize("dims", [1, 2])
def test_small_ones_keep_the_size(dims):
    model = create_model(f"small_repvgg{dims}d")
    assert model(torch.zeros(2, 1, *(8,) * dims)).shape == (2, 10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"branches": "identity"}, "branches must be some of"),
        ({"branches": ["2x2"]}, "branches must be some of"),
        ({"widths": (8,)}, "widths and strides must have one number more"),
        ({"strides": (0, 1, 1, 1, 1)}, "strides must be a whole number above 0"),
        ({"dims": 3}, "dims must be 1 or 2"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        RepVGG(**options)
