"""Chapter 12: its counts against nets that are built, its controls and lesions by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from residual_lib.claims import squeeze_excitation as claims
from residual_lib.experiments import Settings
from residual_lib.experiments import squeeze_excitation as chapter
from residual_lib.experiments.projection_shortcuts import cost
from residual_lib.models import create_model
from residual_lib.nn import Scale, SqueezeExcitation
from residual_lib.objective import error
from residual_lib.residual import iter_residuals
from residual_lib.train.stack import fastest_way

KINDS = (
    *("none", "half", "se", "eca", "added", "spread"),
    *("se, pre", "se, post", "se, identity", "se, post, open", "se, identity, open"),
)


def settings(**profile):
    return Settings(profile=profile, device="cpu", progress=False)


def batch_of(count=12):
    torch.manual_seed(1)
    return torch.randn(count, 1, 8, 8), torch.arange(count) % 3


def parameters(model):
    return sum(p.numel() for p in model.parameters())


# --- counts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
@pytest.mark.parametrize("reduction", [4, 16])
def test_gates_counted_by_hand(name, reduction):
    size = (3, 64, 64)
    with torch.device("meta"):
        without = cost(create_model(name), size)
        gated = cost(create_model(f"se{name}", reduction=reduction), size)
    stages = chapter.count(chapter.STAGES[name], reduction)
    for metric in ("parameters", "flops"):
        assert gated[metric] - without[metric] == sum(getattr(s, metric) for s in stages)


@pytest.mark.parametrize("reduction", [2, 4, 16, 32])
def test_gates_of_the_pages_net_counted_by_hand(reduction):
    stages = chapter.count(chapter.STAGES["small_resnet2d"], reduction)
    added = parameters(chapter.network("se", reduction=reduction)) - parameters(
        chapter.network("none")
    )
    assert added == sum(stage.parameters for stage in stages)
    assert [stage.middle for stage in stages] == [max(1, c // reduction) for c in (8, 16, 32)]


def test_cost_has_the_last_stages_gates():
    table = chapter.run_cost(
        {"model": "resnet18", "attention": "se", "reduction": 16}, [0, 1], settings(size=32)
    )
    values = table[table["seed"] == 1].set_index("metric")["value"]
    stages = chapter.count(chapter.STAGES["resnet18"], 16)
    assert values["last"] == stages[-1].parameters
    assert values["gates"] == sum(stage.parameters for stage in stages)
    assert values["parameters"] == 11_778_592


# --- the nets --------------------------------------------------------------------------------


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_seeds_of_every_net_are_trained_side_by_side(kind, dims):
    models = [chapter.network(kind, dims=dims) for _ in range(2)]
    x = torch.randn(4, 1, 8, 8) if dims == 2 else torch.randn(4, 2, 20)
    assert fastest_way(models, torch.device("cpu"), x) == "side by side"


def test_controls_have_the_gates_parameters():
    wanted = parameters(chapter.network("se"))
    assert {parameters(chapter.network(kind)) for kind in ("added", "spread")} == {wanted}
    assert parameters(chapter.network("none")) == parameters(chapter.network("half"))


@pytest.mark.parametrize("kind", ["added", "spread"])
def test_controls_start_as_the_net_without(kind):
    torch.manual_seed(0)
    control = chapter.network(kind).eval()
    x, _ = batch_of()
    output = control(x)
    for _, block in iter_residuals(control):
        block.scale = None
    torch.testing.assert_close(control(x), output)


def test_ungated_by_hand():
    torch.manual_seed(0)
    x = torch.randn(3, 4, 5, 5)
    gate = SqueezeExcitation(4, reduction=2)
    for pooled in (True, False):
        part = chapter.Ungated(gate, pooled=pooled)
        nn.init.normal_(gate.gate.fc2.weight)
        first, second = (layer.weight.flatten(1) for layer in (gate.gate.fc1, gate.gate.fc2))
        read = x.mean((2, 3), keepdim=True).expand_as(x) if pooled else x
        middle = torch.einsum("mc,bchw->bmhw", first, read) + gate.gate.fc1.bias[:, None, None]
        added = torch.einsum("cm,bmhw->bchw", second, middle.relu())
        added = added + gate.gate.fc2.bias[:, None, None]
        torch.testing.assert_close(part(x), x + added)


def test_half_is_a_scale_on_each_branch():
    scales = [block.scale for _, block in iter_residuals(chapter.network("half"))]
    assert all(isinstance(scale, Scale) and scale.factor == 0.5 for scale in scales)


def test_open_gates_start_with_a_bias():
    for kind, bias in (("se, identity", 0), ("se, identity, open", chapter.OPEN)):
        model = chapter.network(kind)
        gates = [part.gate for part in model.modules() if isinstance(part, SqueezeExcitation)]
        assert len(gates) == 6
        assert all((gate.fc2.bias == bias).all() for gate in gates)
    assert torch.sigmoid(torch.tensor(chapter.OPEN)) > 0.98


def test_an_unknown_net_is_refused():
    with pytest.raises(ValueError, match="kind must begin with"):
        chapter.network("softmax")


@pytest.mark.parametrize(("place", "factor"), [("standard", 1), ("post", 0.5), ("identity", 0.5)])
def test_what_new_gates_leave_of_the_stream(place, factor):
    left = chapter.halved(5, place).set_index("block")["value"]
    assert left[1] == pytest.approx(factor, abs=0.1)
    assert left[5] == pytest.approx(factor**5, rel=0.4)


# --- looking at gates ------------------------------------------------------------------------


def test_gates_are_those_that_the_net_multiplies_by():
    torch.manual_seed(0)
    model = chapter.network("se").eval()
    x, _ = batch_of()
    gates = chapter.gates_of(model, x)
    block = model.stages[0][0]
    u = block.branch(model.stem(x))
    torch.testing.assert_close(block.scale(u), u * gates["stages.0.0.scale"][:, :, None, None])


def test_lesions_by_hand():
    torch.manual_seed(0)
    model = chapter.network("se").eval()
    batch = batch_of(30)
    found = chapter.gate_lesions(model, batch)
    assert set(found) == set(chapter.CHANGES)
    with torch.no_grad():
        assert found["own"] == pytest.approx(error(model(batch[0]), batch[1]).item())
        for _, block in iter_residuals(model):
            block.scale = None
        assert found["open"] == pytest.approx(error(model(batch[0]), batch[1]).item())


def test_changes_of_gates():
    gates = torch.tensor([[0.2, 0.4], [0.6, 0.8]])
    changed = {name: change(gates) for name, change in chapter.CHANGES.items()}
    assert torch.equal(changed["own"], gates)
    torch.testing.assert_close(changed["mean"], torch.tensor([[0.4, 0.6]] * 2))
    torch.testing.assert_close(changed["other"], gates.flip(0))
    torch.testing.assert_close(changed["one"], torch.full((2, 2), 0.5))
    assert torch.equal(changed["open"], torch.ones(2, 2))


def test_gates_are_their_own_again_afterwards():
    model = chapter.network("se").eval()
    x, _ = batch_of()
    before = model(x)
    with chapter.gates_set(model, lambda name, gates: torch.zeros_like(gates)):
        assert not torch.allclose(model(x), before)
    assert torch.equal(model(x), before)


def test_what_the_class_explains():
    labels = torch.tensor([0, 0, 1, 1])
    by_class = torch.tensor([[0.1, 0.5], [0.1, 0.5], [0.9, 0.4], [0.9, 0.4]])
    assert chapter.explained(by_class, labels) == pytest.approx(1)
    within = torch.tensor([[0.1], [0.9], [0.1], [0.9]])
    assert chapter.explained(within, labels) == pytest.approx(0, abs=1e-6)
    both = torch.tensor([[0.0], [0.2], [0.4], [0.6]])  # 0.04 between, 0.01 within
    assert chapter.explained(both, labels) == pytest.approx(0.8)


def test_a_small_run_has_what_the_claims_read():
    profile = {"steps": 2, "batch": 8}
    table = chapter.run_gates({"kind": "se", "reduction": 4}, [0, 1], settings(**profile))
    assert set(table["metric"]) == {
        *("train_error", "test_error", "parameters", "flops", "lesion", "gate"),
        *("explained", "mean", "channels", "examples", "open"),
    }
    assert len(table.query("metric == 'gate'")) == 2 * 10 * 2 * (8 + 16 + 32)
    table = chapter.run_gates({"kind": "half", "reduction": 4}, [0], settings(**profile))
    assert set(table["metric"]) == {"train_error", "test_error", "parameters", "flops"}
    profile |= {"blocks": [1, 1], "lr": 0.1}
    table = chapter.run_places({"kind": "se, post, open"}, [0], settings(**profile))
    product = table.query("metric == 'product'")["value"].item()
    assert product == pytest.approx(torch.sigmoid(torch.tensor(4.0)).item() ** 2, abs=0.05)


# --- statistics ------------------------------------------------------------------------------


def gate_table(metric, values):
    return pd.DataFrame(
        {"variant": "se", "seed": 0, "metric": metric, "block": range(6), "value": values}
    )


def test_stages_are_pairs_of_blocks():
    table = gate_table("examples", [0.1, 0.3, 0, 0, 0.8, 0.8])
    assert claims.in_stage(0, "examples", table)[0] == pytest.approx(0.2)
    assert claims.last_over_first(table)[0] == pytest.approx(2)
    assert claims.last_over_first(claims.turned_round(table))[0] == pytest.approx(-2)
    assert claims.in_last_block("examples", table)[0] == 0.8


def test_later_knows_more_and_its_sabotage():
    table = gate_table("explained", [0.1, 0.3, 0, 0, 0.8, 0.6])
    assert claims.later_knows_more(table)[0] == pytest.approx(0.5)
    assert claims.in_last_block("explained", claims.classes_alike(table))[0] == 0
    table = gate_table("mean", [0.4, 0.5, 1, 1, 1, 1])
    assert claims.from_half(table)[0] == pytest.approx(-0.05)
    assert claims.from_half(claims.open_at_the_end(table))[0] == pytest.approx(0.5)


def test_shares_and_harm():
    rows = [("a", "parameters", 100, None), ("b", "parameters", 110, None)]
    rows += [("se", "lesion", 0.03, "own"), ("se", "lesion", 0.2, "open")]
    rows += [("se", "test_error", 0.03, None)]
    table = pd.DataFrame(rows, columns=["variant", "metric", "value", "gates"]).assign(seed=0)
    assert claims.more("parameters", "b", "a", table)[0] == pytest.approx(0.1)
    assert claims.harm("open", table)[0] == pytest.approx(0.17)
    broken = claims.gates_mattered("se", table)
    assert claims.final(broken)["se"][0] == pytest.approx(0.2)
    assert np.isclose(claims.lesions(broken)["own"][0], 0.03)
