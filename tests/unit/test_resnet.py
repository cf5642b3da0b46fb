"""The published networks: counts, shapes, and blocks against the papers' formulas."""

import functools
import re

import pytest
import torch
from torch import nn

from residual_lib.data import Data
from residual_lib.models import ResNet, create_model, list_models
from residual_lib.models.resnet import PLACES
from residual_lib.nn import (
    ORDERS,
    SHORTCUTS,
    DropPath,
    EfficientChannelAttention,
    Scale,
    SqueezeExcitation,
)
from residual_lib.residual import Residual, add, branch_only, iter_residuals
from residual_lib.train import train
from residual_lib.train.stack import fastest_way

# torchvision's documented `num_params`.
TORCHVISION = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
}
# timm's seresnet50 and its like, which the public conversions of Hu et al. 2018 share.
HU_2018 = {
    "seresnet18": 11_778_592,
    "seresnet34": 21_958_868,
    "seresnet50": 28_088_024,
    "seresnet101": 49_326_872,
    "seresnet152": 66_821_848,
}
# He et al. 2015, Table 6, in millions, as printed.
HE_2015 = {
    "resnet20_cifar": "0.27",
    "resnet32_cifar": "0.46",
    "resnet44_cifar": "0.66",
    "resnet56_cifar": "0.85",
    "resnet110_cifar": "1.7",
    "resnet1202_cifar": "19.4",
}
# He et al. 2016, Table 4, in millions, as printed. It leaves the normalisations out: ResNet-1001
# has 10.33 million parameters with their scales and shifts, and 10.18 million without.
HE_2016 = {
    "preact_resnet110_cifar": "1.7",
    "resnet164_cifar": "1.7",
    "preact_resnet164_cifar": "1.7",
    "resnet1001_cifar": "10.2",
    "preact_resnet1001_cifar": "10.2",
}
RESNETS = [name for name in list_models() if re.search(r"resnet|plain\d", name)]
GATES = (SqueezeExcitation, EfficientChannelAttention)
SMALL = {"in_chans": 2, "num_classes": 5, "width": 4, "blocks": (1, 2), "stem": "cifar"}


@functools.cache
def without_numbers(name, **options):
    """The model's shapes alone, which the deepest ones give in a second."""
    with torch.device("meta"):
        return create_model(name, **options)


def count(name, *, norms=True, **options):
    model = without_numbers(name, **options)
    modules = [m for m in model.modules() if norms or not isinstance(m, nn.BatchNorm2d)]
    return sum(p.numel() for m in modules for p in m.parameters(recurse=False))


def printed(number, like):
    digits = len(like.partition(".")[2])
    return f"{number / 1e6:.{digits}f}"


@pytest.mark.parametrize(("name", "published"), TORCHVISION.items())
def test_counts_of_torchvision(name, published):
    assert count(name) == published
    # Where the stride stands changes no shape.
    assert count(name, stride_in_1x1=True) == published


