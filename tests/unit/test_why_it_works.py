"""Chapter 6: its helpers against formulas, closed cases and hand computations."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from residual_lib.claims import why_it_works as claims
from residual_lib.exercises import why_it_works as exercises
from residual_lib.experiments import Settings
from residual_lib.experiments import why_it_works as chapter
from residual_lib.models import create_model
from residual_lib.probes import expected_correlation
from residual_lib.residual import Residual, iter_residuals


def settings(**profile):
    return Settings(profile=profile, device="cpu", progress=False)


# --- Jacobians -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "beta"), [("one", 1.0), ("root", 0.5), ("inverse", 0.25), ("plain", 1.0)]
)
def test_a_stack_has_the_scale_that_its_kind_says(kind, beta):
    torch.manual_seed(0)
    model = chapter.residual_stack(kind, 4, 8)
    x = torch.randn(3, 8)
    block = model[0]
    branch = beta * block.branch(x)
    torch.testing.assert_close(block(x), branch if kind == "plain" else x + branch)


def test_branches_of_a_stack_keep_the_mean_square():
    torch.manual_seed(0)
    branch = chapter.residual_stack("one", 1, 1000)[0].branch
    x = torch.randn(64, 1000)
    assert branch(x).square().mean().item() == pytest.approx(1, rel=0.15)


def test_an_unknown_stack_is_refused():
    with pytest.raises(ValueError, match="kind must be one of"):
        chapter.residual_stack("two", 1, 2)


def test_singular_values_of_the_blocks_by_hand():
    table = chapter.run_jacobians({"kind": "one"}, [3], settings(blocks=3, width=4))
    with chapter.seeded(3):
        model = chapter.residual_stack("one", 3, 4).double()
        x = torch.randn(1, 4, dtype=torch.float64)
    product, found = torch.eye(4, dtype=torch.float64), {}
    for depth, block in enumerate(model, start=1):
        first, _, last = block.branch
        opened = torch.diag((first(x)[0] > 0).double())
        jacobian = torch.eye(4) + last.weight @ opened @ first.weight
        x, product = block(x), jacobian @ product
        found["block", depth] = torch.linalg.svdvals(jacobian)
        found["network", depth] = torch.linalg.svdvals(product)
    keyed = table.set_index(["scope", "index", "metric"])["value"]
    for (scope, depth), values in found.items():
        assert keyed[scope, depth, "smallest"] == pytest.approx(values.min().item(), rel=1e-6)
        assert keyed[scope, depth, "largest"] == pytest.approx(values.max().item(), rel=1e-6)
        square = values.square().mean().item()
        assert keyed[scope, depth, "mean_square"] == pytest.approx(square, rel=1e-6)


# --- the line --------------------------------------------------------------------------------


def test_without_biases_the_derivative_has_one_value_on_each_side():
    table = chapter.run_shattering(
        {"kind": "no biases", "depth": 6}, [0], settings(width=20, points=40, lags=2)
    )
    values = table[table["metric"] == "gradient"]["value"].to_numpy()
    assert values[:20] == pytest.approx(values[0], rel=1e-4)
    assert values[20:] == pytest.approx(values[-1], rel=1e-4)


def test_a_shallow_net_steps_at_its_kinks_only():
    """One layer of rectifiers: the derivative is the sum of v w over the units that are open."""
    with chapter.seeded(0):
        model = chapter.line_net("plain", 3, 50)
    t = torch.linspace(-2, 2, 30)
    w, b = model.stem.weight[:, 0], model.stem.bias
    v = (model.head.weight @ model.blocks[0].branch[2].weight)[0]
    expected = ((t[:, None] * w + b > 0) * v * w).sum(1)
    table = chapter.run_shattering(
        {"kind": "plain", "depth": 3}, [0], settings(width=50, points=30, lags=2)
    )
    values = table[table["metric"] == "gradient"]["value"].to_numpy()
    assert values == pytest.approx(expected.detach().numpy(), rel=1e-4, abs=1e-5)


def test_small_biases_have_the_variance_of_the_weights():
    torch.manual_seed(0)
    net = chapter.small_biases(4, 400)
    layers = [part for part in net if isinstance(part, nn.Linear)]
    assert [layer.out_features for layer in layers] == [400, 400, 400, 1]
    assert isinstance(net[-1], nn.Linear)
    for layer in layers[:3]:
        assert layer.weight.var().item() == pytest.approx(1 / 400, rel=0.3)
        assert layer.bias.var().item() == pytest.approx(1 / 400, rel=0.3)


def test_centring_changes_nothing_else():
    nets = []
    for centred in (False, True):
        torch.manual_seed(0)
        nets.append(chapter.small_biases(5, 6, centred))
    same, centred = (net.state_dict() for net in nets)
    weights = [name for name in centred if not name.endswith("running_mean")]
    assert weights == list(same)
    assert all(torch.equal(same[name], centred[name]) for name in weights)
    hidden = nets[1].train()[:2](torch.randn(50, 1))
    torch.testing.assert_close(hidden.mean(0), torch.zeros(6), atol=1e-6, rtol=0)


def test_noise_is_the_reference_and_no_net():
    table = chapter.run_shattering(
        {"kind": "brown noise", "depth": 0}, [1], settings(width=5, points=50, lags=3)
    )
    steps = np.diff(table[table["metric"] == "gradient"]["value"].to_numpy())
    assert steps.std() == pytest.approx(1, rel=0.3)
    with pytest.raises(ValueError, match="kind must be one of"):
        chapter.line_net("grey noise", 3, 5)


# --- correlations ----------------------------------------------------------------------------


class Quadratic(nn.Module):
    """x -> sum of a_i x_i^2 / 2: the gradient at x is a * x."""

    def __init__(self, a):
        super().__init__()
        self.a = a

    def forward(self, x):
        return (self.a * x * x / 2).sum(1, keepdim=True)


def test_gradient_correlation_against_all_pairs():
    torch.manual_seed(0)
    a, x = torch.randn(5).double(), torch.randn(7, 5).double() + 1
    g = a * x
    gram = g @ g.T
    off = (gram.sum() - gram.trace()) / (7 * 6)
    expected = (off / gram.diagonal().mean()).item()
    assert chapter.gradient_correlation(Quadratic(a), x) == pytest.approx(expected)


def test_a_linear_net_has_one_gradient():
    x = torch.randn(6, 4)
    assert chapter.gradient_correlation(nn.Linear(4, 3), x) == pytest.approx(1, rel=1e-5)


def test_both_open_counts_pairs():
    # Unit 1 is open for two of three inputs: 1 of 3 pairs; unit 2 for all; unit 3 for none.
    a = torch.tensor([[1.0, 1.0, -1.0], [1.0, 1.0, -1.0], [-1.0, 1.0, -1.0]])
    assert chapter.both_open(a) == pytest.approx((1 / 3 + 1 + 0) / 3)


def test_settled_statistics_are_those_of_the_batch():
    torch.manual_seed(0)
    model = create_model("residual_conv1d", depth=6, width=4)
    x = torch.randn(50, 1, 12)
    expected = model.train()(x)
    settled = chapter.settle(model, x)
    assert not settled.training
    # The running variance divides by n - 1, the batch's by n = 600.
    torch.testing.assert_close(settled(x), expected, rtol=0.02, atol=0.02)


def test_a_centred_pair_of_close_inputs_parts_as_derived():
    profile = settings(width=300, batch=200, outputs=2)
    table = chapter.run_rates({"kind": "plain, centred"}, [0], profile)
    growth = claims.separation_a_layer("plain, centred", table.assign(kind="plain, centred"))
    assert growth[0] == pytest.approx(math.pi / (math.pi - 1), rel=0.08)


def test_the_law_with_batch_normalisation():
    """Against the library's own formula, which starts from a variance of 1 and adds 1."""
    for depth in (0, 1, 7, 50):
        expected = expected_correlation("residual_batch", depth)
        assert claims.normalised_law(depth, 1.0, start=1.0) == pytest.approx(expected)
    # By hand: (1 + 1/4) / (1 + 1/2) behind one block.
    assert claims.normalised_law(1) == pytest.approx(1.25 / 1.5)
    # The power: a tenth of the way from 10^4 to 10^5 blocks.
    power = math.log10(claims.normalised_law(10**5) / claims.normalised_law(10**4))
    assert power == pytest.approx(-math.pi / (2 * (math.pi - 1)), rel=0.01)


