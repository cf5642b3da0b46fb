"""Chapter 2's helpers against what they must be exactly, and its statistics on known tables."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from residual_lib import data
from residual_lib.claims import degradation as claims
from residual_lib.experiments import degradation
from residual_lib.models import create_model
from residual_lib.train import Training


@pytest.mark.parametrize("dims", [1, 2])
def test_added_blocks_copy_their_input(dims):
    torch.manual_seed(0)
    x = torch.randn(16, 1, *(9, 7)[:dims])
    shallow = create_model(f"plain_conv{dims}d", width=4, depth=6)
    for _ in range(5):
        shallow(x)  # so that running statistics are those of no standard normal
    shallow.eval()
    deep = degradation.deepen(shallow, 20, x)
    assert sum(parameter.ndim > 1 for parameter in deep.parameters()) == 20
    torch.testing.assert_close(deep(x), shallow(x), rtol=1e-4, atol=1e-5)
    control = degradation.deepen(shallow, 20, x, identity=False)
    assert not torch.allclose(control(x), shallow(x), atol=0.1)


@pytest.mark.parametrize("depth", [4, 7])
def test_only_deeper_nets_can_be_made(depth):
    model = create_model("plain_conv1d", width=2, depth=6)
    with pytest.raises(ValueError, match=f"depth must be even and at least .* got {depth}"):
        degradation.deepen(model, depth, torch.randn(4, 1, 8))


def test_identity_start_sets_every_kernel_in_the_blocks():
    model = degradation.start_at_identity_(degradation.net(6, False, 3))
    x = torch.randn(2, 3, 5)
    kernels = [m for m in model.blocks.modules() if isinstance(m, nn.Conv1d)]
    assert len(kernels) == 4
    for kernel in kernels:
        torch.testing.assert_close(kernel(x), x)


def test_folding_loses_nothing():
    digits = data.load("digits")
    folded = degradation.folded(digits, 2)
    assert folded.x_train.shape == (len(digits.x_train), 4, 4, 4)
    back = torch.nn.functional.pixel_shuffle(folded.x_train, 2)
    assert torch.equal(back, digits.x_train)


def test_curve_takes_means_of_whole_windows_and_marks_divergence():
    rows = [(0, step, "batch_loss", float(step)) for step in range(10)]
    rows += [(1, step, "batch_loss", 1.0) for step in range(7)]  # seed 1 diverges at step 7
    rows += [(0, 10, "train_error", 0.5)]
    training = Training(
        history=pd.DataFrame(rows, columns=["seed", "step", "metric", "value"]),
        models=[None, None],
        seeds=[0, 1],
        diverged={1: 7},
        probes=pd.DataFrame(),
        seconds=0.0,
        device="cpu",
        interrupted=False,
    )
    table = degradation.curve(training, 5)
    losses = table[table["metric"] == "batch_loss"]
    assert losses[["seed", "step", "value"]].values.tolist() == [[0, 5, 2], [0, 10, 7], [1, 5, 1]]
    assert table[table["metric"] == "diverged"]["seed"].tolist() == [1]
    assert table[table["metric"] == "train_error"]["value"].tolist() == [0.5]


def table_of(*rows, columns=("variant", "seed", "step", "metric", "value")):
    return pd.DataFrame(rows, columns=list(columns))


def test_differences_are_taken_within_each_seed():
    rows = [
        (variant, seed, 200, "train_error", value + 0.1 * seed)
        for variant, value in (("plain-56", 0.8), ("plain-20", 0.5))
        for seed in (0, 1)
    ]
    found = claims.difference(table_of(*rows), of="plain-56", less="plain-20")
    assert found.to_dict() == pytest.approx({0: 0.3, 1: 0.3})


def test_spread_is_the_worst_moment_in_orders_of_magnitude():
    rows = [
        ("plain-56", 0, step, "weight_gradient", value)
        for step, values in ((0, (1e-4, 1.0)), (100, (0.1, 1.0)), (200, (0.01, 1.0)))
        for value in values
    ]
    assert claims.spread(table_of(*rows), training=False)[0] == pytest.approx(4)
    assert claims.spread(table_of(*rows), training=True)[0] == pytest.approx(2)


def test_sabotage_puts_other_rows_in_place_and_keeps_the_rest():
    table = table_of(
        ("plain-8", 0, 1, "train_error", 0.1),
        ("plain-56", 0, 1, "train_error", 0.9),
        ("plain-56", 0, 1, "test_error", 0.95),
    )
    moved = claims.renamed(table, plain_8="plain-56")
    assert moved[moved["variant"] == "plain-8"]["value"].tolist() == [0.9, 0.95]
    overfitted = claims.as_if_overfitted(table)
    assert claims.overfitting(overfitted)[0] == pytest.approx(0.85)
    assert np.isclose(claims.overfitting(table)[0], 0.05)
