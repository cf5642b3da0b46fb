"""Shortcuts and orders against their formulas."""

import pytest
import torch
from torch import nn

from residual_lib.nn import (
    Gate,
    Highway,
    PadShortcut,
    ShortcutGate,
    create_conv,
    create_shortcut,
    in_order,
    projection,
)
from residual_lib.residual import Residual


def test_option_a_by_hand():
    x = torch.arange(2 * 3 * 5 * 4.0).reshape(2, 3, 5, 4)
    y = PadShortcut(3, 6, stride=2)(x)
    assert y.shape == (2, 6, 3, 2)
    assert torch.equal(y[:, 1:4], x[:, :, ::2, ::2])
    assert y[:, [0, 4, 5]].abs().sum() == 0
    y = PadShortcut(3, 6, stride=2, side="end")(x[..., 0])
    assert torch.equal(y[:, :3], x[:, :, ::2, 0])
    assert y[:, 3:].abs().sum() == 0
    assert "stride=2" in repr(PadShortcut(3, 6, stride=2))


def test_a_projection_of_stride_2_never_sees_three_pixels_in_four():
    x = torch.randn(1, 2, 6, 6, requires_grad=True)
    for average, seen in ((False, 9), (True, 36)):
        part = projection(2, 3, stride=2, norm_layer=None, average=average)
        (gradient,) = torch.autograd.grad(part(x).sum(), x)
        assert (gradient[0, 0] != 0).sum() == seen


def test_projection_without_a_change_of_size_needs_no_average():
    assert list(dict(projection(2, 3, average=True).named_children())) == ["layer", "norm"]


@pytest.mark.parametrize("dims", [0, 1, 2])
def test_gates_are_the_formula(dims):
    x, f = torch.randn(2, 4, 3, *(5,) * dims).unbind(0)
    x, f = x.reshape(4, 3, *(5,) * dims), f.reshape(4, 3, *(5,) * dims)
    gate = Gate(3, bias=-2, dims=dims)
    weight = gate.layer.weight.reshape(3, 3)
    logits = torch.einsum("oc,bc...->bo...", weight, x) - 2
    g = 1 / (1 + torch.exp(-logits))
    torch.testing.assert_close(gate(x), g)
    only = ShortcutGate(3, bias=-2, dims=dims)
    highway = Highway(3, bias=-2, dims=dims)
    for part in (only, highway):
        part.gate.load_state_dict(gate.state_dict())
    torch.testing.assert_close(only(x), (1 - g) * x)
    torch.testing.assert_close(highway(x, f), (1 - g) * x + g * f)


def test_a_highway_layer_is_a_residual_with_another_merge():
    """Srivastava et al. 2015, eq. 3: H(x) T(x) + x (1 - T(x))."""
    plain = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    layer = Residual(plain, merge=Highway(4, bias=-1, dims=0))
    x = torch.randn(5, 4)
    t = torch.sigmoid(x @ layer.merge.gate.layer.weight.T - 1)
    torch.testing.assert_close(layer(x), plain(x) * t + x * (1 - t))
    assert "merge.gate.bias" in layer.state_dict()
    assert "merge=Highway" in repr(layer)


def test_a_highway_refuses_to_broadcast():
    with pytest.raises(
        ValueError, match=r"equal shapes, got shortcut \(2, 4\) and branch \(2, 1\)"
    ):
        Highway(4, dims=0)(torch.ones(2, 4), torch.ones(2, 1))


def test_slots_where_no_shape_changes():
    def slots(name, **options):
        return create_shortcut(name, 4, 4, **options)

    for name in ("A", "B", "D"):
        assert slots(name) == {"shortcut": None}
    assert isinstance(slots("C")["shortcut"].layer, nn.Conv2d)
    scaled = slots("constant_scaling", branch=1.0)
    assert (scaled["shortcut"].factor, scaled["scale"].factor) == (0.5, 1.0)
    assert slots("exclusive_gating")["shortcut"] is None
    assert (slots("exclusive_gating")["merge"].gate.bias == -6).all()
    assert (slots("shortcut_only_gating", bias=-6)["shortcut"].gate.bias == -6).all()
    assert slots("dropout", rate=0.3)["shortcut"].p == 0.3


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize(
    "name", ["A", "B", "C", "D", "constant_scaling", "shortcut_only_gating", "dropout"]
)
def test_every_shortcut_changes_the_shape_where_it_must(name, dims):
    slots = create_shortcut(name, 4, 6, stride=2, dims=dims)
    assert slots["shortcut"](torch.randn(3, 4, *(7,) * dims)).shape == (3, 6, *(4,) * dims)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: PadShortcut(4, 2), ValueError, "out_chans must be at least in_chans 4, got 2"),
        (lambda: PadShortcut(2, 4, side="left"), ValueError, "side must be .* got 'left'"),
        (lambda: create_shortcut("E", 2, 2), ValueError, "shortcut must be one of .* got 'E'"),
        (lambda: create_shortcut("A", 2, 2, bias=1), TypeError, r"no option bias; .*\['side'\]"),
        (lambda: create_conv(2, 2, dims=3), ValueError, "dims must be one of .* got 3"),
        (lambda: create_conv(2, 2, 2), ValueError, "kernel_size must be odd .* got 2"),
        (lambda: create_conv(2, 2, 3, dims=0), ValueError, "must be 1 for vectors, got 3"),
        (lambda: in_order([], [1], nn.Identity, nn.ReLU, "x"), ValueError, "order must be"),
        (lambda: in_order([], [], nn.Identity, nn.ReLU), ValueError, "channels must be 1 numbers"),
    ],
)
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
