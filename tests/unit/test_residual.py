"""`Residual` against the equation written out, and under what PyTorch does to modules."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from residual_lib.models import create_model
from residual_lib.residual import (
    Residual,
    add,
    branch_only,
    concatenate,
    iter_residuals,
    label_residuals,
)


@given(batch=st.integers(1, 4), channels=st.integers(1, 5), length=st.integers(1, 6))
@settings(deadline=None, max_examples=25)
def test_is_the_equation_for_every_shape(batch, channels, length):
    branch = nn.Conv1d(channels, channels, 3, padding=1)
    shortcut = nn.Conv1d(channels, channels, 1)
    x = torch.randn(batch, channels, length)
    block = Residual(branch, shortcut=shortcut, scale=lambda f: 0.5 * f, after=torch.relu)
    torch.testing.assert_close(block(x), torch.relu(shortcut(x) + 0.5 * branch(x)))
    torch.testing.assert_close(Residual(branch)(x), x + branch(x))
    torch.testing.assert_close(Residual(branch, merge=branch_only)(x), branch(x))
    stacked = Residual(branch, merge=concatenate)(x)
    assert stacked.shape == (batch, 2 * channels, length)
    torch.testing.assert_close(stacked[:, :channels], x)


def test_gradient_is_that_of_branch_plus_identity():
    linear = nn.Linear(4, 4).double()
    x = torch.randn(4, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(Residual(linear), x)
    torch.testing.assert_close(jacobian, linear.weight + torch.eye(4, dtype=torch.float64))


@pytest.mark.parametrize("slot", ["branch", "shortcut", "scale", "merge", "after"])
def test_refuses_what_cannot_be_called(slot):
    slots = {"branch": nn.Identity(), slot: 3}
    with pytest.raises(TypeError, match=f"{slot} must be .* got 3"):
        Residual(**slots)


def test_merge_cannot_be_none():
    with pytest.raises(TypeError, match="merge must be a module or a function, got None"):
        Residual(nn.Identity(), merge=None)


@pytest.mark.parametrize(
    ("branch", "message"),
    [
        (nn.Linear(3, 4), "3 to 4 channels.*shortcut= a projection"),
        (nn.Sequential(nn.Conv1d(3, 5, 1), nn.ReLU(), nn.Conv1d(5, 4, 1)), "3 to 4 channels"),
        (nn.Sequential(nn.Conv2d(3, 3, 3, stride=2, padding=1)), "strides.*the same stride"),
    ],
)
def test_refuses_at_construction_what_can_be_known(branch, message):
    with pytest.raises(ValueError, match=message):
        Residual(branch)


@pytest.mark.parametrize("branch", [nn.ReLU(), torch.sin, nn.Sequential(nn.ReLU())])
def test_accepts_branches_without_widths(branch):
    assert Residual(branch)(torch.zeros(1, 2)).shape == (1, 2)


@pytest.mark.parametrize(
    ("branch", "remedy"),
    [
        (lambda x: x[:, :1], "projection"),  # would broadcast without the check
        (lambda x: x[..., :1], "stride"),
        (lambda x: x.flatten(1), "number of axes"),
    ],
)
def test_names_block_shapes_and_remedy_at_the_first_forward(branch, remedy):
    model = label_residuals(nn.Sequential(nn.Identity(), Residual(branch)))
    with pytest.raises(ValueError, match=remedy) as caught:
        model(torch.zeros(2, 3, 4))
    assert str(caught.value).startswith("1: shortcut (2, 3, 4) and branch (2")


def test_concatenate_needs_equal_sizes_off_the_channels():
    with pytest.raises(ValueError, match="crop, pad or resample"):
        Residual(lambda x: x[..., :1], merge=concatenate)(torch.zeros(2, 3, 4))


def test_own_merges_are_not_second_guessed():
    block = Residual(lambda x: x[:, :1], merge=lambda s, b: s * b)
    assert block(torch.ones(2, 3)).shape == (2, 3)


def test_iter_residuals_finds_nested_blocks_outermost_first():
    model = nn.Sequential(Residual(nn.Sequential(nn.ReLU(), Residual(nn.ReLU()))))
    assert [name for name, _ in iter_residuals(model)] == ["0", "0.branch.1"]


@pytest.fixture
def model_and_batch():
    torch.manual_seed(0)
    return create_model("residual_conv1d", width=4, depth=6), torch.randn(5, 1, 12)


def test_copies_and_state_round_trip(model_and_batch):
    model, x = model_and_batch
    model.eval()
    clone = copy.deepcopy(model)
    torch.testing.assert_close(clone(x), model(x))
    fresh = create_model("residual_conv1d", width=4, depth=6).eval()
    fresh.load_state_dict(model.state_dict())
    torch.testing.assert_close(fresh(x), model(x))


def test_works_under_vmap_and_grad(model_and_batch):
    model, x = model_and_batch
    model.eval()
    parameters = dict(model.named_parameters())
    buffers = dict(model.named_buffers())

    def loss(parameters, one):
        return torch.func.functional_call(model, (parameters, buffers), (one[None],)).sum()

    per_example = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x)
    model(x).sum().backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(per_example[name].sum(0), parameter.grad, rtol=1e-4, atol=1e-5)


def test_works_under_autocast(model_and_batch):
    model, x = model_and_batch
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(x)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), model(x), rtol=0.2, atol=0.2)


def test_compiles_to_the_same_function(model_and_batch):
    model, x = model_and_batch
    model.eval()
    # The eager backend traces the graph as any backend would, without a C compiler.
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), model(x))


def test_repr_names_the_merge():
    assert "merge=add" in repr(Residual(nn.ReLU(), merge=add))
