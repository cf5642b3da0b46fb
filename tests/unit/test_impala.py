"""IMPALA's trunk: its count by formula, its blocks, the plain network beside it."""

import functools

import pytest
import torch
from torch import nn

from residual_lib.models import ImpalaNet, create_model
from residual_lib.residual import add, branch_only, iter_residuals
from residual_lib.train.stack import fastest_way


def count(model):
    return sum(p.numel() for p in model.parameters())


def formula(in_chans, height, width, widths=(16, 32, 32), blocks=2, features=256):
    """9 c c' + c' for each convolution; what is left of the frame, times the features."""
    total = 0
    for channels in widths:
        total += 9 * in_chans * channels + channels
        total += 2 * blocks * (9 * channels * channels + channels)
        in_chans, height, width = channels, (height + 1) // 2, (width + 1) // 2
    return total + in_chans * height * width * features + features


@pytest.mark.parametrize(
    ("in_chans", "size", "convolutions", "total"),
    [
        (3, (72, 96), 97_600, 982_592),  # DeepMind Lab, as in the authors' code
        (4, (84, 84), 97_744, 1_089_232),  # four grey frames of an Atari game
    ],
)
def test_counts_by_formula(in_chans, size, convolutions, total):
    model = create_model("impala", in_chans=in_chans, image_size=size)
    assert count(model) == formula(in_chans, *size) == total
    assert count(model.stages) == convolutions
    assert count(create_model("impala", in_chans=in_chans, image_size=size, skip=False)) == total


def test_fifteen_convolutions_and_six_skips():
    model = create_model("impala")
    assert sum(isinstance(m, nn.Conv2d) for m in model.modules()) == 15
    assert len(list(iter_residuals(model))) == 6
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())


@pytest.mark.parametrize("size", [(72, 96), (84, 84), (9, 7)])
def test_a_frame_gives_features_or_logits(size):
    x = torch.rand(2, 3, *size)
    features = create_model("impala", image_size=size)(x)
    assert features.shape == (2, 256)
    assert (features >= 0).all()
    assert create_model("impala", image_size=size, num_classes=5)(x).shape == (2, 5)


def test_the_blocks_are_the_formula():
    torch.manual_seed(0)
    block = create_model("small_impala").stages[0].blocks[0]
    x = torch.randn(2, 8, 4, 4)
    branch = block.branch
    expected = x + branch.layer2(torch.relu(branch.layer1(torch.relu(x))))
    torch.testing.assert_close(block(x), expected)


def test_plain_differs_by_the_merge_alone():
    torch.manual_seed(0)
    one = create_model("small_impala", skip=False)
    torch.manual_seed(0)
    other = create_model("small_impala")
    for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert {block.merge for _, block in iter_residuals(one)} == {branch_only}
    assert {block.merge for _, block in iter_residuals(other)} == {add}
    x = torch.randn(3, 1, 8, 8)
    assert not torch.allclose(one(x), other(x))
    one(x).sum().backward()
    assert all(p.grad is not None for p in one.parameters())


def test_seeds_fit_side_by_side():
    build = functools.partial(create_model, "small_impala")
    x = torch.randn(4, 1, 8, 8)
    assert fastest_way([build(), build()], torch.device("cpu"), x) == "side by side"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"in_chans": 0}, "in_chans must be .* got 0"),
        ({"num_classes": 0}, "num_classes must be .* got 0"),
        ({"image_size": (8,)}, r"image_size must be \(height, width\), got \(8,\)"),
        ({"image_size": (8, 0)}, "image_size must be .* got 0"),
        ({"widths": ()}, r"widths must be a number for each stage, got \(\)"),
        ({"widths": (8, 0)}, "widths must be .* got 0"),
        ({"activation": "gulu"}, "activation must be one of"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ImpalaNet(**options)
