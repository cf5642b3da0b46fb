"""U-Nets against the paper's figure, a U-Net written out by hand, and themselves in parts."""

import functools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from residual_lib.data import Data
from residual_lib.models import UNet, create_model
from residual_lib.models.unet import Below, Crop, lost_by
from residual_lib.probes.masking import deleted
from residual_lib.residual import Residual, add, branch_only, concatenate, iter_residuals
from residual_lib.train import train
from residual_lib.train.stack import fastest_way

CPU = torch.device("cpu")
SMALL = {"width": 3, "depth": 2}


def count(model):
    return sum(p.numel() for p in model.parameters())


def sizes_of(model, x):
    """Shapes of what enters and leaves every level's skip, from the outside in."""
    seen = {}

    def note(name):
        return lambda block, inputs, output: seen.update({name: (inputs[0].shape, output.shape)})

    hooks = [block.register_forward_hook(note(name)) for name, block in iter_residuals(model)]
    output = model(x)
    for hook in hooks:
        hook.remove()
    return [seen[name] for name, _ in iter_residuals(model)], output.shape


def test_the_net_of_2015_is_figure_1():
    with torch.device("meta"):
        model = create_model("unet_2015")
        levels, output = sizes_of(model, torch.randn(1, 1, 572, 572))
    assert output == (1, 2, 388, 388)
    entering = [(1, 64, 568, 568), (1, 128, 280, 280), (1, 256, 136, 136), (1, 512, 64, 64)]
    leaving = [(1, 128, 392, 392), (1, 256, 200, 200), (1, 512, 104, 104), (1, 1024, 56, 56)]
    assert levels == list(zip(entering, leaving, strict=True))
    # Section 2: 'in total the network has 23 convolutional layers'
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]
    assert len(layers) == 23
    assert (model.lost, model.context, model.alignment) == (92, 92, 16)


def by_hand(width, depth, in_chans=1, classes=2, dims=2, norm=False, catenated=True):
    """Parameters: 3x3 and 2x2 convolutions with their biases, level by level."""
    total, before = 0, in_chans
    per_conv = 1 + norm  # of a channel: a bias, or BatchNorm's scale and shift
    for level in range(depth + 1):
        channels = width * 2**level
        total += 3**dims * (before + channels) * channels + 2 * per_conv * channels
        if level < depth:
            total += 2**dims * 2 * channels * channels + channels
            read = 2 * channels if catenated else channels
            total += 3**dims * (read + channels) * channels + 2 * per_conv * channels
        before = channels
    return total + classes * width + classes


def test_counts_by_formula():
    assert by_hand(64, 4) == 31_030_658
    with torch.device("meta"):
        assert count(create_model("unet_2015")) == 31_030_658
        assert count(create_model("unet")) == by_hand(64, 4, norm=True)
        for skips, merge in ((None, "add"), ((), "concatenate"), ((), "add")):
            model = create_model("unet_2015", skips=skips, merge=merge)
            assert count(model) == by_hand(64, 4, catenated=False)


@given(
    st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(1, 4), st.integers(1, 2)
)
@settings(deadline=None, max_examples=15)
def test_counts_by_formula_in_general(width, depth, in_chans, classes, dims):
    options = {"in_chans": in_chans, "num_classes": classes, "dims": dims, "width": width}
    with torch.device("meta"):
        model = UNet(**options, depth=depth, norm_layer=None)
    assert count(model) == by_hand(width, depth, in_chans, classes, dims)


