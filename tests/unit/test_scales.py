"""What stands in the slot `scale`, against the formulas of the papers."""

from __future__ import annotations

import os
import shutil

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from residual_lib.nn import (
    DropPath,
    EfficientChannelAttention,
    LearnedScale,
    Scale,
    SqueezeExcitation,
    drop_path_rates,
)
from residual_lib.residual import Residual, concatenate

# --- constants and learned numbers ----------------------------------------------------------


def test_scale():
    assert Scale(0.5)(torch.tensor(3.0)) == 1.5
    assert "factor=0.5" in repr(Scale(0.5))


def test_at_zero_a_block_is_the_identity_and_only_the_number_learns():
    """d/dalpha of x + alpha F(x) is F(x), and d/dw is alpha dF/dw = 0."""
    branch = nn.Linear(4, 4)
    block = Residual(branch, scale=LearnedScale())
    x, up = torch.randn(2, 3, 4)
    assert torch.equal(block(x), x)
    (block(x) * up).sum().backward()
    assert branch.weight.grad.abs().max() == 0
    torch.testing.assert_close(block.scale.weight.grad[0], (branch(x) * up).sum())


@pytest.mark.parametrize(
    ("shape", "axis", "view"), [((2, 3, 4, 5), 1, (3, 1, 1)), ((2, 7, 3), -1, (3,)), ((2, 3), 1, 3)]
)
def test_a_number_a_channel(shape, axis, view):
    scale = LearnedScale(0.1, 3, axis)
    assert scale.weight.tolist() == pytest.approx([0.1] * 3)
    with torch.no_grad():
        scale.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))
    x = torch.randn(shape)
    assert torch.equal(scale(x), x * scale.weight.view(view))
    assert "initial=0.1, channels=3" in repr(scale)


# --- stochastic depth -----------------------------------------------------------------------


def test_examples_are_dropped_whole_and_the_mean_is_kept():
    torch.manual_seed(0)
    drop = DropPath(0.25)
    y = drop(torch.ones(20_000, 3))
    assert y.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (y == y[:, :1]).all()
    assert y.mean() == pytest.approx(1, abs=0.02)  # its standard deviation is 0.004
    assert torch.equal(drop.eval()(y), y)
    assert torch.equal(DropPath(0.0)(y), y)
    assert "rate=0.25, per='example'" in repr(drop)


@pytest.mark.parametrize("per", ["example", "batch"])
def test_the_papers_form_puts_the_mean_right_in_evaluation(per):
    """Huang et al. 2016, equations 2 and 5: b F(x) in training, p F(x) in evaluation."""
    torch.manual_seed(0)
    drop = DropPath(0.25, per=per, rescale="evaluation")
    x = torch.ones(50, 2)
    draws = torch.stack([drop(x) for _ in range(2000)])
    assert draws.unique().tolist() == [0, 1]
    torch.testing.assert_close(draws.mean((0, 1)), drop.eval()(x)[0], atol=0.05, rtol=0)
    assert (draws.flatten(1) == draws[:, :1, 0]).all() == (per == "batch")