@pytest.mark.parametrize(("name", "published"), HU_2018.items())
def test_counts_of_hu_2018(name, published):
    """And by formula: two layers with their biases for each block of C channels."""
    assert count(name) == published
    bottleneck = name in ("seresnet50", "seresnet101", "seresnet152")
    gates = 0
    for width, stage in zip((64, 128, 256, 512), without_numbers(name).stages, strict=True):
        c = width * (4 if bottleneck else 1)
        gates += len(stage) * (2 * c * (c // 16) + c + c // 16)
    assert published - gates == TORCHVISION[name.removeprefix("se")]


def test_eca_has_a_handful_of_weights():
    """Kernels of 5, 5, 5 and 7 for 256 to 2048 channels."""
    assert count("ecaresnet50") - TORCHVISION["resnet50"] == 3 * 5 + 4 * 5 + 6 * 5 + 3 * 7


@pytest.mark.parametrize(("name", "published"), HE_2015.items())
def test_counts_of_he_2015(name, published):
    assert printed(count(name), published) == published
    # Option A has no parameters, so the plain network has as many.
    assert count(name.replace("resnet", "plain")) == count(name)


@pytest.mark.parametrize(("name", "published"), HE_2016.items())
def test_counts_of_he_2016(name, published):
    assert printed(count(name, norms=False), published) == published


@pytest.mark.parametrize("blocks", [3, 18, 200])
def test_cifar_count_by_formula(blocks):
    """He et al. 2015, section 4.2: a layer of w channels has 9 w^2 weights and 2 w of its norm."""
    by_hand = 3 * 9 * 16 + 2 * 16 + 64 * 10 + 10
    for before, width in ((16, 16), (16, 32), (32, 64)):
        by_hand += (
            9 * before * width + 9 * width * width * (2 * blocks - 1) + 2 * blocks * 2 * width
        )
    assert count(f"resnet{6 * blocks + 2}_cifar") == by_hand


@pytest.mark.parametrize("blocks", [18, 111])
def test_preactivation_count_by_the_authors_code(blocks):
    """Their net layer by layer: 16 channels, then 4 x 16, 4 x 32 and 4 x 64."""
    by_hand = 3 * 9 * 16 + 2 * 256 + 256 * 10 + 10
    before = 16
    for width in (16, 32, 64):
        for index in range(blocks):
            by_hand += 2 * before + before * width + 2 * width + 9 * width**2 + 2 * width
            by_hand += 4 * width * width + (0 if index else 4 * before * width)
            before = 4 * width
    assert count(f"preact_resnet{9 * blocks + 2}_cifar") == by_hand


@pytest.mark.parametrize("name", RESNETS)
def test_the_name_counts_the_layers_with_weights(name):
    model = without_numbers(name)
    shortcuts = {
        m
        for _, block in iter_residuals(model)
        if isinstance(block.shortcut, nn.Module)
        for m in block.shortcut.modules()
    }
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv1d, nn.Conv2d, nn.Linear))]
    gates = {m for gate in model.modules() if isinstance(gate, GATES) for m in gate.modules()}
    digits = "".join(filter(str.isdigit, name.partition("_cifar")[0]))
    counted = len([layer for layer in layers if layer not in shortcuts | gates])
    assert counted == (8 if name.startswith("small") else int(digits))


@pytest.mark.parametrize("name", RESNETS)
def test_every_skip_is_a_residual(name):
    blocks = [block for _, block in iter_residuals(without_numbers(name))]
    merges = {block.merge for block in blocks}
    assert merges == {branch_only if name.startswith("plain") else add}
    assert all(block.label for block in blocks)


@pytest.mark.parametrize(
    ("name", "size", "stem", "last"),
    [
        ("resnet18", 64, 16, 2),
        ("resnet50", 64, 16, 2),
        ("resnet20_cifar", 32, 32, 8),
        ("preact_resnet20_cifar", 32, 32, 8),
        ("plain20_cifar", 31, 31, 8),
    ],
)
def test_shapes(name, size, stem, last):
    model = create_model(name, width=4, num_classes=7)
    x = torch.randn(2, 3, size, size)
    h = model.stem(x)
    assert h.shape == (2, 4, stem, stem)
    assert model.stages(h).shape[2:] == (last, last)
    assert model(x).shape == (2, 7)


@pytest.mark.parametrize("stem", ["imagenet", "deep", "cifar"])
@pytest.mark.parametrize("dims", [1, 2])
def test_stems_in_one_and_two_dimensions(stem, dims):
    model = ResNet(**{**SMALL, "stem": stem}, dims=dims, shortcut="D")
    x = torch.randn(2, 2, *(33,) * dims)
    assert model.stem(x).shape[2:] == (33 if stem == "cifar" else 9,) * dims
    model(x).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shortcut", SHORTCUTS)
@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_every_order_takes_every_shortcut(order, shortcut, block):
    model = ResNet(**SMALL, order=order, shortcut=shortcut, block=block)
    model(torch.randn(3, 2, 8, 8)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("norm_layer", [None, "layer", "batch"])
def test_every_norm(norm_layer):
    model = ResNet(**SMALL, norm_layer=norm_layer, order="norm_after_addition")
    assert model(torch.randn(3, 2, 8, 8)).isfinite().all()
    assert (model.stem.layer.bias is None) == (norm_layer == "batch")


def block_of(order, block="basic"):
    """A block inside a stage, with its norms off their starting values."""
    torch.manual_seed(0)
    model = ResNet(**SMALL, order=order, block=block).double().train()
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight)
        nn.init.uniform_(norm.bias)
    return model.stages[1][1]


