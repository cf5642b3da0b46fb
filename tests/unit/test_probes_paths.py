"""Paths against products of matrices, masked backward passes and the binomial law."""

from itertools import chain, combinations
from math import comb

import numpy as np
import pytest
import torch
from probe_models import CLASSES, MODELS, make
from torch import nn

from residual_lib.objective import loss
from residual_lib.probes import gradient_by_length, path_gradient, path_lengths, paths
from residual_lib.probes.masking import backward_through
from residual_lib.probes.paths import _Unravelled
from residual_lib.residual import Residual, branch_only, iter_residuals


def full_gradient(model, batch):
    """At the inputs, or, where these are tokens, at what enters the first block."""
    x, y = batch
    if x.is_floating_point():
        x = x.clone().requires_grad_()
        return torch.autograd.grad(loss(model(x), y), x)[0]
    entered = []
    _, first = next(iter_residuals(model))
    handle = first.register_forward_pre_hook(lambda block, inputs: entered.extend(inputs))
    value = loss(model(x), y)
    handle.remove()
    return torch.autograd.grad(value, entered[0])[0]


def subsets(names):
    return chain.from_iterable(combinations(names, k) for k in range(len(names) + 1))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_lengths_add_up_to_the_full_gradient_in_every_family(name, training):
    model, batch = make(name)
    model.train(training)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    parts = gradient_by_length(model, batch, training=training)
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[key]), key
    whole = full_gradient(model, batch)
    assert torch.allclose(sum(parts.values()), whole, rtol=1e-10, atol=1e-14)
    assert whole.norm() > 0


@pytest.mark.parametrize("name", MODELS)
def test_single_paths_add_up_to_their_length(name):
    model, batch = make(name)
    model.eval()
    net = _Unravelled.of(model, batch)
    parts = net.by_length(False)
    for length, count in net.counts().items():
        routes = [net.route(length, number) for number in range(count)]
        assert len({tuple(route) for route in routes}) == count
        one_by_one = sum(net.along(route) for route in routes)
        assert torch.allclose(one_by_one, parts[length], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", ["stack", "projected", "dense", "residual_mlp", "weighted", "gpt"])
def test_a_set_of_branches_carries_what_masking_leaves(name):
    model, batch = make(name)
    model.eval()
    names = [key for key, _ in iter_residuals(model)]
    total = 0
    for through in subsets(names):
        with backward_through(model, through):
            masked = full_gradient(model, batch)
        assert torch.allclose(path_gradient(model, batch, through), masked, atol=1e-14)
        total = total + masked
    assert torch.allclose(total, full_gradient(model, batch), atol=1e-13)


def test_linear_net_by_products_of_matrices():
    # Logits = H (I + W4) ... (I + W1) x: expand the product, sort the terms by number of W.
    model, batch = make("linear_stack")
    x, y = batch
    (at_logits,) = torch.autograd.grad(loss(logits := model(x), y), logits)
    weights = [block.branch.weight.detach() for _, block in iter_residuals(model)]
    expected = {k: torch.zeros_like(x) for k in range(5)}
    for through in subsets(range(4)):
        product = model[-1].weight.detach()
        for i in reversed(through):
            product = product @ weights[i]
        expected[len(through)] += at_logits @ product
    parts = gradient_by_length(model, batch)
    for k in range(5):
        assert torch.allclose(parts[k], expected[k], rtol=1e-12)
    # In the linear case deleting branches and summing with signs gives the same part: the path
    # through set S alone is the sum over T in S of (-1)^|S - T| times the net that keeps T.
    table = paths(model, batch, progress=False).set_index(["metric", "length"]).value
    for k in range(5):
        assert table["total_gradient", k] == pytest.approx(expected[k].norm().item())


def test_inclusion_and_exclusion_of_branches_in_the_linear_case():
    from residual_lib.probes.masking import deleted

    model, batch = make("linear_stack")
    x = batch[0]
    names = [key for key, _ in iter_residuals(model)]
    cotangent = torch.randn(8, CLASSES, dtype=torch.float64)

    def pulled_back(kept):
        leaf = x.clone().requires_grad_()
        with deleted(model, set(names) - set(kept)):
            return torch.autograd.grad(model(leaf), leaf, cotangent)[0]

    chosen = names[1:3]
    signed = sum((-1) ** (2 - len(kept)) * pulled_back(kept) for kept in subsets(chosen))
    leaf = x.clone().requires_grad_()
    with backward_through(model, chosen):
        (direct,) = torch.autograd.grad(model(leaf), leaf, cotangent)
    assert torch.allclose(signed, direct, atol=1e-13)


@pytest.mark.parametrize("blocks", [1, 5, 54])
def test_lengths_follow_the_binomial_law(blocks):
    net = nn.Sequential(*(Residual(nn.Identity()) for _ in range(blocks)))
    table = path_lengths(net, (torch.ones(1, 1), torch.zeros(1, 1)))
    counts = table[table.metric == "paths"].set_index("length").value
    assert counts.to_dict() == {k: comb(blocks, k) for k in range(blocks + 1)}
    share = table[table.metric == "share"].set_index("length").value
    assert share.sum() == pytest.approx(1)
    if blocks == 54:  # ResNet-110: 98.0 % of the paths pass 19 to 35 blocks, 0.45 % 5 to 17
        assert share.loc[19:35].sum() == pytest.approx(0.980, abs=5e-4)
        assert share.loc[5:17].sum() == pytest.approx(0.0045, abs=5e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain_stack", {3: 1}),
        ("plain_conv", {2: 1}),
        ("dense", {0: 1, 1: 3, 2: 3, 3: 1}),
        # (1 + z (1 + z)(1 + z)) (1 + z): the branch of the outer block holds two blocks
        ("nested", {0: 1, 1: 2, 2: 3, 3: 3, 4: 1}),
        ("Parallel", {0: 2, 1: 2}),
        ("densenet", {0: 1, 1: 4, 2: 6, 3: 4, 4: 1}),
        # 1 + z (1 + z): over the top, one level down, two levels down
        ("unet", {0: 1, 1: 1, 2: 1}),
        ("added_unet", {0: 1, 1: 1, 2: 1}),
        ("valid_unet", {1: 1, 2: 1}),
        ("repeated", {0: 1, 1: 3, 2: 3, 3: 1}),
    ],
)
def test_number_of_paths_by_hand(name, expected):
    model, batch = make(name)
    table = path_lengths(model, batch)
    assert table[table.metric == "paths"].set_index("length").value.to_dict() == expected


