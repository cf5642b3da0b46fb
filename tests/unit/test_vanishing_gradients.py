"""Chapter 1: its formulas against other formulas, its measurements against brute force."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

from residual_lib import data
from residual_lib.claims import vanishing_gradients as claims
from residual_lib.exercises import get
from residual_lib.experiments import Settings
from residual_lib.experiments import vanishing_gradients as chapter
from residual_lib.models import create_model
from residual_lib.probes import gradient_norms

# --- the growth through BatchNorm ------------------------------------------------------------


def growth_by_integral(batch, slope, variance, correlation):
    """Yang et al. 2019, theorem 7 of the first version (any activation), by the midpoint rule.

    `variance` and `correlation` are those of what the activation gives, deep inside the net.
    """
    edge, count = math.sqrt(batch - 1), 2001
    z = ((np.arange(count) + 0.5) / count * 2 - 1) * edge
    one, two = np.meshgrid(z, z)
    area = (2 * edge / count) ** 2
    inside = batch * (batch - 2) - batch * (one**2 + two**2) + (one - two) ** 2
    terms = (batch - 1 - one**2) * slope(one) ** 2 + (1 + one * two) * slope(one) * slope(two)
    density = np.where(inside > 0, np.maximum(inside, 1e-9) ** ((batch - 5) / 2), 0)
    scale = (batch * (batch - 2)) ** (2 - batch / 2) / (2 * math.pi)
    return scale * (terms * density).sum() * area / (variance * (1 - correlation))


@pytest.mark.parametrize("batch", [6, 8, 16, 32])
def test_relu_growth_is_the_integral_of_the_general_theorem(batch):
    c = -1 / (batch - 1)
    correlation = (math.sqrt(1 - c * c) + (math.pi - math.acos(c)) * c) / math.pi
    integral = growth_by_integral(batch, lambda z: (z > 0) * 1.0, 0.5, correlation)
    assert claims.relu_growth(batch) == pytest.approx(integral, rel=3e-3)


@pytest.mark.parametrize("batch", [6, 16])
def test_linear_growth_is_the_integral_of_the_general_theorem(batch):
    integral = growth_by_integral(batch, np.ones_like, 1.0, -1 / (batch - 1))
    assert claims.linear_growth(batch) == pytest.approx(integral, rel=1e-4)


def test_relu_growth_falls_to_its_limit():
    growths = [claims.relu_growth(batch) for batch in (4, 8, 64, 512, 100_000)]
    assert growths == sorted(growths, reverse=True)
    assert growths[-1] == pytest.approx(math.pi / (math.pi - 1), rel=1e-4)


@pytest.mark.parametrize("growth", [claims.relu_growth, claims.linear_growth])
def test_growth_needs_four_examples(growth):
    with pytest.raises(ValueError, match="batch must be at least 4, got 3"):
        growth(3)


def test_large_batch_growth():
    assert claims.large_batch_growth("relu") == pytest.approx(math.pi / (math.pi - 1), rel=1e-4)
    assert claims.large_batch_growth("identity") == pytest.approx(1, rel=1e-6)
    # The Gaussian Poincare inequality: no activation does better than none.
    assert all(claims.large_batch_growth(name) > 1 for name in ("tanh", "sigmoid", "gelu"))


def test_growth_of_one_layer_of_batch_norm():
    """The factor E[phi'^2] / Var[phi], from the Jacobian of BatchNorm itself."""
    generator = torch.Generator().manual_seed(0)
    n, batch = 400, 500
    z = torch.randn(batch, n, generator=generator, dtype=torch.float64)
    z = (z - z.mean(0)) / z.std(0, correction=0)
    z.requires_grad_()
    w = torch.randn(n, n, generator=generator, dtype=torch.float64)
    out = torch.nn.functional.batch_norm(torch.tanh(z) @ w.T, None, None, training=True)
    upstream = torch.randn(batch, n, generator=generator, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(out, z, upstream)
    measured = (gradient.square().sum() / upstream.square().sum()).item()
    assert measured == pytest.approx(claims.large_batch_growth("tanh"), rel=0.03)


def test_naive_sigmoid_growth_by_sampling():
    z = np.random.default_rng(0).normal(size=1_000_000) * math.sqrt(256 / 2)
    slope = 1 / (2 + np.exp(z) + np.exp(-z))
    sampled = 256 * (slope**2).mean()
    assert claims.naive_sigmoid_growth(256) == pytest.approx(sampled, rel=0.03)
    assert claims.naive_sigmoid_growth(round(36 * math.pi)) == pytest.approx(1, rel=1e-2)


# --- from tables to numbers ------------------------------------------------------------------


def table_of(**ratios):
    """A table with one depth, 5 layers, in which g_1 is so many times g_4."""
    rows = [
        {"variant": name, "seed": seed, "depth": 5, "layer": layer, "value": value}
        for name, ratio in ratios.items()
        for seed in (0, 1)
        for layer, value in ((0, 7.0), (1, 2.0 * ratio), (2, 5.0), (4, 2.0))
    ]
    return pd.DataFrame(rows)


def test_decades_and_growth():
    table = table_of(a=1000.0, b=1 / 8)
    assert claims.decades_of("a", table, 5).tolist() == pytest.approx([3, 3])
    # Three layers lie between h_1 and h_4, and the growth is that of the square.
    assert claims.growth(table, 5)["b"].tolist() == pytest.approx([0.25, 0.25])
    # Without a column of depths the table has one depth.
    assert claims.decades(table.drop(columns="depth"), 5)["a"].tolist() == pytest.approx([3, 3])


def test_nets_without_norm_take_the_place_of_those_with():
    table = pd.DataFrame(
        {"variant": ["none-relu-he", "batch-relu-he"], "norm": ["none", "batch"], "value": [1, 2]}
    )
    changed = claims.without_batch_norm(table)
    assert changed["variant"].tolist() == ["none-relu-he", "batch-relu-he"]
    assert changed["value"].tolist() == [1, 1]


def ideal(decades_by_variant):
    """A table of 50 layers in which the gradient changes by so many orders of magnitude."""
    rows = [
        {"variant": name, "seed": seed, "layer": layer, "value": value}
        for name, decades in decades_by_variant.items()
        for seed in (0, 1)
        for layer, value in ((1, 10.0**decades), (49, 1.0))
    ]
    return pd.DataFrame(rows)


def final(metric, values):
    """A table with a metric at two steps, of which the last counts."""
    rows = [
        {"variant": name, "seed": seed, "step": step, "metric": metric, "value": value + 9 - step}
        for name, value in values.items()
        for seed in (0, 1)
        for step in (0, 9)
    ]
    return pd.DataFrame(rows)


def test_statistics_on_tables_with_a_known_answer():
    he = ideal({"none-relu-he": 0.0, "none-relu-xavier": -7.2})
    assert claims.gain_of_he(he).tolist() == pytest.approx([7.2, 7.2])
    narrow = ideal({"relu-he-256": 0.1, "relu-he-16": -0.9})
    assert claims.loss_of_narrow_layers(narrow).tolist() == pytest.approx([1, 1])
    norms = ideal({"batch-relu-naive": 4.0, "batch-relu-xavier": 4.3, "batch-relu-he": 4.1})
    assert claims.spread_over_initialisations(norms).tolist() == pytest.approx([0.3, 0.3])

    batches = (8, 16, 32, 64, 128)
    exact = {f"relu-{b}": 24 * math.log10(claims.relu_growth(b)) for b in batches}
    assert claims.worst_deviation(ideal(exact)).tolist() == pytest.approx([0, 0], abs=1e-9)
    off = {**exact, "relu-16": 24 * math.log10(0.9 * claims.relu_growth(16))}
    assert claims.worst_deviation(ideal(off)).tolist() == pytest.approx([0.1, 0.1])

    tables = []
    for depth in (8, 20, 50, 100, 200):
        whole = (depth - 2) / 2 * math.log10(claims.relu_growth(64))
        rows = ideal({"batch-relu-he": whole * (1.1 if depth == 20 else 1)}).assign(depth=depth)
        tables.append(rows.assign(layer=rows["layer"].replace(49, depth - 1)))
    found = claims.worst_deviation_over_depths(pd.concat(tables))
    assert found.tolist() == pytest.approx([0.1, 0.1])

    names = ("relu", "tanh", "sigmoid", "identity")
    exact = {f"{name}-128": 24 * math.log10(claims.large_batch_growth(name)) for name in names}
    off = {**exact, "tanh-128": 24 * math.log10(1.2 * claims.large_batch_growth("tanh"))}
    assert claims.deviation_from_large_batch(ideal(off)).tolist() == pytest.approx([0.2, 0.2])

    errors = final("train_error", {"a": 0.9, "b": 0.4})
    assert claims.difference("train_error", "a", "b", errors).tolist() == pytest.approx([0.5, 0.5])
    sizes = final("gradient_norm", {"none-8": 2.0, "none-100": 0.02})
    assert claims.change_of_size(sizes).tolist() == pytest.approx([-2, -2])
    agreement = final("neighbours", {"batch-20": 0.1, "batch-4": 0.8})
    assert claims.agreement_with_batch_norm(agreement).tolist() == pytest.approx([0.1, 0.1])
    outputs = final("outputs", {"none-100": 0.97, "none-8": 0.8})
    assert claims.similarity_of_outputs(outputs).tolist() == pytest.approx([0.97, 0.97])


# --- measuring -------------------------------------------------------------------------------


def settings(**profile):
    return Settings(profile, "cpu", False)


def test_scale_is_what_the_probe_gives_and_repeats():
    params = {"norm": "none", "activation": "relu", "init": "he"}
    state = torch.get_rng_state()
    profile = settings(depths=[4, 6], width=8, batch=16)
    table = chapter.run_scale(params, [0, 3], profile)
    assert torch.equal(state, torch.get_rng_state())
    assert table.equals(chapter.run_scale(params, [0, 3], profile))
    counts = table.groupby(["depth", "seed"])["layer"].apply(list)
    assert counts[4, 0] == [0, 1, 2, 3]
    assert counts[6, 3] == [0, 1, 2, 3, 4, 5]

    digits = data.load("digits")
    torch.manual_seed(3)
    model = create_model("plain_mlp", in_features=64, width=8, depth=4, init="default").double()
    with torch.random.fork_rng():
        x, y = chapter.draw(model, digits, "he", "relu", 16, 3)
    expected = gradient_norms(model, (x, y))
    expected = expected[expected["metric"] == "input_gradient"]["value"].to_numpy()
    found = table[(table["depth"] == 4) & (table["seed"] == 3)]["value"].to_numpy()
    np.testing.assert_allclose(found, expected)


def test_width_is_a_parameter_or_a_setting():
    params = {"activation": "relu", "init": "he", "width": 16}
    table = chapter.run_scale(params, [0], settings(depths=[4], batch=16))
    other = chapter.run_scale({**params, "width": 32}, [0], settings(depths=[4], batch=16))
    assert len(table) == len(other) == 4
    assert not np.allclose(table["value"], other["value"])


def test_naive_relu_of_two_hundred_layers_stays_finite():
    """What double precision is for: 1e148 would be infinite in single precision."""
    params = {"norm": "none", "activation": "relu", "init": "naive"}
    profile = chapter.SCALE.profiles["quick"]
    table = chapter.run_scale(params, [0], settings(**{**profile, "depths": [200]}))
    assert np.isfinite(table["value"]).all()
    assert table["value"].max() > 1e100


def test_batch_norm_has_one_row_a_layer():
    params = {"activation": "tanh", "batch": 8}
    table = chapter.run_batch_norm(params, [0, 1], settings(depth=6, width=16))
    assert table.groupby("seed").size().tolist() == [6, 6]
    assert (table["value"] > 0).all()


def test_direction():
    params = {"norm": "none", "depth": 4}
    table = chapter.run_direction(params, [0, 1], settings(width=32, batch=16))
    values = table.pivot(index="seed", columns="metric", values="value")
    assert set(values) == {"gradient_norm", "neighbours", "outputs"}
    assert values["neighbours"].between(0.5, 1).all()
    assert values["outputs"].between(-1, 1).all()


def test_slopes_by_finite_differences():
    torch.manual_seed(0)
    model = create_model("plain_mlp", in_features=6, width=8, depth=4, activation="tanh").double()
    x = torch.randn(3, 6, dtype=torch.float64)
    gradient, outputs = chapter.slopes(model, x)
    step = 1e-6 * torch.eye(6, dtype=torch.float64)[2]
    with torch.no_grad():
        found = (model(x + step) - model(x - step))[:, 0] / 2e-6
        torch.testing.assert_close(outputs, model(x))
    torch.testing.assert_close(gradient[:, 2], found, rtol=1e-6, atol=1e-9)


def test_mean_cosine_by_pairs():
    vectors = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    pairs = [
        torch.cosine_similarity(vectors[i], vectors[j], dim=0)
        for i in range(5)
        for j in range(5)
        if i != j
    ]
    assert chapter.mean_cosine(vectors).item() == pytest.approx(torch.stack(pairs).mean().item())


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_training_records_the_ends(norm):
    params = {"activation": "relu", "init": "he", "norm": norm}
    table = chapter.run_training(
        params, [0, 1], settings(steps=2, width=8, lr=0.01, record_every=2)
    )
    assert set(table["metric"]) == {"train_loss", "train_error", "test_error"}
    assert table["step"].max() == 2


# --- exercises -------------------------------------------------------------------------------


def test_bounds_hold_for_every_direction():
    rng = np.random.default_rng(0)
    jacobians = rng.normal(size=(4, 3, 3))
    low, high = get("1.4").expected(jacobians)
    for gradient in rng.normal(size=(200, 3)):
        after = gradient
        for jacobian in jacobians[::-1]:
            after = jacobian.T @ after
        factor = np.linalg.norm(after) / np.linalg.norm(gradient)
        assert low <= factor <= high
    # Equal where each layer stretches all directions alike.
    assert get("1.4").expected(np.array([2 * np.eye(2), np.eye(2) / 8])) == pytest.approx(1 / 4)


def test_growth_of_relu_from_examples():
    z = np.random.default_rng(0).normal(size=1_000_000)
    growth = get("1.5").expected(z.clip(0), (z > 0) * 1.0)
    assert growth == pytest.approx(math.pi / (math.pi - 1), rel=5e-3)


def test_gain_must_be_one_number():
    exercise = get("1.6")
    assert exercise.compare(exercise.expected(), np.array([1.15])) is None
    assert "one number" in exercise.compare(exercise.expected(), "1.15").text
    assert exercise.compare(exercise.expected(), math.nan) is not None
