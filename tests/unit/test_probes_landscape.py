"""Landscapes of nets whose loss is a formula, and Jacobians by depth against products."""

import numpy as np
import pytest
import torch
from probe_models import MODELS, make
from torch import nn

from residual_lib.models import create_model
from residual_lib.objective import loss
from residual_lib.probes import (
    jacobian_by_depth,
    jacobian_singular_values,
    landscape,
    landscape_line,
    random_direction,
)
from residual_lib.residual import Residual, iter_residuals


def linear(weight):
    net = nn.Linear(2, 1, bias=False).double()
    with torch.no_grad():
        net.weight.copy_(torch.tensor([weight]))
    return net


AXES = torch.eye(2, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64)


def test_plane_of_a_quadratic_loss():
    # Inputs are the axes and targets 0, so the loss is |w|^2 / 2: exact at every point.
    net = linear([3.0, 4.0])
    table = landscape(net, AXES, span=2.0, points=5, progress=False)
    first, second = (random_direction(net, seed=seed)["weight"] for seed in (0, 1))
    assert len(table) == 25
    for row in table.itertuples():
        w = net.weight.detach() + row.a * first + row.b * second
        assert row.value == pytest.approx((w**2).sum().item() / 2)
    square = table.pivot(index="b", columns="a", values="value")
    assert square.shape == (5, 5)
    assert square.loc[0.0, 0.0] == pytest.approx(12.5)
    same = landscape(net, AXES, span=2.0, points=5, progress=False)
    assert table.equals(same)
    assert not table.equals(landscape(net, AXES, span=2.0, points=5, seed=1, progress=False))


def test_line_of_a_quadratic_loss():
    table = landscape_line(linear([1.0, 1.0]), linear([-1.0, 3.0]), AXES, points=5, progress=False)
    for row in table.itertuples():
        w = np.array([1.0, 1.0]) + row.position * np.array([-2.0, 2.0])
        assert row.value == pytest.approx((w**2).sum() / 2)
    assert table.position.tolist() == [-0.5, 0.0, 0.5, 1.0, 1.5]


def test_directions_have_the_length_of_each_filter():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        net[0].weight[1] *= 100
        net[3].weight[0] = 0
    state = torch.random.get_rng_state()
    direction = random_direction(net)
    assert torch.equal(torch.random.get_rng_state(), state)
    for name, tensor in net.named_parameters():
        d = direction[name]
        assert d.shape == tensor.shape
        if tensor.dim() == 1:
            assert (d == 0).all()
        else:
            torch.testing.assert_close(d.flatten(1).norm(dim=1), tensor.flatten(1).norm(dim=1))
    assert (direction["3.weight"][0] == 0).all()


def test_batch_statistics_make_the_scale_of_a_layer_invisible():
    model, batch = make("residual_mlp")
    torch.manual_seed(1)
    large = make("residual_mlp")[0]
    large.load_state_dict(model.state_dict())
    with torch.no_grad():
        for _, block in iter_residuals(large):
            block.branch.layer1.weight *= 7
    options = {"points": 3, "progress": False}
    torch.testing.assert_close(
        torch.tensor(landscape(model, batch, **options).value),
        torch.tensor(landscape(large, batch, **options).value),
        rtol=1e-3, atol=1e-3,  # BatchNorm's epsilon
    )  # fmt: skip
    running = landscape(model, batch, training=False, **options)
    assert not np.allclose(running.value, landscape(large, batch, training=False, **options).value)


def test_ends_of_a_line_are_the_two_models():
    (model, batch), (other, _) = make("residual_mlp"), make("residual_mlp", seed=1)
    for training in (True, False):
        table = landscape_line(
            model, other, batch, points=3, low=0, high=1, training=training, progress=False
        )
        found = table[table.metric == "loss"].set_index("position").value
        for position, net in ((0.0, model), (1.0, other)):
            state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
            net.train(training)
            expected = loss(net(batch[0]), batch[1]).item()
            net.load_state_dict(state)
            assert found[position] == pytest.approx(expected)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("training", [True, False])