def test_orders_are_figure_4_written_out():
    x = torch.randn(4, 8, 5, 5, dtype=torch.float64)
    relu = torch.relu

    def parts(order):
        block = block_of(order)
        return block, *(
            getattr(block.branch, k, None) for k in ("layer1", "norm1", "layer2", "norm2")
        )

    block, conv1, bn1, conv2, bn2 = parts("original")
    torch.testing.assert_close(block(x), relu(x + bn2(conv2(relu(bn1(conv1(x)))))))
    block, conv1, bn1, conv2, _ = parts("norm_after_addition")
    bn2 = block.after.norm2
    torch.testing.assert_close(block(x), relu(bn2(x + conv2(relu(bn1(conv1(x)))))))
    block, conv1, bn1, conv2, bn2 = parts("act_before_addition")
    torch.testing.assert_close(block(x), x + relu(bn2(conv2(relu(bn1(conv1(x)))))))
    block, conv1, bn1, conv2, bn2 = parts("act_only_preactivation")
    torch.testing.assert_close(block(x), x + bn2(conv2(relu(bn1(conv1(relu(x)))))))
    block, conv1, bn1, conv2, bn2 = parts("preactivation")
    torch.testing.assert_close(block(x), x + conv2(relu(bn2(conv1(relu(bn1(x)))))))


def test_bottleneck_written_out():
    x = torch.randn(4, 32, 5, 5, dtype=torch.float64)
    block = block_of("original", "bottleneck")
    b, relu = block.branch, torch.relu
    h = relu(b.norm2(b.layer2(relu(b.norm1(b.layer1(x))))))
    torch.testing.assert_close(block(x), relu(x + b.norm3(b.layer3(h))))
    assert [layer.kernel_size[0] for layer in (b.layer1, b.layer2, b.layer3)] == [1, 3, 1]


@pytest.mark.parametrize(("in_1x1", "strides"), [(False, [1, 2, 1]), (True, [2, 1, 1])])
def test_stride_of_the_bottleneck(in_1x1, strides):
    model = create_model("resnet50", width=4, stride_in_1x1=in_1x1)
    branch = model.stages[1][0].branch
    assert [getattr(branch, f"layer{n}").stride[0] for n in (1, 2, 3)] == strides


def test_preactivation_shares_the_activated_input_where_a_stage_begins():
    """He et al. 2016's code: BN and ReLU, then both paths; the stem's serve the first block."""
    model = ResNet(**SMALL, order="preactivation").double().train()
    first, (begin, inside) = model.stages[0][0], model.stages[1]
    assert isinstance(first, Residual)
    assert next(iter(first.branch)) is first.branch.layer1
    x = torch.randn(3, 4, 6, 6, dtype=torch.float64)
    shared = torch.relu(begin.norm1(x))
    block, body = begin.block, begin.block.branch
    inner = body.layer2(torch.relu(body.norm2(body.layer1(shared))))
    torch.testing.assert_close(begin(x), block.shortcut(shared) + inner)
    assert not hasattr(block.shortcut, "norm")
    assert [name for name, _ in inside.branch.named_children()][:2] == ["norm1", "act1"]
    assert [name for name, _ in model.final.named_children()] == ["norm", "act"]


def test_no_path_of_a_preactivation_network_changes_the_signal():
    """x_L = x_l + sum of F (He et al. 2016, eq. 4), within a stage."""
    model = ResNet(2, 3, blocks=(4,), width=4, stem="cifar", order="preactivation").eval()
    x = torch.randn(2, 4, 6, 6)
    total, h = x, x
    for block in model.stages[0]:
        total = total + block.branch(h)
        h = block(h)
    torch.testing.assert_close(h, total)


def test_zero_init_residual_makes_every_block_its_shortcut():
    for order in ORDERS:
        model = ResNet(**SMALL, order=order, zero_init_residual=True).eval()
        x = torch.rand(2, 8, 4, 4)
        block = model.stages[1][1]
        torch.testing.assert_close(
            block(x), torch.relu(block.shortcut(x) if block.shortcut else x), atol=1e-4, rtol=1e-4
        )
        assert all(p.abs().sum() == 0 for p in list(block.branch)[-1].parameters())


def test_drop_path_rises_in_a_straight_line():
    model = ResNet(2, 3, blocks=(2, 3), width=4, drop_path_rate=0.4, stem="cifar")
    scales = [block.scale for _, block in iter_residuals(model)]
    assert scales[0] is None
    assert [s.rate for s in scales[1:]] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    model = ResNet(2, 3, blocks=(2,), width=4, drop_path_rate=0.4, shortcut="constant_scaling")
    (_, first), (_, second) = iter_residuals(model)
    assert isinstance(first.scale, Scale)
    assert isinstance(second.scale, DropPath)
    assert isinstance(second.scale.scale, Scale)