def written_out(model, x):
    """Ronneberger's net as a reader would write it, with `model`'s weights; any size."""
    weights = list(model.state_dict().items())
    padding = int(model.padded)
    conv, pool, up = {
        3: (F.conv1d, F.max_pool1d, F.conv_transpose1d),
        4: (F.conv2d, F.max_pool2d, F.conv_transpose2d),
    }[x.dim()]

    def take(begins):
        found = [tensor for name, tensor in weights if name.startswith(begins)]
        return [found[i : i + 2] for i in range(0, len(found), 2)]

    def pair(begins, h):
        for weight, bias in take(begins):
            h = conv(h, weight, bias, padding=padding).relu()
        return h

    kept, place = [], "level."
    for _ in range(model.depth):
        x = pair(place + "encode.", x)
        kept.append((place, x))
        odd = [size % 2 * padding for size in x.shape[2:]]
        ends = [number for extra in reversed(odd) for number in (0, extra)]
        x = pool(F.pad(x, ends, value=-float("inf")), 2)
        place += "skip.branch.level."
    x = pair(place + "encode.", x)
    for above, skip in reversed(kept):
        ((weight, bias),) = take(above + "skip.branch.up.")
        x = up(x, weight, bias, stride=2)
        if model.padded:
            x = x[(..., *(slice(size) for size in skip.shape[2:]))]
        else:
            # The paper crops in the middle; all its sizes are even.
            margins = [(a - b) // 2 for a, b in zip(skip.shape[2:], x.shape[2:], strict=True)]
            windows = zip(margins, x.shape[2:], strict=True)
            skip = skip[(..., *(slice(m, m + size) for m, size in windows))]
        x = pair(above + "decode.", torch.cat([skip, x], 1))
    return conv(x, model.head.weight, model.head.bias)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"padded": False, "depth": 4, "width": 2}, (188, 204)),
        ({"padded": False, "depth": 2, "width": 3}, (44, 60)),
        ({"padded": False, "depth": 3, "width": 2, "dims": 1}, (108,)),
        ({"depth": 2}, (12, 16)),
        ({"depth": 2}, (13, 18)),
        ({"depth": 3, "width": 2}, (1, 23)),
        ({"depth": 2, "dims": 1}, (15,)),
    ],
)
def test_equal_to_a_unet_written_out(options, size):
    torch.manual_seed(0)
    model = UNet(2, 3, **{**SMALL, **options}, norm_layer=None).double()
    x = torch.randn(2, 2, *size, dtype=torch.float64)
    torch.testing.assert_close(model(x), written_out(model, x))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 3))
@settings(deadline=None, max_examples=20)
def test_padded_nets_keep_any_size(height, width, depth):
    model = UNet(1, 2, width=2, depth=depth).eval()
    assert model(torch.zeros(1, 1, height, width)).shape == (1, 2, height, width)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_without_padding_any_size_gives_the_part_that_it_knows(depth):
    """A longer input says more, and the same of what the shorter one spoke of."""
    torch.manual_seed(0)
    model = UNet(1, 2, width=2, depth=depth, dims=1, padded=False, norm_layer=None).double()
    longest = 2 * lost_by(depth) + 40
    x = torch.randn(1, 1, longest, dtype=torch.float64)
    whole = model(x)
    known = []
    for length in range(2 * lost_by(depth) + 1, longest):
        known.append(model.output_size(length))
        if known[-1] < 1:
            with pytest.raises(ValueError, match=r"x must have at least \d+ positions .* \("):
                model(x[..., :length])
            continue
        y = model(x[..., :length])
        assert y.shape[-1] == known[-1] <= length - 2 * model.lost
        torch.testing.assert_close(y, whole[..., : y.shape[-1]])
    assert known == sorted(known)
    assert len(set(known)) > 3


def test_the_error_names_the_least_size():
    model = UNet(1, 2, width=1, padded=False)
    with pytest.raises(ValueError, match=r"at least 188 positions on each axis, got \(300, 187\)"):
        model(torch.zeros(1, 1, 300, 187))
    assert model.eval()(torch.zeros(1, 1, 188, 188)).shape == (1, 2, 4, 4)


def test_crops_and_losses_are_figure_1s():
    assert [lost_by(levels) for levels in range(5)] == [2, 8, 20, 44, 92]
    assert [Crop(levels).margin for levels in (1, 2, 3, 4)] == [4, 16, 40, 88]
    assert Crop(2)(torch.zeros(1, 1, 136 * 2 + 8, 280)).shape == (1, 1, 248, 248)
    assert "margin=88" in repr(Crop(4))


def test_the_u_is_a_residual_in_a_residual():
    model = create_model("unet", width=1)
    names = [name for name, _ in iter_residuals(model)]
    assert names == ["level." + "skip.branch.level." * depth + "skip" for depth in range(4)]
    for name, block in iter_residuals(model):
        assert block.label == name
        assert block.merge is concatenate
        assert isinstance(block.branch, Below)
        assert block.shortcut is None


@pytest.mark.parametrize("merge", ["concatenate", "add"])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("skips", [(), (0,), (1,), [0, 1], range(2), None])
def test_levels_have_the_skips_they_are_given(skips, padded, merge):
    model = UNet(1, 2, **SMALL, padded=padded, merge=merge, skips=skips).eval()
    chosen = range(2) if skips is None else skips
    joined = {"concatenate": concatenate, "add": add}[merge]
    merges = [block.merge for _, block in iter_residuals(model)]
    assert merges == [joined if level in chosen else branch_only for level in range(2)]
    x = torch.randn(1, 1, 60, 60)
    output = model(x)
    for level, (name, _) in enumerate(iter_residuals(model)):
        with deleted(model, [name], "shortcut"):
            assert torch.equal(model(x), output) == (level not in chosen)