def test_what_a_rectifier_lets_vary():
    z = torch.randn(10**6, generator=torch.Generator().manual_seed(0))
    assert 2 * torch.relu(z).var().item() == pytest.approx(claims.KEPT, rel=0.01)


# --- trained nets ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", chapter.KINDS)
def test_nets_on_trial_have_a_block_for_two_layers(kind):
    model = chapter.trained_net(kind, 8, 4)
    blocks = dict(iter_residuals(model))
    assert len(blocks) == 3
    assert all(block.after is None for block in blocks.values())
    convolutions = [part for part in model.modules() if isinstance(part, nn.Conv1d)]
    assert len(convolutions) + 1 == 8
    norms = any(isinstance(part, nn.BatchNorm1d) for part in model.modules())
    assert norms == (kind not in ("rezero", "no norm"))


def test_rezero_starts_as_the_identity_and_learns_its_scale():
    model = chapter.trained_net("rezero", 8, 4)
    x = torch.randn(2, 1, 40)
    hidden = model.stem(x)
    assert torch.equal(model.stages(hidden), hidden)
    model(x).square().sum().backward()
    assert all(block.scale.weight.grad.abs().item() > 0 for _, block in iter_residuals(model))


def test_half_a_shortcut():
    model = chapter.trained_net("scaled", 6, 4).eval()
    block = dict(iter_residuals(model))["stages.0.0"]
    h = torch.randn(2, 4, 10)
    torch.testing.assert_close(block(h), 0.5 * h + block.branch(h))


