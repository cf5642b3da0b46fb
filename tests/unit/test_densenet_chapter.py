"""Chapter 7: its counts against nets that are built, its helpers against closed cases."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from residual_lib.claims import densenet as claims
from residual_lib.experiments import Settings
from residual_lib.experiments import densenet as chapter
from residual_lib.experiments.projection_shortcuts import cost
from residual_lib.models import DenseNet, create_model
from residual_lib.objective import loss
from residual_lib.probes.memory import kept_for_backward, peak_memory
from residual_lib.residual import iter_residuals


def settings(**profile):
    return Settings(profile=profile, device="cpu", progress=False)


# --- bytes -----------------------------------------------------------------------------------


def test_kept_by_two_layers_is_what_their_backward_reads():
    """A linear layer keeps its input, a ReLU its output, and the next layer reads that too."""
    net = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    assert kept_for_backward(net, torch.zeros(7, 3)) == 4 * 7 * (3 + 5)


def test_nothing_is_kept_where_nothing_learns():
    net = nn.Linear(3, 5).requires_grad_(False)
    assert kept_for_backward(net, torch.zeros(7, 3)) == 0


def test_the_peak_of_one_layer_by_hand():
    """Output and sum; then the sum's gradient, expanded without memory, and the parameters'."""
    net = nn.Linear(3, 5, bias=False)
    peak = peak_memory(net, torch.zeros(7, 3))
    outputs, weights = 4 * 7 * 5, 4 * 3 * 5
    assert outputs + 4 <= peak <= 2 * outputs + weights + 8
    assert net.weight.grad is None


@pytest.mark.parametrize("memory_efficient", [False, True])
def test_shapes_without_numbers_count_the_same(memory_efficient):
    found = []
    for device in ("cpu", "meta"):
        with torch.device(device):
            net = chapter.one_block(5, 3, memory_efficient)
            x = torch.empty(2, 3, 8, 8)
        found.append((kept_for_backward(net, x), peak_memory(net, x)))
    assert found[0] == found[1]


# --- counts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "growth", "links"),
    [("densenet_bc_100_12_cifar", 12, 16), ("densenet_bc_190_40_cifar", 40, 31)],
)
def test_a_published_net_counted_by_hand(name, growth, links):
    with torch.device("meta"):
        model = create_model(name)
    counted = chapter.count(growth, links)
    assert cost(model, (3, 32, 32)) == {"parameters": counted.parameters, "flops": counted.flops}
    for stage, steps in zip(model.stages, counted.channels, strict=True):
        read = [link.branch.norm1.num_features for link in stage.links]
        assert steps[:-1] == read
        assert steps[-1] == read[-1] + growth


@pytest.mark.parametrize("memory_efficient", [False, True])
def test_bytes_counted_by_hand(memory_efficient):
    """What normalisations keep once for a batch, whatever its size, is left out by hand."""
    model = DenseNet(
        3, 10, growth_rate=4, block_config=(3,) * 3, stem="cifar", memory_efficient=memory_efficient
    )
    few, many = (kept_for_backward(model, torch.zeros(n, 3, 16, 16)) for n in (2, 8))
    counted = chapter.count(4, 3, size=16)
    assert (many - few) / 6 == (counted.kept_once if memory_efficient else counted.kept)


@pytest.mark.parametrize("kind", ["add", "plain", "add, two layers"])
def test_what_a_stacked_net_takes(kind):
    widths = (3, 5, 8)
    spent = chapter.spent(chapter.network(kind, widths, 4))
    counted = chapter.spent_by(widths, 4)
    assert spent["parameters"] == counted["parameters"]
    assert spent["flops"] == counted["flops"]
    assert spent["memory"] == pytest.approx(counted["memory"], rel=0.02)


@pytest.mark.parametrize("budget", chapter.BUDGETS)
def test_budgets_are_matched_to_a_percent(budget):
    widths = chapter.matched(budget, chapter.LINKS, chapter.GROWTH)
    spent = chapter.spent(chapter.network("add, two layers", widths, chapter.LINKS))
    target = chapter.dense_spends(chapter.LINKS, chapter.GROWTH)[budget]
    assert spent[budget.partition(",")[0]] == pytest.approx(target, rel=0.01)


def test_an_unknown_net_is_refused():
    with pytest.raises(ValueError, match="kind must be one of"):
        chapter.network("sum", (3,), 2)


def test_a_folded_signal_has_even_and_odd_places():
    signals = chapter.data.load("mnist1d")
    folded = chapter.folded()
    assert torch.equal(folded.x_test[:, 0], signals.x_test[:, 0, ::2])
    assert torch.equal(folded.x_test[:, 1], signals.x_test[:, 0, 1::2])


# --- ways ------------------------------------------------------------------------------------


def batch_of(count=6):
    torch.manual_seed(1)
    return torch.randn(count, chapter.IN_CHANS, chapter.LENGTH), torch.arange(count) % 10


@pytest.mark.parametrize("kind", ["dense", "add", "plain"])
def test_the_last_link_hears_the_head_alone(kind):
    torch.manual_seed(0)
    found = chapter.ways(chapter.network(kind, (4,), 3), batch_of())
    assert [number for number, _, _ in found] == [0, 1, 2, 3]
    assert found[-1][1] == pytest.approx(found[-1][2], rel=1e-5)
    assert all((straight == 0) == (kind == "plain") for _, _, straight in found[:-1])


def test_the_straight_way_is_what_remains_if_links_are_constants():
    torch.manual_seed(0)
    model = chapter.network("dense", (4,), 2)
    x, y = batch_of()
    found = chapter.ways(model, (x, y))
    features = [model.stem(x)]
    for link in model.stages[0].links:
        features.append(link.branch(torch.cat(features, 1).detach()))
    output = model.head(model.final(torch.cat(features, 1)).mean(-1))
    gradients = torch.autograd.grad(loss(output, y), features)
    for (_, _, straight), gradient in zip(found, gradients, strict=True):
        assert straight == pytest.approx(
            gradient.norm().item() / gradient.shape[1] ** 0.5, rel=1e-4
        )


def test_without_the_short_way_nothing_changes_forwards():
    outputs, gradients = [], []
    x, y = batch_of()
    for kind in ("dense", "no short way"):
        torch.manual_seed(0)
        model = chapter.network(kind, (4,) * 3, 2)
        outputs.append(model(x))
        loss(outputs[-1], y).backward()
        gradients.append([p.grad for p in model.parameters()])
    assert torch.equal(*outputs)
    assert not all(map(torch.equal, *gradients))
    assert torch.equal(gradients[0][-1], gradients[1][-1])  # the head's


# --- connections -----------------------------------------------------------------------------


def test_a_connection_that_is_cut_reads_zeros():
    torch.manual_seed(0)
    model = chapter.network("dense", (4,) * 3, 2).eval()
    batch = batch_of()
    table = chapter.connections(model, batch)
    assert len(table) == 2 * 3 * (1 + 2 + 3)
    damage = table.query("metric == 'damage'").set_index(["block", "target", "source"])["value"]
    with torch.no_grad():
        intact = loss(model(batch[0]), batch[1])
        model.stages[1].links[1].branch.layer1.weight[:, -4:] = 0  # reads link 1 last
        cut = loss(model(batch[0]), batch[1])
    assert damage[1, 2, 1] == pytest.approx((cut - intact).item(), abs=1e-6)


def test_weights_by_source_are_shares_of_the_layers_mean():
    torch.manual_seed(0)
    model = chapter.network("dense", (4,) * 3, 2)
    with torch.no_grad():
        model.stages[0].links[1].branch.layer1.weight[:, -4:] = 0
    table = chapter.connections(model, batch_of()).query("metric == 'weight' and block == 0")
    weights = table.set_index(["target", "source"])["value"]
    assert weights[1, 0] == pytest.approx(1)
    assert weights[2, 1] == 0
    assert weights[2, 0] == pytest.approx(12 / 8)


def test_a_small_run_has_what_the_claims_read():
    profile = {"links": 2, "growth": 3, "steps": 2, "batch": 8, "examples": 20}
    params = {"kind": "dense", "budget": "all", "decay": 0.0}
    table = chapter.run_merges(params, [0, 1], settings(**profile))
    assert set(table["metric"]) == {
        *("train_error", "test_error", "parameters", "flops", "memory"),
        *("lesion", "weight", "damage"),
    }
    assert len(table.query("metric == 'lesion'")) == 2 * (1 + 6)
    params = {"kind": "add, two layers", "budget": "parameters", "decay": 0.0}
    table = chapter.run_merges(params, [0], settings(**profile))
    assert "lesion" not in set(table["metric"])


def test_a_residual_net_has_half_as_many_blocks_of_two_layers():
    one, two = (chapter.network(kind, (4,) * 3, 6) for kind in ("add", "add, two layers"))
    assert len(list(iter_residuals(one))) == 18
    assert len(list(iter_residuals(two))) == 9
    counts = [sum(p.numel() for p in net.parameters()) for net in (one, two)]
    assert counts[0] == counts[1]


# --- statistics ------------------------------------------------------------------------------


def connection_table(weight, damage, variant="dense"):
    """A block of three links, last in the net: weight and damage by (target, source)."""
    rows = []
    for block in range(3):
        for target in range(1, 5):
            for source in range(target):
                for metric, function in (("weight", weight), ("damage", damage)):
                    value = function(target, source)
                    rows.append((variant, 0, block, target, source, metric, value))
    names = ["variant", "seed", "block", "target", "source", "metric", "value"]
    return pd.DataFrame(rows, columns=names)


def test_late_over_early_and_weight_on_the_input():
    table = connection_table(lambda t, s: 1 + s, lambda t, s: 0.0)
    assert claims.late_over_early("dense", table)[0] == 4
    assert claims.weight_on_input("dense", table)[0] == 1
    assert claims.late_over_early("dense", claims.flat(table))[0] == 1


def test_size_tells_use_where_both_have_one_order():
    table = connection_table(lambda t, s: 10 * t + s, lambda t, s: (10 * t + s) ** 2)
    assert claims.size_tells_use("dense", table)[0] == pytest.approx(1)
    table = connection_table(lambda t, s: 10 * t + s, lambda t, s: -t - s / 10)
    assert claims.size_tells_use("dense", table)[0] == pytest.approx(-1)
    assert claims.size_tells_use("dense", claims.damage_by_size(table))[0] == pytest.approx(1)


def test_input_matters_leaves_the_first_link_and_the_head_out():
    table = connection_table(
        lambda t, s: 1.0, lambda t, s: 1000.0 if t in (1, 4) else 8.0 if s == 0 else 2.0
    )
    assert claims.input_matters(table)[0] == pytest.approx(2)
    assert claims.input_matters(claims.turned_round(table))[0] < 1


def test_lesions_are_differences_from_the_intact_net():
    values = [0.1, 0.5, 0.3, 0.2]
    table = pd.DataFrame({"variant": "dense", "seed": 0, "metric": "lesion", "value": values})
    table["block"] = [-1, 0, 1, 2]
    assert claims.lesions(table, "dense").loc[0].tolist() == pytest.approx([0.4, 0.2, 0.1])
    assert claims.first_block_matters(table)[0] == pytest.approx(0.3)
    assert claims.first_block_matters(claims.first_last(table))[0] == pytest.approx(-0.3)


def test_shares_and_doublings_of_a_gradient():
    rows = []
    for link in range(25):
        rows += [("whole", link, 2.0 ** (24 - link)), ("straight", link, 1.0)]
    table = pd.DataFrame(rows, columns=["metric", "link", "value"])
    table = table.assign(seed=0, merge="dense", variant="dense")
    assert claims.straight_share("dense", table)[0] == pytest.approx(2.0**-24)
    assert claims.doublings_back("dense", table)[0] == pytest.approx(np.log2(2.0**23))
