"""Shattering against finite differences, the two noises and the rates of the theory."""

import numpy as np
import pytest
import torch
from torch import nn

from residual_lib.models import create_model
from residual_lib.probes import (
    autocorrelation,
    expected_correlation,
    gate_correlation,
    gradient_covariance,
    noise,
    shattering,
    shattering_seeds,
)


def values(table, metric):
    return table[table.metric == metric].value.to_numpy()


def build(name="residual_rectifier", **options):
    torch.manual_seed(0)
    return create_model(name, **{"depth": 4, "width": 8, **options}).double()


@pytest.mark.parametrize("norm", [None, "centre", "batch", "layer"])
@pytest.mark.parametrize("training", [True, False])
def test_gradient_equals_a_finite_difference(norm, training):
    model = build(norm_layer=norm)
    table = shattering(model, points=50, training=training)
    t = torch.linspace(-2, 2, 50, dtype=torch.float64)
    assert table[table.metric == "gradient"].position.tolist() == pytest.approx(t.tolist())
    # The other inputs are held fixed, and so are their mean and variance: freeze them by hand.
    if training and norm in ("centre", "batch"):
        for part in model.modules():
            if hasattr(part, "running_mean"):
                part.momentum = 1.0
        trained = model.train()(t[:, None])
        for part in model.modules():
            if hasattr(part, "running_var"):
                part.running_var *= 49 / 50
        torch.testing.assert_close(model.eval()(t[:, None]), trained)
    model.eval()
    with torch.no_grad():
        step = 1e-7
        slope = (model(t[:, None] + step) - model(t[:, None] - step))[:, 0] / (2 * step)
    assert values(table, "gradient") == pytest.approx(slope.numpy(), rel=1e-5, abs=1e-5)


def test_line_through_two_examples_and_choice_of_output():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(2, 4, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(20, 3))
    net = net.double()
    x = torch.randn(5, 2, 5, dtype=torch.float64)
    table = shattering(net, (x, torch.zeros(5)), points=5, span=2.0, lags=2, output=2)
    found = table[table.metric == "gradient"].set_index("position").value
    middle, half = (x[0] + x[1]) / 2, (x[1] - x[0]) / 2
    for t in (-2.0, -1.0, 0.0, 1.0, 2.0):
        ends = torch.stack([middle + (t + s) * half for s in (1e-6, -1e-6)])
        up, down = net(ends)[:, 2].tolist()
        assert found[t] == pytest.approx((up - down) / 2e-6, rel=1e-6)
    numbers = build()
    pair = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    assert shattering(numbers, (pair, None)).equals(shattering(numbers))


def test_autocorrelation_by_hand():
    # 1, 2, 3 around their mean: -1, 0, 1; products at lag 1: 0, at lag 2: -1; sum of squares 2
    assert autocorrelation([1.0, 2.0, 3.0], 2).tolist() == [1.0, 0.0, -0.5]
    assert np.isnan(autocorrelation([4.0, 4.0, 4.0], 1)).all()
    wave = np.sin(np.arange(4000) * 2 * np.pi / 40)
    assert autocorrelation(wave, 40)[[0, 20, 40]] == pytest.approx([1, -1, 1], abs=0.02)


def test_table_holds_the_autocorrelation_of_its_gradient():
    table = shattering(build("plain_rectifier"), points=30, lags=4)
    expected = autocorrelation(values(table, "gradient"), 4)
    assert values(table, "autocorrelation").tolist() == expected.tolist()
    lags = table[table.metric == "autocorrelation"]
    assert lags["index"].tolist() == [0, 1, 2, 3, 4]
    assert lags.position.tolist() == pytest.approx([4 / 29 * k for k in range(5)])


def moments(kind, n):
    """Expected sums of products at each lag, after the mean is taken away, from the covariance."""
    i = np.arange(1, n + 1)
    covariance = np.eye(n) if kind == "white" else np.minimum.outer(i, i).astype(float)
    centring = np.eye(n) - 1 / n
    centred = centring @ covariance @ centring
    return np.array([np.trace(centred, offset=k) for k in range(16)])


@pytest.mark.parametrize("kind", ["white", "brown"])
def test_noises_have_the_autocorrelation_of_their_covariance(kind):
    n, many = 256, 4000
    g = noise(kind, n, sequences=many)
    centred = g - g.mean(1, keepdims=True)
    total = (centred**2).sum(1).mean()
    measured = (autocorrelation(g, 15) * (centred**2).sum(1, keepdims=True)).mean(0) / total
    expected = moments(kind, n) / moments(kind, n)[0]
    assert measured == pytest.approx(expected, abs=0.01)
    assert (abs(expected[1:]) < 0.005).all() if kind == "white" else expected[1] > 0.97
    assert g.var() == pytest.approx(1 if kind == "white" else n / 2, rel=0.1)


