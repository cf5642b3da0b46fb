"""Reversible blocks: gradients as in an ordinary net, inputs back from outputs, memory."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.func import functional_call

from residual_lib.nn import Coupling, DropPath, Reversible
from residual_lib.probes.memory import inference_memory, kept_for_backward
from residual_lib.residual import iter_residuals


def part(width=4):
    return nn.Sequential(
        nn.BatchNorm1d(width), nn.ReLU(), nn.Conv1d(width, width, 3, padding=1, bias=False)
    )


def stack(recompute, blocks=3):
    torch.manual_seed(0)
    return Reversible([(part(), part()) for _ in range(blocks)], recompute=recompute).double()


def test_it_is_the_two_equations():
    torch.manual_seed(0)
    f, g = nn.Linear(3, 3), nn.Linear(3, 3)
    x = torch.randn(5, 6)
    y1 = x[:, :3] + f(x[:, 3:])
    y2 = x[:, 3:] + g(y1)
    torch.testing.assert_close(Reversible([(f, g)])(x), torch.cat((y1, y2), 1))


def test_gradients_and_buffers_are_those_of_ordinary_training():
    found = []
    for recompute in (False, True):
        model = stack(recompute)
        torch.manual_seed(1)
        x = torch.randn(3, 8, 10, dtype=torch.float64, requires_grad=True)
        y = model(x)
        y.sin().sum().backward()
        found.append([y, x.grad, *(p.grad for p in model.parameters()), *model.buffers()])
    for ordinary, recomputed in zip(*found, strict=True):
        torch.testing.assert_close(recomputed, ordinary)


def test_the_input_comes_back():
    model = stack(True).eval()
    x = torch.randn(2, 8, 10, dtype=torch.float64)
    torch.testing.assert_close(model.inverse(model(x)), x)


def test_what_is_kept_does_not_grow_with_the_blocks():
    x = torch.zeros(2, 8, 10, dtype=torch.float64)
    few, many = (kept_for_backward(stack(True, blocks), x) for blocks in (2, 9))
    assert few == many == 8 * 2 * 8 * 10  # the output
    assert kept_for_backward(stack(False, 9), x) > 9 * many


def test_lent_parameters_get_their_gradients():
    model = stack(True)
    lent = {
        name: (2 * p).detach().requires_grad_() if p.ndim > 1 else p.detach().requires_grad_()
        for name, p in model.named_parameters()
    }
    x = torch.randn(3, 8, 10, dtype=torch.float64)
    state = {**lent, **dict(model.named_buffers())}
    gradients = []
    for recompute in (True, False):
        model.recompute = recompute
        y = functional_call(model, state, (x,))
        gradients.append(torch.autograd.grad(y.square().sum(), list(lent.values())))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_every_step_is_a_residual():
    assert len(list(iter_residuals(stack(True, 3)))) == 6


@pytest.mark.parametrize("random", [nn.Dropout(0.5), DropPath(0.5)])
def test_parts_that_draw_are_refused(random):
    with pytest.raises(ValueError, match="pairs must not draw at random"):
        Reversible([(random, nn.Identity())])


def test_wrong_halves_are_refused():
    with pytest.raises(ValueError, match="writes must be 0 or 1"):
        Coupling(nn.Identity(), 2)
    with pytest.raises(ValueError, match="an even number of channels, got 3"):
        Coupling(nn.Identity(), 0)(torch.zeros(1, 3))


def test_inference_holds_what_is_still_read():
    width, positions = 4, 10
    layers = [nn.Conv1d(width, width, 3, padding=1) for _ in range(4)]
    model = nn.Sequential(*layers).train()
    x = torch.zeros(1, width, positions)
    assert inference_memory(model, x) == 2 * 4 * width * positions  # reads one, writes one
    assert model.training
