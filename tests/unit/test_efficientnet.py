"""EfficientNet: published counts, its block by hand, and the plain network beside it."""

import functools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residual_lib.data import Data
from residual_lib.models import EfficientNet, create_model
from residual_lib.models.efficientnet import inverted_bottleneck, rounded_channels
from residual_lib.nn import DropPath, SqueezeExcitation, create_conv
from residual_lib.residual import add, branch_only, iter_residuals
from residual_lib.train import train
from residual_lib.train.stack import fastest_way

# torchvision's documented `num_params`; timm has the same for its tf_efficientnet models.
TORCHVISION = {
    "efficientnet_b0": 5_288_548,
    "efficientnet_b1": 7_794_184,
    "efficientnet_b2": 9_109_994,
    "efficientnet_b3": 12_233_232,
    "efficientnet_b4": 19_341_616,
    "efficientnet_b5": 30_389_784,
    "efficientnet_b6": 43_040_704,
    "efficientnet_b7": 66_347_960,
}
# Blocks of B0 whose input and output have one shape, by stage: the first of each has none.
SKIPS_OF_B0 = [0, 1, 1, 2, 2, 3, 0]


def without_numbers(name, **options):
    with torch.device("meta"):
        return create_model(name, **options)


@pytest.mark.parametrize(("name", "published"), TORCHVISION.items())
def test_counts_of_torchvision(name, published):
    count = sum(p.numel() for p in without_numbers(name).parameters())
    assert count == published
    plain = without_numbers(name, skip=False)
    assert sum(p.numel() for p in plain.parameters()) == published


def test_b0_has_nine_skips():
    model = without_numbers("efficientnet_b0")
    found = [len(list(iter_residuals(stage))) for stage in model.stages]
    assert found == SKIPS_OF_B0
    assert sum(found) == 9
    assert sum(isinstance(m, SqueezeExcitation) for m in model.modules()) == 16


@pytest.mark.parametrize(("inputs", "outputs", "expansion"), [(4, 4, 6), (4, 6, 3), (5, 5, 1)])
def test_count_of_a_block_by_formula(inputs, outputs, expansion):
    squeeze, size = 2, 5
    inner = expansion * inputs
    expand = inputs * inner + 2 * inner if expansion > 1 else 0
    depthwise = size * size * inner + 2 * inner
    gate = 2 * inner * squeeze + inner + squeeze
    project = inner * outputs + 2 * outputs
    branch = inverted_bottleneck(
        inputs, outputs, expansion=expansion, kernel_size=size, squeeze_channels=squeeze
    )
    assert sum(p.numel() for p in branch.parameters()) == expand + depthwise + gate + project