def test_gains_are_the_factors_of_the_gradient():
    """Known blocks: x + 2x triples the gradient, x - x/2 halves it."""
    net = nn.Sequential(
        Residual(lambda x: 2 * x), Residual(lambda x: -x / 2), nn.Flatten(), nn.Linear(6, 3)
    )
    batch = torch.randn(5, 6), torch.randint(3, (5,))
    assert chapter.gradient_gains(net, batch) == pytest.approx([3.0, 0.5])


def test_the_deletion_of_blocks_that_do_nothing_costs_nothing():
    torch.manual_seed(0)
    model = chapter.trained_net("rezero", 8, 4)
    batch = torch.randn(20, 1, 40), torch.randint(10, (20,))
    table = chapter.lesions(model, batch, draws=2)
    assert table["value"].nunique() == 1
    assert set(table[table["metric"] == "lesion"]["index"]) == {-1, 0, 1, 2}
    assert set(table[table["metric"] == "lesion_several"]["index"]) == {0, 1, 2}


@pytest.mark.parametrize("kind", ["plain", "residual", "no norm"])
def test_a_trial_gives_every_metric_before_and_after(kind):
    profile = settings(
        width=2,
        batch=8,
        steps=2,
        clip_norm=1.0,
        examples=12,
        draws=1,
        path_examples=2,
        landscape_depth=6,
        landscape_examples=4,
        points=3,
    )
    table = chapter.run_explanations({"kind": kind, "depth": 6}, [0], profile)
    seen = {"ratio", "gain", "smallest", "largest", "autocorrelation"}
    assert set(table[table["step"] == 0]["metric"]) == seen
    after = {"train_error", "test_error"}
    if kind != "no norm":
        after |= seen | {"lesion", "lesion_several", "loss"}
    if kind == "residual":
        after |= {"share", "gradient_share", "contribution"}
    assert set(table[table["step"] == 2]["metric"]) == after
    if kind == "residual":
        parts = table[table["metric"] == "contribution"]["value"]
        assert parts.sum() == pytest.approx(1, abs=1e-4)


# --- from table to numbers -------------------------------------------------------------------


def rows(metric, values, variant="residual-32", step=9, index=None):
    index = range(len(values)) if index is None else index
    table = pd.DataFrame({"index": list(index), "value": values})
    return table.assign(metric=metric, variant=variant, step=step, seed=0, depth=32)