def test_no_trace_in_any_family(name, training):
    model, batch = make(name)
    other = make(name, seed=1)[0]
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    table = landscape(model, batch, points=3, training=training, progress=False)
    landscape_line(model, other, batch, points=3, training=training, progress=False)
    jacobian_by_depth(model, batch, training=training, examples=1, progress=False)
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[key]), key
    assert model.training
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    middle = table[(table.a == 0) & (table.b == 0) & (table.metric == "loss")].value.item()
    assert middle == pytest.approx(loss(model.train(training)(batch[0]), batch[1]).item())


def test_jacobians_of_a_linear_net_are_matrices_and_their_products():
    model, batch = make("linear_stack")
    table = jacobian_by_depth(model, batch, examples=2, progress=False)
    through = torch.eye(6, dtype=torch.float64)
    for depth, (name, block) in enumerate(iter_residuals(model), start=1):
        matrix = torch.eye(6, dtype=torch.float64) + block.branch.weight.detach()
        through = matrix @ through
        for metric, expected in (("block", matrix), ("network", through)):
            rows = table[(table.depth == depth) & (table.metric == metric) & (table.example == 1)]
            assert rows.layer.unique().tolist() == [name]
            assert rows.value.tolist() == pytest.approx(torch.linalg.svdvals(expected).tolist())


@pytest.mark.parametrize("training", [True, False])
def test_jacobians_by_depth_agree_with_those_of_parts(training):
    model, batch = make("residual_mlp")
    names = [name for name, _ in iter_residuals(model)]
    parts = jacobian_singular_values(
        model, batch, parts=["blocks", *names], examples=2, training=training
    )
    table = jacobian_by_depth(model, batch, training=training, progress=False)
    for name in names:
        expected = parts[parts.layer == name].value.to_numpy()
        found = table[(table.layer == name) & (table.metric == "block")].value
        assert found.to_numpy() == pytest.approx(expected, abs=1e-10)
    last = table[(table.depth == len(names)) & (table.metric == "network")].value
    expected = parts[parts.layer == "blocks"].value.to_numpy()
    assert last.to_numpy() == pytest.approx(expected, abs=1e-10)


def test_a_block_without_gradient_has_jacobian_zero():
    net = nn.Sequential(Residual(torch.ones_like, merge=lambda s, b: b), nn.Linear(2, 2))
    table = jacobian_by_depth(net, (torch.ones(1, 2), torch.tensor([0])), examples=1)
    assert table.value.tolist() == [0.0] * 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: landscape(linear([1.0, 1]), AXES, points=1), "points must be .* from 2 up, got 1"),
        (lambda: landscape(linear([1.0, 1]), AXES, span=-1), "span must be above 0, got -1"),
        (lambda: landscape_line(linear([1.0, 1]), nn.Linear(2, 1), AXES), r"differ in \['bias'\]"),
        (lambda: landscape_line(linear([1.0, 1]), linear([1.0, 1]), AXES, low=2), "low must be"),
        (lambda: landscape_line(linear([1.0, 1]), linear([1.0, 1]), AXES, points=0), "points must"),
        (lambda: jacobian_by_depth(nn.Linear(2, 1), AXES), "model must have a Residual"),
        (lambda: jacobian_by_depth(make("stack")[0], AXES, examples=3), "examples must be"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_families_of_the_course_have_a_landscape():
    batch = torch.randn(4, 1, 12), torch.tensor([0, 1, 2, 3])
    for name in ("plain_conv1d", "residual_conv1d"):
        model = create_model(name, depth=4, width=4, num_classes=4)
        assert len(landscape(model, batch, points=2)) == 8


def test_shared_weights_move_together():
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)).double()
    net[1].weight = net[0].weight
    batch = torch.ones(1, 2, dtype=torch.float64), torch.zeros(1, 2, dtype=torch.float64)
    table = landscape(net, batch, points=2, progress=False)
    first, second = (random_direction(net, seed=seed)["0.weight"] for seed in (0, 1))
    w = net[0].weight.detach() - first - second
    assert table.value[0] == pytest.approx(((batch[0] @ w.T @ w.T) ** 2).mean().item())
    assert net[1].weight is net[0].weight
