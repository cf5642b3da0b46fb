"""Chapter 5: its measurements against closed forms, its statistics against hand-made tables."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from residual_lib import experiments
from residual_lib.claims import preactivation as claims
from residual_lib.experiments import Settings
from residual_lib.experiments import preactivation as chapter
from residual_lib.models.resnet import ResNet
from residual_lib.probes.masking import blocks_of

# --- networks --------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [8, 20, 56])
def test_depth_counts_the_layers_with_weights(depth):
    """On the way from input to output: 3x3 convolutions of stem and branches, and the head."""
    net = chapter.network("identity", "original", depth, 4)
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv1d)]
    assert len(convolutions) + 1 == depth


@pytest.mark.parametrize("depth", [2, 57, 110.5])
def test_a_depth_that_is_not_6n_plus_2_is_refused(depth):
    with pytest.raises(ValueError, match="depth must be 6 n"):
        chapter.network("identity", "original", depth, 4)


def test_profiles_of_the_deep_net_count_200_and_1001_layers():
    for profile, layers in (("quick", 200), ("full", 1001)):
        depth = chapter.DEEP.profiles[profile]["depth"]
        with torch.device("meta"):
            net = ResNet(8, 10, blocks=((depth - 2) // 9,) * 3, width=4, block="bottleneck",
                         stem="cifar", dims=1)  # fmt: skip
        branches = [block.branch for block in blocks_of(net).values()]
        inside = [m for branch in branches for m in branch.modules() if isinstance(m, nn.Conv1d)]
        assert len(inside) + 2 == depth == layers


def test_rows_become_channels():
    signals = chapter.rows_as_channels()
    assert signals.x_train.shape[1:] == signals.x_test.shape[1:] == (8, 8)
    assert len(signals.x_train) == len(signals.y_train)


def test_the_variants_are_the_papers():
    assert set(chapter.VARIANTS.variants) == set(claims.PUBLISHED)
    assert len(claims.PUBLISHED) == 11
    assert set(chapter.SHORTCUTS) == set(claims.PUBLISHED_SHORTCUTS)


def test_the_nets_of_depth_56_are_measured_once():
    shared = {"original-56": "identity", "pre-activation-56": "pre-activation"}
    for name, other in shared.items():
        assert chapter.DEPTH.variants[name] == chapter.VARIANTS.variants[other]
    assert chapter.DEPTH.profiles == chapter.VARIANTS.profiles


# --- before training -------------------------------------------------------------------------


def product(shortcut):
    settings = Settings({"depth": 20, "width": 4, "batch": 8})
    table = chapter.run_product({"shortcut": shortcut}, [0, 1], settings)
    assert set(table["block"]) == {0, 1, 2, 4, 5, 7, 8}  # 3 and 6 change the shape
    return table["value"].to_numpy()


def test_the_identity_multiplies_by_one_and_scaling_by_a_half():
    np.testing.assert_allclose(product("identity"), 1, rtol=1e-6)
    np.testing.assert_allclose(product("scaling"), 0.5, rtol=1e-6)


def test_a_gate_with_a_low_bias_is_nearly_open():
    # Its own derivative adds to 1 - sigmoid(-6) = 0.9975, but is small.
    np.testing.assert_allclose(product("gate, bias -6"), 1, atol=0.1)


def signal(kind, blocks=4, width=64):
    settings = Settings({"width": width, "batch": 64, "length": 32, "blocks": blocks})
    table = chapter.run_signal({"kind": kind}, [0], settings)
    return table.pivot(index="block", columns="metric", values="value")


def test_the_signal_starts_at_a_mean_square_of_one():
    start = signal("original").loc[0]
    assert start["mean_square"] == pytest.approx(1, rel=1e-5)
    # The ReLU of standard normal numbers has mean 1 / sqrt(2 pi) and mean square 1 / 2.
    assert start["mean"] == pytest.approx(math.sqrt(2) / math.sqrt(2 * math.pi), rel=0.02)


def test_a_normalised_branch_adds_one_and_one_without_norms_what_it_is_given():
    normalised, free = signal("pre-activation"), signal("no norm")
    # The zeros of the padding take a third of 2 of 32 positions.
    edge = 1 - 2 / (3 * 32)
    assert normalised["added"].iloc[1:].to_numpy() == pytest.approx(edge, rel=0.15)
    # The first block's input has no negative part, so its ReLU doesn't halve the mean square.
    assert free.loc[1, "added"] == pytest.approx(2 * edge**2, rel=0.3)
    growth = free["mean_square"].loc[4] / free["mean_square"].loc[1]
    assert growth == pytest.approx((1 + edge**2) ** 3, rel=0.5)


def test_orders_with_a_norm_at_the_end_add_exactly_its_mean_square():
    assert signal("original")["added"].iloc[1:].to_numpy() == pytest.approx(1, rel=1e-3)
    assert signal("ReLU before")["added"].iloc[1:].to_numpy() == pytest.approx(0.5, rel=0.1)


def test_with_the_relu_before_nothing_falls_and_with_the_others_something_does():
    assert signal("ReLU before")["fell"].iloc[1:].max() == 0
    assert signal("pre-activation")["fell"].iloc[1:].min() > 0.3


# --- training --------------------------------------------------------------------------------


def test_a_training_has_errors_at_the_end_and_a_curve_of_means():
    settings = Settings({"width": 4, "batch": 16, "steps": 6, "window": 3})
    params = {"shortcut": "identity", "order": "pre-activation", "depth": 8}
    table = chapter.run_training(params, [0, 1], settings)
    curve = table[table["metric"] == "curve"]
    assert sorted(curve["step"].unique()) == [3, 6]
    assert table["value"].between(0, 1).all()
    assert set(table["metric"]) == {"curve", "train_error", "test_error"}


# --- statistics ------------------------------------------------------------------------------


def errors(values, metric="train_error", seeds=(0, 1)):
    rows = [(name, seed, 9, metric, v) for name, v in values.items() for seed in seeds]
    return pd.DataFrame(rows, columns=["variant", "seed", "step", "metric", "value"])


def test_a_run_that_diverged_counts_as_guessing():
    lost = errors({"b": 1.0}, "diverged", seeds=[1])
    table = pd.concat([errors({"a": 0.1}), errors({"b": 0.2}, seeds=[0]), lost])
    found = claims.final_error(table)
    assert found.loc[1, "b"] == 0.9
    assert found.loc[0, "b"] == 0.2


def test_rank_correlation_of_known_orders():
    published = {"a": 1.0, "b": 2.0, "c": 3.0, "d": np.inf}
    same = errors({"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.9})
    assert claims.rank_correlation(published, same).tolist() == pytest.approx([1, 1])
    reverse = errors({"a": 0.9, "b": 0.3, "c": 0.2, "d": 0.1})
    assert claims.rank_correlation(published, reverse).tolist() == pytest.approx([-1, -1])
    # Spearman's formula without ties: 1 - 6 sum d^2 / (n (n^2 - 1)), here with d = 1, 1, 0, 0.
    swapped = errors({"a": 0.2, "b": 0.1, "c": 0.3, "d": 0.9})
    assert claims.rank_correlation(published, swapped).tolist() == pytest.approx([0.8, 0.8])


def test_gains_are_geometric_means():
    rows = [("x", 0, "gain", value) for value in (0.5, 2.0, 8.0)]
    table = pd.DataFrame(rows, columns=["variant", "seed", "metric", "value"])
    assert claims.gain("x", table)[0] == pytest.approx(2)


def test_growth_by_hand():
    rows = [("pre", 0, "mean_square", 2.0, 0), ("pre", 0, "mean_square", 32.0, 4)]
    table = pd.DataFrame(rows, columns=["variant", "seed", "metric", "value", "block"])
    assert claims.growth_a_block("pre", table)[0] == pytest.approx(7.5)
    assert claims.doublings_a_block("pre", table)[0] == pytest.approx(1)
    assert claims.growth_in_all("pre", table)[0] == pytest.approx(16)


def test_the_last_batches_are_those_of_the_last_step():
    early = errors({"original": 0.9, "pre-activation": 0.8}, "curve").assign(step=5)
    late = errors({"original": 0.7, "pre-activation": 0.3}, "curve").assign(step=10)
    table = pd.concat([early, late])
    assert claims.deep_gap(table).tolist() == pytest.approx([0.4, 0.4])
    assert claims.learns("pre-activation", table).tolist() == pytest.approx([0.6, 0.6])


def test_every_claim_names_an_experiment_of_the_chapter():
    names = {experiment.name for experiment in experiments.list_experiments(5)}
    assert {claim.experiment for claim in claims.CLAIMS} == names