def test_damage_is_what_a_lesion_adds():
    table = pd.concat(
        [
            rows("lesion", [0.2, 0.9, *[0.5] * 9, *[0.25] * 5], index=range(-1, 15)),
            rows("lesion", [0.1, 0.7, 0.9, 0.8], "residual-8", index=range(-1, 3)),
            rows("lesion", [0.3, 0.8, 0.8, 0.8], "plain-8", index=range(-1, 3)),
            rows("lesion_several", [0.2, 0.4, 0.7], index=[0, 1, 4]),
        ]
    )
    assert claims.damage_of_first(table)[0] == pytest.approx(0.7)
    assert claims.damage_of_late(table)[0] == pytest.approx(0.05)
    deep = (0.7 + 9 * 0.3 + 5 * 0.05) / 15
    assert claims.damage_gap(table)[0] == pytest.approx(0.7 - deep)
    assert claims.plain_damage_gap(table)[0] == pytest.approx(0.5 - 0.7)
    assert claims.damage_of_several(4, table)[0] == pytest.approx(0.5)
    assert claims.damage_of_several(4, claims.one_for_four(table))[0] == pytest.approx(0.2)
    turned = claims.blocks_reversed(table)
    assert claims.damage_of_first(turned)[0] == pytest.approx(0.05)


def test_lengths_are_weighted_means():
    table = pd.concat(
        [
            rows("share", [0.25, 0.5, 0.25]),
            rows("contribution", [0.5, 0.6, -0.1]),
        ]
    )
    assert claims.mean_length("residual-32", table, "share")[0] == pytest.approx(1)
    assert claims.mean_length("residual-32", table)[0] == pytest.approx(0.4)
    assert claims.shorter_than_counted("residual-32", table)[0] == pytest.approx(0.6)


def test_growth_is_the_product_of_the_gains():
    table = rows("gain", [2.0, 4.0, 0.5], step=0)
    assert claims.gradient_growth("residual-32", table)[0] == pytest.approx(2)


def test_before_and_after():
    table = pd.concat([rows("ratio", [1, 2, 9], step=0), rows("ratio", [1, 4, 9])])
    assert claims.growth_of_branches("residual-32", table)[0] == pytest.approx(2)
    swapped = claims.before_and_after_swapped(table)
    assert claims.growth_of_branches("residual-32", swapped)[0] == pytest.approx(0.5)


def test_rates_of_exact_decays():
    depths = [2, 4, 8, 16]
    for kind, law in {"half": lambda x: 0.5**x, "power": lambda x: x**-0.7}.items():
        table = rows("correlation", [law(depth) for depth in depths], index=depths)
        table = table.assign(kind=kind)
        if kind == "half":
            assert claims.rate(kind, table)[0] == pytest.approx(0.5)
            assert claims.rate_at_the_end(kind, table)[0] == pytest.approx(0.5)
        else:
            assert claims.exponent(kind, table)[0] == pytest.approx(-0.7)


def test_surface_statistics_of_known_surfaces():
    grid = [(a, b) for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)]
    for shape, rise, bent in (
        (lambda a, b: a * a + b * b, 4 / 3, 0.0),
        (lambda a, b: a * a - b * b, 0.0, 1.0),
    ):
        table = rows("loss", [shape(a, b) for a, b in grid])
        table = table.assign(a=[a for a, _ in grid], b=[b for _, b in grid])
        assert claims.rise("residual-32", table)[0] == pytest.approx(rise)
        assert claims.bent_down("residual-32", table)[0] == bent


def test_spread_and_farthest():
    table = pd.concat(
        [
            rows("largest", [1.0, 100.0], index=[1, 2]),
            rows("smallest", [1.0, 0.001], index=[1, 2]),
        ]
    ).assign(kind="one", scope="network")
    assert claims.decades_of_spread("one", table)[0] == pytest.approx(5)
    assert claims.farthest_from_one("one", table)[0] == pytest.approx(1000)


# --- exercises -------------------------------------------------------------------------------


def test_the_gradient_by_length_against_all_paths():
    rng = np.random.default_rng(0)
    jacobians = [rng.normal(size=(3, 3)) for _ in range(6)]
    upstream = rng.normal(size=3)
    by_length = exercises._by_length(jacobians, upstream)
    np.testing.assert_allclose(by_length, exercises._enumerated(jacobians, upstream))
    whole = upstream
    for jacobian in reversed(jacobians):
        whole = whole + jacobian.T @ whole
    np.testing.assert_allclose(by_length.sum(0), whole)


def test_the_rates_of_the_exercise_are_those_of_the_page():
    assert exercises._rate("residual", 5) == pytest.approx(0.75**5)
    assert exercises._rate("normalised", 9) == pytest.approx(claims.normalised_law(9))


def test_published_share_of_paths():
    assert exercises._share(54, 19, 35) == pytest.approx(0.980, abs=5e-4)
    assert exercises._share(54, 5, 17) == pytest.approx(0.0045, abs=5e-5)