def test_covariance_of_noises():
    def table(kind):
        return shattering_like(noise(kind, 20, sequences=4000))

    white = gradient_covariance(table("white"))
    assert white == pytest.approx(np.eye(20), abs=0.08)
    brown = gradient_covariance(table("brown"))
    assert np.trace(brown) == pytest.approx(20)
    assert (np.diff(np.diag(brown)) > 0).all()
    one = shattering(build(), points=6, lags=1)
    g = values(one, "gradient")
    assert gradient_covariance(one) == pytest.approx(np.outer(g, g) / (g**2).mean())


def shattering_like(sequences):
    import pandas as pd

    rows = [
        (seed, "gradient", i, value)
        for seed, sequence in enumerate(sequences)
        for i, value in enumerate(sequence)
    ]
    return pd.DataFrame(rows, columns=["seed", "metric", "index", "value"])


def test_rates_of_the_theory():
    assert [expected_correlation("plain", L) for L in (0, 1, 5)] == [1, 1 / 2, 1 / 32]
    assert expected_correlation("residual", 7) == pytest.approx(0.75**7)
    for beta in (0.1, 1.0):
        # about 1 / sqrt(1 + beta^2 L): the logarithms agree ever better with depth
        for depth, tolerance in ((1000, 0.1), (10**6, 0.03)):
            law = (1 + beta**2 * depth) ** -0.5
            measured = expected_correlation("residual_batch", depth, beta)
            assert np.log(measured) == pytest.approx(np.log(law), rel=tolerance)
    # sublinear against exponential
    assert expected_correlation("residual_batch", 50) > 1000 * expected_correlation("residual", 50)


@pytest.mark.parametrize(
    ("kind", "beta"),
    [("plain", 1.0), ("residual", 1.0), ("residual_batch", 1.0), ("residual", 0.3)],
)
def test_gates_follow_the_rates(kind, beta):
    table = gate_correlation(
        kind, [1, 2, 4], beta=beta, width=100, seeds=range(200), progress=False
    )
    by_depth = table[table.seed == -1].pivot(index="depth", columns="metric", values="value")
    for depth in (1, 2, 4):
        seeds = table[(table.depth == depth) & (table.seed >= 0)]
        products = seeds[seeds.metric == "product"].value
        error = products.std() / len(products) ** 0.5
        scale = seeds[seeds.metric == "square"].value.mean()
        expected = expected_correlation(kind, depth, beta)
        assert by_depth.expected[depth] == expected
        assert abs(by_depth.measured[depth] - expected) < 4 * error / scale
        growth = {"plain": 1, "residual": (1 + beta**2) ** depth, "residual_batch": 1 + depth}
        assert scale == pytest.approx(growth[kind], rel=0.15)


def test_replication_in_small():
    """Figure 1: without centring a plain net doesn't shatter at this depth; centred it does."""

    def lag_one(name, **options):
        table = shattering_seeds(
            lambda: create_model(name, depth=24, width=100, **options),
            seeds=range(3), progress=False,
        )  # fmt: skip
        return table[(table.metric == "autocorrelation") & (table["index"] == 1)].value.mean()

    assert lag_one("plain_rectifier", norm_layer="centre") < 0.3
    assert lag_one("plain_rectifier") > 0.7
    assert lag_one("residual_rectifier", norm_layer="batch", beta=0.1) > 0.85


def test_seeds_make_models_and_leave_the_generator_alone():
    def make():
        return create_model("residual_rectifier", depth=3, width=4)

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    table = shattering_seeds(make, seeds=[3, 4], points=8, lags=2, progress=False)
    assert torch.equal(torch.rand(1), expected)
    torch.manual_seed(4)
    alone = shattering(make(), points=8, lags=2)
    again = table[table.seed == 4].drop(columns="seed").reset_index(drop=True)
    assert again.equals(alone)
    assert table.columns[0] == "seed"


@pytest.mark.parametrize("norm", ["centre", "batch"])
def test_shattering_leaves_no_trace(norm):
    model = build(norm_layer=norm)
    model.blocks[0].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    shattering(model, points=9, lags=2)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert {p.momentum for p in model.modules() if hasattr(p, "momentum")} == {0.1}
    assert model.training
    assert not model.blocks[0].training
    assert all(p.grad is None for p in model.parameters())
    assert not any(p._forward_pre_hooks for p in model.modules())


TOKENS = torch.zeros(2, 3, dtype=torch.long), torch.zeros(2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: shattering(build(), points=1), "points must be .* from 2 up, got 1"),
        (lambda: shattering(build(), points=9, lags=9), "lags must be .* 0 to 8, got 9"),
        (lambda: shattering(build(), span=0), "span must be above 0, got 0"),
        (lambda: shattering(build(), output=1), "output must be 0 to 0, got 1"),
        (lambda: shattering(build(), TOKENS), "batch must have two inputs of real numbers"),
        (lambda: noise("pink"), "kind must be one of .*'brown'.*, got 'pink'"),
        (lambda: expected_correlation("x", 1), "kind must be one of .*, got 'x'"),
        (lambda: expected_correlation("residual", 1, 0), "beta must be above 0, got 0"),
        (lambda: gate_correlation("plain", [-1]), "depths must be .*, got -1"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