def test_one_block_alone_has_no_drop_path():
    model = ResNet(2, 3, blocks=(1,), width=4, drop_path_rate=0.4)
    assert [block.scale for _, block in iter_residuals(model)] == [None]


def test_gates_keep_their_bias_through_the_initialisation():
    model = ResNet(**SMALL, shortcut="exclusive_gating", shortcut_args={"bias": -3.0})
    for _, block in iter_residuals(model):
        assert (block.merge.gate.bias == -3).all()


def squeeze_and_excite(gate, x):
    """As in torchvision's `SqueezeExcitation`, from its parts."""
    z = nn.functional.adaptive_avg_pool2d(x, 1)
    inner = torch.relu(nn.functional.conv2d(z, gate.fc1.weight, gate.fc1.bias))
    return x * torch.sigmoid(nn.functional.conv2d(inner, gate.fc2.weight, gate.fc2.bias))


def gated(place, **options):
    """The first block of the second stage, in which shape changes, and one inside of it."""
    torch.manual_seed(0)
    model = ResNet(
        **SMALL, channel_attention="se", reduction=2, attention_place=place, **options
    ).eval()
    for module in model.modules():
        if isinstance(module, SqueezeExcitation):
            nn.init.normal_(module.gate.fc2.bias)
    return model.stages[1]


def test_squeeze_and_excitation_by_hand_in_all_four_places():
    x = torch.randn(3, 4, 6, 6)
    relu = torch.relu

    first, inside = gated("standard")
    by_hand = squeeze_and_excite(first.scale.gate, first.branch(x))
    h = relu(first.shortcut(x) + by_hand)
    torch.testing.assert_close(first(x), h)
    by_hand = squeeze_and_excite(inside.scale.gate, inside.branch(h))
    torch.testing.assert_close(inside(h), relu(h + by_hand))

    first, inside = gated("pre")
    entered = squeeze_and_excite(first.branch.attention.gate, x)
    h = relu(first.shortcut(x) + first.branch[1:](entered))
    torch.testing.assert_close(first(x), h)

    first, inside = gated("post")
    summed = relu(h + inside.branch(h))
    by_hand = squeeze_and_excite(inside.after.attention.gate, summed)
    torch.testing.assert_close(inside(h), by_hand)

    first, inside = gated("identity")
    projected = first.shortcut.shortcut(x)
    by_hand = squeeze_and_excite(first.shortcut.attention.gate, projected)
    torch.testing.assert_close(first(x), relu(by_hand + first.branch(x)))
    by_hand = squeeze_and_excite(inside.shortcut.gate, h)
    torch.testing.assert_close(inside(h), relu(by_hand + inside.branch(h)))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("order", ORDERS)
def test_gates_that_are_open_leave_the_plain_resnet(place, order):
    torch.manual_seed(0)
    model = ResNet(
        **SMALL, channel_attention="se", reduction=2, attention_place=place, order=order
    ).eval()
    x = torch.randn(3, 2, 8, 8)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, SqueezeExcitation):
                gate = module.gate(torch.randn(2, module.gate.fc1.in_channels, 3, 3))
                assert (gate > 0).all()
                assert (gate < 1).all()
        before = model(x)
        for module in model.modules():
            if isinstance(module, SqueezeExcitation):
                module.gate.fc2.weight.zero_()
                module.gate.fc2.bias.fill_(100)
        opened = model(x)
    same = ResNet(**SMALL, order=order).eval()
    names = list(same.state_dict())
    theirs = {
        name.replace("shortcut.shortcut.", "shortcut."): tensor
        for name, tensor in model.state_dict().items()
        if ".gate." not in name
    }
    assert sorted(theirs) == sorted(names)
    same.load_state_dict(theirs)
    torch.testing.assert_close(same(x), opened)
    assert not torch.allclose(before, opened)


def test_a_gate_stands_within_drop_path():
    model = ResNet(**SMALL, channel_attention="eca", drop_path_rate=0.5)
    (_, first), *_, (_, last) = iter_residuals(model)
    assert isinstance(first.scale, EfficientChannelAttention)
    assert isinstance(last.scale, DropPath)
    assert isinstance(last.scale.scale, EfficientChannelAttention)