def test_lesions_of_a_level_by_hand():
    """Concatenation: half of what the next convolution reads is 0. All below, or the skip."""
    torch.manual_seed(0)
    model = UNet(1, 2, **SMALL, norm_layer=None)
    x = torch.randn(2, 1, 8, 8)
    skip = model.level.encode(x)
    below = model.level.skip.branch(skip)
    for path, parts in (("branch", (skip, 0 * below)), ("shortcut", (0 * skip, below))):
        expected = model.head(model.level.decode(torch.cat(parts, 1)))
        with deleted(model, ["level.skip"], path):
            torch.testing.assert_close(model(x), expected)


@pytest.mark.parametrize("norm_layer", [None, "layer", "batch"])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("dims", [1, 2])
def test_everything_learns(dims, padded, norm_layer):
    model = UNet(2, 3, **SMALL, dims=dims, padded=padded, norm_layer=norm_layer, drop_rate=0.1)
    model(torch.randn(3, 2, *(53,) * dims)).square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    convolutions = [m for m in model.modules() if isinstance(m, (nn.Conv1d, nn.Conv2d))]
    biases = [m.bias is not None for m in convolutions[:-1]]
    assert biases == [norm_layer != "batch"] * len(biases)


def test_dropout_is_at_the_end_of_the_path_down():
    model = UNet(1, 2, **SMALL, drop_rate=0.5)
    bottom = model.level.skip.branch.level.skip.branch.level
    assert [name for name, _ in bottom.named_children()] == ["encode", "drop"]
    assert [m for m in model.modules() if isinstance(m, nn.Dropout)] == [bottom.drop]


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize(
    "options", [{}, {"merge": "add"}, {"skips": (1,)}, {"norm_layer": "layer"}, {"padded": False}]
)
def test_many_seeds_train_as_one(options, dims, recwarn):
    torch.manual_seed(0)
    build = functools.partial(UNet, 1, 2, dims=dims, **SMALL, **options)
    shape = (45,) * dims if options.get("padded") is False else (9,) * dims
    x = torch.randn(24, 1, *shape)
    y = torch.randint(2, (24, *(build().output_size(size) for size in shape)))
    data = Data(x, y, x, y, "noise", 2, "classification")
    assert fastest_way([build(), build()], CPU, x[:4]) == "side by side"

    def curves(together):
        training = train(
            build, data, [0, 1], steps=3, batch_size=8, together=together, progress=False,
            device="cpu", lr=0.01,
        )  # fmt: skip
        history = training.history[training.history["metric"] == "batch_loss"]
        return history.sort_values(["seed", "step"])["value"].to_numpy()

    assert curves(True) == pytest.approx(curves(False), rel=1e-3)
    assert not recwarn.list


def test_a_unet_learns_where_things_are():
    """Mark what is brighter than its left neighbour: no answer without position."""
    torch.manual_seed(0)
    x = torch.randn(256, 1, 16)
    y = (x[:, 0] > x[:, 0].roll(1, 1)).long()
    data = Data(x, y, x, y, "steps", 2, "classification")
    found = {}
    for skips in ((), None):
        build = functools.partial(UNet, 1, 2, width=4, depth=2, dims=1, skips=skips)
        training = train(build, data, [0], steps=120, batch_size=64, progress=False, device="cpu")
        history = training.history
        found[skips] = history[history["metric"] == "test_error"]["value"].iloc[-1]
    assert found[None] < 0.1
    assert found[()] > found[None] + 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 0}, "depth must be a whole number above 0, got 0"),
        ({"width": 0}, "width must be .* got 0"),
        ({"skips": (4,)}, "skips must be levels from 0 to 3, or None; got .4,"),
        ({"skips": 2}, "skips must be levels from 0 to 3, or None; got 2"),
        ({"skips": "12"}, "skips must be levels from 0 to 3, or None; got '12'"),
        ({"merge": "gate"}, "merge must be one of .* got 'gate'"),
        ({"drop_rate": 1}, "drop_rate must be .* got 1"),
        ({"dims": 3}, "dims must be 1 or 2, got 3"),
        ({"norm_layer": "x"}, "norm_layer must be one of"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        UNet(**options)


def test_names_leave_open_what_they_dont_say():
    assert create_model("unet_2015", norm_layer="batch", width=1).level.encode.norm1.num_features
    with pytest.raises(TypeError, match="no option padded"):
        create_model("unet_2015", padded=True)
    shortcuts = [block.shortcut for _, block in iter_residuals(create_model("unet_2015", width=1))]
    assert [crop.margin for crop in shortcuts] == [88, 40, 16, 4]
    assert isinstance(create_model("small_unet1d").level.skip, Residual)