def test_identity_branches_carry_what_the_binomial_says():
    # Every branch is c x, so a path of length k carries c^k, and all of them (1 + c)^n.
    c, blocks = 0.5, 20
    net = nn.Sequential(*(Residual(lambda x: c * x) for _ in range(blocks)))
    batch = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    at_output = 2 * (1 + c) ** blocks
    table = paths(net, batch, samples=3, progress=False).set_index(["metric", "length"]).value
    for k in range(blocks + 1):
        law = comb(blocks, k) * c**k / (1 + c) ** blocks  # binomial with p = c / (1 + c)
        assert table["path_gradient", k] == pytest.approx(at_output * c**k)
        assert table["total_gradient", k] == pytest.approx(at_output * comb(blocks, k) * c**k)
        assert table["contribution", k] == pytest.approx(law)
        assert table["gradient_share", k] == pytest.approx(law)


def test_contributions_may_be_negative_and_sum_to_one():
    # y = (1 - 0.4)(1 + 2) x = 1.8 x: lengths carry 1, -0.4 + 2 and -0.8
    net = nn.Sequential(Residual(lambda x: -0.4 * x), Residual(lambda x: 2 * x))
    table = paths(net, (torch.ones(1, 1), torch.zeros(1, 1)), progress=False)
    found = table[table.metric == "contribution"].value
    assert found.tolist() == pytest.approx([1 / 1.8, 1.6 / 1.8, -0.8 / 1.8])
    shares = table[table.metric == "gradient_share"].value
    assert shares.tolist() == pytest.approx([1 / 4.2, 2.4 / 4.2, 0.8 / 4.2])


def test_drawn_paths_are_uniform_and_seeded():
    model, batch = make("stack")
    net = _Unravelled.of(model, batch)
    assert {tuple(net.route(2, number)) for number in range(6)} == {
        tuple(net.route(2, number)) for number in range(comb(4, 2))
    }
    branches = np.zeros(4)
    for number in range(6):
        for place in net.route(2, number):
            if place and place % 2 == 0:
                branches[(place - 2) // 2] += 1
    assert branches.tolist() == [3, 3, 3, 3]
    few = [paths(model, batch, samples=2, seed=s, progress=False) for s in (0, 0, 1)]
    assert few[0].equals(few[1])
    assert not few[0].equals(few[2])
    # all paths of the shortest and of the longest length are measured whatever the seed
    ends = [table.query("metric == 'path_gradient'").value.iloc[[0, -1]].tolist() for table in few]
    assert ends[0] == ends[2]


def test_tokens_take_the_gradient_at_the_first_block():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Embedding(5, 4), Residual(nn.Linear(4, 4)), Residual(nn.Linear(4, 4)))
    net = nn.Sequential(*net, nn.Flatten(), nn.Linear(12, 2)).double()
    batch = torch.tensor([[0, 1, 2], [4, 3, 2]]), torch.tensor([0, 1])
    words = net[0](batch[0]).detach().requires_grad_()
    (whole,) = torch.autograd.grad(loss(net[1:](words), batch[1]), words)
    assert torch.allclose(sum(gradient_by_length(net, batch).values()), whole)
    assert path_lengths(net, batch).query("metric == 'paths'").value.tolist() == [1, 2, 1]
    assert not any(block._forward_pre_hooks for _, block in iter_residuals(net))


def test_where_no_path_leads():
    net = nn.Sequential(Residual(torch.ones_like, merge=branch_only), nn.Linear(1, 2))
    batch = torch.ones(1, 1), torch.tensor([0])
    assert path_gradient(net, batch, []).tolist() == [[0.0]]
    assert gradient_by_length(net, batch)[0].tolist() == [[0.0]]
    assert paths(net, batch, progress=False).empty
    # a branch without a gradient: its paths exist for nobody
    net = nn.Sequential(Residual(torch.ones_like), nn.Linear(1, 2))
    assert path_lengths(net, batch).query("metric == 'paths'").length.tolist() == [0]


def test_wrong_arguments_are_named():
    model, batch = make("stack")
    with pytest.raises(ValueError, match="samples must be a whole number from 1 up, got 0"):
        paths(model, batch, samples=0)
    with pytest.raises(ValueError, match="names must be of iter_residuals"):
        path_gradient(model, batch, ["nowhere"])
    with pytest.raises(ValueError, match="model must have a Residual"):
        path_lengths(nn.Linear(6, 3), batch)