def test_plain_differs_by_the_merge_alone():
    torch.manual_seed(0)
    one = create_model("plain20_cifar", width=4).eval()
    torch.manual_seed(0)
    other = create_model("resnet20_cifar", width=4).eval()
    assert list(one.state_dict()) == list(other.state_dict())
    x = torch.randn(2, 3, 8, 8)
    assert not torch.allclose(one(x), other(x))
    for _, block in iter_residuals(one):
        block.merge = add
    torch.testing.assert_close(one(x), other(x))


def test_a_thousand_layers_fit_a_page():
    model = create_model("preact_resnet1001_cifar", width=1, num_classes=2)
    assert model(torch.randn(2, 3, 8, 8)).isfinite().all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"blocks": ()}, ValueError, "blocks must be"),
        ({"blocks": (1, 0)}, ValueError, "blocks must be a whole number above 0, got 0"),
        ({"block": "wide"}, ValueError, "block must be one of .* got 'wide'"),
        ({"stem": "none"}, ValueError, "stem must be one of .* got 'none'"),
        ({"dims": 3}, ValueError, "dims must be 1 or 2, got 3"),
        ({"drop_path_rate": 1}, ValueError, "drop_path_rate must be .* got 1"),
        ({"order": "best"}, ValueError, "order must be one of .* got 'best'"),
        ({"shortcut": "E"}, ValueError, "shortcut must be one of .* got 'E'"),
        ({"shortcut_args": {"bias": 1}}, TypeError, "shortcut 'B' has no option bias"),
        ({"width": 0}, ValueError, "width must be .* got 0"),
        (
            {"channel_attention": "cbam"},
            ValueError,
            "channel_attention must be one of .* got 'cbam'",
        ),
        ({"attention_place": "end"}, ValueError, "attention_place must be one of .* got 'end'"),
        ({"reduction": 0}, ValueError, "reduction must be .* got 0"),
    ],
)
def test_wrong_arguments_are_named(options, error, message):
    with pytest.raises(error, match=message):
        ResNet(**options)


def test_registered_names_take_what_their_name_leaves_open():
    assert create_model("resnet20_cifar", shortcut="B", num_classes=3).head.out_features == 3
    with pytest.raises(TypeError, match="no option blocks"):
        create_model("resnet20_cifar", blocks=(1, 1, 1))
    with pytest.raises(TypeError, match="no option order"):
        create_model("preact_resnet110_cifar", order="original")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"order": "preactivation", "drop_path_rate": 0.0},
        {"shortcut": "exclusive_gating"},
        {"shortcut": "shortcut_only_gating", "order": "norm_after_addition"},
        {"shortcut": "constant_scaling", "order": "act_before_addition"},
        {"shortcut": "D", "block": "bottleneck", "order": "act_only_preactivation"},
        {"channel_attention": "eca"},
        *({"channel_attention": "se", "reduction": 2, "attention_place": p} for p in PLACES),
    ],
)
def test_many_seeds_train_as_one(options, recwarn):
    """Mapped over the seeds, a network learns what it learns alone."""
    x, y = torch.randn(40, 1, 16), torch.arange(40) % 10
    data = Data(x, y, x, y, "noise", 10, "classification")

    models = [create_model("small_resnet1d", width=4, **options) for _ in range(2)]
    assert fastest_way(models, torch.device("cpu"), x[:4]) == "side by side"

    def curves(together):
        training = train(
            lambda: create_model("small_resnet1d", width=4, **options),
            data,
            [0, 1],
            steps=4,
            batch_size=16,
            together=together,
            progress=False,
            device="cpu",
        )
        history = training.history[training.history["metric"] == "batch_loss"]
        return history.sort_values(["seed", "step"])["value"].to_numpy()

    assert curves(True) == pytest.approx(curves(False), rel=1e-3)
    assert not recwarn.list


def test_random_parts_can_be_mapped(recwarn):
    x, y = torch.randn(40, 1, 16), torch.arange(40) % 10
    data = Data(x, y, x, y, "noise", 10, "classification")
    for options, way in (
        ({"drop_path_rate": 0.5}, "side by side"),
        ({"shortcut": "dropout"}, "side by side"),
    ):
        build = functools.partial(create_model, "small_resnet1d", **options)
        assert fastest_way([build(), build()], torch.device("cpu"), x[:4]) == way
        training = train(build, data, [0, 1], steps=2, batch_size=16, progress=False, device="cpu")
        assert not training.diverged
    assert not recwarn.list