def test_a_block_by_hand():
    torch.manual_seed(0)
    branch = inverted_bottleneck(3, 3, expansion=2, kernel_size=3, squeeze_channels=1).double()
    for norm in (m for m in branch.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    branch.eval()
    x = torch.randn(2, 3, 5, 5, dtype=torch.float64)

    def normalised(norm, h):
        mean, var = (t[:, None, None] for t in (norm.running_mean, norm.running_var))
        scale, shift = (t[:, None, None] for t in (norm.weight, norm.bias))
        return (h - mean) / (var + norm.eps).sqrt() * scale + shift

    def silu(h):
        return h * torch.sigmoid(h)

    h = torch.einsum("oi,bihw->bohw", branch.expand.weight[..., 0, 0], x)
    h = silu(normalised(branch.norm1, h))
    padded = F.pad(h, (1, 1, 1, 1))
    parts = [
        padded[:, :, i : i + 5, j : j + 5] * branch.depthwise.weight[:, 0, i, j, None, None]
        for i in range(3)
        for j in range(3)
    ]
    h = silu(normalised(branch.norm2, sum(parts)))
    z = h.mean((2, 3))
    gate = branch.se.gate
    z = silu(z @ gate.fc1.weight[..., 0, 0].T + gate.fc1.bias)
    z = torch.sigmoid(z @ gate.fc2.weight[..., 0, 0].T + gate.fc2.bias)
    h = h * z[:, :, None, None]
    h = torch.einsum("oi,bihw->bohw", branch.project.weight[..., 0, 0], h)
    torch.testing.assert_close(branch(x), normalised(branch.norm3, h))


def test_the_gate_squeezes_from_what_enters_the_block():
    model = without_numbers("efficientnet_b0")
    units = [m.gate.fc1.out_channels for m in model.modules() if isinstance(m, SqueezeExcitation)]
    entering = [32, 16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112, 192, 192, 192, 192]
    assert units == [channels // 4 for channels in entering]
    bare = without_numbers("efficientnet_b0", se_ratio=0)
    assert not any(isinstance(m, SqueezeExcitation) for m in bare.modules())


@pytest.mark.parametrize("dims", [1, 2])
def test_small_ones_run_backwards(dims):
    model = create_model(f"small_efficientnet{dims}d", drop_path_rate=0.2)
    output = model(torch.randn(3, 1, *[8] * dims))
    assert output.shape == (3, 10)
    output.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_plain_differs_by_the_merge_alone():
    torch.manual_seed(0)
    one = create_model("small_efficientnet2d", skip=False)
    torch.manual_seed(0)
    other = create_model("small_efficientnet2d")
    assert list(one.state_dict()) == list(other.state_dict())
    for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert {block.merge for _, block in iter_residuals(one)} == {branch_only}
    assert {block.merge for _, block in iter_residuals(other)} == {add}
    assert len(list(iter_residuals(other))) == 5
    x = torch.randn(3, 1, 8, 8)
    assert not torch.allclose(one(x), other(x))
    for _, block in iter_residuals(one):
        block.merge = add
    torch.testing.assert_close(one(x), other(x))


def test_depth_and_width_are_scaled():
    model = without_numbers("small_efficientnet2d", depth_mult=2, width_mult=2)
    assert [len(stage) for stage in model.stages] == [2, 6, 6]
    assert model.head.in_features == 128
    assert len(list(iter_residuals(model))) == 2 + 5 + 5


@pytest.mark.parametrize(
    ("channels", "rounded"), [(1, 8), (12, 16), (35.2, 32), (44, 48), (57.6, 56), (3.2, 8)]
)
def test_rounded_channels(channels, rounded):
    assert rounded_channels(channels) == rounded
    assert rounded_channels(channels) >= 0.9 * channels


def test_drop_path_rises_over_all_blocks():
    model = without_numbers("efficientnet_b0", drop_path_rate=0.15)
    rates = {name: b.scale.rate for name, b in iter_residuals(model) if b.scale is not None}
    assert rates["stages.1.1"] == pytest.approx(0.15 * 2 / 15)
    assert rates["stages.5.3"] == pytest.approx(0.15 * 14 / 15)
    assert len(rates) == 9
    assert not any(isinstance(m, DropPath) for m in without_numbers("efficientnet_b0").modules())


def test_depthwise_convolutions_have_a_group_a_channel():
    layer = create_conv(6, 6, 3, groups=6)
    assert layer.weight.shape == (6, 1, 3, 3)
    with pytest.raises(ValueError, match="groups must divide 6 and 4 channels, got 6"):
        create_conv(6, 4, groups=6)
    with pytest.raises(ValueError, match="groups must be 1 for vectors, got 2"):
        create_conv(6, 4, dims=0, groups=2)


def test_seeds_train_side_by_side(recwarn):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 1, 8, 8, generator=generator)
    y = torch.randint(10, (40,), generator=generator)
    data = Data(x, y, x[:9], y[:9], "noise", 10, "classification")
    build = functools.partial(create_model, "small_efficientnet2d")
    assert fastest_way([build(), build()], torch.device("cpu"), x[:4]) == "side by side"

    def losses(together):
        training = train(
            build, data, [0, 1], steps=3, batch_size=16, lr=0.01, together=together,
            progress=False, device="cpu",
        )  # fmt: skip
        history = training.history.sort_values(["metric", "seed", "step"])
        return history.loc[history.metric == "batch_loss", "value"].to_numpy()

    assert losses(True) == pytest.approx(losses(False), rel=1e-3)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 0}, "num_classes must be .* got 0"),
        ({"stages": ()}, r"stages must be .* got \(\)"),
        ({"stages": ((1, 3, 1, 8),)}, "stages must be"),
        ({"stages": ((1, 3, 0, 8, 1),)}, "stages stride must be .* got 0"),
        ({"width_mult": 0}, "width_mult must be above 0, got 0"),
        ({"depth_mult": -1}, "depth_mult must be above 0, got -1"),
        ({"se_ratio": 2}, "se_ratio must be from 0 to 1, got 2"),
        ({"drop_rate": 1}, "drop_rate must be from 0 to below 1, got 1"),
        ({"drop_path_rate": 1.0}, "drop_path_rate must be from 0 to below 1"),
        ({"drop_path_rate": 0.1, "skip": False}, "drop_path_rate must be 0 where skip=False"),
        ({"dims": 3}, "dims must be 1 or 2, got 3"),
        ({"activation": "gulu"}, "activation must be one of"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        EfficientNet(**options)
