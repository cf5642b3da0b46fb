"""Chapter 15: its helpers against closed cases, its tables against what the claims read."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from residual_lib import claims as ledger
from residual_lib import decisions
from residual_lib.claims import limits as claims
from residual_lib.experiments import Settings
from residual_lib.experiments import limits as chapter
from residual_lib.nn import TailoredReLU, cosine_after, initialise_, tailored_slope
from residual_lib.probes.memory import inference_memory
from residual_lib.residual import Residual


def settings(**profile):
    return Settings(profile=profile, device="cpu", progress=False)


# --- rectifiers ------------------------------------------------------------------------------


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("cosine", [-0.5, 0.0, 0.8])
def test_the_map_of_cosines_is_what_is_drawn(slope, cosine):
    torch.manual_seed(0)
    u, w = torch.randn(2, 1_000_000, dtype=torch.float64)
    v = cosine * u + math.sqrt(1 - cosine**2) * w
    act = TailoredReLU(slope)
    measured = (act(u) * act(v)).mean()
    assert measured.item() == pytest.approx(cosine_after(cosine, slope), abs=5e-3)
    assert act(u).square().mean().item() == pytest.approx(1, abs=5e-3)


def test_relu_takes_orthogonal_inputs_to_one_over_pi():
    assert cosine_after(0.0, 0.0) == pytest.approx(1 / math.pi)
    assert cosine_after(1.0, 0.2, 50) == pytest.approx(1)


@pytest.mark.parametrize("layers", [20, 63, 500])
def test_the_tailored_slope_ends_at_its_cosine(layers):
    assert cosine_after(0.0, tailored_slope(layers), layers) == pytest.approx(0.9, abs=1e-6)


def test_few_layers_need_no_slope():
    assert tailored_slope(1) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cosine_after(2.0, 0.1), "cosine must be from -1 to 1"),
        (lambda: cosine_after(0.0, -0.1), "negative_slope must be from 0 to 1"),
        (lambda: tailored_slope(0), "layers must be a whole number above 0"),
        (lambda: tailored_slope(3, 1.0), "cosine must be between 0 and 1"),
        (lambda: TailoredReLU(2.0), "negative_slope must be from 0 to 1"),
        (lambda: chapter.net("gated", 8), "kind must be one of"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("layer", [nn.Conv1d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)])
def test_a_delta_orthogonal_convolution_keeps_norms_at_every_position(layer):
    initialise_(layer, "delta_orthogonal", activation="tanh")
    x = torch.randn(2, 4, *(6,) * (layer.weight.ndim - 2))
    torch.testing.assert_close(layer(x).norm(dim=1), x.norm(dim=1))


# --- nets ------------------------------------------------------------------------------------


def test_plain_and_residual_differ_by_the_merge_alone():
    nets = []
    for kind in ("plain", "residual"):
        torch.manual_seed(0)
        nets.append(chapter.net(kind, 8))
    states = [net.state_dict() for net in nets]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_half_steps_of_a_linear_block():
    torch.manual_seed(0)
    net = chapter.net("residual", 3)
    halved, x = chapter.in_half_steps(net), torch.randn(4, 64)
    branch = net[1][0].branch
    middle = x + branch(x) / 2
    torch.testing.assert_close(halved[1](x), middle + branch(middle) / 2)


def test_a_chain_holds_what_the_derivation_says():
    with torch.device("meta"):
        x = torch.empty(1, 3, 8, 8)
        for kind, skip, maps in [
            ("basic", False, 2),
            ("basic", True, 3),
            ("bottleneck", False, 1.25),
            ("bottleneck", True, 3),
        ]:
            model = chapter.chain(kind, 6, 8, skip)
            assert inference_memory(model, x) == maps * 4 * 8 * 8 * 8
            assert any(isinstance(part, Residual) for part in model) == skip


# --- graphs ----------------------------------------------------------------------------------


def test_a_graphs_operator_takes_means():
    operator = chapter.graph(3, 4, 0.5, 0.1, seed=0)
    torch.testing.assert_close(operator.sum(1), torch.ones(12, dtype=torch.float64))
    assert (operator.diagonal() > 0).all()
    assert torch.equal(operator > 0, (operator > 0).T)
    assert chapter.second_eigenvalue(operator) < 1


def test_the_limit_with_the_first_features():
    operator = chapter.graph(2, 5, 0.5, 0.1, seed=0)
    x = torch.randn(10, 3, dtype=torch.float64)
    limit = 0.1 * torch.linalg.solve(torch.eye(10, dtype=torch.float64) - 0.9 * operator, x)
    torch.testing.assert_close(chapter.propagated(operator, x, "initial", 300)[-1], limit)


def test_nodes_that_are_alike_have_no_spread():
    operator = chapter.graph(2, 5, 0.5, 0.1, seed=0)
    assert chapter.spread(operator, torch.ones(10, 3, dtype=torch.float64)) < 1e-12


def test_a_head_reads_what_is_there():
    y = torch.randint(4, (20, 6), generator=torch.Generator().manual_seed(0))
    clean = nn.functional.one_hot(y, 4).double()
    assert chapter.head_error(clean, y, 10) == 0
    assert chapter.head_error(torch.zeros_like(clean), y, 10) > 0.5


# --- steps -----------------------------------------------------------------------------------


def test_steps_of_a_decay_are_powers():
    x = torch.ones(1, dtype=torch.float64)
    assert chapter.euler(lambda h: -h, x, 0.1, 5)[-1].item() == pytest.approx(0.9**5)
    assert chapter.heun(lambda h: -h, x, 0.1, 5)[-1].item() == pytest.approx(0.905**5)


# --- statistics ------------------------------------------------------------------------------


def test_an_order_is_a_slope():
    rows = [("euler", 0, steps, 3.0 / steps**1.5) for steps in (64, 128, 256, 512)]
    table = pd.DataFrame(rows, columns=["method", "seed", "steps", "value"])
    assert claims.order("euler", table)[0] == pytest.approx(1.5)


def test_a_rate_over_the_derived_one():
    rows = [("plain", 0, "eigenvalue", np.nan, 0.8)]
    rows += [("plain", 0, "spread", layer, 0.8**layer) for layer in range(65)]
    table = pd.DataFrame(rows, columns=["kind", "seed", "metric", "layer", "value"])
    assert claims.rate_over_derived("plain", table)[0] == pytest.approx(1)


def test_in_place_takes_the_others_measurements():
    table = pd.DataFrame(
        {"variant": ["a", "b"], "kind": ["x", "y"], "seed": 0, "value": [1.0, 2.0]}
    )
    changed = claims.in_place("x", "y", table, column="kind")
    assert changed[changed["kind"] == "x"][["variant", "value"]].values.tolist() == [["a", 2.0]]


# --- runs ------------------------------------------------------------------------------------


def test_small_runs_have_what_the_claims_read():
    table = chapter.run_depths(
        {"kind": "residual", "depth": 4}, [0, 1], settings(steps=2, width=8, lr=1e-3)
    )
    assert set(table["metric"]) == {"train_error", "test_error", "cosine", "half_steps"}
    assert len(table.query("metric == 'cosine'")) == 2 * 3
    table = chapter.run_branches(
        {"branches": ["identity"]}, [0], settings(fold=2, steps=2, width=4, blocks=2, lr=0.01)
    )
    found = table.set_index("metric")["value"]
    assert found["difference"] < 1e-5
    assert found["folded_error"] == pytest.approx(found["test_error"], abs=0.01)
    table = chapter.run_training_memory(
        {"recompute": True}, [0], settings(width=4, size=4, batch=2, blocks=[1, 2])
    )
    kept = table[table["metric"] == "kept"]["value"]
    assert kept.nunique() == 1


# --- decisions -------------------------------------------------------------------------------


def stored_verdicts():
    """Id of a claim -> its verdict, as the chapters show them."""
    found = {}
    for path in (Path(__file__).parents[2] / "chapters").glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if "nbval-check-output" in cell["metadata"].get("tags", []):
                lines = [line for output in cell["outputs"] for line in output.get("text", [])]
                found |= dict(line.split(maxsplit=1) for line in lines if line.strip())
    return found


@pytest.mark.parametrize("row", decisions.ROWS, ids=lambda row: f"{row.family}-{row.depth}")
def test_every_decision_rests_on_claims_that_hold(row):
    verdicts = stored_verdicts()
    assert row.rests_on
    for id in row.rests_on:
        assert verdicts[id].startswith("holds"), f"{row.family}: claim {id} {verdicts[id]}"


def test_the_table_has_a_line_a_row_and_names_real_claims():
    table = decisions.table()
    assert len(table) == len(decisions.ROWS)
    assert all(ledger.get(id).id == id for row in decisions.ROWS for id in row.rests_on)
