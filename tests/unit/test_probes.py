"""Probes against autograd by hand, closed formulas and finite differences."""

import pytest
import torch
from torch import nn

from residual_lib.models import create_model
from residual_lib.objective import loss
from residual_lib.probes import activation_statistics, gradient_norms, jacobian_singular_values


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(12, 6, generator=generator, dtype=torch.float64)
    return x, torch.randint(0, 3, (12,), generator=generator)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return create_model("residual_mlp", in_features=6, num_classes=3, width=5, depth=6).double()


def value(table, layer, metric):
    return table[(table.layer == layer) & (table.metric == metric)].value.item()


def test_gradient_norms_equal_backward(model, batch):
    table = gradient_norms(model, batch)
    x = batch[0].clone().requires_grad_()
    loss(model(x), batch[1]).backward()
    assert value(table, "stem.layer", "input_gradient") == pytest.approx(x.grad.norm().item())
    for name in table.layer.unique():
        weight = model.get_submodule(name).weight
        assert value(table, name, "weight_gradient") == pytest.approx(weight.grad.norm().item())
    order = table.drop_duplicates("layer").layer.tolist()
    assert (order[0], order[1], order[-1]) == ("stem.layer", "blocks.0.branch.layer1", "head")


def test_input_gradient_equals_a_finite_difference(model, batch):
    # The norm over all inputs is the largest slope: step along the gradient and look.
    x, y = batch
    inputs = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(model(inputs), y), inputs)
    step = 1e-6 * gradient / gradient.norm()
    slope = (loss(model(x + step), y) - loss(model(x - step), y)) / 2e-6
    measured = value(gradient_norms(model, batch), "stem.layer", "input_gradient")
    assert measured == pytest.approx(slope.item(), rel=1e-5)


def test_gradient_norms_of_a_regression_and_of_integer_inputs():
    x = torch.tensor([[1.0], [2.0]])
    net = nn.Sequential(nn.Linear(1, 1, bias=False))
    nn.init.constant_(net[0].weight, 3.0)
    # L = mean (3x - 0)^2, dL/dw = mean 2 x 3x = 15, dL/dx = 2 * 9 x / 2 = 9 x
    table = gradient_norms(net, (x, torch.zeros(2, 1)))
    assert value(table, "0", "weight_gradient") == pytest.approx(15)
    assert value(table, "0", "input_gradient") == pytest.approx(9 * 5**0.5)
    words = nn.Sequential(nn.Embedding(4, 3), nn.Linear(3, 2))
    table = gradient_norms(words, (torch.tensor([0, 3]), torch.tensor([0, 1])))
    assert (table.value > 0).all()


def test_unreached_weight_has_gradient_zero():
    class Detour(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.detour = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            self.detour(x)
            return self.used(x)

    table = gradient_norms(Detour(), (torch.randn(3, 2), torch.tensor([0, 1, 0])))
    assert value(table, "detour", "weight_gradient") == 0


def test_activation_statistics_by_hand():
    net = nn.Sequential(nn.Linear(1, 2), nn.ReLU())
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0], [0.0]]))
        net[0].bias.copy_(torch.tensor([0.0, -1.0]))
    table = activation_statistics(net, (torch.tensor([[-1.0], [3.0]]), torch.tensor([0, 0])))
    # outputs: (0, 0) and (3, 0): mean 3/4, variance 9/4 - 9/16, the second unit is dead
    assert value(table, "1", "mean") == pytest.approx(0.75)
    assert value(table, "1", "variance") == pytest.approx(9 / 4 - 9 / 16)
    assert value(table, "1", "dead_fraction") == 0.5


def test_singular_values_of_a_linear_net_are_those_of_the_product():
    net = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3)).double()
    batch = torch.randn(6, 4, dtype=torch.float64), torch.zeros(6, dtype=torch.long)
    table = jacobian_singular_values(net, batch, parts=["", "1"], examples=2)
    for part, matrix in (("", net[1].weight @ net[0].weight), ("1", net[1].weight)):
        expected = torch.linalg.svdvals(matrix.detach()).tolist()
        for example in (0, 1):
            rows = table[(table.layer == part) & (table.example == example)]
            assert rows.value.tolist() == pytest.approx(expected)


def test_jacobian_with_batch_statistics_equals_a_finite_difference():
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).double().train()
    x = torch.randn(5, 3, dtype=torch.float64)
    columns = []
    for i in range(3):
        step = torch.zeros_like(x)
        step[2, i] = 1e-6
        columns.append((net(x + step)[2] - net(x - step)[2]) / 2e-6)
    expected = torch.linalg.svdvals(torch.stack(columns, 1).detach())
    batch = (x, torch.zeros(5, dtype=torch.long))
    table = jacobian_singular_values(net, batch, examples=3, training=True)
    measured = table[table.example == 2].value.tolist()
    assert measured == pytest.approx(expected.tolist(), abs=1e-6)


@pytest.mark.parametrize("probe", [gradient_norms, activation_statistics, jacobian_singular_values])
@pytest.mark.parametrize("training", [True, False])
def test_probes_leave_no_trace(probe, training, batch):
    model = create_model(
        "plain_mlp", in_features=6, num_classes=3, width=5, depth=4, norm_layer="batch"
    )
    model = model.double()
    model.blocks.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    probe(model, batch, training=training)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert all(p.grad is None for p in model.parameters())
    assert model.training
    assert not model.blocks.training
    assert not any(m._forward_hooks for m in model.modules())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda b: gradient_norms(nn.ReLU(), b), "model must have a part of .*Linear"),
        (lambda b: activation_statistics(nn.Linear(6, 3), b), "model must have a part of .*ReLU"),
        (lambda b: jacobian_singular_values(nn.ReLU(), b, parts=["x"]), "parts must be .*'x'"),
        (lambda b: jacobian_singular_values(nn.ReLU(), b, examples=13), "examples must be 1 to 12"),
    ],
)
def test_wrong_arguments_are_named(call, message, batch):
    with pytest.raises(ValueError, match=message):
        call(batch)
