"""Chapter 3: its formulas against brute force, its statistics on tables with a known answer."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from residual_lib.claims import residual_block as claims
from residual_lib.exercises import get
from residual_lib.experiments import Settings
from residual_lib.experiments import residual_block as chapter


def settings(**profile):
    return Settings(profile, "cpu", False)


# --- theory ----------------------------------------------------------------------------------


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("wanted", [1.0, -1.0, 0.3, 0.0])
@pytest.mark.parametrize("decay", [0.1, 0.5, 3.0])
def test_pulled_is_the_minimum_over_both_weights(wanted, decay, skip):
    u, v = np.meshgrid(*2 * [np.linspace(-2, 2, 801)])
    cost = (u * v + skip - wanted) ** 2 + decay * (u**2 + v**2)
    best = np.unravel_index(cost.argmin(), cost.shape)
    found = u[best] * v[best] + skip
    assert claims.pulled(wanted, decay, skip) == pytest.approx(found, abs=0.02)
    assert get("3.5").expected(wanted, decay, skip) == pytest.approx(found, abs=0.02)


def test_kept_by_gates():
    assert claims.kept_by_gates(0.0, 3) == pytest.approx(1 / 8)
    assert claims.kept_by_gates(-math.log(3), 2) == pytest.approx((3 / 4) ** 2)


def test_the_gate_bias_of_the_exercise_does_both():
    low, high = get("3.6").expected()
    assert 1 / (1 + math.exp(-low)) == pytest.approx(0.005)
    assert claims.kept_by_gates(high, 50) == pytest.approx(0.6)
    assert get("3.6").compare((low, high), "much") is not None


# --- one block -------------------------------------------------------------------------------


def test_tasks_are_what_they_say():
    tasks = {name: chapter.task(name, 8, 64) for name in chapter.TARGETS}
    x = tasks["x"].x_train
    assert all(torch.equal(task.x_train, x) for task in tasks.values())
    assert torch.equal(tasks["x"].y_train, x)
    assert torch.equal(tasks["negative"].y_test, -tasks["negative"].x_test)
    torch.testing.assert_close(tasks["near"].y_train, x + 0.1 * tasks["new"].y_train)
    both = torch.cat([tasks["new"].y_train, tasks["new"].y_test])
    assert both.square().mean().item() == pytest.approx(1, rel=1e-5)
    with pytest.raises(ValueError, match="target must be one of"):
        chapter.task("y", 8, 64)


def test_blocks_differ_by_what_their_names_say():
    blocks = {}
    for kind in chapter.KINDS:
        torch.manual_seed(0)
        blocks[kind] = chapter.one_block(kind, 4, 8)
    x = torch.randn(5, 4)
    branch = blocks["plain"].branch(x)
    torch.testing.assert_close(blocks["plain"](x), branch)
    torch.testing.assert_close(blocks["residual"](x), x + branch)
    assert torch.equal(blocks["zero"](x), x)
    gate = blocks["highway"].merge.gate(x)
    torch.testing.assert_close(blocks["highway"](x), (1 - gate) * x + gate * branch)
    assert gate.mean().item() == pytest.approx(1 / (1 + math.exp(2)), abs=0.1)


def test_a_plain_block_of_twice_the_width_can_be_the_identity():
    block = chapter.one_block("plain", 3, 6)
    with torch.no_grad():
        block.branch[0].weight.copy_(torch.cat([torch.eye(3), -torch.eye(3)]))
        block.branch[2].weight.copy_(torch.cat([torch.eye(3), -torch.eye(3)], dim=1))
    x = torch.randn(5, 3)
    torch.testing.assert_close(block(x), x)


SMALL = {"width": 4, "samples": 64, "steps": 20}


@pytest.mark.parametrize("kind", chapter.KINDS)
def test_easy_records_errors_by_rate(kind):
    table = chapter.run_easy(
        {"kind": kind, "target": "x"}, [0, 3], settings(**SMALL, rates=[0.1, 0.3])
    )
    assert set(table["step"]) == {0, 10, 20}
    assert table.groupby(["rate", "seed"]).size().tolist() == [3] * 4
    start = table[table["step"] == 0]
    assert (start["value"] == 0).all() if kind == "zero" else (start["value"] > 0).all()


def test_pull_without_decay_and_with_all_of_it():
    params = {"kind": "residual", "target": "x"}
    profile = settings(**{**SMALL, "steps": 100}, lr=0.3, decays=[0.0, 0.5])
    slopes = chapter.run_pull(params, [0, 1], profile).groupby("decay")["value"].mean()
    assert slopes[0.5] == pytest.approx(1, abs=0.02)
    plain = chapter.run_pull({**params, "kind": "plain"}, [0, 1], profile)
    assert plain.groupby("decay")["value"].mean()[0.5] == pytest.approx(0, abs=0.02)


# --- biases ----------------------------------------------------------------------------------


def test_remaining_is_the_biases_gradient_over_its_parts():
    torch.manual_seed(0)
    model = chapter.popular_net("none", 4, 1)
    x, y = torch.randn(6, 1, 8, 8), torch.arange(6)
    share = chapter.remaining(model, x, y)
    kept = []
    layers = chapter.branch_layers(model)
    for layer in layers:
        layer.register_full_backward_hook(lambda m, i, o: kept.append(o[0].abs().sum().item()))
    nn.functional.cross_entropy(model(x), y).backward()
    sums = [layer.bias.grad.abs().sum().item() for layer in reversed(layers)]
    assert share == pytest.approx(max(a / b for a, b in zip(sums, kept, strict=True)), rel=1e-4)


def test_bias_is_rounding_before_batch_norm_only():
    profile = settings(width=4, blocks=1, batch=16)
    left = {norm: chapter.run_bias({"norm": norm}, [0], profile) for norm in chapter.NORMS}
    largest = {norm: table["value"].max() for norm, table in left.items()}
    assert largest.pop("batch") < 1e-6
    assert min(largest.values()) > 1e-3


def test_bias_training_moves_what_it_can():
    profile = settings(width=4, blocks=1, steps=5)
    moved = {
        norm: chapter.run_bias_training({"norm": norm}, [0, 1], profile)["value"]
        for norm in ("none", "batch")
    }
    assert (moved["none"] > 1e-3).all()
    assert (moved["batch"] < 1e-4).all()


# --- the start -------------------------------------------------------------------------------


def test_zero_start_is_the_identity_and_wakes_up():
    profile = settings(width=4, depth=8, batch=32)
    usual, zero = (chapter.run_start({"start": s}, [0], profile) for s in ("usual", "zero"))
    squares = zero[zero["metric"] == "mean_square"]["value"]
    assert len(squares) == 4
    assert squares.nunique() == 1
    assert usual[usual["metric"] == "mean_square"]["value"].is_monotonic_increasing
    inside = zero[zero["metric"] == "inside"].set_index("step")["value"]
    assert inside[0] == 0 < inside[1]
    assert (usual[usual["metric"] == "inside"]["value"] > 0).all()
    assert (zero[zero["metric"] == "scales"]["value"] > 0).all()


def test_zero_training_has_means_of_ten_steps():
    table = chapter.run_zero_training(
        {"start": "zero", "rate": 0.1}, [0, 1], settings(width=4, depth=4, steps=20)
    )
    assert table.groupby("seed")["step"].apply(list).tolist() == [[10, 20]] * 2


def test_highway_keeps_what_the_formula_says():
    table = chapter.run_highway({"bias": -3.0}, [0], settings(width=16, samples=256, blocks=6))
    assert table["block"].tolist() == [1, 2, 3, 4, 5, 6]
    theory = [claims.kept_by_gates(-3.0, n) for n in range(1, 7)]
    np.testing.assert_allclose(table["value"], theory, atol=0.03)


# --- from tables to numbers ------------------------------------------------------------------


def easy(errors):
    """variant -> rate -> errors at steps 0, 10, 20, the same for two seeds."""
    return pd.DataFrame(
        [
            {"variant": v, "rate": r, "seed": s, "step": 10 * i, "metric": "error", "value": e}
            for v, rates in errors.items()
            for r, values in rates.items()
            for s in (0, 1)
            for i, e in enumerate(values)
        ]
    )


def test_steps_needed_takes_the_best_rate_and_counts_who_never_arrives():
    table = easy(
        {
            "slow": {0.1: [1, 0.5, 0.5], 0.3: [1, 0.5, 0.01]},
            "fast": {0.1: [1, 0.01, 0.5], 0.3: [1, 0.5, 0.01]},
            "never": {0.1: [1, 1, 1], 0.3: [1]},  # diverged with the larger rate
            "there": {0.1: [0, 0, 0], 0.3: [0, 0, 0]},
        }
    )
    steps = claims.steps_needed(table)
    assert steps.iloc[0].to_dict() == {"slow": 20, "fast": 10, "never": 20, "there": 0}
    assert claims.times_as_many("slow", "fast", table).tolist() == [2, 2]
    assert claims.times_as_many("slow", "there", table).tolist() == [2, 2]
    assert claims.start_error("slow", table).tolist() == [1, 1]
    assert claims.error_ratio("slow", "fast", 20, table).tolist() == [1, 1]


def test_slopes():
    names = ("highway x", "highway negative", "residual x")
    table = pd.DataFrame(
        [
            {"variant": v, "seed": s, "metric": "slope", "decay": d, "value": value * d}
            for v, value in zip(names, (1.2, 0.6, 2.0), strict=True)
            for s in (0, 1)
            for d in (0.25, 0.5)
        ]
    )
    assert claims.farthest_from_half(table).tolist() == pytest.approx([0.2, 0.2])
    assert claims.slope_of("residual x", 0.25, table).tolist() == [0.5, 0.5]
    found = claims.slope_difference("residual x", "highway x", 0.5, table)
    assert found.tolist() == pytest.approx([0.4, 0.4])
    changed = claims.no_gates(table.replace({"residual x": "plain x"}))
    assert changed[changed["variant"] == "highway x"]["value"].max() == 1.0


def start(squares):
    return pd.DataFrame(
        [
            {"variant": v, "seed": 0, "step": 0, "metric": "mean_square", "block": b, "value": q}
            for v, values in squares.items()
            for b, q in enumerate(values)
        ]
    )


def test_growth_and_straightness():
    table = start({"usual": [1, 2, 3, 4, 5], "bent": [1, 1, 1, 1, 5]})
    assert claims.growth("usual", table).tolist() == [5]
    assert claims.straightness("usual", table).tolist() == pytest.approx([1])
    assert claims.straightness("bent", table).iloc[0] < 0.6
    compounded = claims.compounded(table.assign(value=table["value"].astype(float)))
    values = compounded[compounded["variant"] == "usual"]["value"].to_numpy()
    np.testing.assert_allclose(values, 5 ** (np.arange(5) / 4))


def test_gradients_losses_and_gates():
    inside = pd.DataFrame(
        {
            "variant": "zero",
            "seed": 0,
            "step": [0, 1],
            "metric": "inside",
            "value": [0.0, 3.0],
        }
    )
    assert claims.gradient_inside(1, "zero", inside).tolist() == [3.0]
    assert claims.gradient_inside(1, "zero", claims.no_steps(inside)).tolist() == [0.0]
    loss = pd.DataFrame(
        {
            "variant": ["usual 0.1", "zero 0.1"] * 2,
            "seed": 0,
            "step": [10, 10, 20, 20],
            "metric": "loss",
            "value": [9.0, 9.0, 3.0, 1.0],
        }
    )
    assert claims.gain_of_zero(0.1, loss).tolist() == [2.0]
    gates = pd.DataFrame(
        {
            "variant": ["0", "0", "-1"],
            "seed": 0,
            "block": [1, 2, 2],
            "metric": "kept",
            "value": [0.5, 0.25, 0.6],
        }
    )
    assert claims.kept_with("0", gates).tolist() == [0.25]
    expected = 0.6 - claims.kept_by_gates(-1, 2)
    assert claims.deviation_from_gates(gates).tolist() == pytest.approx([expected])


def test_sabotages_put_one_variant_in_the_place_of_another():
    table = pd.DataFrame({"variant": ["batch", "none"], "value": [1, 2]})
    changed = claims.no_normalisation(table)
    assert changed.set_index("variant")["value"].to_dict() == {"batch": 2, "none": 2}