class Counting(nn.Linear):
    """A layer that counts how often it is computed."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


@pytest.mark.parametrize("scale", [None, Scale(0.5)])
def test_a_branch_dropped_for_the_whole_batch_is_not_computed(scale):
    branch = Counting(3, 3)
    block = Residual(branch, scale=DropPath(0.5, per="batch", scale=scale))
    x = torch.randn(4, 3)
    kept = x + 2 * (scale.factor if scale else 1) * nn.Linear.forward(branch, x)
    torch.manual_seed(0)
    outputs = [block(x) for _ in range(400)]
    for y in outputs:
        assert torch.equal(y, x) or torch.allclose(y, kept)
    assert branch.calls == sum(not torch.equal(y, x) for y in outputs)
    assert 160 < branch.calls < 240  # 200, and four standard deviations
    block.eval()(x)
    torch.testing.assert_close(block(x), x + (kept - x) / 2)


def test_a_dropped_branch_gets_no_gradient_and_the_shortcut_all():
    block = Residual(nn.Linear(3, 3), scale=DropPath(1 - 1e-9, per="batch"))
    x = torch.randn(4, 3, requires_grad=True)
    block(x).sum().backward()
    assert block.branch.weight.grad is None
    assert torch.equal(x.grad, torch.ones(4, 3))


def test_where_the_merge_needs_a_branch_it_is_computed():
    block = Residual(nn.Linear(3, 2), merge=concatenate, scale=DropPath(0.999999, per="batch"))
    x = torch.randn(4, 3)
    assert torch.equal(block(x), torch.cat((x, torch.zeros(4, 2)), 1))


@pytest.mark.parametrize("per", ["example", "batch"])
def test_mapped_models_draw_for_themselves(per):
    torch.manual_seed(0)
    models = [Residual(nn.Linear(2, 2), scale=DropPath(0.5, per=per)) for _ in range(30)]
    x = torch.ones(8, 2)
    outputs = vmap(
        lambda *state: functional_call(models[0], state, x),
        randomness="different",
    )(*stack_module_state(models))
    dropped = (outputs == x).all(-1)  # (models, examples)
    assert 0 < dropped[:, 0].sum() < 30
    assert dropped.all(1).sum() + (~dropped).all(1).sum() == (30 if per == "batch" else 0)


def test_rates_rise_in_a_straight_line():
    assert drop_path_rates(0.4, 5) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert drop_path_rates(0.4, 1) == [0]


# --- channel attention ----------------------------------------------------------------------


@pytest.mark.parametrize("dims", [1, 2])
def test_squeeze_and_excitation_is_its_equations(dims):
    torch.manual_seed(0)
    x = torch.randn(2, 8, *(5,) * dims)
    gated = SqueezeExcitation(8, reduction=4, dims=dims)
    z = x.flatten(2).mean(-1)
    first, second = gated.gate.fc1, gated.gate.fc2
    middle = torch.relu(F.linear(z, first.weight.flatten(1), first.bias))
    s = torch.sigmoid(F.linear(middle, second.weight.flatten(1), second.bias))
    torch.testing.assert_close(gated(x), x * s.view(2, 8, *[1] * dims))
    assert sum(p.numel() for p in gated.parameters()) == 2 * 8 * 8 // 4 + 8 // 4 + 8


def test_the_middle_has_a_unit_at_least():
    assert SqueezeExcitation(8, reduction=16).gate.fc1.out_channels == 1
    assert SqueezeExcitation(8, squeeze_channels=3).gate.fc1.out_channels == 3


def test_efficient_channel_attention_is_a_convolution_along_the_channels():
    torch.manual_seed(0)
    x = torch.randn(2, 6, 4, 4)
    eca = EfficientChannelAttention(6, kernel_size=3)
    z = F.pad(x.flatten(2).mean(-1), (1, 1))
    w = eca.layer.weight.flatten()
    s = torch.sigmoid(w[0] * z[:, :-2] + w[1] * z[:, 1:-1] + w[2] * z[:, 2:])
    torch.testing.assert_close(eca(x), x * s[..., None, None])


@pytest.mark.parametrize(("channels", "size"), [(16, 3), (64, 3), (128, 5), (256, 5), (2048, 7)])
def test_kernel_sizes_are_the_authors(channels, size):
    """t = int(abs((log2(C) + 1) / 2)), and k = t if it is odd, else t + 1."""
    assert EfficientChannelAttention(channels).layer.kernel_size == (size,)


# --- mistakes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: DropPath(1.0), ValueError, "rate must be .* got 1.0"),
        (lambda: DropPath("0.1"), ValueError, "rate must be .* got '0.1'"),
        (lambda: DropPath(0.1, per="pixel"), ValueError, "per must be one of .* got 'pixel'"),
        (lambda: DropPath(0.1, rescale="x"), ValueError, "rescale must be one of .* got 'x'"),
        (lambda: DropPath(0.1, scale=3), TypeError, "scale must be a module, .* got 3"),
        (lambda: drop_path_rates(0.1, 0), ValueError, "blocks must be .* got 0"),
        (lambda: LearnedScale(0, 0), ValueError, "channels must be .* got 0"),
        (lambda: LearnedScale(0, 2, axis=2), ValueError, "axis must be 1 or -1, got 2"),
        (lambda: SqueezeExcitation(0), ValueError, "channels must be .* got 0"),
        (lambda: SqueezeExcitation(8, reduction=0), ValueError, "reduction must be .* got 0"),
        (lambda: SqueezeExcitation(8, dims=3), ValueError, "dims must be one of .* got 3"),
        (lambda: EfficientChannelAttention(8, kernel_size=2), ValueError, "odd, got 2"),
    ],
)
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- compiled ---------------------------------------------------------------------------------


@pytest.mark.parametrize("per", ["example", "batch"])
def test_drops_compile_to_the_same_function(per):
    """The eager backend traces as any would. A branch that may be left out parts the graph."""
    torch.manual_seed(0)
    block = Residual(nn.Linear(3, 3), scale=DropPath(0.5, per=per))
    x = torch.randn(5, 3)
    torch.compiler.reset()
    compiled = torch.compile(block, backend="eager", fullgraph=per == "example")
    for seed in range(6):
        outputs = []
        for form in (compiled, block):
            torch.manual_seed(seed)
            outputs.append(form(x))
        assert torch.equal(*outputs)
    block.eval()
    assert torch.equal(compiled(x), block(x))


def test_a_compiled_block_leaves_its_branch_out():
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        pytest.skip(f"torch.compile needs a C++ compiler; {compiler} isn't here")
    torch.manual_seed(0)
    block = Residual(nn.Linear(3, 3), scale=DropPath(0.5, per="batch"))
    x = torch.randn(5, 3)
    torch.compiler.reset()
    compiled = torch.compile(block)
    kept = x + 2 * block.branch(x)
    outputs = [compiled(x) for _ in range(30)]
    dropped = [torch.equal(y, x) for y in outputs]
    assert 0 < sum(dropped) < 30
    for y, left_out in zip(outputs, dropped, strict=True):
        assert left_out or torch.allclose(y, kept, atol=1e-5)
    next(y for y, left_out in zip(outputs, dropped, strict=True) if not left_out).sum().backward()
    assert block.branch.weight.grad.abs().sum() > 0
